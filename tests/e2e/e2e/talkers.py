"""A Deployment of pods that talk to each other (image/traffic.c), and what they are told to do."""
import json
import re

from . import TOOLS_IMAGE, hold, until
from .daemon import Pod

NAMESPACE = "shop"
OWNER = "talker"
# More than any daemon of the checks sees scan.
REPLICAS = 8
PORT = "8080"
DEPLOYMENT = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {OWNER}, namespace: {NAMESPACE}}}
spec:
  replicas: {REPLICAS}
  selector: {{matchLabels: {{app: {OWNER}}}}}
  template:
    metadata: {{labels: {{app: {OWNER}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      automountServiceAccountToken: false
      containers:
        - {{name: {OWNER}, image: "{TOOLS_IMAGE}", imagePullPolicy: Never, args: [serve, "{PORT}"]}}
"""


class Talkers:
    def __init__(self, cluster):
        self.cluster = cluster
        self.pods = []
        self.scans = 0

    def start(self):
        """Starts them, once."""
        if self.pods:
            return
        self.cluster.kubectl("create", "namespace", NAMESPACE, ok=(0, 1))
        self.cluster.kubectl("apply", "--filename=-", text=DEPLOYMENT)
        self.cluster.kubectl("--namespace", NAMESPACE, "rollout", "status", f"deployment/{OWNER}", "--timeout=90s", seconds=100)
        self.pods = until("the talkers have addresses", self.with_addresses)

    def with_addresses(self):
        told = json.loads(self.cluster.kubectl("--namespace", NAMESPACE, "get", "pods", "--output=json"))["items"]
        pods = [Pod(one) for one in told]
        return pods if len(pods) == REPLICAS and all(pod.address and pod.is_ready for pod in pods) else None

    def tell(self, pod, *words):
        return self.cluster.kubectl("--namespace", NAMESPACE, "exec", pod.name, "--", "/traffic", *map(str, words), seconds=120)

    def datagrams(self, server):
        """How many have come to a pod, asked by itself over its own loopback."""
        return int(self.tell(server, "talk", "127.0.0.1", PORT, 1).split()[0])

    def scan(self):
        """Ordinary traffic between two pods, then a scan from one to the other, each time by another pod: an incident of a source that is
        still open covers what that does next. Returns both."""
        scanner, target = (self.pods[(self.scans + step) % REPLICAS] for step in (0, 1))
        self.scans += 1
        self.tell(scanner, "talk", target.address, PORT, 20)
        said = self.tell(scanner, "scan", target.address, 1, 1000)
        hold(re.fullmatch(r"0 open, 1000 refused\n", said), f"the scan says: {said}")
        return scanner, target
