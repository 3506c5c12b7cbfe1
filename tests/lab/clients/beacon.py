"""Beacons: small requests to an HTTP(S) server in a rhythm with jitter; now and then a larger answer goes back."""
import argparse
import http.client
import os
import time
from urllib.parse import urlsplit

from many import any_certificate, jittered, many

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--url", required=True)
parser.add_argument("--interval", type=float, default=2)
parser.add_argument("--jitter", type=float, default=0.2, help="share of the interval")
parser.add_argument("--seconds", type=float, default=14)
parser.add_argument("--workers", type=int, default=2, help="beacons side by side, each with its own rhythm")
parser.add_argument("--keep-alive", type=int, default=1, help="beats a connection")
parser.add_argument("--post", type=float, default=0.3, help="share of beats that hand something in")
parser.add_argument("--post-size", type=int, default=300, help="median bytes of that")
parser.add_argument("--agent", default="Mozilla/5.0 (Windows NT 10.0; Win64; x64)")
options = parser.parse_args()
url = urlsplit(options.url)


def beat(connection, source, path, last):
    headers = {"User-Agent": options.agent, "Accept": "*/*", "Connection": "close" if last else "keep-alive"}
    if source.random() < options.post:
        size = max(1, int(min(source.lognormvariate(0, 0.8) * options.post_size, 50_000)))
        connection.request("POST", path, body=os.urandom(size), headers=headers)
    else:
        connection.request("GET", path, headers={**headers, "Cookie": f"s={source.getrandbits(128):032x}"})
    connection.getresponse().read()


def work(_, source):
    end = time.monotonic() + options.seconds
    interval = options.interval * (0.8 + 0.4 * source.random())
    path = f"/{source.getrandbits(32):x}"
    while time.monotonic() < end:
        if url.scheme == "https":
            connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=5, context=any_certificate())
        else:
            connection = http.client.HTTPConnection(url.hostname, url.port, timeout=5)
        try:
            for number in range(options.keep_alive):
                beat(connection, source, path, last=number == options.keep_alive - 1)
                if number < options.keep_alive - 1:
                    time.sleep(jittered(source, interval, options.jitter))
        except (OSError, http.client.HTTPException):
            pass  # A beacon that got no answer tries again at its next beat.
        connection.close()
        time.sleep(jittered(source, interval, options.jitter))


many(options.workers, work, spread=options.interval)
