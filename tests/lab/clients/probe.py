"""Kubelet's probes: each target in its own rhythm, a new connection each time. Targets: http://IP:PORT/PATH, tcp://IP:PORT."""
import argparse
import heapq
import http.client
import socket
import time
from urllib.parse import urlsplit

from common import rng

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--period", type=float, default=10, help="seconds between two probes of a target")
parser.add_argument("targets", nargs="*")
options = parser.parse_args()


def probe(target):
    url = urlsplit(target)
    if url.scheme == "tcp":
        socket.create_connection((url.hostname, url.port), 1).close()
        return
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=1)
    connection.request("GET", url.path, headers={"User-Agent": "kube-probe/1.29", "Connection": "close", "Accept": "*/*"})
    connection.getresponse().read()
    connection.close()


due = [(time.monotonic() + rng.random() * options.period, target) for target in options.targets]
heapq.heapify(due)
while True:
    if not due:
        time.sleep(3600)
    at, target = heapq.heappop(due)
    time.sleep(max(0, at - time.monotonic()))
    try:
        probe(target)
    except OSError:
        pass  # A server under attack may not answer; kubelet asks again too.
    heapq.heappush(due, (at + options.period, target))
