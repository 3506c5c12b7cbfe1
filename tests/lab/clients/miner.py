"""Long sessions with a pool (pool.py): subscribe, take jobs, hand in shares now and then. Nothing is computed."""
import argparse
import json
import select
import socket
import time

from many import any_certificate, many

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--pool", required=True, help="HOST:PORT")
parser.add_argument("--dialect", choices=["stratum", "login"], default="stratum")
parser.add_argument("--tls", action="store_true")
parser.add_argument("--shares", type=float, default=2.0, help="mean seconds between shares")
parser.add_argument("--workers", type=int, default=8, help="sessions side by side")
parser.add_argument("--seconds", type=float, default=10, help="mean length of a session; drawn between half and one and a half")
options = parser.parse_args()


def hexes(source, count):
    return "".join(source.choice("0123456789abcdef") for _ in range(count))


def hello(source):
    user = hexes(source, 95 if options.dialect == "login" else 34)
    if options.dialect == "login":
        yield {"id": 1, "jsonrpc": "2.0", "method": "login", "params": {"login": user, "pass": "x", "agent": "worker/6.2", "rigid": ""}}
    else:
        yield {"id": 1, "method": "mining.subscribe", "params": ["worker/2.5"]}
        yield {"id": 2, "method": "mining.authorize", "params": [f"{user}.{source.randrange(9)}", "x"]}


def share(number, source):
    if options.dialect == "login":
        return {"id": number, "jsonrpc": "2.0", "method": "submit",
                "params": {"id": hexes(source, 15), "job_id": hexes(source, 15), "nonce": hexes(source, 8), "result": hexes(source, 64)}}
    return {"id": number, "method": "mining.submit", "params": ["worker", hexes(source, 8), hexes(source, 8), hexes(source, 8), hexes(source, 8)]}


def work(_, source):
    host, port = options.pool.rsplit(":", 1)
    try:
        sock = socket.create_connection((host, int(port)), 5)
        with (any_certificate().wrap_socket(sock) if options.tls else sock) as pool:
            pool.settimeout(5)
            for message in hello(source):
                pool.sendall(json.dumps(message).encode() + b"\n")
                pool.recv(65536)
            pool.settimeout(None)
            end = time.monotonic() + options.seconds * (0.5 + source.random())
            due = time.monotonic() + source.expovariate(1 / options.shares)
            number = 3
            while (now := time.monotonic()) < end:
                if now >= due:
                    pool.sendall(json.dumps(share(number, source)).encode() + b"\n")
                    number += 1
                    due = now + source.expovariate(1 / options.shares)
                if select.select([pool], [], [], max(0, min(due, end) - now))[0] and not pool.recv(65536):
                    return
    except OSError:
        time.sleep(0.5)


many(options.workers, work, spread=3)
