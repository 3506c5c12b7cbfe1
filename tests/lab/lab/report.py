"""Labels the captures and reports: flows per scenario and label, and whether every flow has a label and every run its flows."""
import collections
import json
import subprocess
import sys

from . import LabError, rules


def make(runs, results, out, flowshrike):
    """Writes rules, labelled flows by half and report.json; returns complaints."""
    complaints = [f"{name}: {result['error'].splitlines()[0]}" for name, result in results.items() if "error" in result]
    runs = [run for run in runs if "error" not in results[run.id]]
    report = {"runs": results, "halves": {}}
    rules.write(runs, out / "rules.yaml")
    for half in sorted({run.half for run in runs}):
        of_half = [run for run in runs if run.half == half]
        rules.write(of_half, out / f"rules-{half}.yaml")
        captures = [out / "captures" / run.half / f"{run.id}.pcap" for run in of_half]
        told = label(flowshrike, captures, out / f"rules-{half}.yaml", out / f"{half}.csv", out / f"label-{half}.json")
        table = collections.defaultdict(collections.Counter)
        for run in of_half:
            took = collections.Counter()
            for rule in told["rules"]:
                if rule["rule"].rsplit(" ", 2)[0] == run.id:
                    took[rule["rule"].rsplit(" ", 1)[1]] += rule["took"]
            results[run.id]["flows"] = dict(took)
            table[run.scenario.name].update(took)
            seen, wanted = took[run.scenario.label], run.scenario.flows_at_least
            if seen < wanted:
                complaints.append(f"{run.id}: {seen} flows of its label, {run.scenario.label}; at least {wanted} are wanted: see logs/{run.id}")
        unlabelled = told["unmatched"]["flows"]
        if unlabelled:
            complaints.append(f"{half}: {unlabelled} flows have no label")
        report["halves"][half] = {name: dict(counts) for name, counts in table.items()}
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    show(report["halves"])
    return complaints


def label(flowshrike, captures, by, output, told):
    """Writes the captures' labelled flows in the format of the file's name; returns the report."""
    done = subprocess.run(
        [flowshrike, "label", "--rules", str(by), "--format", output.suffix[1:], "--output", str(output), "--report", str(told),
         *map(str, captures)], capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"flowshrike label failed:\n{done.stderr[-2000:]}")
    return json.loads(told.read_text())


def data(flowshrike, out, half, path):
    """Writes one half of the data set, of what a whole run has left; returns its flows by label."""
    captures = sorted((out / "captures" / half).glob("*.pcap"))
    if not captures:
        raise LabError(f"no captures under {out / 'captures' / half}: `make lab` makes them")
    return label(flowshrike, captures, out / f"rules-{half}.yaml", path, out / f"data-{half}.json")["labels"]


def show(halves):
    for half, table in halves.items():
        print(f"\n{half:<28} {'label':<24} {'flows':>8}", file=sys.stderr)
        for name, counts in sorted(table.items()):
            for one, flows in sorted(counts.items()):
                if flows:
                    print(f"{name:<28} {one:<24} {flows:>8}", file=sys.stderr)
