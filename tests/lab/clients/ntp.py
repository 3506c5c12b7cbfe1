"""NTP as clients ask: version 4, a new port each time, alone or in bursts on one port."""
import argparse
import os
import socket
import time

from common import rng, think

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--think", type=float, default=1, help="median seconds between two askings")
parser.add_argument("--burst", type=int, default=1, help="packets of one asking, a fifth of a second apart")
parser.add_argument("--count", type=int, default=20)
parser.add_argument("servers", nargs="+")
options = parser.parse_args()
for _ in range(options.count):
    try:
        where = socket.getaddrinfo(rng.choice(options.servers), 123, type=socket.SOCK_DGRAM)[0]
        with socket.socket(where[0], socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            sock.connect(where[4])
            for _ in range(options.burst):
                sock.send(b"\x23" + bytes(39) + os.urandom(8))
                sock.recv(128)
                time.sleep(0.2)
    except OSError:
        pass
    think(options.think)
