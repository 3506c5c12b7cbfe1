"""What `lab.py check` looks at beyond the form of the files: every text of every run is filled in, and labels are the taxonomy's."""
import re
from pathlib import Path

from . import ROOT, LabError, draws, rules, steps


def run(one, parts):
    """Fills in all that the run would."""
    scenario = one.scenario
    known = labels()
    for label in [scenario.label, *(flow["label"] for flow in scenario.flows)]:
        if label not in known:
            raise LabError(f"{scenario.path}: docs/taxonomy.md has no label `{label}`")
    rules.of_run(one)
    one.names["probes"] = []
    for name, pod in scenario.pods.items():
        if pod.get("part"):
            part = parts[pod["part"]]
            settings = part.settings(name, steps.filled(pod.get("with", {}), one), one.names, lambda key: one.rng("check", key))
            for command in [*part.prepare, part.start, *part.after, part.ready.get("command", [])]:
                part.command(command, settings)
            draws.fill([part.files, part.env, part.ready], settings, part.place)
            part.probes(settings)
    for step in scenario.steps:
        place = f"{scenario.path}: step {step['name']}"
        names = {**one.names, "round": 0, "copy": 0, "home": "/run/lab", **step.get("each", {})}
        int(steps.Track(one, step, Somewhere, 0, Path("/")).number(step.get("copies", 1)))
        steps.filled([step.get(key) for key in ("at", "for", "copies", "repeat", "each")], one)
        draws.fill([step.get("run", []), step.get("args", []), step.get("env", {})], names, place)


class Somewhere:
    """Stands for the pod of a step that is not played."""

    name = "somewhere"


def held_out(scenarios):
    """Families of hostile tools of which none is kept from training."""
    families = {}
    for scenario in scenarios:
        if scenario.family:
            families.setdefault(scenario.family, []).append(not scenario.halves.get("train"))
    return [f"family {family}: no tool of it is in the test half only" for family, held in sorted(families.items()) if not any(held)]


def labels():
    """Names in the first column of the taxonomy's table."""
    return set(re.findall(r"^\| `([a-z0-9.-]+)` \|", (ROOT / "docs" / "taxonomy.md").read_text(), re.MULTILINE))
