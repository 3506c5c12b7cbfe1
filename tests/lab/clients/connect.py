"""TCP connections as services make them beside requests: checks that only connect, retries of what is not there, idle connections.

Targets are HOST:PORT (an IPv6 address in brackets). Nobody needs to answer: a refusal or a timeout is what a retry is about.
"""
import argparse
import socket
import time

from common import rng, think

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--think", type=float, default=0.5, help="median seconds between two")
parser.add_argument("--count", type=int, default=10**9)
parser.add_argument("--timeout", type=float, default=1.0, help="seconds until it gives up")
parser.add_argument("--backoff", type=float, default=1.0, help="what the pause is multiplied by after each failure, up to 8 times")
parser.add_argument("--hold", type=float, default=0, help="median seconds for which a connection stays open")
parser.add_argument("--say", type=int, default=0, help="bytes sent once it is open; what comes back is read for a moment")
parser.add_argument("targets", nargs="+")
options = parser.parse_args()


def once(target):
    host, _, port = target.rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), options.timeout) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if options.say:
            connection.sendall(bytes(rng.randrange(32, 127) for _ in range(options.say)) + b"\r\n")
            connection.settimeout(0.3)
            try:
                connection.recv(65536)
            except TimeoutError:
                pass
        think(options.hold)


pause = 1.0
for _ in range(options.count):
    try:
        once(rng.choice(options.targets))
        pause = 1.0
    except OSError:
        pause = min(pause * options.backoff, 8.0)
    think(options.think * pause)
