"""Programs inside pods: started with a bound on their time, logged, stopped with what they started.

Whatever escapes a process group ends with the run: all its processes live in one pid namespace, whose first process is the run.
"""
import glob
import os
import signal
import subprocess
import time

from . import LabError


NOT_FOUND = 127  # What a shell, and env, end with if there is no such program.


class Program:
    """One running program. `deadline` is when it is stopped, on the monotonic clock."""

    def __init__(self, pod, argv, log, *, seconds=None, env=None, ok=(0,), what="program"):
        self.what = what
        self.ok = ok
        self.stopped = False
        self.log = log
        self.deadline = None if seconds is None else time.monotonic() + seconds
        variables = {"PATH": PATH, "HOME": str(pod.home), "TMPDIR": "/tmp", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
                     **(env or {})}
        with open(log, "ab") as out:
            out.write(f"$ {' '.join(argv)}\n".encode())
            out.flush()
            self.process = subprocess.Popen(
                pod.enter(argv), stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=pod.home, env=variables,
                start_new_session=True)

    def ended(self):
        """Whether it has ended; stops it if its time is over."""
        if self.process.poll() is not None:
            return True
        if self.deadline is not None and time.monotonic() >= self.deadline:
            self.stop()
            return True
        return False

    def check(self):
        """Complains if it ended by itself otherwise than it should."""
        code = self.process.returncode
        # A program that is not there is never meant.
        if not self.stopped and (code == NOT_FOUND if self.ok == "any" else code not in self.ok):
            raise LabError(f"{self.what} ended with {code}, not {' or '.join(map(str, self.ok))}:\n{tail(self.log)}")

    def stop(self, grace=2):
        """Asks it to end, and then makes it."""
        if self.process.poll() is None:
            self.stopped = True
            for sent in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(self.process.pid, sent)
                except ProcessLookupError:
                    pass
                try:
                    self.process.wait(grace)
                    break
                except subprocess.TimeoutExpired:
                    continue


def run(pod, argv, log, *, seconds=60, env=None, what="command"):
    """Runs a program to its end."""
    program = Program(pod, argv, log, seconds=seconds, env=env, what=what)
    try:
        program.process.wait(seconds)
    except subprocess.TimeoutExpired:
        program.stop()
        raise LabError(f"{what}: not done after {seconds} s:\n{tail(log)}") from None
    program.check()


def listens(pod, protocol, port):
    """Whether something in the pod listens there, by the kernel's table: asking it makes no packet."""
    for table in (protocol, protocol + "6"):
        try:
            lines = open(f"/proc/{pod.pause.pid}/net/{table}").read().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            # State 0A is LISTEN; an unconnected UDP socket has 07.
            if int(fields[1].rsplit(":", 1)[1], 16) == port and fields[3] == ("0A" if protocol == "tcp" else "07"):
                return True
    return False


def tail(log, lines=12):
    try:
        return "\n".join("    " + line for line in open(log, errors="replace").read().splitlines()[-lines:])
    except OSError:
        return ""


# PostgreSQL keeps its programs apart, by version.
PATH = ":".join(sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)) + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
