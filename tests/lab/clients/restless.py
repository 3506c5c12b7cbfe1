"""Clients that do not end as they should: aborted downloads, half-closed connections, requests that break off, servers that do not answer.

Each round draws one of the kinds: `abort` reads some and resets, `half` says that it is done and goes on reading, `cut` breaks off in
the middle of a request, `idle` opens and says nothing, `again` asks once more and again on new connections until something answers.
"""
import argparse
import socket
import struct

from common import rng, think

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--kinds", default="abort,half,cut,idle,again")
parser.add_argument("--path", default="/1024.txt")
parser.add_argument("--timeout", type=float, default=1.0)
parser.add_argument("--tries", type=int, default=6, help="again: at most so many")
parser.add_argument("--think", type=float, default=0.4)
parser.add_argument("targets", nargs="+", help="HOST:PORT")
options = parser.parse_args()


def connect(target):
    host, _, port = target.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), options.timeout)


def request(path):
    return f"GET {path} HTTP/1.1\r\nHost: lab\r\nUser-Agent: Java/17\r\nConnection: close\r\n\r\n".encode()


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def abort(connection):
    connection.sendall(request(options.path))
    for _ in range(rng.randint(1, 20)):
        connection.recv(16384)
    if rng.random() < 0.6:
        reset(connection)


def half(connection):
    connection.sendall(request(options.path))
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(4096):
        think(0.01)


def cut(connection):
    whole = request(options.path)
    connection.sendall(whole[: rng.randint(1, len(whole) - 3)])
    think(0.5)
    if rng.random() < 0.3:
        reset(connection)


def idle(connection):
    think(1.5)
    if rng.random() < 0.5:
        connection.shutdown(socket.SHUT_WR)
        think(0.3)


def again(target):
    for number in range(options.tries):
        try:
            with connect(target) as connection:
                connection.sendall(request("/healthz"))
                connection.recv(65536)
                return
        except OSError:
            think(0.15 * 2 ** min(number, 3))


KINDS = {"abort": abort, "half": half, "cut": cut, "idle": idle}
while True:
    kind, target = rng.choice(options.kinds.split(",")), rng.choice(options.targets)
    try:
        if kind == "again":
            again(target)
        else:
            with connect(target) as connection:
                KINDS[kind](connection)
    except OSError:
        pass  # Dead servers are what this is about.
    think(options.think)
