"""The command line: run, smoke, list, check, clean, packages, and `node`, which is a run from the inside."""
import argparse
import json
import os
import sys
import time
from pathlib import Path

from . import HOME, ROOT, LabError, check, node, parts as parts_module, report, runner, scenario as scenario_module, watch
from .plan import load_topology


def main():
    options = parser().parse_args()
    try:
        return options.act(options) or 0
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as signal:
        print(f"interrupted ({signal or 'SIGINT'}): nothing is left", file=sys.stderr)
        return 130


def parser():
    top = argparse.ArgumentParser(prog="lab.py", description="Labelled traffic from real programs in network namespaces.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name, act, text):
        one = commands.add_parser(name, help=text, description=text)
        one.set_defaults(act=act)
        return one

    run = command("run", do_run, "play scenarios; leave captures, rules.yaml, labelled flows and a report")
    run.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="these alone (default: all)")
    run.add_argument("--half", choices=scenario_module.HALVES, help="runs of this half alone")
    run.add_argument("--variant", type=int, help="this variant of each half alone, from 1")
    smoke = command("smoke", do_smoke, "play the smoke runs with the daemon looking on; say what it alerts")
    smoke.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="these alone (default: all that have a smoke variant)")
    smoke.add_argument("--gate", type=float, metavar="ALERTS", nargs="?", const=1.0,
                       help="fail if a hostile run has no alert, or more than this per 1,000 benign flows (1 if no number is given)")
    smoke.add_argument("--model", help="the model that the daemon asks (default: the one in the binary)")
    for one, where in ((run, "lab/all, or lab/some if not all is played"), (smoke, "lab/smoke")):
        one.add_argument("--out", type=Path, help=f"where results go, in place of older ones (default: target/{where})")
        one.add_argument("--jobs", type=int, default=default_jobs(), help="runs at a time (default: %(default)s, by this machine's cores)")
        one.add_argument("--seed", type=int, help="another seed than topology.yaml's")
        one.add_argument("--flowshrike", default=os.environ.get("FLOWSHRIKE"), help="the binary (default: FLOWSHRIKE, then target/)")
    data = command("data", do_data, "make the data set (train.parquet and test.parquet) of what `run` has left")
    data.add_argument("--of", type=Path, help="where results lie (default: target/lab/all)")
    data.add_argument("--to", type=Path, default=HOME / "data", help="where the files go (default: tests/lab/data)")
    data.add_argument("--flowshrike", default=os.environ.get("FLOWSHRIKE"), help="the binary (default: FLOWSHRIKE, then target/)")
    listed = command("list", do_list, "list scenarios with labels and variants")
    listed.add_argument("--runs", action="store_true", help="a line for each run")
    command("check", do_check, "read everything, draw everything, run nothing")
    packages = command("packages", do_packages, "print the Debian packages that scenarios need, one a line")
    packages.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="of these alone (default: all)")
    packages.add_argument("--smoke", action="store_true", help="of those that have a smoke variant")
    packages.add_argument("--npm", action="store_true", help="the npm packages instead")
    clean = command("clean", do_clean, "remove what a killed lab left")
    clean.add_argument("--out", type=Path, help="where it worked (default: the folders under target/lab)")
    inside = command("node", do_node, "a run from the inside: started by `run`, in namespaces of its own")
    inside.add_argument("scenario")
    inside.add_argument("half")
    inside.add_argument("variant", type=int)
    inside.add_argument("folder", type=Path)
    inside.add_argument("--seed", type=int)
    inside.add_argument("--watch", metavar="FLOWSHRIKE", help="the daemon that looks on")
    inside.add_argument("--model")
    return top


def load():
    parts = parts_module.load_all()
    return parts, scenario_module.load_all(parts), load_topology()


def chosen(scenarios, names):
    for name in names:
        if name not in scenarios:
            raise LabError(f"no scenario is called {name}; `lab.py list` shows them")
    return [scenarios[name] for name in names] if names else list(scenarios.values())


def runs_of(scenarios, topology, halves, seed=None, only=None):
    return [scenario_module.Run(one, half, variant, topology, seed) for one in scenarios for half in halves
            for variant in range(len(one.halves.get(half, []))) if only is None or variant == only - 1]


def do_run(options):
    _, scenarios, topology = load()
    halves = [options.half] if options.half else scenario_module.HALVES
    runs = runs_of(chosen(scenarios, options.scenarios), topology, halves, options.seed, options.variant)
    all_of_it = not (options.scenarios or options.half or options.variant)
    return tell(play(runs, options, "all" if all_of_it else "some", [], lambda *_: []))


def do_smoke(options):
    _, scenarios, topology = load()
    runs = runs_of(chosen(scenarios, options.scenarios), topology, ["smoke"], options.seed)
    more = ["--watch", find_flowshrike(options.flowshrike), *(["--model", str(Path(options.model).resolve())] if options.model else [])]

    def judge(played, results):
        figures = watch.judge(played, results, "smoke")
        (results / "smoke.json").write_text(json.dumps(figures, indent=1) + "\n")
        print("\n".join(watch.tell(figures)))
        return watch.complaints(figures, options.gate) if options.gate is not None else []

    return tell(play(runs, options, "smoke", more, judge))


def play(runs, options, folder, more, judge):
    """Plays, labels, reports and judges what went well; returns complaints."""
    if os.geteuid():
        raise LabError("the lab makes network namespaces: run it as root")
    if not runs:
        raise LabError("nothing to run: no scenario has such a half or variant")
    begun = time.monotonic()
    flowshrike = find_flowshrike(options.flowshrike)
    out = (options.out or ROOT / "target" / "lab" / folder).resolve()
    runner.check_out(out)
    with runner.work_folder(out) as work:
        results = runner.play(runs, work, options.jobs, [*seed_arguments(options.seed), *more])
        complaints = report.make(runs, results, work / "results", flowshrike)
        complaints += judge([run for run in runs if "error" not in results[run.id]], work / "results")
        runner.publish(work, out)
    print(f"\n{len(runs)} runs in {time.monotonic() - begun:.0f} s, {options.jobs} at a time; results in {out}", file=sys.stderr)
    return complaints


def tell(complaints):
    for complaint in complaints:
        print(f"error: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


def do_data(options):
    of, flowshrike = options.of or ROOT / "target" / "lab" / "all", find_flowshrike(options.flowshrike)
    options.to.mkdir(parents=True, exist_ok=True)
    for half in scenario_module.HALVES:
        path = options.to / f"{half}.parquet"
        labels = report.data(flowshrike, of, half, path)
        print(f"{path}: {sum(labels.values()):,} flows, {path.stat().st_size:,} bytes", file=sys.stderr)


def do_list(options):
    _, scenarios, topology = load()
    for one in scenarios.values():
        halves = ", ".join(f"{half} {len(variants)}" for half, variants in one.halves.items())
        print(f"{one.name:<28} {one.label:<24} {halves:<28} {one.summary}")
        if options.runs:
            for run in runs_of([one], topology, one.halves):
                print(f"    {run.id}: {', '.join(f'{key}={value}' for key, value in run.drawn.items())}")


def do_check(_):
    parts, scenarios, topology = load()
    count = 0
    for one in scenarios.values():
        for run in runs_of([one], topology, one.halves):
            check.run(run, parts)
            count += 1
    for note in check.held_out(scenarios.values()):
        print(f"note: {note}", file=sys.stderr)
    print(f"{len(scenarios)} scenarios, {count} runs, {len(parts)} parts: all can be read and drawn", file=sys.stderr)


def do_packages(options):
    parts, scenarios, _ = load()
    items = [one for one in chosen(scenarios, options.scenarios) if one.smoke is not None or not options.smoke]
    for one in sorted({package for item in items for package in
                       (item.all_npm(parts) if options.npm else item.all_packages(parts) | CORE_PACKAGES)}):
        print(one)


def do_clean(options):
    outs = [options.out] if options.out else [ROOT / "target" / "lab" / name for name in ("all", "some", "smoke")]
    for path in (path for out in outs for path in runner.clean(out)):
        print(f"removed {path}", file=sys.stderr)


def do_node(options):
    _, scenarios, topology = load()
    run = scenario_module.Run(scenarios[options.scenario], options.half, options.variant, topology, options.seed)
    return node.main(run, options.folder, watch.Watch(options.watch, options.model) if options.watch else None)


def seed_arguments(seed):
    return [] if seed is None else ["--seed", str(seed)]


def default_jobs():
    # Runs mostly wait: eight at a time leave two cores half idle. With many more, building the nodes bends the scenarios' times.
    return 4 * (os.cpu_count() or 1)


def find_flowshrike(given):
    places = [Path(given)] if given else [ROOT / "target" / kind / "flowshrike" for kind in ("release", "debug")]
    for place in places:
        if place.exists():
            return str(place.resolve())
    raise LabError(f"no flowshrike at {' or '.join(map(str, places))}: build it, or name it by FLOWSHRIKE")


CORE_PACKAGES = {"iproute2", "ethtool", "tcpdump", "util-linux", "python3", "python3-yaml", "dnsmasq-base"}
