"""Sends the frames of a capture out of an interface, as fast as they are taken: send.py INTERFACE CAPTURE."""

import gzip
import socket
import struct
import sys
import time

interface, path = sys.argv[1:]
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind((interface, 0))
data = gzip.open(path).read()
at, sent = 24, 0
while at < len(data):
    length = struct.unpack_from("<I", data, at + 8)[0]
    out.send(data[at + 16 : at + 16 + length])
    at, sent = at + 16 + length, sent + 1
    if sent % 200 == 0:
        time.sleep(0.02)
# The ring's last block is handed over after its timeout.
time.sleep(0.5)
print(f"{sent} frames sent", file=sys.stderr)
