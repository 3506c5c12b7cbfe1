"""Who types into a shell at the other end: harmless commands with think times, by lines or by keys, and reads what comes back.

Listens for shells that call home, or connects to shells that wait. Output sizes are drawn.
"""
import argparse
import random
import select
import socket
import ssl
import threading
import time

from common import rng
from many import any_certificate, many

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--listen", type=int, help="port for shells that call")
parser.add_argument("--connect", help="HOST:PORT of a shell that waits")
parser.add_argument("--sessions", type=int, default=1, help="connections side by side, with --connect")
parser.add_argument("--certificate", help="a PEM file with key and certificate: TLS")
parser.add_argument("--tls", action="store_true", help="TLS, with --connect")
parser.add_argument("--think", type=float, default=0.8, help="median seconds between commands")
parser.add_argument("--keys", type=float, default=0, help="median seconds between keys; 0 sends whole lines")
parser.add_argument("--output", type=int, default=400, help="median bytes that a command prints")
parser.add_argument("--seconds", type=float, default=8, help="mean length of a session; drawn between half and one and a half")
options = parser.parse_args()
COMMANDS = ["id", "hostname", "uname -a", "pwd", "ls", "ls -la /etc | head -c {}", "ps | head -c {}", "cat /proc/cpuinfo | head -c {}",
            "cat /proc/meminfo | head -c {}", "df -h | head -c {}", "ip address | head -c {}", "head -c {} /dev/urandom | base64",
            "cat /etc/os-release", "date", "echo $PATH", "ls /usr/bin | head -c {}"]


def drain(sock, seconds):
    """Reads for so long; False once the other end is gone."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        if getattr(sock, "pending", int)() or select.select([sock], [], [], left)[0]:
            if not sock.recv(65536):
                return False
    return True


def session(sock, source):
    end = time.monotonic() + options.seconds * (0.5 + source.random())
    while time.monotonic() < end:
        if not drain(sock, min(source.lognormvariate(0, 0.7) * options.think, 6)):
            return
        size = int(min(source.lognormvariate(0, 1.2) * options.output, 200_000)) + 1
        line = source.choice(COMMANDS).format(size) + "\n"
        for part in line if options.keys else [line]:
            sock.sendall(part.encode())
            if options.keys and not drain(sock, min(source.lognormvariate(0, 0.5) * options.keys, 1)):
                return
    if source.random() < 0.6:
        sock.sendall(b"exit\n")
        drain(sock, 1)


def guarded(sock, source, context=None):
    try:
        with (context.wrap_socket(sock, server_side=True) if context else sock) as wrapped:
            session(wrapped, source)
    except (OSError, ssl.SSLError):
        pass  # The shell went away, which ends the session.


def listen():
    context = None
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate)
    with socket.create_server(("::", options.listen), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64) as server:
        while True:
            sock, _ = server.accept()
            threading.Thread(target=guarded, args=(sock, random.Random(rng.getrandbits(48)), context), daemon=True).start()


def connect(_, source):
    host, port = options.connect.rsplit(":", 1)
    try:
        sock = socket.create_connection((host, int(port)), 5)
        sock.settimeout(None)
        guarded(any_certificate().wrap_socket(sock) if options.tls else sock, source)
    except OSError:
        time.sleep(0.5)


if options.listen:
    listen()
else:
    many(options.sessions, connect, spread=3)
