"""Pushes figures and lines at intervals with jitter: statsd over UDP, JSON lines over TCP that stays open, InfluxDB's lines over HTTP.

Targets: statsd://HOST:PORT, lines://HOST:PORT, influx://HOST:PORT. Each target has an interval of its own.
"""
import argparse
import http.client
import json
import socket
import time
from urllib.parse import urlsplit

from common import rng
from many import jittered, many

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--period", type=float, default=2, help="seconds between two pushes")
parser.add_argument("--jitter", type=float, default=0.1, help="share of the period by which it is off")
parser.add_argument("--batch", type=int, default=10, help="median figures of a push")
parser.add_argument("--fresh", type=float, default=0.1, help="chance that a push gets a new connection or socket")
parser.add_argument("targets", nargs="+")
options = parser.parse_args()
NAMES = ["cpu", "heap", "requests", "latency", "queue", "errors"]


def figures(source):
    return [(source.choice(NAMES), source.random() * 100) for _ in range(max(1, int(source.lognormvariate(0, 0.8) * options.batch)))]


class Statsd:
    def __init__(self, url):
        family = socket.getaddrinfo(url.hostname, url.port, type=socket.SOCK_DGRAM)[0]
        self.socket = socket.socket(family[0], socket.SOCK_DGRAM)
        self.socket.connect(family[4])

    def push(self, some):
        for start in range(0, len(some), 20):
            self.socket.send("\n".join(f"lab.{name}:{value:.2f}|g" for name, value in some[start:start + 20]).encode())

    def close(self):
        self.socket.close()


class Lines(Statsd):
    def __init__(self, url):
        self.socket = socket.create_connection((url.hostname, url.port), 5)

    def push(self, some):
        self.socket.sendall(b"".join(json.dumps({"at": time.time(), "name": name, "value": value}).encode() + b"\n" for name, value in some))


class Influx:
    def __init__(self, url):
        self.connection = http.client.HTTPConnection(url.hostname, url.port, timeout=5)

    def push(self, some):
        self.connection.request("POST", "/write?db=lab", body="\n".join(f"{name},host=a value={value}" for name, value in some))
        self.connection.getresponse().read()

    def close(self):
        self.connection.close()


KINDS = {"statsd": Statsd, "lines": Lines, "influx": Influx}


def pusher(number, source):
    url = urlsplit(options.targets[number])
    one = None
    while True:
        try:
            one = one or KINDS[url.scheme](url)
            one.push(figures(source))
            if source.random() < options.fresh:
                one.close()
                one = None
        except (OSError, http.client.HTTPException):
            one = None
        time.sleep(jittered(source, options.period, options.jitter))


many(len(options.targets), pusher, spread=options.period)
