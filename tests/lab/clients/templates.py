"""Runs down a list of templates as a scanner does: many made-up paths, methods and header sets on all its targets, side by side, at a rate.

It asks for names alone; no request carries a payload.
"""
import argparse
import http.client
import socket
import threading
import time
from urllib.parse import urlsplit

from common import rng
from many import many

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--rate", type=float, default=80, help="requests a second, of all workers")
parser.add_argument("--workers", type=int, default=20)
parser.add_argument("--count", type=int, default=600)
parser.add_argument("--keep-alive", type=int, default=1, help="requests a connection")
parser.add_argument("targets", nargs="+", help="http://HOST:PORT")
options = parser.parse_args()
WORDS = ["admin", "api", "app", "backup", "config", "console", "dashboard", "debug", "env", "health", "info", "login", "manager", "metrics",
         "old", "panel", "portal", "server", "setup", "status", "swagger", "system", "test", "users", "version"]
ENDS = ["", "/", ".php", ".json", ".yml", ".txt", ".bak", ".xml", ".html", "?v=1"]
METHODS = ["GET"] * 8 + ["POST", "HEAD", "OPTIONS"]
AGENTS = ["Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", "Mozilla/5.0 (Windows NT 10.0)"]
lock = threading.Lock()
state = {"left": options.count, "due": time.monotonic()}


def turn():
    """Waits for the next request's time; False when the list is over."""
    with lock:
        if state["left"] <= 0:
            return False
        state["left"] -= 1
        state["due"] = max(state["due"], time.monotonic() - 0.1) + rng.expovariate(options.rate)
        wait = state["due"] - time.monotonic()
    time.sleep(max(0, wait))
    return True


def ask(connection, source, last):
    path = "/" + "/".join(source.choice(WORDS) for _ in range(source.randint(1, 3))) + source.choice(ENDS)
    method = source.choice(METHODS)
    headers = {"User-Agent": source.choice(AGENTS), "Accept": "*/*", "Accept-Encoding": "gzip", "Connection": "close" if last else "keep-alive"}
    body = "name=value" * source.randint(1, 20) if method == "POST" else None
    connection.request(method, path, body=body, headers=headers)
    connection.getresponse().read()


def work(_, source):
    while turn():
        url = urlsplit(source.choice(options.targets))
        connection = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=3)
        try:
            if source.random() < 0.05:
                # A look at the port alone.
                socket.create_connection((url.hostname, url.port or 80), 3).close()
                continue
            for number in range(options.keep_alive):
                ask(connection, source, last=number == options.keep_alive - 1)
                if number < options.keep_alive - 1 and not turn():
                    break
        except (OSError, http.client.HTTPException):
            pass
        connection.close()


many(options.workers, work)
