"""A browser on a website: a page, then what it shows over a few connections at once, the icon, a pause to read, and a link of the page.

What is in its cache is not asked for again. Links and pictures that are not there bring the 404s that every site has.
"""
import argparse
import http.client
import queue
import re
import threading
from urllib.parse import urljoin, urlsplit

from common import rng, think

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--connections", type=int, default=6)
parser.add_argument("--one-shot", action="store_true", help="a new connection for each request, as behind some proxies")
parser.add_argument("--think", type=float, default=1.5, help="median seconds on a page")
parser.add_argument("--pages", type=int, default=10**9)
parser.add_argument("--forget", type=float, default=0.1, help="chance, for each page, that it begins anew: empty cache, no connections")
parser.add_argument("--agent", default="Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0")
parser.add_argument("url")
options = parser.parse_args()
site = urlsplit(options.url)


def fetch(connection, path):
    close = {"Connection": "close"} if options.one_shot else {}
    connection.request("GET", path, headers={"User-Agent": options.agent, "Accept": "*/*", "Accept-Language": "en", "Accept-Encoding": "gzip", **close})
    answer = connection.getresponse()
    body = answer.read()
    if options.one_shot:
        connection.close()
    return body if answer.status == 200 else b""


def worker(connection, wanted):
    while True:
        try:
            path = wanted.get_nowait()
        except queue.Empty:
            return
        try:
            fetch(connection, path)
        except (OSError, http.client.HTTPException):
            connection.close()


def show(connections, cache, paths):
    wanted = queue.Queue()
    for path in dict.fromkeys(paths):
        if path not in cache:
            cache.add(path)
            wanted.put(path)
    threads = [threading.Thread(target=worker, args=(connection, wanted), daemon=True) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def fresh():
    return [http.client.HTTPConnection(site.hostname, site.port or 80, timeout=6) for _ in range(options.connections)], set()


connections, cache = fresh()
page = site.path or "/"
for _ in range(options.pages):
    try:
        text = fetch(connections[0], page).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        connections[0].close()
        text = ""
    shown = re.findall(r'(?:src|stylesheet" href)="([^"]+)"', text)
    show(connections, cache, [urljoin(page, path) for path in shown] + ["/favicon.ico"])
    links = [urljoin(page, path) for path in re.findall(r'<a href="(/[^"]*)"', text)]
    page = rng.choice(links) if links else site.path or "/"
    think(options.think)
    if rng.random() < options.forget:
        for connection in connections:
            connection.close()
        connections, cache = fresh()
