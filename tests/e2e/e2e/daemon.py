"""The daemon on the node, from outside: its pod, its process, what it has written, what it counts."""
import json
import re
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from . import HELM, IMAGE, ROOT, TOOLS_IMAGE, Failure, hold, until

CHART = ROOT / "deploy/helm/flowshrike"
NAMESPACE = "flowshrike"
ADMIN = "http://127.0.0.1:9469"
SELECTOR = "--selector=app.kubernetes.io/name=flowshrike"


class Daemon:
    """The DaemonSet `flowshrike`, in whatever version is installed."""

    def __init__(self, cluster):
        self.cluster = cluster

    def install(self, values=()):
        """The chart with these values beside the image's, by `helm template` and `kubectl apply`; returns when the rollout is done."""
        settings = [f"image.repository={IMAGE.rpartition(':')[0]}", f"image.tag={IMAGE.rpartition(':')[2]}", "image.pullPolicy=Never",
                    f"logDirectory.initImage.repository={TOOLS_IMAGE.rpartition(':')[0]}",
                    f"logDirectory.initImage.tag={TOOLS_IMAGE.rpartition(':')[2]}", *values]
        command = [HELM, "template", "flowshrike", CHART, "--namespace", NAMESPACE, *(f"--set={one}" for one in settings)]
        manifests = subprocess.run(command, text=True, capture_output=True, env=self.cluster.environment)
        hold(manifests.returncode == 0, manifests.stderr)
        self.kubectl("create", "namespace", NAMESPACE, ok=(0, 1))
        # A ServiceAccount that is there gets nothing new by applying it again; the DaemonSet rolls if its pods' template has changed.
        self.kubectl("apply", "--filename=-", text=manifests.stdout)
        self.rolled_out()

    def rolled_out(self):
        self.kubectl("rollout", "status", "daemonset/flowshrike", "--timeout=120s", seconds=150)
        return until("one pod is there, and Ready", self.ready_pod)

    def kubectl(self, *arguments, **options):
        return self.cluster.kubectl("--namespace", NAMESPACE, *arguments, **options)

    def pods(self):
        return [Pod(one) for one in json.loads(self.kubectl("get", "pods", SELECTOR, "--output=json"))["items"]]

    def ready_pod(self):
        """The pod, if there is one alone and it is Ready."""
        pods = self.pods()
        return pods[0] if len(pods) == 1 and pods[0].is_ready else None

    def log(self):
        """What `kubectl logs` shows."""
        return self.kubectl("logs", "daemonset/flowshrike", "--container=flowshrike")

    def process(self, pod):
        return self.cluster.tasks()[pod.container]

    def metrics(self):
        """Samples by name with labels, from the node's loopback address."""
        status, text = ask("/metrics")
        hold(status == 200, f"/metrics answers {status}")
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if not line.startswith("#")}

    def received(self):
        return sum(value for name, value in self.metrics().items() if name.startswith("flowshrike_packets_received_total"))

    def exit_code(self, pod):
        """How the pod's container ended, by containerd's events; none before."""
        for line in (self.cluster.logs / "events.log").read_text().splitlines():
            if " /tasks/exit " in line:
                event = json.loads(line[line.index("{"):])
                if event["container_id"] == pod.container and event["id"] == pod.container:
                    # A status of 0 is left out.
                    return event.get("exit_status", 0)
        return None


class Pod:
    """A pod as the API told it."""

    def __init__(self, told):
        self.told = told
        self.name = told["metadata"]["name"]
        self.address = told["status"].get("podIP", "")
        self.annotations = told["metadata"].get("annotations", {})
        state = (told["status"].get("containerStatuses") or [{}])[0]
        self.container = state.get("containerID", "").removeprefix("containerd://")
        self.restarts = state.get("restartCount", 0)
        conditions = told["status"].get("conditions", [])
        self.is_ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions) and not told["metadata"].get("deletionTimestamp")

    def written(self):
        """Opens the file that its container's output goes to, which can then be read even after the pod is gone."""
        metadata = self.told["metadata"]
        folder = Path(f"/var/log/pods/{metadata['namespace']}_{self.name}_{metadata['uid']}/flowshrike")
        return Written(open(folder / f"{self.restarts}.log"))


class Written:
    """A container's output, from its beginning."""

    def __init__(self, file):
        self.file = file

    def lines(self, stream):
        """All lines of stdout or stderr so far, in the runtime's format: time, stream, F for a whole line, text."""
        self.file.seek(0)
        split = [line.rstrip("\n").split(" ", 3) for line in self.file.read().splitlines()]
        return [line[3] for line in split if len(line) == 4 and line[1] == stream]

    def alerts(self):
        return alerts_in(self.lines("stdout"))

    def summary(self):
        return Summary("\n".join(self.lines("stderr")))


class Summary:
    """The counts that the daemon prints at its end."""

    def __init__(self, text):
        found = re.search(r"^  alerts +(\d+) predicted: (\d+) emitted, (\d+) suppressed, (\d+) lost; (\d+) early$", text, re.M)
        if not found:
            raise Failure(f"there is no summary at the end of: {text[-600:]}")
        self.predicted, self.emitted, self.suppressed, self.lost, self.early = map(int, found.groups())
        incidents = re.search(r"^  incidents +\d+ raised .*, (\d+) lines$", text, re.M)
        self.incident_lines = int(incidents[1]) if incidents else 0

    def lines(self):
        """Lines of alerts that it says to have written."""
        return self.emitted + self.early + self.incident_lines

    def check(self):
        hold(self.predicted == self.emitted + self.suppressed + self.lost, f"the summary does not balance: {vars(self)}")
        hold(self.lost == 0, f"{self.lost} alerts were lost")


def alerts_in(lines):
    """Lines that are alerts; each must be whole JSON."""
    found = []
    for line in lines:
        if '"event_type":"alert"' in line:
            try:
                found.append(json.loads(line))
            except ValueError as error:
                raise Failure(f"half a line: {line[:300]}") from error
    return found


def about(alert, scanner, target):
    """Whether it names both; an incident may have no one target, or no one source."""
    return (alert.get("src_ip"), alert.get("dest_ip")) == (scanner.address, target.address)


def ask(path):
    """Status and text of an answer of the admin server."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(ADMIN + path, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read().decode()
    except OSError as error:
        raise Failure(f"{ADMIN}{path}: {error}") from error
