"""Holds the figures of `flowshrike evaluate` against scikit-learn's to 1e-9.

Two ways: random truths, predictions and scores through the example `score-figures` (ties, absent classes, classes that are
never predicted, a single flow), and models trained by the program on random flows, whose JSON is held against what
scikit-learn makes of `--predictions`. `make sklearn` runs it; the argument is the folder with the built programs.
"""

import csv
import json
import math
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from sklearn import metrics

TOLERANCE = 1e-9
BUILT = Path(sys.argv[1])
compared = 0


def same(what, ours, theirs):
    """One figure; `None` of ours must be None of theirs."""
    global compared
    compared += 1
    if ours is None or theirs is None:
        assert ours is None and theirs is None, f"{what}: {ours} here, {theirs} there"
        return
    assert math.isclose(ours, theirs, rel_tol=0, abs_tol=TOLERANCE), f"{what}: {ours} here, {theirs} there"


def calibration_error(confidence, right, bins=15):
    """Guo et al. 2017, equation 3: scikit-learn has no function for it."""
    at = np.minimum((confidence * bins).astype(int), bins - 1)
    return sum(abs(right[at == b].mean() - confidence[at == b].mean()) * (at == b).mean() for b in set(at))


def compare(case, ours, names, truth, predicted, scores):
    """Every figure of one view; classes are positions in `names`."""
    labels = list(range(len(names)))
    assert ours["classes"] == names, case
    assert ours["confusion"] == metrics.confusion_matrix(truth, predicted, labels=labels).tolist(), case
    same(f"{case} accuracy", ours["accuracy"], metrics.accuracy_score(truth, predicted))
    same(f"{case} balanced", ours["balanced_accuracy"], metrics.balanced_accuracy_score(truth, predicted))
    for average in ("macro", "weighted"):
        theirs = metrics.precision_recall_fscore_support(truth, predicted, average=average, zero_division=0)
        for name, value in zip(("precision", "recall", "f1"), theirs):
            same(f"{case} {average} {name}", ours[f"{average}_average"][name], value)
    theirs = metrics.precision_recall_fscore_support(truth, predicted, labels=labels, average=None, zero_division=0)
    areas, precisions = [], []
    for label, name in enumerate(names):
        one = ours["per_class"][name]
        for key, values in zip(("precision", "recall", "f1", "support"), theirs):
            # We say null where there is nothing to divide by; scikit-learn says 0.
            same(f"{case} {name} {key}", one[key] or 0, values[label])
        of_class = truth == label
        both = 0 < of_class.sum() < len(truth)
        area = metrics.roc_auc_score(of_class, scores[:, label]) if both else None
        precision = metrics.average_precision_score(of_class, scores[:, label]) if of_class.any() else None
        same(f"{case} {name} ROC-AUC", one["roc_auc"], area)
        same(f"{case} {name} average precision", one["average_precision"], precision)
        areas += [area] if both else []
        precisions += [precision] if precision is not None else []
    same(f"{case} macro AUC", ours["macro_roc_auc"], np.mean(areas) if areas else None)
    same(f"{case} macro AP", ours["macro_average_precision"], np.mean(precisions) if precisions else None)
    brier = metrics.brier_score_loss(truth, scores, labels=labels, scale_by_half=False)
    same(f"{case} Brier", ours["brier"], brier)
    same(f"{case} log loss", ours["log_loss"], metrics.log_loss(truth, scores, labels=labels))
    confidence = scores[np.arange(len(truth)), predicted]
    same(f"{case} ECE", ours["calibration"]["ece"], calibration_error(confidence, truth == predicted))


def random_scores(random, count):
    """Scores of random flows and the classes that they have."""
    classes = int(random.integers(2, 7))
    present = random.choice(classes, size=int(random.integers(1, classes + 1)), replace=False)
    truth = random.choice(present, size=count)
    kind = random.integers(3)
    scores = random.dirichlet(np.full(classes, 0.3), size=count)
    if kind == 1:  # Eighths: many ties, and exact in binary.
        scores = random.multinomial(8, scores) / 8
    elif kind == 2:  # One neighbour: all or nothing.
        scores = np.eye(classes)[scores.argmax(axis=1)]
    if random.integers(2):  # Scores that mean something.
        scores = (scores + np.eye(classes)[truth]) / 2
    predicted = scores.argmax(axis=1) if random.integers(4) else random.integers(classes, size=count)
    return classes, truth, predicted, scores


def cases_of_scores(cases):
    random = np.random.default_rng(1)
    drawn = [random_scores(random, int(random.integers(1, 300)) if n else 1) for n in range(cases)]
    lines = [
        json.dumps({"classes": c, "truth": t.tolist(), "predicted": p.tolist(), "scores": s.tolist()})
        for c, t, p, s in drawn
    ]
    program = BUILT / "examples" / "score-figures"
    answer = subprocess.run([program], input="\n".join(lines), text=True, capture_output=True, check=True).stdout
    for n, (line, (classes, truth, predicted, scores)) in enumerate(zip(answer.splitlines(), drawn, strict=True)):
        compare(f"case {n}", json.loads(line), [str(c) for c in range(classes)], truth, predicted, scores)


STAGES = {"benign": "benign", "recon": "recon", "exploit": "exploit", "node-red-recon": "recon"}
COLUMNS = [
    "Fwd Packet Length Std", "Down/Up Ratio", "Fwd Packet Length Mean", "Total Length of Fwd Packet", "Bwd Packet Length Max",
    "Fwd Packets/s", "FIN Flag Count", "Total Bwd packets", "Fwd PSH Flags", "SYN Flag Count", "Flow IAT Min", "Flow Bytes/s",
    "Fwd Packet Length Max",
]


def flows(random, path, count, cells):
    """A CSV of flows that overlap, so that no figure is perfect."""
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow([*COLUMNS, "Label", "Scenario"])
        for n in range(count):
            cell = int(random.choice(cells))
            values = random.integers(0, 6, size=len(COLUMNS)) + cell * random.integers(0, 2, size=len(COLUMNS))
            out.writerow([*values, cell, f"capture {n % 3}"])


def cases_of_models(cases):
    random = np.random.default_rng(2)
    flowshrike = BUILT / "flowshrike"
    for n in range(cases):
        view = ("stages", "labels")[n % 2]
        with tempfile.TemporaryDirectory() as folder:
            train, test = Path(folder, "train.csv"), Path(folder, "test.csv")
            model, rows = Path(folder, "model.fsm"), Path(folder, "rows.csv")
            flows(random, train, 400, [0, 0, 0, 1, 2, 6])
            # Some classes are absent from what is scored.
            flows(random, test, 300, [[0, 0, 1, 2, 6], [0, 2], [0, 1, 6]][n % 3])
            subprocess.run(
                [flowshrike, "train", "--data", train, "--view", view, "--output", model], check=True, capture_output=True
            )
            command = [flowshrike, "evaluate", "--model", model, "--data", test, "--predictions", rows, "--format", "json"]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            with open(rows, newline="") as file:
                table = list(csv.DictReader(file))
        labels = [key.removeprefix("score:") for key in table[0] if key.startswith("score:")]
        scores = np.array([[float(row[f"score:{label}"]) for label in labels] for row in table])
        truths, predictions = [row["truth"] for row in table], [row["predicted"] for row in table]
        groups = {"binary": lambda label: "benign" if label == "benign" else "attack"}
        groups["stages"] = lambda label: STAGES.get(label, "exploit")
        if view == "labels":
            groups["labels"] = lambda label: label
        else:
            assert found["views"]["labels"]["available"] is False
        for name, group in groups.items():
            ours = found["views"][name]
            names = ours["classes"]
            place = [names.index(group(label)) for label in labels]
            grouped = np.zeros((len(table), len(names)))
            for column, at in enumerate(place):
                grouped[:, at] += scores[:, column]
            truth = np.array([names.index(group(label)) for label in truths])
            predicted = np.array([names.index(group(label)) for label in predictions])
            compare(f"model {n}, {name}", ours, names, truth, predicted, grouped)


if __name__ == "__main__":
    # Of absent classes and one-sided rankings, which is what the cases are for.
    warnings.simplefilter("ignore")
    cases_of_scores(500)
    cases_of_models(12)
    print(f"{compared} figures of 500 random cases and 12 models agree with scikit-learn to {TOLERANCE:g}")
