"""Parts: the servers that pods run. One YAML file each under parts/, which says how to configure, start and await it."""
import shutil
import time

from . import HOME, SEEN_HOME, SEEN_ROOT, LabError, draws, programs, schema

NPM = SEEN_ROOT / "target" / "lab" / "npm"  # Where .ci/setup.sh lab puts npm packages, one folder each.
READY_SECONDS = 70  # Erlang or Node servers take that long on a loaded machine, seconds on an idle one; more is a fault.


class Part:
    def __init__(self, path):
        doc = schema.load(path).only(
            {"name", "summary", "start", "ready"}, {"packages", "npm", "with", "files", "prepare", "user", "probe", "env", "after"})
        self.place = str(path)
        self.name = doc.get("name", str)
        if self.name != path.stem:
            raise LabError(f"{path}: the name is to be {path.stem}, as the file's")
        self.packages = doc.get("packages", list, [])
        self.npm = doc.get("npm", list, [])
        self.defaults = doc.get("with", dict, {})
        for key, value in self.defaults.items():
            draws.check(value, f"{path}: with.{key}")
        self.files = doc.get("files", dict, {})
        self.prepare = doc.get("prepare", list, [])
        self.after = doc.get("after", list, [])
        self.start = doc.get("start", list)
        self.user = doc.get("user", str)
        self.env = doc.get("env", dict, {})
        self.ready = schema.Doc(doc.get("ready", dict), f"{path}: ready").only((), {"tcp", "udp", "command"}).value
        self.probe = doc.get("probe", dict, {})
        schema.Doc(self.probe, f"{path}: probe").only((), {"http", "tcp", "port"})

    def settings(self, pod, given, names, rng_of):
        """Values that `${...}` may say in this part's texts: the pod's own, then what `with` holds."""
        for key in given:
            if key not in self.defaults:
                raise LabError(f"pod {pod}: with: part {self.name} has no `{key}`; there are {', '.join(self.defaults)}")
        own = {key: names[f"{pod}.{key}"] for key in ("ip", "ip6", "service", "service6", "name")}
        own |= {"home": f"/run/lab/{pod}", "pod": pod, "lab": str(SEEN_HOME), "npm": str(NPM)}
        drawn = {key: draws.draw(value, rng_of(key)) for key, value in {**self.defaults, **given}.items()}
        return {**names, **own, **draws.fill(drawn, {**names, **own}, f"{self.place}: with")}

    def command(self, argv, settings):
        argv = [draws.text(arg) for arg in draws.fill(argv, settings, f"{self.place}: start")]
        if self.user:
            return ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups", *argv]
        return argv

    def launch(self, pod, settings, log):
        """Writes the files, prepares, and starts the server."""
        for name, content in self.files.items():
            path = pod.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(draws.fill(content, settings, f"{self.place}: files.{name}"))
            path.chmod(0o755)
        if self.user:
            for path in [pod.home, *pod.home.rglob("*")]:
                if path.name not in ("resolv.conf", "hosts", "tmp"):
                    shutil.chown(path, self.user, self.user)
        env = draws.fill(self.env, settings, f"{self.place}: env")
        for argv in self.prepare:
            programs.run(pod, self.command(argv, settings), log, env=env, what=f"{self.name}: prepare")
        return programs.Program(pod, self.command(self.start, settings), log, env=env, ok="any", what=f"server {self.name}")

    def wait(self, pod, program, settings, log):
        """Waits until it serves; then runs what is to be done once it does."""
        ports = [(protocol, port) for protocol in ("tcp", "udp") for port in as_list(draws.fill(
            self.ready.get(protocol, []), settings, self.place))]
        end = time.monotonic() + READY_SECONDS
        while not all(programs.listens(pod, protocol, int(port)) for protocol, port in ports):
            if program.ended() or time.monotonic() > end:
                raise LabError(f"pod {pod.name}: {self.name} does not listen on {ports}:\n{programs.tail(log)}")
            time.sleep(0.02)
        while "command" in self.ready:
            try:
                programs.run(pod, self.command(self.ready["command"], settings), log, seconds=10, what=f"{self.name}: ready")
                break
            except LabError:
                if program.ended() or time.monotonic() > end:
                    raise
                time.sleep(0.1)
        for argv in self.after:
            programs.run(pod, self.command(argv, settings), log, what=f"{self.name}: after")

    def probes(self, settings):
        """What kubelet asks of it, as URLs for clients/probe.py."""
        if not self.probe:
            return []
        port = draws.text(draws.fill(self.probe.get("port", ""), settings, f"{self.place}: probe"))
        if "http" in self.probe:
            return [f"http://{settings['ip']}:{port}{self.probe['http']}"]
        port = draws.text(draws.fill(self.probe["tcp"], settings, f"{self.place}: probe"))
        return [f"tcp://{settings['ip']}:{port}"]


def as_list(value):
    return value if isinstance(value, list) else [value]


def load_all(folder=HOME / "parts"):
    return {path.stem: Part(path) for path in sorted(folder.glob("*.yaml"))}
