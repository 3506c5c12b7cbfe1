"""Flowshrike on a real Kubernetes of one node. ../README.md has the map of these files."""
import os
import time
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
ROOT = HOME.parent.parent
IMAGE = os.environ.get("IMAGE", "localhost/flowshrike:dev")
TOOLS_IMAGE = "localhost/flowshrike-e2e-tools:dev"
# Where Kubernetes' own programs lie, and Helm.
K8S_HOME = Path(os.environ.get("K8S_HOME", "/nonexistent"))
HELM = Path(os.environ.get("HELM", "/nonexistent"))


class Failure(Exception):
    """A check that does not hold, or a cluster that does not come up: says what was seen."""


def until(what, look, seconds=60, every=0.2):
    """Looks until the answer is true, and gives it; a Failure that tells the last answer if that takes too long."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer, seen = look(), None
        except Failure as failure:
            answer, seen = None, str(failure)
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise Failure(f"not after {seconds} s: {what}" + (f" ({seen})" if seen else f" (last: {answer!r})"))
        time.sleep(every)


def hold(condition, says):
    """An assertion, which python -O does not take away."""
    if not condition:
        raise Failure(says)
