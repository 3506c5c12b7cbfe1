"""One run from the inside: the first process of its pid namespace builds the node, starts servers, captures, plays the steps.

It stands in namespaces of its own (runner.py sees to that), so whatever way it ends, all that it made ends too.
"""
import json
import os
import stat
import subprocess
import sys
import time
import traceback
from pathlib import Path

from . import ROOT, SEEN_ROOT, LabError, parts as parts_module, steps, topology
from .capture import Capture

SETTLE_SECONDS = 0.4  # Last FINs and answers still belong into the capture; nothing waits for more.


def main(run, folder, watch=None):
    """Plays a run and leaves capture, logs and result.json in the folder. `watch` is the daemon that looks on, if any."""
    folder = Path(folder)
    try:
        hide_host([folder, ROOT, *(watch.files() if watch else [])])
        result = play(run, folder, watch)
    except LabError as error:
        result = {"error": str(error)}
    except Exception:  # noqa: BLE001 a fault of the lab is a failed run, and its place is wanted
        result = {"error": traceback.format_exc()}
    (folder / "result.json").write_text(json.dumps(result))
    return 1 if "error" in result else 0


def hide_host(kept):
    """Covers the machine's own run-time folders, so that no server of the lab writes to them or finds a socket there."""
    open_root = os.open(ROOT, os.O_PATH | os.O_DIRECTORY)
    for number, path in enumerate(kept):
        kept[number] = (path, os.open(path, os.O_PATH))
    for covered in ("/run", "/tmp", "/var/tmp", "/var/log"):
        if Path(covered).is_dir() and not Path(covered).is_symlink():
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=1777" if "tmp" in covered else "mode=755", "lab", covered], check=True)
    SEEN_ROOT.mkdir()
    bind(open_root, SEEN_ROOT)
    for path, handle in kept:
        # What lies under one of them is put back.
        if not path.exists():
            if stat.S_ISDIR(os.fstat(handle).st_mode):
                path.mkdir(parents=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            bind(handle, path)
    topology.SCRATCH.mkdir()


def bind(handle, path):
    subprocess.run(["mount", "--no-canonicalize", "--rbind", f"/proc/self/fd/{handle}", str(path)], check=True, pass_fds=[handle])


def play(run, folder, watch):
    begun = time.monotonic()
    logs = folder / "logs"
    logs.mkdir()
    scenario, plan = run.scenario, run.plan
    loaded = parts_module.load_all()
    pods, relay = topology.build(plan)
    built = time.monotonic()
    (topology.SCRATCH / "dns.hosts").write_text(plan.hosts())
    servers = []
    probes = []
    for name, pod in [("dns", {"part": "dnsmasq", **scenario.pods.get("dns", {})}),
                      *((name, pod) for name, pod in scenario.pods.items() if name != "dns")]:
        if not pod.get("part"):
            continue
        part = loaded[pod["part"]]
        settings = part.settings(name, steps.filled(pod.get("with", {}), run), run.names, lambda key, name=name: run.rng("part", name, key))
        log = logs / f"{name}.log"
        servers.append((part, pods[name], part.launch(pods[name], settings, log), settings, log))
        if name not in scenario.actors and not plan.pods[name]["outside"]:
            probes += part.probes(settings)
    for part, pod, program, settings, log in servers:
        part.wait(pod, program, settings, log)
    run.names["probes"] = probes
    ready = time.monotonic()
    capture = Capture(plan.bridge, folder / f"{run.id}.pcap")
    watcher = watch and watch.start(pods["node"], plan.bridge, folder, run.id, logs)
    player = steps.Player(run, pods, logs)
    player.play()
    for part, _, program, _, log in servers:
        if program.ended():
            raise LabError(f"server {part.name} ended before the run:\n{steps.programs.tail(log)}")
    if relay.poll() is not None:
        raise LabError("the link to the outside ended before the run")
    time.sleep(SETTLE_SECONDS)
    packets = capture.stop()
    if watcher:
        watch.stop(watcher)
    over = time.monotonic()
    print(f"{run.id}: {packets} packets", file=sys.stderr)
    return {"packets": packets, "seconds": {"node": round(built - begun, 2), "servers": round(ready - built, 2),
                                            "traffic": round(over - ready, 2)}}
