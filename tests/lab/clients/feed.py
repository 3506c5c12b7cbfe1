"""A server of long connections and its clients, plain or TLS: events pushed to many subscribers, and echoes of what they send.

`serve` is what the part `feed` starts. `follow` subscribes and reads for a while; `ship` sends lines on one connection, as a log shipper
or a device does; `ask` sends messages and waits for their echoes, as a bidirectional stream does.
"""
import argparse
import os
import socket
import ssl
import threading
import time

from common import drawn_size, rng, think

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("what", choices=["serve", "follow", "ship", "ask"])
parser.add_argument("--host", default="::")
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--cert", help="serve: certificate and key in one file")
parser.add_argument("--tls", type=int, default=0, help="clients: 1 for TLS (the certificate is not checked)")
parser.add_argument("--period", type=float, default=0.5, help="median seconds between two messages")
parser.add_argument("--size", type=int, default=300, help="median bytes of a message")
parser.add_argument("--seconds", type=float, default=10, help="median seconds of a connection")
parser.add_argument("--connections", type=int, default=1, help="connections, one after the other")
options = parser.parse_args()


def message():
    return os.urandom(drawn_size(options.size, 60_000, least=8, sigma=0.8)).hex()[: options.size * 4].encode() + b"\n"


def handle(connection, context):
    try:
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        connection.settimeout(30)
        hello = connection.recv(64)
        while hello.startswith(b"follow"):
            connection.sendall(message())
            think(options.period, longest=5)
        while hello:
            hello = connection.recv(65536)
            if not hello.startswith(b"#"):
                connection.sendall(hello)
    except OSError:
        pass
    finally:
        connection.close()


def serve():
    context = None
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert)
    listener = socket.create_server((options.host, options.port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=200)
    while True:
        threading.Thread(target=handle, args=(listener.accept()[0], context), daemon=True).start()


def connect():
    connection = socket.create_connection((options.host, options.port), 5)
    return ssl._create_unverified_context().wrap_socket(connection) if options.tls else connection


def use(connection, end):
    connection.settimeout(5)
    if options.what == "follow":
        connection.sendall(b"follow\n")
        while time.monotonic() < end and connection.recv(65536):
            pass
        return
    # A shipper's lines begin with # and are not echoed.
    connection.sendall(b"#hello\n" if options.what == "ship" else b"hello\n")
    while time.monotonic() < end:
        connection.sendall((b"#" if options.what == "ship" else b"") + message())
        if options.what == "ask":
            connection.recv(65536)
        think(options.period)


if options.what == "serve":
    serve()
for _ in range(options.connections):
    try:
        with connect() as connection:
            use(connection, time.monotonic() + rng.lognormvariate(0, 0.5) * options.seconds)
    except OSError:
        pass
    think(options.period)
