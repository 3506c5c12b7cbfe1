"""Writes the rules file for `flowshrike label`: a run's flows are known by its capture's name and the hostile pods' addresses."""
import yaml

from . import draws


def of_run(run):
    """The rules of one run, the narrow ones first, and a last one that makes the rest of its capture benign."""
    scenario, plan = run.scenario, run.plan
    rules = [flow_rule(run, flow) for flow in scenario.flows]
    if scenario.actors and not scenario.flows:
        actors = [ip for actor in scenario.actors for ip in plan.addresses(actor)]
        # Lookups that a tool's host makes are those of any host; scenarios about DNS write their own flows.
        rules.append({"label": "benign", "src": actors, "dst": plan.addresses("dns"), "dst_port": 53, "protocol": "udp"})
        # Either end: what comes late, and what answers by ICMP, is of the attack too. Neighbour discovery (ICMPv6) is not.
        rules.append({"label": scenario.label, "any": actors, "protocol": ["tcp", "udp", "icmp"]})
    rules.append({"label": "benign"})
    numbered = []
    for number, rule in enumerate(rules, 1):
        numbered.append({"name": f"{run.id} {number} {rule['label']}", "scenario": run.id, "capture": run.id, **rule})
    return numbered


def flow_rule(run, flow):
    """A scenario's own flow: pods' names become their addresses."""
    rule = dict(draws.fill(flow, run.names, f"{run.scenario.path}: flows"))
    for key in ("src", "dst", "any"):
        if key in rule:
            ends = rule[key] if isinstance(rule[key], list) else [rule[key]]
            ends = [pod for end in ends for pod in run.scenario.groups.get(end, [end])]
            rule[key] = [ip for end in ends for ip in (run.plan.addresses(end) if end in run.plan.pods or end == "node" else [end])]
    return rule


def write(runs, path):
    rules = [rule for run in runs for rule in of_run(run)]
    text = "# Written by the lab (tests/lab): who spoke to whom in each capture.\n"
    path.write_text(text + yaml.safe_dump({"version": 1, "default": "unlabelled", "rules": rules}, sort_keys=False, width=140))
