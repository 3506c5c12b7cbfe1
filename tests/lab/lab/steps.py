"""Plays a run's steps: each starts at its time or after another, repeats with think times, and is stopped at its bound.

One loop over all of them, without threads: a step is a small machine that is asked again and again what it does next.
"""
import time

from . import SEEN_HOME, PYTHON, LabError, draws, programs

TICK_SECONDS = 0.02  # How late a step may begin; think times are far longer.


class Player:
    def __init__(self, run, pods, logs):
        self.tracks = [Track(run, step, pods[pod], copy, logs)
                       for step in run.scenario.steps for pod in step["pods"] for copy in range(int(filled(step.get("copies", 1), run)))]

    def play(self):
        """Until every step is over that is not background; then those are stopped."""
        begun = time.monotonic()
        waited_for = [track for track in self.tracks if not track.step.get("background")]
        while not all(track.over for track in waited_for):
            now = time.monotonic()
            for track in self.tracks:
                track.advance(now, begun, self.tracks)
            time.sleep(TICK_SECONDS)
        for track in self.tracks:
            if track.program:
                track.program.stop()


class Track:
    """One step in one pod, and one of its copies."""

    def __init__(self, run, step, pod, copy, logs):
        self.run, self.step, self.pod, self.copy = run, step, pod, copy
        self.place = f"{run.scenario.path}: step {step['name']}"
        self.log = logs / f"{step['name']}-{pod.name}-{copy}.log"
        self.rng = run.rng("step", step["name"], pod.name, copy)
        repeat = step.get("repeat", {})
        self.times = int(self.number(repeat.get("times", 1 if "repeat" not in step else 10**9)))
        self.think = repeat.get("think", 0)
        self.start = self.number(step.get("at", 0))
        self.seconds = self.number(step["for"])
        self.deadline = None
        self.next = None
        self.round = 0
        self.program = None
        self.over = False

    def number(self, value):
        value = draws.draw(filled(value, self.run), self.rng)
        if not isinstance(value, (int, float)):
            raise LabError(f"{self.place}: a number is wanted, not {value!r}")
        return value

    def advance(self, now, begun, tracks):
        if self.over:
            return
        if self.deadline is None:
            after = self.step.get("after")
            if after and not all(track.over for track in tracks if track.step["name"] == after):
                return
            self.next = (now if after else begun) + self.start
            self.deadline = self.next + self.seconds
        if self.program:
            if not self.program.ended():
                return
            self.program.check()
            self.program = None
            self.next = now + self.number(self.think)
        if self.round >= self.times or now >= self.deadline or (self.round and self.next >= self.deadline):
            self.over = True
        elif now >= self.next:
            self.launch(now)

    def launch(self, now):
        step = self.step
        names = {**self.run.names, "round": self.round, "copy": self.copy, "home": str(self.pod.home)}
        names |= {key: draws.draw(filled(value, self.run), self.rng) for key, value in step.get("each", {}).items()}
        if "client" in step:
            argv = [PYTHON, "-B", str(SEEN_HOME / "clients" / f"{step['client']}.py"), *step.get("args", [])]
        else:
            argv = [*step["run"], *step.get("args", [])]
        argv = flatten(draws.fill(argv, names, self.place))
        env = {"LAB_SEED": str(self.rng.getrandbits(48)), **{key: draws.text(value) for key, value in
                                                             draws.fill(step.get("env", {}), names, self.place).items()}}
        self.program = programs.Program(self.pod, argv, self.log, seconds=self.deadline - now, env=env,
                                        ok=step.get("ok", [0]), what=f"step {step['name']}")
        self.round += 1


def flatten(argv):
    """A list among the arguments becomes several arguments."""
    return [draws.text(one) for arg in argv for one in (arg if isinstance(arg, list) else [arg])]


def filled(value, run):
    return draws.fill(value, run.names, str(run.scenario.path))
