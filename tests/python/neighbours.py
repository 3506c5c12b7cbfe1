"""Holds `flowshrike predict` against scikit-learn's KNeighborsClassifier on the same points, row for row, for each metric and
weighting.

usage: neighbours.py FLOWSHRIKE MODEL FLOWS.csv

The model's transform is applied here by numpy, so that it is checked too. Rows whose k-th and next neighbour are equally far
are counted and left out: which of the two votes is open in scikit-learn.
"""
import copy
import csv
import os
import subprocess
import sys
import tempfile

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

import artifact


def predicted(program, model_path, flows_path):
    command = [program, "predict", "--model", model_path, "--format", "csv", flows_path]
    return list(csv.DictReader(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()))


def compare(program, model_path, flows_path):
    """Prints what differs and returns how many rows do."""
    model = artifact.read(model_path)
    with open(flows_path, newline="") as file:
        rows = np.float64([[row[name] for name in model["features"]] for row in csv.DictReader(file)])
    ours = predicted(program, model_path, flows_path)
    assert len(ours) == len(rows) > 0, (len(ours), len(rows))

    knn = model["engine"]["knn"]
    points, labels = np.float64(np.float32(knn["points"])), np.array(knn["point_labels"])
    settings = {"n_neighbors": knn["k"], "weights": knn["weighting"], "metric": knn["metric"], "algorithm": "brute"}
    theirs = KNeighborsClassifier(**settings).fit(points, labels)
    queries = artifact.transformed(model, rows)
    distances, _ = theirs.kneighbors(queries, n_neighbors=knn["k"] + 1)
    # Distances of the cosine are rounded at 1, and so near 0 they tell no more than this.
    least = 1e-6 if knn["metric"] == "cosine" else 1e-7
    tied = np.isclose(distances[:, -1], distances[:, -2], rtol=1e-5, atol=least)
    # Whether a neighbour is at distance 0, and so outvotes all others, is then open too.
    if knn["weighting"] == "distance":
        tied |= (distances > 0).any(axis=1) & (distances[:, 0] < least)
    shares = theirs.predict_proba(queries)
    benign = points[labels == model["labels"].index("benign")]
    metric, reference = knn["metric"], model["novelty"].get("reference")
    if reference:
        metric, benign = reference["metric"], np.float64(np.float32(reference["points"]))
    novelty = KNeighborsClassifier(n_neighbors=1, metric=metric, algorithm="brute").fit(benign, np.zeros(len(benign)))
    nearest, _ = novelty.kneighbors(queries, n_neighbors=1)
    # Votes as near as this are decided by the last digit of a distance.
    order = np.sort(shares, axis=1)
    close = order[:, -1] - order[:, -2] < 1e-3
    wrong = 0
    for number, row in enumerate(ours):
        if abs(float(row["novelty"]) - nearest[number, 0]) > 1e-3 * max(1, nearest[number, 0]):
            print(f"row {number}: novelty {row['novelty']}, scikit-learn {nearest[number, 0]}")
            wrong += 1
        if tied[number]:
            continue
        # Equal votes go to the lower label in both.
        if close[number] and not knn["weighting"] == "uniform":
            continue
        label = model["labels"][theirs.classes_[np.argmax(shares[number])]]
        if row["label"] != label or abs(float(row["score"]) - shares[number].max()) > 5e-3:
            print(f"row {number}: {row['label']} {row['score']}, scikit-learn {label} {shares[number].max()}")
            wrong += 1
    print(
        f"neighbours, {knn['metric']}, {knn['weighting']} weights, k = {knn['k']}, {len(points)} points: {len(ours)} rows, "
        f"{int(tied.sum())} tied, {int(close.sum())} with equal votes, {wrong} differ"
    )
    return wrong


def main(program, model_path, flows_path):
    model = artifact.read(model_path)
    wrong = compare(program, model_path, flows_path)
    with tempfile.TemporaryDirectory() as folder:
        for metric in ("l1", "l2", "cosine"):
            for weighting in ("distance", "uniform"):
                for k in (1, 4):
                    changed = copy.deepcopy(model)
                    knn = changed["engine"]["knn"]
                    knn.update(k=k, metric=metric, weighting=weighting)
                    benign = changed["labels"].index("benign")
                    points = [point for point, label in zip(knn["points"], knn["point_labels"]) if label == benign]
                    # The cosine always needs a reference of its own, the others have one or not.
                    if metric == "cosine" or k == 4:
                        changed["novelty"]["reference"] = {"metric": ("l1", "l2")[k == 4], "points": points}
                    path = os.path.join(folder, f"{metric}-{weighting}-{k}.fsm")
                    artifact.write(path, changed)
                    wrong += compare(program, path, flows_path)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
