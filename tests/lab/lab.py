#!/usr/bin/python3
"""The traffic lab's command; see README.md beside it, or `lab.py --help`."""
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # The lab leaves nothing beside its sources.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from lab.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
