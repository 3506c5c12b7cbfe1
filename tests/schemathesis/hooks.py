"""Bodies that are no JSON, for Schemathesis: tables of the model's columns, the bundled capture, and parts of them."""

import json
import os
import urllib.request

import schemathesis
from hypothesis import strategies

SERVICE = os.environ["SERVICE"]
with urllib.request.urlopen(f"{SERVICE}/model") as answer:
    FEATURES = json.load(answer)["features"]
with open(os.environ["CAPTURE"], "rb") as file:
    CAPTURE = file.read()

numbers = strategies.floats(allow_nan=False, allow_infinity=False)
rows = strategies.lists(strategies.lists(numbers, min_size=len(FEATURES), max_size=len(FEATURES)), max_size=20)


def csv(table):
    lines = [",".join(FEATURES)] + [",".join(map(repr, row)) for row in table]
    return ("\n".join(lines) + "\n").encode()


def json_lines(table):
    return "".join(json.dumps(dict(zip(FEATURES, row))) + "\n" for row in table).encode()


schemathesis.openapi.media_type("text/csv", rows.map(csv))
schemathesis.openapi.media_type("application/x-ndjson", rows.filter(bool).map(json_lines))
schemathesis.openapi.media_type("application/vnd.tcpdump.pcap", strategies.just(CAPTURE))
schemathesis.openapi.media_type("application/octet-stream", strategies.just(CAPTURE))
