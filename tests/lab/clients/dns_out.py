"""Made-up data in the names of DNS queries below one zone: carried out as fast as it goes, or as the beats of a command channel."""
import argparse
import random
import socket
import struct
import time

from many import jittered, many

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--server", required=True)
parser.add_argument("--zone", required=True)
parser.add_argument("--types", default="A", help="with commas; one is drawn for each query")
parser.add_argument("--bytes", type=int, default=90, help="data of a query; names are of at most 240 letters")
parser.add_argument("--pause", type=float, default=0.1, help="seconds between queries")
parser.add_argument("--jitter", type=float, default=0.4, help="share of the pause")
parser.add_argument("--count", type=int, default=60, help="queries of a worker")
parser.add_argument("--workers", type=int, default=1)
parser.add_argument("--one-socket", type=int, default=0, help="so many queries from one port; 0: a new port for each")
parser.add_argument("--letters", choices=["hex", "base32"], default="base32")
options = parser.parse_args()
TYPES = {"A": 1, "CNAME": 5, "NULL": 10, "MX": 15, "TXT": 16, "AAAA": 28}
LETTERS = {"hex": ("0123456789abcdef", 2), "base32": ("abcdefghijklmnopqrstuvwxyz234567", 1.6)}
FAMILY = socket.AF_INET6 if ":" in options.server else socket.AF_INET


def query(number, source):
    letters, factor = LETTERS[options.letters]
    size = int(max(4, min(options.bytes * factor * (0.8 + 0.2 * source.random()), 200)))
    coded = "".join(source.choice(letters) for _ in range(size))
    pieces = [coded[at:at + 60] for at in range(0, len(coded), 60)] + [f"{number:x}", *options.zone.split(".")]
    name = b"".join(bytes([len(piece)]) + piece.encode() for piece in pieces) + b"\0"
    kind = TYPES[source.choice(options.types.split(","))]
    return struct.pack(">HHHHHH", random.getrandbits(16), 0x0100, 1, 0, 0, 0) + name + struct.pack(">HH", kind, 1)


def work(_, source):
    sock = None
    for number in range(options.count):
        if sock is None or not options.one_socket or number % options.one_socket == 0:
            if sock:
                sock.close()
            sock = socket.socket(FAMILY, socket.SOCK_DGRAM)
            sock.settimeout(1)
            sock.connect((options.server, 53))
        try:
            sock.send(query(number, source))
            sock.recv(4096)
        except OSError:
            pass  # Lost or refused; the next query follows all the same.
        time.sleep(jittered(source, options.pause, options.jitter))


many(options.workers, work, spread=2)
