"""The test from the inside: the first process of the node's namespaces makes the node, starts the cluster and runs the checks.

The machine's own run-time folders are covered: the kubelet, containerd and the network plugin write to fixed places beneath them. So are
the three settings of the whole kernel that a kubelet makes, by files that only this mount namespace sees: nothing has to be restored.
"""
import json
import os
import stat
import subprocess
import sys
import traceback
from pathlib import Path

from . import HELM, K8S_HOME, ROOT, Failure, checks
from .cluster import Cluster

COVERED = ("/run", "/tmp", "/var/tmp", "/var/log", "/var/lib", "/opt")
KERNEL_WIDE = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")
NODE_ADDRESS = "192.0.2.10"
SERVICE_ADDRESS = "10.96.0.1"


def main(work, arguments):
    """Runs the checks whose names have one of the words in them, all if there are none. The first argument has the control groups."""
    groups, out, *words = arguments
    tester = os.fork()
    if tester:
        return bury_until(tester)
    try:
        code = test(work, json.loads(groups), Path(out), words)
    except Failure as failure:
        print(f"FAILED the node comes up\n    {failure}", flush=True)
        code = 1
    except Exception:  # noqa: BLE001 a fault of the test is a failed run, and its place is wanted
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    os._exit(code)


def bury_until(tester):
    """The first process of a pid namespace is the parent of all that have lost theirs. The test's end is its own, and so everyone's."""
    while True:
        ended, status = os.wait()
        if ended == tester:
            return os.waitstatus_to_exitcode(status) and 1


def test(work, groups, out, words):
    images = sorted(out.glob("*.tar"))
    for mounted, hierarchy in groups.items():
        # Mounted anew from inside, a hierarchy begins at the node's own group: that is what the kubelet and containerd see.
        subprocess.run(["umount", mounted], check=True)
        kind = ["-t", "cgroup2"] if hierarchy == "unified" else ["-t", "cgroup", "-o", f"none,{hierarchy}" if "=" in hierarchy else hierarchy]
        mount(*kind, "e2e", mounted)
    cover([work, ROOT, K8S_HOME, HELM, *images])
    network()
    cluster = Cluster(work, NODE_ADDRESS, SERVICE_ADDRESS)
    cluster.start(images)
    return checks.run(cluster, words)


def cover(kept):
    """Puts empty folders over the machine's run-time folders, and what is needed of them back in its place."""
    kept = [(path, os.open(path, os.O_PATH)) for path in kept if path.exists()]
    for covered in COVERED:
        if Path(covered).is_dir() and not Path(covered).is_symlink():
            mount("-t", "tmpfs", "-o", "mode=1777" if "tmp" in covered else "mode=755", "e2e", covered)
    for path, handle in kept:
        if not path.exists():
            if stat.S_ISDIR(os.fstat(handle).st_mode):
                path.mkdir(parents=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            mount("--no-canonicalize", "--rbind", f"/proc/self/fd/{handle}", str(path), pass_fds=[handle])
    for name in KERNEL_WIDE:
        own = Path("/run/sysctl") / name
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(Path("/proc/sys", name).read_text())
        mount("--bind", str(own), f"/proc/sys/{name}")
    # Nobody here asks the machine's name servers.
    mount("--bind", os.devnull, "/etc/resolv.conf")
    # The kubelet mounts into folders that containerd shares with containers.
    mount("--make-rshared", "/")


def mount(*arguments, pass_fds=()):
    subprocess.run(["mount", *arguments], check=True, pass_fds=pass_fds)


def network():
    """An uplink that leads nowhere, with the default route, as a node has one; and the API's service address, for want of a proxy."""
    for line in (
        "link set lo up",
        f"address add {SERVICE_ADDRESS}/32 dev lo",
        "link add node0 type veth peer name nowhere0",
        "link set node0 up",
        "link set nowhere0 up",
        f"address add {NODE_ADDRESS}/24 dev node0",
        # What is sent to the router is swallowed there.
        "neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev node0 nud permanent",
        "route add default via 192.0.2.1",
    ):
        subprocess.run(["ip", *line.split()], check=True)
