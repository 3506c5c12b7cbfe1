"""Asks MLflow's own client for what `flowshrike` recorded: at a real server, after it was away, and in a folder.

usage: check.py FLOWSHRIKE CAPTURE RULES [CHROMIUM]

Each check prints a line; the first one that fails ends the run.
"""
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request

BIN = pathlib.Path(sys.executable).parent
EXPERIMENT = "lab runs"


def say(what):
    print("ok", what, flush=True)


def equal(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: {got!r}, where {wanted!r} is wanted")


def close(what, got, wanted):
    if abs(got - wanted) > 1e-5:
        sys.exit(f"{what}: {got}, where {wanted} is wanted")


class Server:
    """`mlflow server` with a database, which passes files on."""

    def __init__(self, folder, port, store, env=None, artifacts=True, tls=None):
        self.port, self.address = port, f"{'https' if tls else 'http'}://127.0.0.1:{port}"
        self.log = open(os.path.join(folder, f"server-{port}.log"), "ab")
        command = [BIN / "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1", "--backend-store-uri", store]
        if artifacts:
            command += ["--serve-artifacts", "--artifacts-destination", os.path.join(folder, "artifacts")]
        if tls:
            command += ["--uvicorn-opts", f"--ssl-keyfile {tls['key']} --ssl-certfile {tls['chain']}"]
        trust = ssl.create_default_context(cafile=tls["authority"]) if tls else None
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env={**os.environ, **(env or {})}, start_new_session=True)
        deadline = time.monotonic() + 300
        while True:
            try:
                urllib.request.urlopen(f"{self.address}/health", timeout=5, context=trust)
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"mlflow server does not start:\n{pathlib.Path(self.log.name).read_text()}")
                time.sleep(0.2)

    def stop(self):
        # Its workers are its children; the group is its own.
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def main(program, capture, rules, chromium):
    program, capture, rules = (os.path.abspath(path) for path in (program, capture, rules))
    with tempfile.TemporaryDirectory() as folder:
        env = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_") and not name.lower().endswith("_proxy")}

        def run(*args, **more):
            done = subprocess.run([program, *args], cwd=folder, env={**env, **more}, capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"{args}: {done.returncode}\n{done.stderr}")
            return done

        path = pathlib.Path(folder)
        run("label", "--rules", rules, capture, "--output", "flows.csv")
        port = free_port()
        servers = [Server(folder, port, f"sqlite:///{folder}/mlflow.db")]
        try:
            against_a_server(run, path, servers, chromium)
            after_it_was_away(run, path, servers)
            over_tls(run, path, servers)
            in_a_folder(run, path, servers)
        finally:
            for server in servers:
                server.stop()


def train(run, uri, *more, arrives=True):
    done = run("train", "--data", "flows.csv", "--folds", "3", "--profile", "standard", "--seed", "5", "--output", "model.fsm", "--report", "report.json",
               "--track", uri, "--track-experiment", EXPERIMENT, *more)
    if ("tracked   " in done.stderr) != arrives or ("warning   " in done.stderr) == arrives:
        sys.exit(f"train, where the record {'arrives' if arrives else 'waits'}:\n{done.stderr}")
    return done


def hold(client, run_id, path, where):
    """All of a training run against the report and the model that the command wrote."""
    report = json.loads((path / "report.json").read_text())
    found = client.get_run(run_id)
    equal(f"{where}: status", found.info.status, "FINISHED")
    equal(f"{where}: times", found.info.end_time >= found.info.start_time > 1_600_000_000_000, True)
    params, metrics, tags = found.data.params, found.data.metrics, found.data.tags
    for key, value in {"engine.name": "knn", "split.folds": "3", "seed": "5", "profile": "standard", "features": ",".join(report["features"])}.items():
        equal(f"{where}: parameter {key}", params[key], value)
    for key in ("macro_f1", "accuracy", "false_positive_rate"):
        close(f"{where}: metric {key}", metrics[f"validation.{key}"], report["validation"][key])
    folds = client.get_metric_history(run_id, "fold.macro_f1")
    equal(f"{where}: folds", [(m.step, m.value) for m in sorted(folds, key=lambda m: m.step)],
          [(step, fold["macro_f1"]) for step, fold in enumerate(report["folds"], 1)])
    equal(f"{where}: data", tags["flowshrike.data_sha256"], report["data_sha256"])
    equal(f"{where}: seed", tags["flowshrike.seed"], "5")
    equal(f"{where}: model", tags["flowshrike.model_sha256"], report["sha256"])
    files = {}
    for name in ("model/model.fsm", "report.json", "plots/confusion.svg", "plots/classes.svg", "plots/folds.svg"):
        files[name] = pathlib.Path(client.download_artifacts(run_id, name, tempfile.mkdtemp(dir=path))).read_bytes()
    equal(f"{where}: model's bytes", files["model/model.fsm"], (path / "model.fsm").read_bytes())
    equal(f"{where}: report's bytes", files["report.json"], (path / "report.json").read_bytes())
    for name in ("confusion", "classes", "folds"):
        equal(f"{where}: {name}", files[f"plots/{name}.svg"][:12], b"<svg xmlns=\"")
    say(f"{where}: {len(params)} parameters, {len(metrics)} metrics, {len(tags)} tags, {len(files)} files")
    return found


def the_run(client, name):
    experiment = client.get_experiment_by_name(EXPERIMENT)
    runs = [run for run in client.search_runs([experiment.experiment_id]) if run.info.run_name == name]
    equal(f"runs called {name}", len(runs), 1)
    return runs[0].info.run_id


def against_a_server(run, path, servers, chromium):
    import mlflow
    server = servers[0]
    client = mlflow.MlflowClient(server.address)
    mlflow.set_tracking_uri(server.address)
    train(run, server.address, "--track-name", "first run", "--register", "flows", "--alias", "champion")
    run_id = the_run(client, "first run")
    hold(client, run_id, path, "server")
    version = client.get_model_version_by_alias("flows", "champion")
    equal("registered version", (str(version.version), version.run_id), ("1", run_id))
    equal("registered hash", version.tags["flowshrike.model_sha256"], json.loads((path / "report.json").read_text())["sha256"])
    got = mlflow.artifacts.download_artifacts("models:/flows@champion", dst_path=tempfile.mkdtemp(dir=path))
    equal("registered bytes", (pathlib.Path(got) / "model.fsm").read_bytes(), (path / "model.fsm").read_bytes())
    equal("MLmodel", mlflow.models.Model.load(got).flavors["flowshrike"]["data"], "model.fsm")
    say("registered: models:/flows/1 is champion, and MLflow loads its files")

    plain = run("predict", "--model", "model.fsm", "flows.csv").stdout
    equal("predict by alias", run("predict", "--model", "models:/flows@champion", "--track", server.address, "flows.csv").stdout, plain)
    equal("predict by version", run("predict", "--model", "models:/flows/1", "flows.csv", MLFLOW_TRACKING_URI=server.address).stdout, plain)
    card = json.loads(run("model", "inspect", "models:/flows@champion", "--track", server.address, "--format", "json").stdout)
    equal("inspect", card["sha256"], json.loads((path / "report.json").read_text())["sha256"])
    say("models:/flows@champion and models:/flows/1 are loaded, and judge as the file does")

    figures = json.loads(run("evaluate", "--model", "models:/flows@champion", "--data", "flows.csv", "--format", "json", "--track", server.address,
                             "--track-experiment", EXPERIMENT, "--track-name", "an evaluation").stdout)
    evaluation = client.get_run(the_run(client, "an evaluation"))
    close("evaluation", evaluation.data.metrics["evaluation.macro_f1"], figures["macro_f1"])
    equal("evaluation's data", evaluation.data.tags["flowshrike.data_sha256"], figures["data_sha256"])
    names = sorted(file.path for file in client.list_artifacts(evaluation.info.run_id))
    equal("evaluation's files", names, ["evaluation.html", "evaluation.json", "plots"])
    say("the evaluation of a registered model is a run")

    if chromium:
        shows_the_run(chromium, server, client, run_id, path)
    else:
        print("skipped: the page of a run, as chromium is not here", flush=True)


def shows_the_run(chromium, server, client, run_id, path):
    experiment = client.get_run(run_id).info.experiment_id
    page = f"{server.address}/#/experiments/{experiment}/runs/{run_id}"
    profile = tempfile.mkdtemp(dir=path)
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage",
               f"--user-data-dir={profile}", "--virtual-time-budget=60000", "--window-size=1400,1200"]
    picture = os.environ.get("TRACK_PICTURE")
    if picture:
        subprocess.run([*command, f"--screenshot={picture}", page], check=True, capture_output=True, timeout=300)
    deadline = time.monotonic() + 300
    while True:
        shown = subprocess.run([*command, "--dump-dom", page], capture_output=True, text=True, timeout=300).stdout
        if "first run" in shown and "validation.macro_f1" in shown:
            break
        if time.monotonic() > deadline:
            sys.exit(f"MLflow's page does not show the run:\n{shown[:2000]}")
    say("MLflow's page of the run shows its name and its metrics")


def after_it_was_away(run, path, servers):
    import mlflow
    server = servers[0]
    server.stop()
    train(run, server.address, "--track-name", "while away", "--register", "flows", "--alias", "champion", arrives=False)
    waiting = list((path / "flowshrike-spool").iterdir())
    equal("records that wait", len(waiting), 1)
    copied = path / "copied"
    subprocess.run(["cp", "-r", path / "flowshrike-spool", copied], check=True)
    say("the server is away: the model is written, a record waits")

    servers[0] = Server(str(path), server.port, f"sqlite:///{path}/mlflow.db")
    client = mlflow.MlflowClient(server.address)
    run("track", "push", "--track", server.address)
    run_id = the_run(client, "while away")
    hold(client, run_id, path, "pushed")
    equal("what waits", (path / "flowshrike-spool").exists(), False)
    again = run("track", "push", str(copied), "--track", server.address).stdout
    equal("pushed twice", ("was there already as run " + run_id) in again, True)
    equal("one run", the_run(client, "while away"), run_id)
    equal("versions", sorted(int(v.version) for v in client.search_model_versions("name = 'flows'")), [1, 2])
    equal("champion", str(client.get_model_version_by_alias("flows", "champion").version), "2")
    say("a record is pushed once, and a second time makes nothing twice")

    # Half a run: as if the process had ended amid the push.
    train(run, "http://127.0.0.1:9", "--track-name", "half", arrives=False)
    record = next((path / "flowshrike-spool").iterdir())
    about = json.loads((record / "record.json").read_text())
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    half = client.create_run(experiment, start_time=about["started"], run_name="half", tags=about["tags"])
    key, value = next(iter(about["params"].items()))
    client.log_param(half.info.run_id, key, value)
    run("track", "push", "--track", server.address)
    equal("half a run is made whole", the_run(client, "half"), half.info.run_id)
    hold(client, half.info.run_id, path, "made whole")

    # More than one request holds, with a value of the greatest length.
    train(run, "http://127.0.0.1:9", "--track-name", "large", arrives=False)
    record = next((path / "flowshrike-spool").iterdir()) / "record.json"
    about = json.loads(record.read_text())
    params = {**{f"p{at}": str(at) for at in range(250)}, "long": "ü" * 5999 + "…"}
    about["params"].update(params)
    about["metrics"] += [{"key": f"m{at % 7}", "value": at / 8, "step": at} for at in range(2500)]
    record.write_text(json.dumps(about))
    run("track", "push", "--track", server.address)
    run_id = the_run(client, "large")
    found = hold(client, run_id, path, "large").data.params
    equal("many parameters", {key: found[key] for key in params}, params)
    equal("many metrics", [(m.step, m.value) for m in sorted(client.get_metric_history(run_id, "m3"), key=lambda m: m.step)],
          [(at, at / 8) for at in range(3, 2500, 7)])


def certificates(path):
    """An authority of our own and a certificate of 127.0.0.1 by it, as files."""
    import datetime
    import ipaddress
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.datetime.now(datetime.timezone.utc)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    name = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("authority of a test", "127.0.0.1")]

    def certificate(at, extension):
        builder = x509.CertificateBuilder().subject_name(name[at]).issuer_name(name[0]).public_key(keys[at].public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1)).add_extension(*extension)
        return builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    files = {"authority": certificate(0, (x509.BasicConstraints(ca=True, path_length=None), True)),
             "chain": certificate(1, (x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)),
             "key": keys[1].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())}
    for name, content in files.items():
        (path / f"{name}.pem").write_bytes(content)
    return {name: str(path / f"{name}.pem") for name in files}


def over_tls(run, path, servers):
    tls = certificates(path)
    servers.append(Server(str(path), free_port(), f"sqlite:///{path}/mlflow.db", tls=tls))
    address = servers[-1].address
    done = train(run, address, "--track-name", "over TLS", arrives=False)
    equal("a certificate of nobody known is refused", "certificate" in done.stderr.splitlines()[-1], True)
    run("track", "push", "--track", address, MLFLOW_TRACKING_SERVER_CERT_PATH=tls["authority"])
    import mlflow
    hold(mlflow.MlflowClient(servers[0].address), the_run(mlflow.MlflowClient(servers[0].address), "over TLS"), path, "over TLS")


def in_a_folder(run, path, servers):
    import mlflow
    train(run, "runs", "--track-name", "in a folder", "--register", "flows", "--alias", "champion")
    store = str(path / "runs")
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    client = mlflow.MlflowClient(store, store)
    run_id = the_run(client, "in a folder")
    hold(client, run_id, path, "folder")
    version = client.get_model_version_by_alias("flows", "champion")
    equal("folder: version", (str(version.version), version.run_id), ("1", run_id))
    ui = Server(str(path), free_port(), store, env={"MLFLOW_ALLOW_FILE_STORE": "true"}, artifacts=False)
    servers.append(ui)
    served = mlflow.MlflowClient(ui.address)
    equal("folder: at a server", served.get_run(the_run(served, "in a folder")).data.tags["flowshrike.seed"], "5")
    say("MLflow opens the folder, by its client and as a server's store")

    # MLflow's own way to a database.
    migrated = f"sqlite:///{path}/migrated.db"
    done = subprocess.run([BIN / "mlflow", "migrate-filestore", "--source", store, "--target", migrated], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"mlflow migrate-filestore:\n{done.stdout}\n{done.stderr}")
    client = mlflow.MlflowClient(migrated, migrated)
    hold(client, the_run(client, "in a folder"), path, "migrated")
    equal("migrated: champion", str(client.get_model_version_by_alias("flows", "champion").version), "1")
    say("MLflow's own migration takes the folder into a database")


if __name__ == "__main__":
    main(*sys.argv[1:4], sys.argv[4] if len(sys.argv) > 4 else None)
