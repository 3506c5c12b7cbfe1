"""The daemon on a run's bridge, and what its alerts are worth: alerts on benign flows, hostile runs that were alerted."""
import collections
import csv
import datetime
import json
import time
import urllib.request
from pathlib import Path

from . import LabError, programs

LISTEN = "127.0.0.1:9469"  # On the loopback of the run's own namespace.
READY_SECONDS = 60  # A debug build lays its model out slowly.


class Watch:
    def __init__(self, flowshrike, model=None):
        self.flowshrike = flowshrike
        self.options = ["--model", model] if model else []

    def files(self):
        """What it needs of the machine's files."""
        return [Path(self.flowshrike), *map(Path, self.options[1:])]

    def start(self, node, bridge, folder, run_id, logs):
        """Starts it and waits until it captures."""
        log = logs / "flowshrike.log"
        daemon = programs.Program(
            node, [self.flowshrike, "run", "--interface", bridge, "--promiscuous", "--listen", LISTEN,
                   "--output", str(folder / f"{run_id}.alerts.jsonl"), "--summary", str(folder / f"{run_id}.summary.json"),
                   *self.options], log, ok=[0], what="flowshrike run")
        end = time.monotonic() + READY_SECONDS
        while True:
            try:
                urllib.request.urlopen(f"http://{LISTEN}/readyz", timeout=2).close()
                return daemon
            except OSError:
                if daemon.ended() or time.monotonic() > end:
                    raise LabError(f"flowshrike run is not ready:\n{programs.tail(log)}") from None
                time.sleep(0.05)

    def stop(self, daemon):
        daemon.stop(grace=30)
        if daemon.process.returncode:
            raise LabError(f"flowshrike run ended with {daemon.process.returncode}:\n{programs.tail(daemon.log)}")


def judge(runs, out, half):
    """Holds each run's alerts against the labels of its flows. Returns the figures."""
    flows, first_hostile = collections.defaultdict(dict), {}
    benign_flows = 0
    with open(out / f"{half}.csv", newline="") as file:
        for row in csv.DictReader(file):
            ends = (row["Src IP"], row["Src Port"]), (row["Dst IP"], row["Dst Port"])
            benign_flows += row["Label"] == "benign"
            flows[row["Scenario"]][frozenset(ends), row["Protocol"]] = row["Label"]
            if row["Label"] != "benign":
                end = when(row["Timestamp"]) + datetime.timedelta(microseconds=float(row["Flow Duration"]))
                first_hostile[row["Scenario"]] = min(end, first_hostile.get(row["Scenario"], end))
    figures = {"benign_flows": benign_flows, "false_alerts": 0, "unknown_alerts": 0, "runs": {}}
    for run in runs:
        counts, first = collections.Counter(), None
        for alert in alerts(out / "captures" / half / f"{run.id}.alerts.jsonl"):
            label = label_of(alert, flows[run.id])
            if first is None and label not in ("benign", "unknown"):
                first = when(alert["timestamp"])
            counts[label] += 1
            figures["false_alerts"] += label == "benign"
            figures["unknown_alerts"] += label == "unknown"
        hostile = run.scenario.label != "benign"
        figures["runs"][run.id] = {"hostile": hostile, "alerted": first is not None, "alerts": dict(counts)}
        if first is not None and run.id in first_hostile:
            figures["runs"][run.id]["seconds_to_alert"] = round((first - first_hostile[run.id]).total_seconds(), 3)
    figures["alerts_per_1000_benign_flows"] = round(1000 * figures["false_alerts"] / max(1, benign_flows), 2)
    return figures


def when(text):
    """A time as flow tables (no zone, UTC) or alerts (with zone) write it."""
    time_of_day = datetime.datetime.fromisoformat(text.replace("+0000", ""))
    return time_of_day.replace(tzinfo=None)


def label_of(alert, flows):
    """The label of the flow that an alert is about; of an incident's flows the hostile one, if there is one."""
    if "incident" in alert["flowshrike"]:
        given = {alert[key] for key in ("src_ip", "dest_ip") if key in alert}
        found = {label for (ends, _), label in flows.items() if given <= {ip for ip, _ in ends}}
        return next(iter(sorted(found - {"benign"})), "benign" if found else "unknown")
    ends = (alert["src_ip"], str(alert.get("src_port", 0))), (alert["dest_ip"], str(alert.get("dest_port", 0)))
    number = {"TCP": "6", "UDP": "17", "ICMP": "1", "IPv6-ICMP": "58"}.get(alert["proto"], "")
    return flows.get((frozenset(ends), number), "unknown")


def alerts(path):
    with open(path) as file:
        return [line for line in map(json.loads, file) if line["event_type"] == "alert"]


def tell(figures):
    """The figures as lines for a person."""
    lines = []
    for run_id, run in figures["runs"].items():
        if run["hostile"]:
            lines.append(f"{run_id}: {'alerted' if run['alerted'] else 'NOT alerted'} {run['alerts'] or ''}".rstrip())
        elif run["alerts"]:
            lines.append(f"{run_id}: false alerts {run['alerts']}")
    lines.append(f"{figures['alerts_per_1000_benign_flows']} alerts per 1,000 benign flows "
                 f"({figures['false_alerts']} on {figures['benign_flows']})")
    return lines


def complaints(figures, gate):
    """What a gate of so many alerts per 1,000 benign flows does not let pass."""
    found = [f"{run_id}: a hostile run without an alert" for run_id, run in figures["runs"].items() if run["hostile"] and not run["alerted"]]
    if figures["alerts_per_1000_benign_flows"] > gate:
        found.append(f"{figures['alerts_per_1000_benign_flows']} alerts per 1,000 benign flows; the gate is {gate}")
    return found
