"""The DNS server of one zone outside: answers every name below it, with drawn content, and notes nothing."""
import argparse
import base64
import socket
import struct

from common import drawn_size, rng

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--port", type=int, default=53)
parser.add_argument("--answer", type=int, default=60, help="median bytes of a TXT or NULL answer")
options = parser.parse_args()


def data(kind):
    size = drawn_size(options.answer, 700, least=4, sigma=0.6)
    if kind == 1:
        return rng.randbytes(4)
    if kind == 28:
        return rng.randbytes(16)
    if kind == 16:
        text = base64.b64encode(rng.randbytes(size))
        return b"".join(bytes([len(piece)]) + piece for piece in (text[at:at + 255] for at in range(0, len(text), 255)))
    if kind == 10:
        return rng.randbytes(size)
    label = base64.b32encode(rng.randbytes(min(size, 35))).rstrip(b"=").lower()[:60]
    name = bytes([len(label)]) + label + b"\xc0\x0c"
    return b"\0\x0a" + name if kind == 15 else name


sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sock.bind(("::", options.port))
while True:
    query, peer = sock.recvfrom(4096)
    end = query.find(b"\0", 12) + 5
    if len(query) < 17 or end > len(query):
        continue
    kind = struct.unpack(">H", query[end - 4:end - 2])[0]
    answer = data(kind)
    head = query[:2] + b"\x84\0" + b"\0\1\0\1\0\0\0\0"
    sock.sendto(head + query[12:end] + b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(answer)) + answer, peer)
