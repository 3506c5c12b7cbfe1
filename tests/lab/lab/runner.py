"""Runs many runs side by side, each in namespaces of its own, with a deadline each; leaves nothing of one that did not end well.

The chain is setpriv, unshare, the run. setpriv's death signal ends unshare when this process dies, however it dies, and unshare's
ends the run, which is the first process of its pid namespace: so the kernel ends everything in it.
"""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

from . import HOME, PYTHON, LabError

OVERHEAD_SECONDS = 90  # What building, slow servers and a loaded machine may add to the steps' own bounds.


class Job:
    def __init__(self, run, work, arguments):
        self.run = run
        self.folder = work / run.id
        self.folder.mkdir(parents=True)
        self.begun = time.monotonic()
        self.deadline = self.begun + bound(run) + OVERHEAD_SECONDS
        self.log = open(self.folder / "lab.log", "wb")
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child=KILL",
             "--mount-proc", "--propagation", "private", PYTHON, "-B", str(HOME / "lab.py"), "node", run.scenario.name, run.half,
             str(run.variant), str(self.folder), *arguments],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)

    def poll(self):
        """None while it runs, then its result."""
        if self.process.poll() is None:
            if time.monotonic() < self.deadline:
                return None
            self.kill()
            return {"error": f"not done after {int(self.deadline - self.begun)} s, its deadline"}
        try:
            return json.loads((self.folder / "result.json").read_text())
        except (OSError, ValueError):
            return {"error": "it ended without a result:\n" + (self.folder / "lab.log").read_text(errors="replace")[-2000:]}

    def kill(self):
        self.process.kill()
        self.process.wait()


def bound(run):
    """The longest that the run's steps may take, by what they say."""
    from .steps import filled
    total = 0
    for step in run.scenario.steps:
        values = [filled(step.get(key, 0), run) for key in ("at", "for")]
        total += sum(value if isinstance(value, (int, float)) else 120 for value in values) if not step.get("background") else 0
    return total


@contextlib.contextmanager
def work_folder(out):
    """A folder under `out` for what is not finished, with this process in its name: gone at the end, whatever the end."""
    clean(out)
    work = out / f".work-{os.getpid()}"
    old = {number: signal.signal(number, interrupted) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        (work / "results").mkdir(parents=True)
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        for number, handler in old.items():
            signal.signal(number, handler)


def play(runs, work, jobs, arguments=()):
    """Plays all runs, at most `jobs` at once, the longest first. Captures and logs are then under results/. Returns results by run id."""
    waiting, active, results = sorted(runs, key=bound, reverse=True), [], {}
    try:
        while waiting or active:
            while waiting and len(active) < jobs:
                active.append(Job(waiting.pop(0), work, arguments))
            for job in list(active):
                result = job.poll()
                if result is not None:
                    active.remove(job)
                    keep(job, result, work / "results")
                    results[job.run.id] = result
                    say(job, result, len(results), len(runs))
            time.sleep(0.05)
    finally:
        for job in active:
            job.kill()
    return {run.id: results[run.id] for run in runs}


def publish(work, out):
    """Puts whole results in the place of older ones."""
    for path in results_in(out):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (work / "results").iterdir():
        shutil.move(path, out / path.name)


def check_out(out):
    """Complains about a folder whose files are not the lab's: older results are removed when new ones are there."""
    if results_in(out) and not (out / "report.json").exists():
        raise LabError(f"{out} holds {results_in(out)[0].name}, but no report of the lab: give --out a folder of its own")


def results_in(out):
    names = ("captures", "logs", "rules*.yaml", "label-*.json", "train.csv", "test.csv", "smoke.csv", "smoke.json", "report.json")
    return [path for name in names for path in out.glob(name)]


def interrupted(number, _):
    raise KeyboardInterrupt(signal.Signals(number).name)


def keep(job, result, results):
    """Moves what a run left to the results; of a failed run the logs alone."""
    job.log.close()
    run = job.run
    result["wall"] = round(time.monotonic() - job.begun, 2)
    logs = results / "logs" / run.id
    logs.mkdir(parents=True)
    for path in [*job.folder.glob("logs/*"), job.folder / "lab.log"]:
        shutil.move(path, logs / path.name)
    captures = results / "captures" / run.half
    captures.mkdir(parents=True, exist_ok=True)
    if "error" not in result:
        for path in job.folder.glob(f"{run.id}.*"):
            shutil.move(path, captures / path.name)
    shutil.rmtree(job.folder)


def say(job, result, done, total):
    if "error" in result:
        print(f"[{done}/{total}] {job.run.id}: FAILED: {result['error']}", file=sys.stderr)
    else:
        seconds = result["seconds"]
        print(f"[{done}/{total}] {job.run.id}: {result['packets']} packets; node {seconds['node']} s, servers {seconds['servers']} s, "
              f"traffic {seconds['traffic']} s", file=sys.stderr)


def clean(out):
    """Removes what a lab that was killed left: its unfinished files. Its processes and namespaces died with it."""
    removed = []
    for work in out.glob(".work-*"):
        pid = work.name.removeprefix(".work-")
        try:
            alive = "lab.py" in open(f"/proc/{pid}/cmdline").read()
        except OSError:
            alive = False
        if alive:
            raise LabError(f"another lab (process {pid}) works in {out}; wait for it, or give --out another folder")
        shutil.rmtree(work)
        removed.append(work)
    return removed
