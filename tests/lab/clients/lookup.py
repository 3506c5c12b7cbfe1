"""DNS lookups as a resolver library makes them: A and AAAA at once from one socket, search domains first, over UDP.

A `*` in a name stands for a made-up label that is new each time, as content networks, trackers and block lists have them.
"""
import argparse
import random
import socket
import struct
import time

from common import rng, think

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--server", required=True)
parser.add_argument("--domain", default="", help="search domain, which names without a dot get")
parser.add_argument("--think", type=float, default=0.5, help="median seconds between lookups")
parser.add_argument("--count", type=int, default=10**9)
parser.add_argument("--types", default="A,AAAA", help="types asked for, from one socket")
parser.add_argument("names", nargs="+")
options = parser.parse_args()
TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33}


def query(name, kind):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    return struct.pack(">HHHHHH", random.getrandbits(16), 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", TYPES[kind], 1)


def lookup(name):
    family = socket.AF_INET6 if ":" in options.server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        sock.connect((options.server, 53))
        kinds = options.types.split(",")
        for kind in kinds:
            sock.send(query(name, kind))
        answers = [sock.recv(4096) for _ in kinds]
    # Whether any answer is there, as the resolver needs to know before it tries the next search domain.
    return any(struct.unpack(">H", answer[6:8])[0] for answer in answers)


def made_up():
    digits = rng.choice(["0123456789abcdef", "abcdefghijklmnopqrstuvwxyz234567", "0123456789"])
    return "".join(rng.choice(digits) for _ in range(min(63, max(6, int(rng.lognormvariate(3.2, 0.5))))))


def candidates(name):
    while "*" in name:
        name = name.replace("*", made_up(), 1)
    if not options.domain or name.endswith("."):
        return [name]
    parts = options.domain.split(".")
    return [f"{name}.{'.'.join(parts[skip:])}" for skip in range(3) if skip < len(parts)] + [name]


for _ in range(options.count):
    for one in candidates(rng.choice(options.names)):
        try:
            if lookup(one):
                break
        except OSError:
            time.sleep(0.1)
    think(options.think)
