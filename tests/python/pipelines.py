"""Holds what `flowshrike train` fits against scikit-learn: the scalings of a pipeline to 1e-6, trees to the digits of an
artifact's shares.

usage: pipelines.py FLOWSHRIKE MODEL

Columns are those of MODEL, filled with seeded numbers that are all different, so that both definitions of a quantile agree: 999
rows have 500 quantiles at values that occur.
"""
import csv
import os
import subprocess
import sys
import tempfile

import numpy as np
from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import artifact
import neighbours

ROWS = 999


def write_flows(path, names, rows, labels):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*names, "Label"])
        writer.writerows([*(repr(float(x)) for x in row), label] for row, label in zip(rows, labels))


def train(program, folder, flows, pipeline):
    declared, model = os.path.join(folder, "pipeline.yaml"), os.path.join(folder, "model.fsm")
    with open(declared, "w") as file:
        file.write(pipeline)
    command = [program, "train", "--data", flows, "--pipeline", declared, "--output", model]
    subprocess.run(command, check=True, capture_output=True)
    return model


def main(program, model_path):
    names = artifact.read(model_path)["features"]
    random = np.random.default_rng(1)
    scales = 10.0 ** random.integers(0, 6, len(names))
    rows = np.float64(np.float32(random.lognormal(0, 1, (ROWS, len(names))) * scales))
    centre = rows[:, 0] > np.median(rows[:, 0])
    labels = np.where(centre & (rows[:, 1] > np.median(rows[:, 1])), "recon", np.where(centre, "exploit", "benign"))
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        flows = os.path.join(folder, "flows.csv")
        write_flows(flows, names, rows, labels)
        between = rows.min(axis=0) + random.random((500, len(names))) * (rows.max(axis=0) - rows.min(axis=0))
        between = np.float64(np.float32(between))
        for scaling, theirs in [
            ("quantile", QuantileTransformer(n_quantiles=500, subsample=None)),
            ("standard", StandardScaler()),
            ("robust", RobustScaler()),
        ]:
            path = train(program, folder, flows, f"scaling: {scaling}\n")
            ours = artifact.transformed(artifact.read(path), between)
            if scaling == "quantile":
                assert not ours[:, 1::2].any(), "a flag for a value that is not beyond the greatest"
                ours = ours[:, ::2]
            expected = theirs.fit(rows).transform(between)
            most = np.max(np.abs(ours - expected) / np.maximum(1, np.abs(expected)))
            print(f"scaling {scaling}: {expected.size} coordinates, greatest difference {most:.2e}")
            wrong += most > 1e-6
            # The program applies what the artifact says.
            wrong += neighbours.compare(program, path, flows)

        for depth in (3, 48):
            path = train(program, folder, flows, f"engine: {{name: tree, max_depth: {depth}}}\n")
            model = artifact.read(path)
            points = artifact.transformed(model, rows)
            theirs = DecisionTreeClassifier(max_depth=depth, random_state=1).fit(np.float32(points), labels)
            shares = theirs.predict_proba(np.float32(points))
            ours = neighbours.predicted(program, path, flows)
            differ = [
                number
                for number, row in enumerate(ours)
                if row["label"] != theirs.classes_[np.argmax(shares[number])]
                or abs(float(row["score"]) - shares[number].max()) > 1e-4
            ]
            print(f"tree of depth {depth}: {len(ours)} rows, {len(differ)} differ from scikit-learn's tree")
            wrong += len(differ)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
