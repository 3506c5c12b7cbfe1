"""Scenarios: who runs what, when, with which parameters, under which label. Loading and checking; nothing runs here."""
import copy
import re

from . import HOME, LabError, draws, schema
from .plan import Plan

NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
HALVES = ("train", "test")
STEP_KEYS = {"name", "run", "client", "args", "at", "after", "for", "repeat", "each", "ok", "env", "copies", "background"}
FLOW_KEYS = {"label", "src", "dst", "any", "src_port", "dst_port", "port", "protocol", "direction"}
NEEDED = {"name", "summary", "label", "pods", "steps", "halves"}
OPTIONAL = {"actor", "family", "packages", "draw", "background", "flows", "flows_at_least", "smoke"}


class Scenario:
    def __init__(self, path, parts, backgrounds):
        doc = schema.load(path).only(NEEDED, OPTIONAL)
        self.path = path
        self.name = doc.get("name", str)
        if self.name != path.stem or not NAME.fullmatch(self.name):
            raise LabError(f"{path}: the name is to be {path.stem}, as the file's, in small letters, digits and single dashes")
        self.summary = doc.get("summary", str)
        self.label = doc.get("label", str)
        self.family = doc.get("family", str)
        self.packages = doc.get("packages", list, [])
        self.draws = dict(doc.get("draw", dict, {}))
        self.pods = copy.deepcopy(doc.get("pods", dict))
        self.steps = copy.deepcopy(doc.get("steps", list))
        self.actors = as_list(doc.get("actor", (str, list), []))
        self.flows = doc.get("flows", list, [])
        self.flows_at_least = doc.get("flows_at_least", int, 1)
        if self.flows_at_least < 1:
            raise LabError(f"{path}: flows_at_least: a run has at least one flow of its label")
        self.smoke = doc.get("smoke", dict)
        for name in doc.get("background", list, []):
            if name not in backgrounds:
                raise LabError(f"{path}: background: nothing is called {name}; there are {', '.join(backgrounds)}")
            self.add_background(name, backgrounds[name])
        self.expand_copies()
        self.check(parts)
        self.halves = self.load_halves(doc)

    def add_background(self, name, background):
        self.pods |= {pod: value for pod, value in copy.deepcopy(background["pods"]).items() if pod not in self.pods}
        self.draws |= {key: value for key, value in background["draw"].items() if key not in self.draws}
        for number, step in enumerate(copy.deepcopy(background["steps"])):
            self.steps.append({"name": f"{name}-{number + 1}", **step, "background": True})

    def expand_copies(self):
        """`copies: 3` of a pod makes name-1 to name-3; a step or actor that says the name means all of them."""
        groups = {}
        for name, pod in list(self.pods.items()):
            count = pod.get("copies") if isinstance(pod, dict) else None
            if count:
                del self.pods[name]
                groups[name] = [f"{name}-{number + 1}" for number in range(count)]
                self.pods |= {one: {key: value for key, value in pod.items() if key != "copies"} for one in groups[name]}
        self.groups = groups
        self.actors = [one for actor in self.actors for one in groups.get(actor, [actor])]

    def check(self, parts):
        for name, pod in self.pods.items():
            place = f"{self.path}: pods.{name}"
            pod = schema.Doc(pod, place).only((), {"part", "at", "with", "service"}).value
            if not NAME.fullmatch(name) or name in ("node", "cloud"):
                raise LabError(f"{place}: no name for a pod")
            if pod.get("part") is not None and pod["part"] not in parts:
                raise LabError(f"{place}: no part is called {pod['part']}; there are {', '.join(parts)}")
            if pod.get("at", "node") not in ("node", "outside"):
                raise LabError(f"{place}: `at` is node or outside")
        for key, value in self.draws.items():
            draws.check(value, f"{self.path}: draw.{key}")
        hostile = self.label != "benign"
        if hostile != bool(self.actors):
            raise LabError(f"{self.path}: a hostile scenario names its `actor`, a benign one has none")
        for actor in self.actors:
            if actor not in self.pods:
                raise LabError(f"{self.path}: actor: no pod is called {actor}")
        names = set()
        for number, step in enumerate(self.steps):
            place = f"{self.path}: steps[{number}]"
            step = schema.Doc(step, place).only({"pod", "for"}, STEP_KEYS)
            for key, kind in {"run": list, "args": list, "env": dict, "each": dict, "repeat": dict, "background": bool, "client": str}.items():
                step.get(key, kind)
            if step.value.get("ok", "any") != "any":
                step.get("ok", list)
            step = step.value
            step.setdefault("name", f"step-{number + 1}")
            if step["name"] in names:
                raise LabError(f"{place}: two steps are called {step['name']}")
            if ("run" in step) == ("client" in step):
                raise LabError(f"{place}: either `run`, a command, or `client`, a script of clients/, is wanted")
            if "client" in step and not (HOME / "clients" / f"{step['client']}.py").exists():
                raise LabError(f"{place}: there is no clients/{step['client']}.py")
            if "after" in step and step["after"] not in names:
                raise LabError(f"{place}: `after` names no step above it")
            step["pods"] = self.groups.get(step["pod"], [step["pod"]])
            if step["pods"][0] not in self.pods and step["pod"] not in ("node", "dns"):
                raise LabError(f"{place}: no pod is called {step['pod']}")
            schema.Doc(step.get("repeat", {}), f"{place}: repeat").only((), {"times", "think"})
            repeat = {f"repeat.{key}": value for key, value in step.get("repeat", {}).items()}
            each = {f"each.{key}": value for key, value in step.get("each", {}).items()}
            for key, value in {**{key: step.get(key) for key in ("at", "for", "copies")}, **repeat, **each}.items():
                draws.check(value, f"{place}: {key}")
            names.add(step["name"])
        if all(step.get("background") for step in self.steps):
            raise LabError(f"{self.path}: all steps are background: nothing says when the run is over")
        for number, flow in enumerate(self.flows):
            schema.Doc(flow, f"{self.path}: flows[{number}]").only({"label"}, FLOW_KEYS)

    def load_halves(self, doc):
        """Variants by half: a list of draws that differ, or a number of variants that differ by seed alone."""
        halves = schema.Doc(doc.get("halves", dict), f"{self.path}: halves").only((), HALVES).value
        loaded = {}
        for half, variants in halves.items():
            variants = [{}] * variants if isinstance(variants, int) else variants
            for number, variant in enumerate(variants):
                place = f"{self.path}: halves.{half}[{number}]"
                for key, value in schema.Doc(variant, place).value.items():
                    if key not in self.draws:
                        raise LabError(f"{place}: `{key}` is not among the scenario's draws")
                    draws.check(value, f"{place}.{key}")
            loaded[half] = list(variants)
        if self.smoke is not None:
            loaded["smoke"] = [self.smoke]
        return loaded

    def parts(self, parts):
        return [parts[pod["part"]] for pod in self.pods.values() if pod.get("part")]

    def all_packages(self, parts):
        return {*self.packages, *(package for part in self.parts(parts) for package in part.packages)}

    def all_npm(self, parts):
        return {package for part in self.parts(parts) for package in part.npm}


class Run:
    """One scenario with one variant of one half: its addresses and drawn values, the same whenever it is made."""

    def __init__(self, scenario, half, variant, topology, seed=None):
        self.scenario, self.half, self.variant = scenario, half, variant
        self.id = f"{scenario.name}-{half}-{variant + 1}"
        self.topology = topology
        self.words = (topology["seed"] if seed is None else seed, scenario.name, half, variant)
        # The smoke runs live in the test half's pools: they are never trained on.
        self.plan = Plan(topology, "test" if half == "smoke" else half, scenario.pods, self.rng("plan"))
        drawn = {**scenario.draws, **scenario.halves[half][variant]}
        # A source for each draw, so that one more changes no other.
        self.drawn = {key: draws.draw(value, self.rng("draw", key)) for key, value in drawn.items()}
        self.names = {**self.plan.names(), "id": self.id}
        self.names |= draws.fill(self.drawn, {**self.names, **self.drawn}, f"{scenario.path}: draw")

    def rng(self, *words):
        return draws.source(*self.words, *words)


def load_backgrounds(path=HOME / "background.yaml"):
    loaded = {}
    for name, value in schema.load(path).value.items():
        doc = schema.Doc(value, f"{path}: {name}").only({"steps"}, {"pods", "draw"})
        loaded[name] = {"steps": doc.get("steps", list), "pods": doc.get("pods", dict, {}), "draw": doc.get("draw", dict, {})}
    return loaded


def load_all(parts, folder=HOME / "scenarios"):
    backgrounds = load_backgrounds()
    return {path.stem: Scenario(path, parts, backgrounds) for path in sorted(folder.glob("*.yaml"))}


def as_list(value):
    return value if isinstance(value, list) else [value]
