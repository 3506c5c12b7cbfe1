"""What the clients share: a random source from LAB_SEED, sizes and think times."""
import os
import random
import signal
import sys
import time

rng = random.Random(os.environ.get("LAB_SEED", "0"))
# A step's bound is not an error of the client: it ends as one that was done.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def drawn_size(median, most, least=1, sigma=0.9):
    """A whole number of bytes: lognormal around the median, within bounds."""
    return max(least, min(int(rng.lognormvariate(0, sigma) * median), most))


def think(median, sigma=0.6, longest=20):
    """Waits as a person or a timer loop does: lognormal around the median seconds."""
    if median > 0:
        time.sleep(min(rng.lognormvariate(0, sigma) * median, longest))
