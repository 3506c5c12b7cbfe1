"""A monitor's probes, as a blackbox exporter makes them: each target by TCP, HTTP or ping in its own rhythm, several at once.

Targets are tcp://HOST:PORT, http://HOST:PORT/PATH, icmp://HOST. A round asks all of them, spread over the period or all in one go.
"""
import argparse
import http.client
import os
import socket
import struct
import time
from urllib.parse import urlsplit

from common import rng
from many import jittered, many

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--period", type=float, default=2, help="seconds between two rounds")
parser.add_argument("--timeout", type=float, default=1)
parser.add_argument("--at-once", action="store_true", help="a round begins with all of them, else they are spread over the period")
parser.add_argument("--agent", default="Blackbox Exporter/0.24")
parser.add_argument("--banner", action="store_true", help="TCP: waits for what the server says first")
parser.add_argument("targets", nargs="+")
options = parser.parse_args()


def tcp(url, _):
    with socket.create_connection((url.hostname, url.port), options.timeout) as connection:
        if options.banner:
            connection.settimeout(0.2)
            connection.recv(256)


def web(url, source):
    connection = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=options.timeout)
    connection.request(source.choice(["GET", "GET", "HEAD"]), url.path or "/", headers={"User-Agent": options.agent, "Connection": "close"})
    connection.getresponse().read()
    connection.close()


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def icmp(url, source):
    head = struct.pack("!BBHHH", 8, 0, 0, os.getpid() & 0xFFFF, source.getrandbits(16))
    packet = head + b"Prometheus Blackbox Exporter"
    packet = packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        sock.settimeout(options.timeout)
        sock.connect((url.hostname, 0))
        sock.send(packet)
        sock.recv(1024)


KINDS = {"tcp": tcp, "http": web, "icmp": icmp}


def worker(number, source):
    url = urlsplit(options.targets[number])
    due = time.monotonic() + (0 if options.at_once else source.random() * options.period)
    while True:
        time.sleep(max(0, due - time.monotonic()))
        try:
            KINDS[url.scheme](url, source)
        except (OSError, http.client.HTTPException):
            pass  # What is down is asked again like the rest.
        due += options.period if options.at_once else jittered(source, options.period, 0.05)


rng.shuffle(options.targets)
many(len(options.targets), worker)
