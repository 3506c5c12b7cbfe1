"""Checks that end the daemon or the kubelet: no alert that was written is lost, and each end is a clean one."""
import json
from pathlib import Path

from . import hold, until
from .daemon import about, alerts_in

FOLDER = Path("/var/log/flowshrike")


def kubelet_restart(daemon, talkers):
    """A restart of the kubelet leaves the daemon and its alerts alone"""
    daemon.install()
    pod = daemon.ready_pod()
    talk_and_scan(daemon, talkers)
    before = daemon.log()
    daemon.cluster.restart_kubelet()
    talk_and_scan(daemon, talkers)
    after = daemon.log()
    hold(after.startswith(before), "what kubectl logs showed before is not what it shows now")
    again = until("the pod is Ready", daemon.ready_pod)
    hold(again.container == pod.container and again.restarts == pod.restarts, "the container was started anew")


def pod_killed(daemon, talkers):
    """A deleted pod ends with all of its alerts written and 0 as its exit code, and the next one is Ready"""
    daemon.install()
    pod = daemon.ready_pod()
    written = pod.written()
    talk_and_scan(daemon, talkers)
    # Flows of this one are open when the daemon is told to end.
    talkers.scan()
    daemon.kubectl("delete", "pod", pod.name, "--wait=true", "--timeout=60s")
    ended_well(daemon, pod, written)
    again = until("the next pod is Ready", lambda: next_pod(daemon, pod))
    talk_and_scan(daemon, talkers)
    return f"{len(written.alerts())} alerts of the old pod, then those of {again.name}"


def rolling_update(daemon, talkers):
    """A changed value rolls the pod over, and the old one loses no alert"""
    daemon.install()
    pod = daemon.ready_pod()
    written = pod.written()
    talk_and_scan(daemon, talkers)
    daemon.install(["config.flow.workers=2"])
    again = daemon.ready_pod()
    hold(again.name != pod.name, "the pod is the old one")
    sums = [one.annotations.get("checksum/config") for one in (pod, again)]
    hold(all(sums) and sums[0] != sums[1], f"the configuration's checksums are {sums}")
    ended_well(daemon, pod, written)
    talk_and_scan(daemon, talkers)
    return f"{len(written.alerts())} alerts of the old pod"


def file_on_the_node(daemon, talkers):
    """With alerts in a file on the node, an update and a deleted pod lose no line of it"""
    with_file = ["logDirectory.enabled=true", f"logDirectory.hostPath={FOLDER}"]
    daemon.install(with_file)
    file = FOLDER / "alerts.json"
    told = 0
    contents = ""
    for end in ("update", "delete"):
        pod = daemon.ready_pod()
        written = pod.written()
        in_file(file, *talkers.scan())
        hold(not written.alerts(), "alerts go to stdout too")
        if end == "update":
            daemon.install([*with_file, "config.flow.workers=2"])
        else:
            daemon.kubectl("delete", "pod", pod.name, "--wait=true", "--timeout=60s")
        until(f"the pod after the {end} is Ready", lambda pod=pod: next_pod(daemon, pod))
        hold(file.read_text().startswith(contents), f"lines of before the {end} are gone")
        contents = file.read_text()
        told += ended_well(daemon, pod, written, in_file=True)
        lines = len(alerts_in(contents.splitlines()))
        hold(lines == told, f"the file has {lines} alerts after the {end}, the daemons say that they wrote {told}")
    owner = FOLDER.stat()
    hold((owner.st_uid, owner.st_gid, owner.st_mode & 0o777) == (65532, 65532, 0o750), f"the folder is {owner}")
    return f"{told} alerts of two pods"


def talk_and_scan(daemon, talkers):
    """Ordinary traffic and a scan, until kubectl logs shows its alert."""
    scanner, target = talkers.scan()
    until(f"an alert names {scanner.address}, who scanned {target.address}",
          lambda: named(alerts_in(daemon.log().splitlines()), scanner, target), seconds=10)


def in_file(file, scanner, target):
    until(f"{file} names {scanner.address}, who scanned {target.address}",
          lambda: file.exists() and named(alerts_in(file.read_text().splitlines()), scanner, target), seconds=10)


def named(alerts, scanner, target):
    return any(about(one, scanner, target) for one in alerts)


def next_pod(daemon, old):
    pod = daemon.ready_pod()
    return pod if pod and pod.name != old.name else None


def ended_well(daemon, pod, written, in_file=False):
    """Exit code 0, and a summary that balances and knows as many lines as there are. Returns how many."""
    code = until(f"containerd tells that {pod.name} has ended", lambda: (daemon.exit_code(pod),) if daemon.exit_code(pod) is not None else None)[0]
    hold(code == 0, f"{pod.name} ended with {code}")
    summary = written.summary()
    summary.check()
    if not in_file:
        alerts = written.alerts()
        hold(len(alerts) == summary.lines(), f"{len(alerts)} lines were written, the summary says {summary.lines()}: {json.dumps(vars(summary))}")
    return summary.lines()
