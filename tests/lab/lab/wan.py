"""The link between the node and the outside: two TUN devices and a queue between them that delays, and may lose, packets.

Started as a program of its own by topology.py, with the outside router's process id, delay and jitter in milliseconds (one way) and
the share of packets lost. It stands for `tc netem`, which many kernels lack. Packets keep their order.
"""
import collections
import ctypes
import fcntl
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN_NO_PI = 0x0001 | 0x1000
CLONE_NEWNET = 0x40000000
QUEUE = 2000  # Packets on the way, each way, as of a router's buffer; what comes then is dropped.


def tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN_NO_PI))
    return fd


def enter(pid):
    with open(f"/proc/{pid}/ns/net") as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def main():
    pid, delay, jitter, loss = sys.argv[1], *map(float, sys.argv[2:5])
    near = tun("wan0")
    enter(pid)
    far = tun("wan1")
    print("ready", flush=True)
    rng = random.Random(0)
    ways = {near: (far, collections.deque()), far: (near, collections.deque())}
    poll = select.epoll()
    for fd in ways:
        poll.register(fd, select.EPOLLIN)
    while True:
        due = [queue[0][0] for _, queue in ways.values() if queue]
        wait = max(0, min(due) - time.monotonic()) if due else -1
        for fd, _ in poll.poll(wait):
            _, queue = ways[fd]
            for _ in range(64):  # Then the other way gets its turn.
                try:
                    packet = os.read(fd, 65535)
                except BlockingIOError:
                    break
                if len(queue) >= QUEUE or (loss and rng.random() < loss):
                    continue
                at = time.monotonic() + (delay + rng.random() * jitter) / 1000
                queue.append((max(at, queue[-1][0]) if queue else at, packet))
        now = time.monotonic()
        for out, queue in ways.values():
            while queue and queue[0][0] <= now:
                try:
                    os.write(out, queue.popleft()[1])
                except OSError:
                    pass  # The device is not up yet, or its queue is full: lost, as on any link.


if __name__ == "__main__":
    main()
