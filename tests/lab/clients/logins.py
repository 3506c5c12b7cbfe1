"""Logins as services and people make them, the wrong ones too: some with a password that is old, slowly, and then the right one or none.

Targets are URLs with user and password: http, ftp, postgres, redis. A round tries `--wrong` times with a made-up password, with think
times between as they grow with `--backoff`, and then, unless `--never`, comes in and does a few things.
"""
import argparse
import base64
import ftplib
import http.client
import socket
from urllib.parse import urlsplit

import psycopg2

from common import rng, think

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--wrong", type=int, default=1, help="at most so many failures before success")
parser.add_argument("--never", action="store_true", help="the right password is not known: a job with an old one")
parser.add_argument("--wait", type=float, default=3, help="median seconds after a failure")
parser.add_argument("--backoff", type=float, default=1, help="what the wait is multiplied by after each failure")
parser.add_argument("--think", type=float, default=0.3, help="median seconds between two things done once inside")
parser.add_argument("--work", type=int, default=6, help="at most so many things done once inside")
parser.add_argument("targets", nargs="+")
options = parser.parse_args()
OLD = f"{rng.getrandbits(40):x}"


def web(url, password, work):
    for _ in range(work):
        connection = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=5)
        token = base64.b64encode(f"{url.username}:{password}".encode()).decode()
        connection.request("GET", url.path, headers={"Authorization": f"Basic {token}", "User-Agent": "python-urllib3/2.0"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status == 401:
            return
        think(options.think)


def ftp(url, password, work):
    with ftplib.FTP() as connection:
        connection.connect(url.hostname, url.port or 21, timeout=6)
        # The lab's server knows anonymous users alone.
        connection.login(url.username, password) if password == OLD else connection.login()
        for _ in range(work):
            connection.retrbinary(f"RETR {rng.choice(['1', '8', '64'])}", len)
            think(options.think)


def postgres(url, password, work):
    connection = psycopg2.connect(host=url.hostname, port=url.port or 5432, user=url.username, password=password,
                                  dbname=url.path[1:], connect_timeout=5)
    with connection.cursor() as cursor:
        for _ in range(work):
            cursor.execute("select * from pgbench_accounts limit %s", (rng.choice([1, 10, 200]),))
            cursor.fetchall()
            think(options.think)
    connection.close()


def redis(url, password, work):
    with socket.create_connection((url.hostname, url.port or 6379), 5) as connection:
        for words in [("AUTH", password), *[("GET", "a"), ("INCR", "n")] * (work // 2 + 1)]:
            connection.sendall(f"*{len(words)}\r\n".encode() + b"".join(f"${len(word)}\r\n{word}\r\n".encode() for word in words))
            if connection.recv(4096).startswith(b"-"):
                return
            think(options.think)


SPEAK = {"http": web, "ftp": ftp, "postgres": postgres, "redis": redis}


def attempt(url, password):
    try:
        SPEAK[url.scheme](url, password, rng.randint(1, options.work))
    except (OSError, EOFError, ftplib.Error, http.client.HTTPException, psycopg2.Error):
        pass  # A refused login is what this is about.


while True:
    wait = options.wait
    target = urlsplit(rng.choice(options.targets))
    for _ in range(rng.randint(0 if not options.never else 1, options.wrong)):
        attempt(target, OLD)
        think(wait, 0.25)
        wait *= options.backoff
    if not options.never:
        attempt(target, target.password)
        think(options.think)
