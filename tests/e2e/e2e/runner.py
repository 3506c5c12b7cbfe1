"""The test from the outside: starts the node in namespaces of its own, and leaves nothing of it whatever way it ends.

The chain is setpriv, unshare, the node. setpriv's death signal ends unshare when this process dies, however it dies, and unshare's
ends the node, which is the first process of its pid namespace: so the kernel ends every process of the cluster, and with them mounts and
network namespaces. What is left then is two things with this process's id in their names: control groups, which are taken down here,
and a folder of images. After a `kill -9` the next run removes both.

The control groups are made beneath this process's own, whose limits so hold for the cluster too.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import HOME

MOST_SECONDS = 20 * 60
CONTROL_GROUPS = Path("/sys/fs/cgroup")
PREFIX = "flowshrike-e2e-"


def main(out, words):
    """Runs the checks in a node; 0 if all hold. `out` has the images, and gets the logs of a run that fails."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, interrupted)
    clean(out)
    work = out.resolve() / f".work-{os.getpid()}"
    (work / "logs").mkdir(parents=True)
    name = PREFIX + str(os.getpid())
    node, code = None, 1
    try:
        groups, hierarchies = make_groups(name)
        node = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--uts", "--ipc", "--cgroup", "--pid", "--fork",
             "--kill-child=KILL", "--mount-proc", "--propagation", "private", sys.executable, "-B", str(HOME / "e2e.py"), "node",
             str(work), json.dumps(hierarchies), str(out.resolve()), *words],
            stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=lambda: join(groups))
        code = node.wait(MOST_SECONDS)
    except subprocess.TimeoutExpired:
        print(f"FAILED: not done after {MOST_SECONDS // 60} minutes", file=sys.stderr)
    except KeyboardInterrupt as end:
        print(f"ended by {end}", file=sys.stderr)
    finally:
        # A second Ctrl-C would leave what the first one is there to remove.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if node:
            node.kill()
            node.wait()
        keep_logs(work, out / "logs", code)
        remove(work, name)
    return code


def make_groups(name):
    """A control group of this name beneath this process's own in each hierarchy; and the hierarchies by their mount points."""
    own = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        own["unified" if number == "0" else controllers] = path
    groups, hierarchies = [], {}
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mounted, kind, options, *_ = line.split()
        hierarchy = {"cgroup2": "unified"}.get(kind) or next((one for one in own if set(one.split(",")) <= set(options.split(","))), None)
        if not kind.startswith("cgroup") or hierarchy not in own:
            continue
        parent = Path(mounted + own[hierarchy])
        group = parent / name
        group.mkdir()
        # Without these nothing may join.
        for needed in ("cpuset.cpus", "cpuset.mems") if hierarchy == "cpuset" else ():
            (group / needed).write_text((parent / needed).read_text())
        groups.append(group)
        hierarchies[mounted] = hierarchy
    return groups, hierarchies


def join(groups):
    for group in groups:
        (group / "cgroup.procs").write_text(str(os.getpid()))


def interrupted(number, _):
    raise KeyboardInterrupt(signal.Signals(number).name)


def keep_logs(work, logs, code):
    shutil.rmtree(logs, ignore_errors=True)
    if code != 0:
        shutil.move(work / "logs", logs)
        print(f"logs: {logs}", file=sys.stderr)


def remove(work, group):
    """Folder and control groups of a run whose processes have been killed."""
    for path in list(CONTROL_GROUPS.rglob(group)):
        # The deepest first; a group can go once the kernel has ended the last of its processes.
        for folder, _, _ in os.walk(path, topdown=False):
            deadline = time.monotonic() + 30
            while Path(folder).exists():
                try:
                    os.rmdir(folder)
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
    shutil.rmtree(work, ignore_errors=True)


def clean(out):
    """Removes what a run that was killed left."""
    for work in out.glob(".work-*"):
        pid = work.name.removeprefix(".work-")
        try:
            alive = "e2e.py" in Path(f"/proc/{pid}/cmdline").read_text()
        except OSError:
            alive = False
        if alive:
            sys.exit(f"error: another run (process {pid}) works in {out}: wait for it")
        remove(work, PREFIX + pid)
