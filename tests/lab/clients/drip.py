"""Data carried out in small portions: one long HTTP upload a session, of which a portion leaves every now and then."""
import argparse
import http.client
import os
import time
from urllib.parse import urlsplit

from many import any_certificate, many

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--url", required=True)
parser.add_argument("--portion", type=int, default=600, help="median bytes of a portion")
parser.add_argument("--pause", type=float, default=0.6, help="median seconds between portions")
parser.add_argument("--seconds", type=float, default=8, help="mean length of a session; drawn between half and one and a half")
parser.add_argument("--workers", type=int, default=10, help="sessions side by side")
parser.add_argument("--requests", action="store_true", help="a request of its own for each portion, on the kept connection")
options = parser.parse_args()
url = urlsplit(options.url)


def portions(source):
    end = time.monotonic() + options.seconds * (0.5 + source.random())
    while time.monotonic() < end:
        yield os.urandom(max(20, int(min(source.lognormvariate(0, 0.5) * options.portion, 16_000))))
        time.sleep(min(source.lognormvariate(0, 0.5) * options.pause, 4))


def work(_, source):
    if url.scheme == "https":
        connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=20, context=any_certificate())
    else:
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
    try:
        if options.requests:
            for portion in portions(source):
                connection.request("POST", url.path or "/", body=portion)
                connection.getresponse().read()
        else:
            connection.request("POST", url.path or "/", body=portions(source), encode_chunked=True)
            connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        time.sleep(0.5)
    connection.close()


many(options.workers, work, spread=3)
