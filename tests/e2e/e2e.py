#!/usr/bin/python3
"""The end-to-end test's command; see README.md beside it. Called by .ci/e2e-k8s.sh."""
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # It leaves nothing beside its sources.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from e2e import node, runner  # noqa: E402

if __name__ == "__main__":
    command, folder, *words = sys.argv[1:]
    sys.exit({"run": runner.main, "node": node.main}[command](Path(folder), words))
