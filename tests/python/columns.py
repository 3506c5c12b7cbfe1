"""Holds the rankings of `flowshrike train --select` against scikit-learn's.

Mutual information to 1e-9 on the same rows and bins, and the importance of columns in the forest to .05 of that in a
RandomForestClassifier: two random forests differ by their draws. `make sklearn` runs it; the argument is the program.
"""

import csv
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import mutual_info_score

FLOWSHRIKE = sys.argv[1]
COLUMNS = [
    "Flow Duration", "Down/Up Ratio", "FIN Flag Count", "Fwd Packets/s", "SYN Flag Count", "Flow IAT Min", "Flow Bytes/s",
    "URG Flag Count",
]
CELLS = [0, 0, 0, 1, 2, 6]
BINS = 20


def flows(random, count):
    """Columns of several kinds, each of which tells more or less of the label, and the labels."""
    labels = random.choice(CELLS, size=count)
    noise = random.normal(size=(count, 4))
    columns = np.column_stack([
        np.round(labels * 300 + noise[:, 0] * 400),
        labels * random.integers(0, 2, size=count),  # Few values.
        random.integers(0, 2, size=count),
        np.exp(noise[:, 1] * 3 + (labels == 6)),
        (labels > 1) * (random.random(count) < 0.8),
        noise[:, 2],
        labels * 1e6 + noise[:, 3] * 3e6,
        np.zeros(count),
    ])
    columns[random.random(count) < 0.05, 3] = math.inf
    columns[random.random(count) < 0.05, 6] = math.nan
    return columns, labels


def select(folder, columns, labels, by):
    """Each column's figure by the program, and the training rows: the first three quarters of each capture."""
    half = len(labels) // 2
    data, report = Path(folder, "flows.csv"), Path(folder, "report.json")
    with open(data, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow([*COLUMNS, "Label", "Scenario"])
        for n, (row, label) in enumerate(zip(columns.tolist(), labels)):
            out.writerow([*row, label, "first" if n < half else "second"])
    command = [FLOWSHRIKE, "train", "--data", data, "--features", ",".join(COLUMNS), "--view", "labels", "--select", by]
    command += ["--report", report, "--output", Path(folder, "model.fsm")]
    subprocess.run(command, check=True, capture_output=True)
    found = json.loads(report.read_text())["selection"]
    rows = [*range(half - half // 4), *range(half, len(labels) - (len(labels) - half) // 4)]
    assert found["flows"] == len(rows)
    return {ranked["column"]: ranked["value"] for ranked in found["ranking"]}, rows


def bins(values):
    """Between quantiles; a value that is one has a bin of its own."""
    ordered = np.sort(values)
    edges = np.unique([ordered[at * len(values) // BINS] for at in range(1, BINS)])
    return np.searchsorted(edges, values, side="left") + np.searchsorted(edges, values, side="right")


def main():
    random = np.random.default_rng(4)
    compared = 0
    for _ in range(8):
        columns, labels = flows(random, int(random.integers(300, 900)))
        with tempfile.TemporaryDirectory() as folder:
            found, rows = select(folder, columns, labels, "mutual-information")
            finite = np.where(np.isfinite(columns), columns, 0)[rows]
            for at, name in enumerate(COLUMNS):
                theirs = mutual_info_score(labels[rows], bins(finite[:, at]))
                assert abs(found[name] - theirs) <= 1e-9, f"{name}: {found[name]} here, {theirs} there"
                compared += 1
            found, _ = select(folder, columns, labels, "tree-importance")
            forest = RandomForestClassifier(n_estimators=200, max_depth=12, max_features="sqrt", random_state=0)
            theirs = forest.fit(finite, labels[rows]).feature_importances_
            for at, name in enumerate(COLUMNS):
                assert abs(found[name] - theirs[at]) <= 0.05, f"{name}: {found[name]} here, {theirs[at]} there"
                compared += 1
    print(f"{compared} figures of columns agree with scikit-learn: mutual information to 1e-9, importance to .05")


if __name__ == "__main__":
    main()
