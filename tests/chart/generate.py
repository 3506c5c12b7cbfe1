"""What is written from the chart and for it: `generate.py write` writes it anew, `generate.py check` names what is not up to date.

- deploy/daemonset.yaml, from the chart with its own values;
- `config` in the chart's values.schema.json, from the table of keys in docs/configuration.md;
- the table of values in docs/install.md, from values.yaml and its comments.

Called by .ci/chart.sh and `make manifests`, with HELM naming the program.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/flowshrike"
# What the chart itself says by flags, which win over the file.
SET_BY_CHART = {
    "admin.listen",
    "admin.enabled",
    "alert.output",
    "kubernetes.node",
    "metrics.listen",
    "metrics.tls_certificate",
    "metrics.tls_key",
    "metrics.token_file",
}
NAMESPACE = """\
# Flowshrike on every node, without Helm:
#
#   kubectl apply -f deploy/daemonset.yaml
#
# Written by `make manifests` from deploy/helm/flowshrike with its default values; a test compares. docs/install.md has more.
apiVersion: v1
kind: Namespace
metadata:
  name: flowshrike
  labels:
    # The host's network and NET_RAW are beyond "baseline"; all else that "restricted" asks for is kept (docs/install.md).
    pod-security.kubernetes.io/enforce: privileged
"""


def main():
    mode = sys.argv[1] if len(sys.argv) > 1 else ""
    if mode not in ("write", "check"):
        sys.exit("usage: generate.py write|check")
    stale = []
    # The schema first: the manifest is rendered under it.
    for make in (schema, manifest, install_page):
        path, text = make()
        if path.exists() and path.read_text() == text:
            continue
        if mode == "write":
            path.write_text(text)
            print(f"written: {path.relative_to(ROOT)}")
        else:
            stale.append(str(path.relative_to(ROOT)))
    if stale:
        sys.exit(f"not up to date: {', '.join(stale)}; `make manifests` writes them anew")


def manifest():
    """The plain manifest: a namespace, and the chart without what only Helm needs."""
    command = [os.environ["HELM"], "template", "flowshrike", str(CHART), "--namespace", "flowshrike"]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    text = re.sub(r"(?m)^ *(helm\.sh/chart: .*|app\.kubernetes\.io/managed-by: Helm|# Source: .*)\n", "", text)
    return ROOT / "deploy/daemonset.yaml", NAMESPACE + text


def schema():
    """The schema with `config` as strict as the daemon: the same keys, kinds and bounds."""
    path = CHART / "values.schema.json"
    whole = json.loads(path.read_text())
    sections = {}
    for key, value in configuration_keys().items():
        if key not in SET_BY_CHART:
            section, name = key.split(".")
            sections.setdefault(section, {})[name] = kind(key, value)
    whole["properties"]["config"] = strict({name: strict(keys) for name, keys in sections.items()})
    return path, json.dumps(whole, indent=2) + "\n"


def strict(properties):
    return {"type": "object", "additionalProperties": False, "properties": properties}


def configuration_keys():
    """The keys of docs/configuration.md with what may stand there."""
    keys, section = {}, None
    for line in (ROOT / "docs/configuration.md").read_text().splitlines():
        if heading := re.fullmatch(r"## `(\w+)`", line):
            section = heading[1]
        elif section and (row := re.match(r"\| `(\w+)` \| (.+?) \| ", line)):
            keys[f"{section}.{row[1]}"] = row[2]
    return keys


def kind(key, value):
    """The JSON schema of a value as docs/configuration.md words it."""
    value, _, word = value.partition(", or ")
    allowed = one_kind(key, value)
    return {"anyOf": [allowed, {"const": word.strip("`")}]} if word else allowed


def one_kind(key, value):
    if value == "list":
        return {"type": "array", "items": {"type": "string", "minLength": 1}}
    if value == "text":
        return {"type": "string"}
    if value == "`true` or `false`":
        return {"type": "boolean"}
    if value.startswith("bytes: "):
        return {"type": ["string", "integer"], "minimum": 1, "pattern": "^[0-9]+(B|kB|MB|GB|KiB|MiB|GiB)?$"}
    if value.startswith("duration: "):
        return {"type": "string", "pattern": "^[0-9]+(us|ms|s|m|h)$"}
    if bounds := re.fullmatch(r"number: (\d+) to (\d+)", value):
        return {"type": "integer", "minimum": int(bounds[1]), "maximum": int(bounds[2])}
    if bounds := re.fullmatch(r"names with numbers: (\d+) to (\d+)", value):
        number = {"type": "number", "minimum": int(bounds[1]), "maximum": int(bounds[2])}
        return {"type": "object", "additionalProperties": number}
    if value.startswith("one of: "):
        return {"enum": re.findall(r"`([^`]+)`", value)}
    sys.exit(f"docs/configuration.md: {key}: no schema is known for the value {value!r}; add one to tests/chart/generate.py")


def install_page():
    """docs/install.md with the table of values between its marks."""
    path = ROOT / "docs/install.md"
    before, begin, rest = path.read_text().partition("<!-- values: begin -->\n")
    _, end, after = rest.partition("<!-- values: end -->\n")
    if not begin or not end:
        sys.exit("docs/install.md: the marks around the table of values are not there")
    return path, before + begin + values_table() + end + after


def values_table():
    """One row for each value with a comment; a value that has none, and no parent that has, is an error."""
    text = (CHART / "values.yaml").read_text()
    values = yaml.safe_load(text)
    rows, comment, path, told = [], [], [], {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if stripped.startswith("#"):
            comment.append(stripped.lstrip("# "))
            continue
        if key := re.match(r"( *)(\w[\w./-]*):", line):
            depth = len(key[1]) // 2
            path = [*path[:depth], key[2]]
            dotted = ".".join(path)
            value = values
            for name in path:
                value = value[name] if isinstance(value, dict) else None
            if value is None:
                pass  # Inside a list: a part of the default.
            elif comment:
                rows.append((dotted, value, " ".join(comment)))
                told[dotted] = True
            elif not (isinstance(value, dict) and value) and not any(".".join(path[:n]) in told for n in range(1, len(path))):
                sys.exit(f"values.yaml:{number}: {dotted} has no comment that says what it is for")
        comment = []
    return "".join(["| Value | Default | Meaning |\n|---|---|---|\n", *(row(*each, told) for each in rows)])


def row(dotted, value, meaning, told):
    has_rows = any(name.startswith(dotted + ".") for name in told)
    default = "below" if has_rows else f"`{json.dumps(value, ensure_ascii=False)}`"
    return f"| `{dotted}` | {default} | {meaning.replace('|', '&#124;')} |\n"


main()
