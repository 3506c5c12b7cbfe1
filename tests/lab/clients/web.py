"""HTTP/1.1 requests with think times: new connections or kept ones, GET of several sizes, POST of drawn sizes, resets."""
import argparse
import http.client
import os
import socket
import ssl
import struct
import time
from urllib.parse import urlsplit

from common import drawn_size, rng, think

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--url", required=True, help="where paths are asked for; https for TLS (the certificate is not checked)")
parser.add_argument("--paths", default="/", help="with commas; one is drawn for each request")
parser.add_argument("--requests", type=int, default=10)
parser.add_argument("--keep-alive", type=int, default=1, help="requests a connection")
parser.add_argument("--think", type=float, default=0.2, help="median seconds between requests")
parser.add_argument("--post", type=float, default=0, help="share of requests that upload")
parser.add_argument("--post-size", type=int, default=2000, help="median bytes of an upload")
parser.add_argument("--reset", type=float, default=0, help="share of connections that end by a reset")
parser.add_argument("--agent", default="Go-http-client/1.1")
options = parser.parse_args()
url = urlsplit(options.url)
port = url.port or {"http": 80, "https": 443}[url.scheme]
paths = options.paths.split(",")


def connect():
    if url.scheme == "https":
        return http.client.HTTPSConnection(url.hostname, port, timeout=10, context=ssl._create_unverified_context())
    return http.client.HTTPConnection(url.hostname, port, timeout=10)


def ask(connection, last):
    headers = {"User-Agent": options.agent, "Accept-Encoding": "gzip", "Connection": "close" if last else "keep-alive"}
    if rng.random() < options.post:
        size = drawn_size(options.post_size, 8_000_000)
        connection.request("POST", url.path + rng.choice(paths).lstrip("/"), body=os.urandom(size), headers=headers)
    else:
        connection.request("GET", url.path + rng.choice(paths).lstrip("/"), headers=headers)
    connection.getresponse().read()


left = options.requests
while left > 0:
    connection = connect()
    try:
        count = min(left, max(1, rng.randint(1, 2 * options.keep_alive - 1)))
        for number in range(count):
            left -= 1
            ask(connection, last=number == count - 1)
            if number < count - 1:
                think(options.think)
        if connection.sock and rng.random() < options.reset:
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except (OSError, http.client.HTTPException):
        left -= 1
        time.sleep(0.2)
    connection.close()
    think(options.think)
