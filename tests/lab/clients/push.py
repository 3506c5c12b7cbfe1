"""What a web server pushes: events (SSE) over one answer that goes on, long polling, websockets with heartbeats; the server and clients.

`serve` is what the part `push` starts. `events` reads /events, `poll` asks /poll, which answers when there is something or its time is
over, `socket` opens /socket and sends and gets messages and pings. A client that is done with one connection begins another.
"""
import argparse
import asyncio
import http.client
import os
import time
from urllib.parse import urlsplit

import websockets

from common import drawn_size, rng, think

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("what", choices=["serve", "events", "poll", "socket"])
parser.add_argument("--url", default="http://localhost:8000/")
parser.add_argument("--port", type=int, default=8000)
parser.add_argument("--period", type=float, default=0.8, help="median seconds between two messages")
parser.add_argument("--size", type=int, default=200, help="median bytes of a message")
parser.add_argument("--seconds", type=float, default=8, help="median seconds of a connection")
parser.add_argument("--heartbeat", type=float, default=2, help="socket: seconds between two pings")
options = parser.parse_args()
url = urlsplit(options.url)


def text():
    return os.urandom(drawn_size(options.size, 60_000, least=8) // 2).hex()


def pause():
    return min(rng.lognormvariate(0, 0.6) * options.period, 6)


async def events(reader, writer):
    """Plain HTTP beside the websockets: SSE, long polls."""
    try:
        while True:
            request = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
            if b" /events" in request:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n")
                while True:
                    writer.write(b": ping\n\n" if rng.random() < 0.2 else f"event: change\ndata: {text()}\n\n".encode())
                    await writer.drain()
                    await asyncio.sleep(pause())
            await asyncio.sleep(pause() * 2)
            body = b"" if rng.random() < 0.4 else text().encode()
            writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (b"200 OK" if body else b"204 No Content", len(body), body))
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
        pass
    writer.close()


async def talk(socket, *_):
    async def send():
        while True:
            await socket.send(text())
            await asyncio.sleep(pause())

    async def receive():
        async for _ in socket:
            pass

    tasks = [asyncio.ensure_future(send()), asyncio.ensure_future(receive())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def serve():
    await asyncio.start_server(events, None, options.port)
    async with websockets.serve(talk, None, options.port + 1):
        await asyncio.Future()


async def socket():
    end = rng.lognormvariate(0, 0.5) * options.seconds
    async with websockets.connect(f"ws://{url.hostname}:{url.port + 1}/socket", ping_interval=options.heartbeat, max_size=None) as one:
        try:
            await asyncio.wait_for(talk(one), end)
        except asyncio.TimeoutError:
            pass


def http_client(path):
    end = time.monotonic() + rng.lognormvariate(0, 0.5) * options.seconds
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=15)
    while time.monotonic() < end:
        connection.request("GET", path, headers={"User-Agent": "Mozilla/5.0", "Accept": "text/event-stream" if path == "/events" else "application/json"})
        answer = connection.getresponse()
        if path != "/events":
            answer.read()
        while path == "/events" and time.monotonic() < end and answer.read1(65536):
            pass
    connection.close()


if options.what == "serve":
    asyncio.run(serve())
while True:
    try:
        if options.what == "socket":
            asyncio.run(socket())
        else:
            http_client("/events" if options.what == "events" else f"/poll?since={rng.getrandbits(30)}")
    except (OSError, http.client.HTTPException, websockets.WebSocketException):
        pass
    think(0.4)
