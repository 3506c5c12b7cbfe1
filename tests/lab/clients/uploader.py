"""Uploads over HTTP as shippers, backups and devices make them: whole or in chunks, fast or at a limited rate, on new or kept connections.

Each file has a size drawn around the median; a limited rate is kept in steps of what one write carries, with pauses between.
"""
import argparse
import http.client
import os
import ssl
import time
from urllib.parse import urlsplit

from common import drawn_size, rng, think

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--size", type=int, default=50_000, help="median bytes of an upload")
parser.add_argument("--rate", type=int, default=0, help="bytes a second; 0: as fast as it goes")
parser.add_argument("--piece", type=int, default=8192, help="bytes of one write")
parser.add_argument("--chunked", action="store_true", help="the length is not known before")
parser.add_argument("--method", default="POST")
parser.add_argument("--keep-alive", type=int, default=1, help="uploads a connection")
parser.add_argument("--think", type=float, default=1.0, help="median seconds between uploads")
parser.add_argument("urls", nargs="+")
options = parser.parse_args()


def pieces(size):
    begun, sent = time.monotonic(), 0
    while sent < size:
        piece = os.urandom(min(options.piece, size - sent))
        yield piece
        sent += len(piece)
        if options.rate:
            time.sleep(max(0, begun + sent / options.rate - time.monotonic()))


def connect(url):
    if url.scheme == "https":
        return http.client.HTTPSConnection(url.hostname, url.port, timeout=15, context=ssl._create_unverified_context())
    return http.client.HTTPConnection(url.hostname, url.port, timeout=15)


while True:
    url = urlsplit(rng.choice(options.urls))
    connection = connect(url)
    try:
        for _ in range(rng.randint(1, 2 * options.keep_alive - 1)):
            size = drawn_size(options.size, 8_000_000, least=50)
            headers = {"User-Agent": "python-requests/2.31", "Content-Type": "application/octet-stream"}
            if not options.chunked:
                headers["Content-Length"] = str(size)
            connection.request(options.method, url.path or "/", body=pieces(size), headers=headers, encode_chunked=options.chunked)
            connection.getresponse().read()
            think(options.think)
    except (OSError, http.client.HTTPException):
        time.sleep(0.3)
    connection.close()
    think(options.think)
