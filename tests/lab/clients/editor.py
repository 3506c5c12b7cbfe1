"""A person at Node-RED's editor: the page with its files over a few kept connections, then the events' websocket, settings and deployments."""
import argparse
import base64
import http.client
import json
import os
import re
import socket
import threading
import time

from common import rng, think

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--host", required=True)
parser.add_argument("--port", type=int, default=1880)
parser.add_argument("--seconds", type=float, default=8, help="of a session")
parser.add_argument("--sessions", type=int, default=2)
parser.add_argument("--think", type=float, default=0.8, help="median seconds between two clicks")
options = parser.parse_args()


def get(connection, path, method="GET", body=None, headers=None):
    connection.request(method, path, body=body, headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0", **(headers or {})})
    return connection.getresponse().read()


def fetch(paths):
    connection = http.client.HTTPConnection(options.host, options.port, timeout=10)
    for path in paths:
        get(connection, path)
    connection.close()


def websocket(end):
    with socket.create_connection((options.host, options.port), 5) as sock:
        key = base64.b64encode(os.urandom(16)).decode()
        sock.sendall(f"GET /comms HTTP/1.1\r\nHost: {options.host}:{options.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        sock.settimeout(1)
        while time.monotonic() < end:
            try:
                if not sock.recv(65536):
                    return
                say = json.dumps({"subscribe": "debug"}).encode()
                mask = os.urandom(4)
                sock.sendall(bytes([0x81, 0x80 | len(say)]) + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(say)))
            except TimeoutError:
                pass


def session():
    end = time.monotonic() + rng.lognormvariate(0, 0.3) * options.seconds
    connection = http.client.HTTPConnection(options.host, options.port, timeout=10)
    page = get(connection, "/").decode(errors="replace")
    files = ["/" + path for path in re.findall(r'(?:src|href)="([^":]+)"', page)]
    lots = [files[start::4] for start in range(4)]
    threads = [threading.Thread(target=fetch, args=(lot,)) for lot in lots if lot]
    threads.append(threading.Thread(target=websocket, args=(end,), daemon=True))
    for thread in threads:
        thread.start()
    for path in ("/settings", "/flows", "/nodes", "/icons", "/locales/nodes?lng=en-US"):
        get(connection, path, headers={"Accept": "application/json"})
    while time.monotonic() < end:
        think(options.think)
        if rng.random() < 0.3:
            flows = get(connection, "/flows", headers={"Accept": "application/json"})
            get(connection, "/flows", "POST", flows, {"Content-Type": "application/json", "Node-RED-Deployment-Type": "full"})
        else:
            get(connection, rng.choice(["/flows", "/settings/user", "/context/global", "/library/local/flows/"]))
    connection.close()


for _ in range(options.sessions):
    try:
        session()
    except (OSError, http.client.HTTPException):
        time.sleep(0.5)
    think(options.think)
