"""Model files as Python sees them: read, changed, written, and their transform in numpy."""
import hashlib
import json

import numpy as np


def read(path):
    with open(path) as file:
        file.readline()
        return json.loads(file.readline())


def write(path, model):
    payload = json.dumps(model, separators=(",", ":")).encode()
    header = {
        "format": "flowshrike-model",
        "format_version": 2,
        "payload_sha256": hashlib.sha256(payload).hexdigest(),
        "payload_bytes": len(payload),
    }
    with open(path, "wb") as file:
        file.write(json.dumps(header, separators=(",", ":")).encode() + b"\n" + payload + b"\n")


def transformed(model, rows):
    """Coordinates of raw rows, by the maps of the artifact."""
    fill = np.float64(model["transform"]["fill"])
    ((kind, maps),) = model["transform"]["scaling"].items()
    columns = []
    for number, part in enumerate(maps):
        value = np.where(np.isfinite(rows[:, number]), rows[:, number], fill[number])
        if kind == "quantile":
            knots, levels = (np.float64(np.float32(part[key])) for key in ("knots", "levels"))
            value = np.float64(np.float32(value))
            columns.append(np.interp(value, knots, levels))
            columns.append(np.where(value > knots[-1], 1.0, 0.0))
        else:
            if kind == "signed-log":
                value = np.sign(value) * np.log1p(np.abs(value))
            columns.append((value - part["centre"]) / part["scale"])
    return np.column_stack(columns)
