"""The checks in their order, each a function whose first line of documentation is its name. updates.py has those that end the daemon."""
import json
import re
import subprocess
import time
from pathlib import Path

from . import IMAGE, ROOT, Failure, hold, until, updates
from .daemon import NAMESPACE, Daemon, about, alerts_in, ask
from .talkers import NAMESPACE as SHOP, OWNER, PORT, Talkers

USER = 65532
NET_RAW = 1 << 13
DATAGRAMS = 200
DATAGRAM_BYTES = 1000
# Ethernet, IP and UDP headers.
FRAME_BYTES = DATAGRAM_BYTES + 42
FLOOD = 200_000


def run(cluster, words):
    """Prints a line for each check, and one with the sums; 1 if one fails."""
    daemon, talkers = Daemon(cluster), Talkers(cluster)
    passed = failed = 0
    for check in CHECKS:
        name = check.__doc__.splitlines()[0].rstrip(".")
        if words and not any(word in name for word in words):
            continue
        begun = time.monotonic()
        try:
            if check not in BEFORE_PODS:
                talkers.start()
            said = check(daemon, talkers)
            passed += 1
            print(f"ok     {name} ({time.monotonic() - begun:.0f} s)" + (f": {said}" if said else ""), flush=True)
        except Failure as failure:
            failed += 1
            print(f"FAILED {name}\n    {failure}", flush=True)
            keep(daemon, failed)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def keep(daemon, number):
    """What the cluster says of itself at a failure."""
    for what, command in (
        ("pods", ["describe", "pods", "--all-namespaces"]),
        ("log", ["logs", "--namespace", NAMESPACE, "daemonset/flowshrike"]),
        ("previous", ["logs", "--namespace", NAMESPACE, "daemonset/flowshrike", "--previous"]),
    ):
        try:
            text = daemon.cluster.kubectl(*command, ok=(0, 1))
        except Failure as failure:
            text = str(failure)
        (daemon.cluster.logs / f"failure-{number}-{what}.txt").write_text(text)


def plain_manifest(daemon, talkers):
    """The plain manifest becomes Ready on a node without pods"""
    text = (ROOT / "deploy/daemonset.yaml").read_text()
    text, times = re.subn(r"^( +image: )flowshrike:\S+$", rf"\1{IMAGE}", text, flags=re.M)
    hold(times == 1, f"the manifest names the image {times} times")
    daemon.cluster.kubectl("apply", "--filename=-", text=text)
    daemon.rolled_out()
    hold(subprocess.run(["ip", "link", "show", "cni0"], capture_output=True).returncode != 0, "the plugin's bridge is there: the node is not new")
    return capturing(daemon)


def first_pod(daemon, talkers):
    """It moves to the pods' bridge when the node's first pod brings that"""
    pod = daemon.ready_pod()
    talkers.start()
    said = until("it watches cni0", lambda: "cni0" in capturing(daemon) and capturing(daemon), seconds=20)
    scanned(daemon, talkers)
    hold(daemon.ready_pod().container == pod.container, "it was started anew for that")
    return said


def plain_manifest_goes(daemon, talkers):
    """What the plain manifest made can be deleted by it"""
    daemon.cluster.kubectl("delete", "--filename", ROOT / "deploy/daemonset.yaml", "--ignore-not-found", "--wait=true", "--timeout=80s")
    hold(not daemon.pods(), "a pod is left")


def chart(daemon, talkers):
    """The chart with its default values becomes Ready"""
    daemon.install()
    return until("it watches cni0", lambda: "cni0" in capturing(daemon) and capturing(daemon), seconds=20)


def capturing(daemon):
    """What the daemon says that it watches."""
    found = [line for line in daemon.log().splitlines() if "capturing on" in line]
    hold(found, "its log does not say what it watches")
    return json.loads(found[-1]).get("message") or found[-1]


def rights(daemon, talkers):
    """On the node it is user 65532 with NET_RAW at most, no new privileges, seccomp and a read-only root"""
    daemon.install()
    process = daemon.process(daemon.ready_pod())
    keepers = 0
    threads = sorted(Path(f"/proc/{process}/task").iterdir())
    for thread in threads:
        status = dict(line.split(":\t", 1) for line in (thread / "status").read_text().splitlines() if ":\t" in line)
        where = f"thread {status['Name']}"
        hold(status["Uid"].split() == [str(USER)] * 4 and status["Gid"].split() == [str(USER)] * 4, f"{where}: {status['Uid']}, {status['Gid']}")
        hold(status["NoNewPrivs"] == "1", f"{where} may gain privileges")
        hold(status["Seccomp"] == "2", f"{where}: seccomp is {status['Seccomp']}, not a filter")
        sets = {name: int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
        hold(not any(held & ~NET_RAW for held in sets.values()), f"{where} has more than NET_RAW: {sets}")
        hold(sets["CapInh"] == sets["CapAmb"] == 0, f"{where} hands something on: {sets}")
        keepers += bool(sets["CapPrm"])
    hold(keepers == 1, f"{keepers} threads keep the right to capture, not one")
    roots = [line.split() for line in Path(f"/proc/{process}/mountinfo").read_text().splitlines() if line.split()[4] == "/"]
    hold(roots and "ro" in roots[-1][5].split(","), f"its root file system can be written: {roots}")
    return f"{len(threads)} threads, one of them with NET_RAW"


def api_rights(daemon, talkers):
    """Its account may do at the API what docs/install.md says, and nothing else"""
    daemon.install()
    daemon.cluster.kubectl("create", "namespace", "nobody", ok=(0, 1))

    def may(account):
        told = daemon.kubectl("auth", "can-i", "--list", "--no-headers", f"--as=system:serviceaccount:{account}")
        return {" ".join(line.split()) for line in told.splitlines()}

    everyone = may("nobody:default")
    hold(any("selfsubjectrulesreviews" in line for line in everyone), f"this asks nothing: {everyone}")
    row = re.search(r"^\| Kubernetes API \| (.*) \|$", (ROOT / "docs/install.md").read_text(), re.M)
    hold(row, "docs/install.md has no row on the Kubernetes API")
    # The row names what it may as `verb verb resource`; "nothing" names nothing.
    documented = set()
    for words in re.findall(r"`((?:(?:get|list|watch) )+[a-z]+)`", row[1]):
        *verbs, resource = words.split()
        documented.add(f"{resource} [] [] [{' '.join(verbs)}]")
    hold(documented or row[1].startswith("nothing"), f"the row names no right: {row[1]}")
    found = may(f"{NAMESPACE}:flowshrike") - everyone
    hold(found == documented, f"it may {sorted(found)}; documented is {sorted(documented)}")
    return f"{len(found)} rights beyond those of every account"


def datagrams(daemon, talkers):
    """200 datagrams between two pods are counted 200 times"""
    daemon.install()
    client, server = talkers.pods[:2]
    # So that both know where the other is, and no question of that is among what is counted.
    talkers.tell(client, "talk", server.address, PORT, 1)
    there = talkers.datagrams(server)
    before = quiet(daemon)
    talkers.tell(client, "say", server.address, PORT, DATAGRAMS, DATAGRAM_BYTES)
    hold(talkers.datagrams(server) - there == DATAGRAMS, f"{talkers.datagrams(server) - there} datagrams came to the other pod")
    after = quiet(daemon)
    packets, size = after[0] - before[0], after[1] - before[1]
    # Whatever else pods say while nobody lets them speak is small: questions for addresses.
    counted, rest = divmod(size, FRAME_BYTES)
    hold(counted == DATAGRAMS and packets >= DATAGRAMS, f"{packets:.0f} packets of {size:.0f} bytes: {counted:.0f} of {FRAME_BYTES} bytes")
    return f"{packets:.0f} packets, {DATAGRAMS} of them datagrams of {FRAME_BYTES} bytes, and {rest:.0f} bytes of others"


def quiet(daemon):
    """Packets and bytes received, once nothing has been added for some looks."""
    seen = []

    def still():
        metrics = daemon.metrics()
        seen.append((daemon.received(), metrics["flowshrike_bytes_received_total"]))
        # Workers bring counts up to date four times a second.
        return len(seen) >= 5 and len(set(seen[-5:])) == 1

    until("the bridge is quiet", still, every=0.3)
    return seen[-1]


def scan(daemon, talkers):
    """A port scan from pod to pod is an alert in kubectl logs within 10 s"""
    daemon.install()
    alert, scanner = scanned(daemon, talkers)
    return f"{alert['alert']['signature']}; {of_kubernetes(alert, scanner)}"


def scanned(daemon, talkers):
    """A scan, and the first alert on it."""
    scanner, target = talkers.scan()

    def told():
        found = alerts_in(daemon.log().splitlines())
        return next((one for one in found if about(one, scanner, target)), None)

    return until(f"an alert names {scanner.address}, who scanned {target.address}", told, seconds=10), scanner


def of_kubernetes(alert, scanner):
    """Whether the alert says whose pod it was."""
    names = alert["flowshrike"].get("kubernetes")
    hold(names, f"the alert says nothing of pods: {alert}")
    hold(names.get("state") == "fresh", f"the names are not fresh: {names}")
    source = names.get("src") or {}
    hold(source.get("pod") == scanner.name, f"the scanner is {scanner.name}, the alert says {source}")
    hold(OWNER in json.dumps(source.get("owner")), f"its owner is the Deployment {OWNER}, the alert says {source}")
    hold(source.get("namespace", SHOP) == SHOP, f"its namespace is {SHOP}, the alert says {source}")
    return f"it names the pod {scanner.name}"


def ready(daemon, talkers):
    """It is Ready only while it captures, and nothing starts it anew when it does not"""
    link = "link add watched0 type veth peer name watched1"
    up = ("link set watched0 up", "link set watched1 up")
    ip(link, *up)
    daemon.install(["config.capture.interfaces={watched0}"])
    pod = daemon.ready_pod()
    hold(ask("/readyz")[0] == 200, "Ready, and /readyz does not say so")
    ip("link delete watched0")
    until("/readyz says that it is not ready", lambda: ask("/readyz")[0] == 503)
    until("the pod is not Ready", lambda: not daemon.ready_pod())
    hold(ask("/healthz")[0] == 200, "blind is not dead: /healthz must go on")
    hold(daemon.metrics()['flowshrike_interface_up{interface="watched0"}'] == 0, "the metrics call the interface up")
    ip(link, *up)
    again = until("the pod is Ready again", daemon.ready_pod)
    hold(again.container == pod.container, "the container was started anew")
    ip("link delete watched0")


def ip(*lines):
    for line in lines:
        subprocess.run(["ip", *line.split()], check=True)


def flood(daemon, talkers):
    """A SYN flood of 200,000 forged addresses stays within the chart's memory limit, without a restart"""
    daemon.install()
    pod = daemon.ready_pod()
    group = memory_group(daemon.process(pod))
    limit = int((group / "memory.limit_in_bytes").read_text())
    hold(limit == 512 << 20, f"the limit is {limit}, not the chart's")
    before = daemon.received()
    said = talkers.tell(talkers.pods[0], "flood", talkers.pods[1].address, PORT, FLOOD)
    hold(said == f"{FLOOD} sent\n", said)
    until("the flood is counted", lambda: daemon.received() - before >= FLOOD)
    metrics = daemon.metrics()
    most = int((group / "memory.max_usage_in_bytes").read_text())
    killed = int(dict(line.split() for line in (group / "memory.oom_control").read_text().splitlines())["oom_kill"])
    hold(most < limit and killed == 0, f"at most {most} of {limit} bytes, {killed} killed")
    again = until("the pod is Ready", daemon.ready_pod)
    hold(again.container == pod.container and again.restarts == pod.restarts, "it was started anew")
    lost = sum(value for name, value in metrics.items() if name.startswith("flowshrike_packets_dropped_total"))
    told = until("an alert tells of it", lambda: flood_told(daemon, talkers.pods[1]), seconds=40)
    return (f"{most >> 20} MiB of {limit >> 20} at most, {metrics['flowshrike_flows_active']:.0f} flows open, {lost:.0f} packets dropped; "
            f"told as {told}")


def flood_told(daemon, target):
    """The first alert whose label is of a flood, and whose target is this."""
    told = (one for one in alerts_in(daemon.log().splitlines()) if one.get("dest_ip") == target.address)
    return next((one["flowshrike"]["label"] for one in told if one["flowshrike"]["label"].startswith("dos")), None)


def memory_group(process):
    groups = Path(f"/proc/{process}/cgroup").read_text().splitlines()
    path = next(line.split(":", 2)[2] for line in groups if line.split(":")[1] == "memory")
    return Path("/sys/fs/cgroup/memory" + path)


# On a new node, which has no pod yet.
BEFORE_PODS = [plain_manifest, first_pod]
CHECKS = [
    plain_manifest,
    first_pod,
    plain_manifest_goes,
    chart,
    rights,
    api_rights,
    datagrams,
    scan,
    updates.kubelet_restart,
    updates.pod_killed,
    updates.rolling_update,
    updates.file_on_the_node,
    ready,
    flood,
]
