"""Whether the chart is what it says: what it takes, what it refuses, and what the manifests may do.

Called by .ci/chart.sh in its Python environment, with HELM, CHECKOV and, where a binary has been built, FLOWSHRIKE naming programs, MONOKLE
and OPERATOR the folders of @monokle/validation and @kubernetes-models/prometheus-operator. Prints a line for each check that fails, and `N passed, N failed` at the end.
"""

import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from kubernetes_validate import utils as kubernetes

import daemon

HERE = Path(__file__).resolve().parent
CHART = HERE.parents[1] / "deploy/helm/flowshrike"
MANIFEST = HERE.parents[1] / "deploy/daemonset.yaml"
# The library reads a version's definitions, some megabytes, for each object anew.
kubernetes.schema_contents = functools.cache(kubernetes.schema_contents)
# What is not part of Kubernetes, and so in no schema of it.
FOREIGN = {"ServiceMonitor", "PodMonitor"}
# All rules of the Pod Security Standards, both levels.
POD_SECURITY = """host-process host-namespaces privileged-containers capabilities host-path-volumes host-ports app-armor selinux proc-mount
seccomp sysctls volume-types privilege-escalation running-as-non-root running-as-non-root-user seccomp-strict capabilities-strict""".split()
# The choices that cost an exception; `with` in exceptions.yaml names them.
CHOICES = {
    (): {},
    ("logs",): {"logDirectory": {"enabled": True}},
}


def main():
    cases = yaml.safe_load((HERE / "cases.yaml").read_text())
    exceptions = yaml.safe_load((HERE / "exceptions.yaml").read_text())
    check("helm lint", lint)
    for case in cases["accepted"]:
        check(f"accepted: {case['name']}", lambda case=case: accepted(case))
    for case in cases["refused"]:
        check(f"refused: {json.dumps(case['values'])}", lambda case=case: refused(case))
    check("a changed configuration changes the pods, another value does not", checksum)
    for choice, values in CHOICES.items():
        name = ", ".join(choice) or "as it comes"
        check(f"pod security: {name}", lambda c=choice, v=values: pod_security(c, v, exceptions["pod-security"]))
        check(f"checkov: {name}", lambda c=choice, v=values: checkov(c, v, exceptions["checkov"]))
    check("the plain manifest by Kubernetes' schemas", lambda: by_schemas(documents(MANIFEST.read_text()), "0"))
    check("every exception has a reason", lambda: reasons(exceptions))
    for name, run in daemon.checks(render, documents, cases["accepted"]):
        check(name, run)
    print(f"{PASSED} passed, {FAILED} failed")
    sys.exit(1 if FAILED else 0)


def lint():
    helm(["lint", "--strict", str(CHART)])


def accepted(case):
    text = render(case["values"])
    for pattern in case.get("holds", []):
        assert re.search(pattern, text, re.M), f"not found: {pattern}"
    for pattern in case.get("lacks", []):
        assert not re.search(pattern, text, re.M), f"found: {pattern}"
    whole = documents(text)
    by_schemas(whole, case.get("since", "0"))
    by_operator([one for one in whole if one["kind"] in FOREIGN])
    rights(whole)
    safe([one for one in whole if one["kind"] == "DaemonSet"][0]["spec"]["template"]["spec"])
    notes(case["values"])


def by_schemas(whole, since):
    """Strictly by the schemas of every version that kubernetes-validate has, from `since` on."""
    versions = [one for one in sorted(set(kubernetes.all_versions()), key=number) if number(one) >= number(since)]
    assert len(versions) >= 5, f"only {versions}"
    for version in versions:
        for one in whole:
            if one["kind"] not in FOREIGN:
                try:
                    kubernetes.validate(one, version, strict=True)
                except kubernetes.ValidationError as error:
                    raise AssertionError(f"{one['kind']} in {version}: {error.message} at {list(error.path)}") from error


def by_operator(monitors):
    """By the Prometheus Operator's schema."""
    if monitors:
        command = ["node", str(HERE / "operator.mjs"), os.environ["OPERATOR"]]
        answer = subprocess.run(command, input=json.dumps(monitors), capture_output=True, text=True)
        assert answer.returncode == 0, answer.stdout.strip() or answer.stderr


def number(version):
    return tuple(int(part) for part in version.split("."))


def rights(whole):
    """What the account may do, and who has its token."""
    roles = [one for one in whole if "Role" in one["kind"]]
    asks = any(one["kind"] == "ClusterRole" for one in roles)
    if asks:
        role, binding = roles
        assert role["rules"] == [{"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["list", "watch"]}], role["rules"]
        assert binding["roleRef"]["name"] == role["metadata"]["name"] and len(binding["subjects"]) == 1, binding
    pod = [one for one in whole if one["kind"] == "DaemonSet"][0]["spec"]["template"]["spec"]
    assert binding["subjects"][0]["name"] == pod["serviceAccountName"] if asks else not roles
    holders = [one["name"] for one in pod["containers"] + pod.get("initContainers", []) for mount in one["volumeMounts"] if mount["name"] == "api-access"]
    assert holders == (["flowshrike"] if asks else []), holders


def safe(pod):
    """What no value may loosen."""
    context, main = pod["securityContext"], pod["containers"][0]["securityContext"]
    assert context["runAsNonRoot"] and context["runAsUser"] == context["runAsGroup"] == 65532
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert main["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}
    assert main["allowPrivilegeEscalation"] is False and main["readOnlyRootFilesystem"] and not main["privileged"]
    assert pod["hostNetwork"] and not pod.get("hostPID") and not pod.get("hostIPC")
    assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False
    for init in pod.get("initContainers", []):
        assert init["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["CHOWN"]}


def notes(values):
    """The notes are rendered too; a client-side dry run asks no cluster."""
    with values_file(values) as file:
        text = helm(["install", "watch", str(CHART), "--namespace", "watch", "--dry-run=client", "--values", file])
    _, _, told = text.partition("NOTES:\n")
    assert "kubectl -n watch rollout status daemonset/" in told, f"notes: {told!r}"


def refused(case):
    with values_file(case["values"]) as file:
        answer = subprocess.run([HELM, "template", "x", str(CHART), "--values", file], capture_output=True, text=True)
    assert answer.returncode != 0, "it is taken"
    assert re.search(case["says"], answer.stderr), f"it says: {answer.stderr.strip()}"


def checksum():
    def sum_of(values):
        return re.search(r"checksum/config: (\w+)", render(values))[1]

    plain = sum_of({})
    assert sum_of({"config": {"flow": {"workers": 2}}}) != plain, "another configuration, the same checksum"
    assert sum_of({"podLabels": {"a": "b"}}) == plain, "the same configuration, another checksum"


def pod_security(choice, values, exceptions):
    whole = documents(render(values))
    for one in whole:
        if one["kind"] == "DaemonSet":
            pod = one["spec"]["template"]["spec"]
            # The API server does so before it checks.
            for port in (port for container in pod["containers"] for port in container.get("ports", [])):
                port.setdefault("hostPort", port["containerPort"])
    command = ["node", str(HERE / "pod-security.mjs"), os.environ["MONOKLE"], *POD_SECURITY]
    answer = subprocess.run(command, input=json.dumps(whole), capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    found = set(answer.stdout.splitlines())
    compare(found, {f"{one['rule']} {one['path']}" for one in exceptions if applies(one, choice)})


def checkov(choice, values, exceptions):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "manifests.yaml"
        file.write_text(render(values))
        command = [os.environ["CHECKOV"], "--framework", "kubernetes", "--file", str(file), "--output", "json", "--compact", "--skip-download"]
        answer = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LOG_LEVEL": "CRITICAL"})
    assert answer.stdout.strip().startswith(("{", "[")), answer.stderr[-500:]
    report = json.loads(answer.stdout)
    assert report["summary"]["passed"] > 50 and not report["summary"]["parsing_errors"], report["summary"]
    found = {f"{one['check_id']} {one['check_name']}" for one in report["results"]["failed_checks"]}
    compare(found, {f"{one['check']} {one['about']}" for one in exceptions if applies(one, choice)})


def applies(exception, choice):
    return "with" not in exception or exception["with"] in choice


def compare(found, excepted):
    lines = [f"broken and no exception: {one}" for one in sorted(found - excepted)]
    lines += [f"an exception, but kept: {one}" for one in sorted(excepted - found)]
    assert not lines, "; ".join(lines)


def reasons(exceptions):
    for one in exceptions["checkov"] + exceptions["pod-security"]:
        assert len(one.get("reason", "")) > 8, one


def render(values):
    with values_file(values) as file:
        return helm(["template", "flowshrike", str(CHART), "--namespace", "flowshrike", "--values", file])


def documents(text):
    return [one for one in yaml.safe_load_all(text) if one]


def helm(arguments):
    # No cluster is asked, least of all one that this user happens to have.
    answer = subprocess.run([HELM, *arguments], capture_output=True, text=True, env={**os.environ, "KUBECONFIG": os.devnull})
    assert answer.returncode == 0, f"helm {arguments[0]}: {answer.stderr.strip() or answer.stdout.strip()}"
    return answer.stdout


class values_file:
    """Values in a file for as long as it is needed."""

    def __init__(self, values):
        self.text = yaml.safe_dump(values)

    def __enter__(self):
        self.file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.file.write(self.text)
        self.file.flush()
        return self.file.name

    def __exit__(self, *_):
        self.file.close()


HELM = os.environ["HELM"]
PASSED = FAILED = 0


def check(name, run):
    global PASSED, FAILED
    try:
        run()
        PASSED += 1
    except AssertionError as failure:
        FAILED += 1
        print(f"FAILED {name}\n    {failure}")


main()
