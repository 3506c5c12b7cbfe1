"""Whether the daemon knows what the chart tells it: its configuration, its flags, the paths of its probes.

Called by check.py. Needs a binary, which FLOWSHRIKE names; the probes need root besides, for a network namespace of their own.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# Starts the daemon in a network namespace in which there is nothing but a loopback interface, asks each path until it answers 200, and
# ends it by the signal that the kubelet sends.
ASK = """
ip link set lo up
"$@" &
daemon=$!
for path in $PATHS; do
    tries=0
    until curl -sf -o /dev/null "http://$ADDRESS$path"; do
        tries=$((tries + 1))
        if [ $tries -ge 600 ] || ! kill -0 $daemon; then echo "$path does not answer 200" >&2; kill $daemon; exit 1; fi
        sleep .1
    done
done
kill -TERM $daemon
wait $daemon
"""


def checks(render, documents, cases):
    """Pairs of a name and a function that asserts."""
    binary = os.environ.get("FLOWSHRIKE", "")
    if not binary:
        print("skipped: the daemon's own word on its configuration and flags, as no binary is built", file=sys.stderr)
        return
    for case in cases:
        if not case.get("model"):
            yield f"config check: {case['name']}", lambda case=case: config_check(binary, documents(render(case["values"])))
    yield "flags of run", lambda: flags(binary, documents(render({"logDirectory": {"enabled": True}})))
    if os.getuid() == 0 and shutil.which("unshare") and shutil.which("curl"):
        yield "probes", lambda: probes(binary, documents(render({})))
    else:
        print("skipped: the probes' paths, as this needs root, unshare and curl", file=sys.stderr)


def config_check(binary, whole):
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, "config", "check", "--config", configuration(whole, folder)]
        answer = subprocess.run(command, capture_output=True, text=True, env=environment(whole))
    assert answer.returncode == 0, answer.stderr.strip()


def flags(binary, whole):
    known = subprocess.run([binary, "run", "--help"], capture_output=True, text=True, check=True).stdout
    given = [argument.split("=")[0] for argument in container(whole)["args"][1:]]
    assert given == ["--config", "--listen", "--output"], given
    for flag in given:
        assert f"{flag} <" in known, f"run has no {flag}"


def probes(binary, whole):
    pod = container(whole)
    asked = [pod[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
    with tempfile.TemporaryDirectory() as folder:
        arguments = list(pod["args"])
        arguments[arguments.index("--config=/etc/flowshrike/flowshrike.yaml")] = f"--config={configuration(whole, folder)}"
        # Should this test be ended, the daemon goes by itself.
        arguments.append("--duration=120")
        paths = [one["path"] for one in asked] + ["/metrics"]
        given = {**environment(whole), "FLOWSHRIKE_CAPTURE_INTERFACES": "lo", "PATHS": " ".join(paths), "ADDRESS": f"127.0.0.1:{asked[0]['port']}"}
        command = ["unshare", "--net", "sh", "-c", ASK, "ask", binary, *arguments]
        answer = subprocess.run(command, capture_output=True, text=True, env=given, timeout=180)
    assert answer.returncode == 0, answer.stderr[-600:]


def configuration(whole, folder):
    """The ConfigMap's file as the pod would have it."""
    text = next(one for one in whole if one["kind"] == "ConfigMap")["data"]["flowshrike.yaml"]
    path = Path(folder) / "flowshrike.yaml"
    path.write_text(text)
    return str(path)


def environment(whole):
    """What the pod's environment says beside the program's path."""
    node = lambda value: value.replace("[$(NODE_IP)]", "[::1]").replace("$(NODE_IP)", "127.0.0.1")
    own = {one["name"]: node(one["value"]) for one in container(whole)["env"] if "value" in one}
    return {"PATH": os.environ["PATH"], **own}


def container(whole):
    return next(one for one in whole if one["kind"] == "DaemonSet")["spec"]["template"]["spec"]["containers"][0]
