"""A mining pool in its manner of speaking: JSON by lines, jobs pushed every second or so, shares answered. It checks nothing."""
import argparse
import json
import random
import socket
import ssl
import threading
import time

from common import rng

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--jobs", type=float, default=1.0, help="mean seconds between jobs")
parser.add_argument("--dialect", choices=["stratum", "login"], default="stratum")
parser.add_argument("--certificate", help="a PEM file with key and certificate: TLS")
options = parser.parse_args()


def digits(source, count):
    return "".join(source.choice("0123456789abcdef") for _ in range(count))


def job(source):
    if options.dialect == "login":
        return {"blob": digits(source, 152), "job_id": digits(source, 15), "target": digits(source, 8), "height": source.randrange(10**6),
                "algo": "rx/0", "seed_hash": digits(source, 64)}
    branches = [digits(source, 64) for _ in range(source.randint(4, 13))]
    return [digits(source, 8), digits(source, 64), digits(source, source.randint(100, 260)), digits(source, source.randint(80, 240)), branches,
            "20000000", "17034219", digits(source, 8), source.random() < 0.2]


def reply(message, source):
    if options.dialect == "login":
        first = {"id": digits(source, 15), "job": job(source), "status": "OK"}
        return {"id": message["id"], "jsonrpc": "2.0", "error": None, "result": first if message["method"] == "login" else {"status": "OK"}}
    if message["method"] == "mining.subscribe":
        return {"id": message["id"], "result": [[["mining.notify", digits(source, 16)]], digits(source, 8), 4], "error": None}
    return {"id": message["id"], "result": True, "error": None}


def serve(sock, source, context):
    try:
        with (context.wrap_socket(sock, server_side=True) if context else sock) as wrapped:
            lock = threading.Lock()

            def say(message):
                with lock:
                    wrapped.sendall(json.dumps(message).encode() + b"\n")

            def push():
                try:
                    while True:
                        time.sleep(min(source.expovariate(1 / options.jobs) + 0.1, 8))
                        if options.dialect == "login":
                            say({"jsonrpc": "2.0", "method": "job", "params": job(source)})
                        else:
                            if source.random() < 0.1:
                                say({"id": None, "method": "mining.set_difficulty", "params": [source.choice([512, 1024, 8192])]})
                            say({"id": None, "method": "mining.notify", "params": job(source)})
                except OSError:
                    pass

            pusher = None
            for line in wrapped.makefile("rb"):
                say(reply(json.loads(line), source))
                if pusher is None:
                    pusher = threading.Thread(target=push, daemon=True)
                    pusher.start()
    except (OSError, ssl.SSLError, ValueError):
        pass  # The miner went away.


context = None
if options.certificate:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.certificate)
with socket.create_server(("::", options.port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64) as server:
    while True:
        accepted, _ = server.accept()
        threading.Thread(target=serve, args=(accepted, random.Random(rng.getrandbits(48)), context), daemon=True).start()
