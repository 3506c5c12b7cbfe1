"""Labelled traffic from real programs in network namespaces. ../README.md has the map of these files."""
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
ROOT = HOME.parent.parent
# Where pods see the project: its own path may lie under a folder that each pod has of its own, such as /tmp.
SEEN_ROOT = Path("/run/lab-project")
SEEN_HOME = SEEN_ROOT / HOME.relative_to(ROOT)
PYTHON = "/usr/bin/python3"  # The distribution's own, which has its yaml module; what stands first in PATH may not.


class LabError(Exception):
    """What a person can mend: says the place and what to do."""
