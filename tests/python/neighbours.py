"""Holds `flowshrike predict` against scikit-learn's KNeighborsClassifier on the same points, row for row.

usage: neighbours.py FLOWSHRIKE MODEL FLOWS.csv

The model's transform is applied here by numpy, so that it is checked too. Rows whose k-th and next neighbour are equally far
are counted and left out: which of the two votes is open in scikit-learn.
"""
import csv
import json
import subprocess
import sys

import numpy as np
from sklearn.neighbors import KNeighborsClassifier


def transformed(model, rows):
    columns = []
    for number, part in enumerate(model["transform"]):
        knots, levels = (np.float64(np.float32(part[key])) for key in ("knots", "levels"))
        value = np.where(np.isfinite(rows[:, number]), rows[:, number], 0.0)
        value = np.float64(np.float32(value))
        columns.append(np.interp(value, knots, levels))
        columns.append(np.where(value > knots[-1], 1.0, 0.0))
    return np.column_stack(columns)


def main(program, model_path, flows_path):
    with open(model_path) as file:
        file.readline()
        model = json.loads(file.readline())
    with open(flows_path, newline="") as file:
        reader = csv.DictReader(file)
        rows = np.float64([[row[name] for name in model["features"]] for row in reader])
    command = [program, "predict", "--model", model_path, "--format", "csv", flows_path]
    ours = list(csv.DictReader(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()))
    assert len(ours) == len(rows) > 0, (len(ours), len(rows))

    points, labels = np.float64(np.float32(model["points"])), np.array(model["point_labels"])
    theirs = KNeighborsClassifier(n_neighbors=model["k"], weights="distance", algorithm="brute").fit(points, labels)
    queries = transformed(model, rows)
    distances, _ = theirs.kneighbors(queries, n_neighbors=model["k"] + 1)
    tied = np.isclose(distances[:, -1], distances[:, -2], rtol=1e-5, atol=1e-7)
    shares = theirs.predict_proba(queries)
    benign = points[labels == model["labels"].index("benign")]
    novelty = KNeighborsClassifier(n_neighbors=1, algorithm="brute").fit(benign, np.zeros(len(benign)))
    nearest, _ = novelty.kneighbors(queries, n_neighbors=1)
    # Votes as near as this are decided by the last digit of a distance.
    order = np.sort(shares, axis=1)
    close = order[:, -1] - order[:, -2] < 1e-3
    wrong = 0
    for number, row in enumerate(ours):
        if abs(float(row["novelty"]) - nearest[number, 0]) > 1e-3:
            print(f"row {number}: novelty {row['novelty']}, scikit-learn {nearest[number, 0]}")
            wrong += 1
        if tied[number] or close[number]:
            continue
        label = model["labels"][theirs.classes_[np.argmax(shares[number])]]
        if row["label"] != label or abs(float(row["score"]) - shares[number].max()) > 5e-3:
            print(f"row {number}: {row['label']} {row['score']}, scikit-learn {label} {shares[number].max()}")
            wrong += 1
    print(f"neighbours: {len(ours)} rows, {int(tied.sum())} tied at the k-th, {int(close.sum())} with equal votes, {wrong} differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
