"""Workers side by side in one client: threads, each with a random source of its own, so that their draws do not mix."""
import random
import ssl
import threading
import time

from common import rng


def many(count, work, spread=0.0):
    """Runs work(number, random source) so many times at once, begun within `spread` seconds; returns when all are done."""
    seeds = [rng.getrandbits(48) for _ in range(count)]

    def one(number):
        own = random.Random(seeds[number])
        time.sleep(own.random() * spread)
        work(number, own)

    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def jittered(source, seconds, jitter):
    """Seconds, off by up to the share `jitter` of them either way."""
    return max(0.01, seconds * (1 + jitter * (2 * source.random() - 1)))


def any_certificate():
    """A TLS context that accepts every server, as tools do that bring their own certificate."""
    return ssl._create_unverified_context()
