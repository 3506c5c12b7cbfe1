"""The cluster: etcd, the API server, the controllers, the scheduler, containerd and the kubelet, each a child of this process.

One node, whose pods meet on the bridge `cni0`. There is no proxy and no DNS: the API server stands at its service's own address.
"""
import http.client
import json
import os
import signal
import ssl
import subprocess
import time
from pathlib import Path

from . import K8S_HOME, TOOLS_IMAGE, Failure, until

ADMIN_TOKEN = "local-admin"  # Of a cluster that nobody outside of this namespace can reach.
POD_NET = "10.244.1.0/24"
SERVICE_NET = "10.96.0.0/16"
NODE = "node1"
LOCAL = "127.0.0.1"


class Cluster:
    """A running cluster, and what is asked of its parts. Its processes end with the test's."""

    def __init__(self, work, address, service_address):
        self.work = work
        self.logs = work / "logs"
        self.address = address
        self.service_address = service_address
        self.programs = {}
        self.kubeconfig = work / "kubeconfig"
        self.socket = Path("/run/containerd/containerd.sock")
        root = K8S_HOME / "root"
        self.environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": str(work), "no_proxy": "*",
                            "PATH": f"{K8S_HOME}/bin:{root}/usr/bin:{root}/usr/sbin:{os.environ['PATH']}"}

    def start(self, images):
        """Starts everything, and returns when the node is Ready and has the images."""
        begun = time.monotonic()
        self.certificates()
        self.configuration()
        self.start_etcd()
        self.start_api()
        self.launch("containerd", ["containerd", "--config", self.work / "containerd.toml"])
        until("the API server is healthy", lambda: self.get("/healthz") == "ok")
        for image in images:
            until(f"{image.name} is imported", lambda image=image: self.ctr("images", "import", image), every=1)
        self.launch("events", ["ctr", "--address", self.socket, "--namespace", "k8s.io", "events"])
        self.start_controllers()
        self.start_kubelet()
        until("the node is Ready", self.is_node_ready)
        # Pods are admitted only once their namespace's account is there.
        until("there is a default account", lambda: self.kubectl("get", "serviceaccount", "default", ok=(0, 1)))
        print(f"==> a node of Kubernetes {self.get_json('/version')['gitVersion']} is Ready after {time.monotonic() - begun:.0f} s", flush=True)

    def certificates(self):
        """A CA, a certificate of the API server, and the key of service accounts' tokens."""
        names = f"subjectAltName=IP:{self.service_address},IP:{self.address},IP:{LOCAL},DNS:kubernetes.default.svc,DNS:kubernetes"
        (self.work / "names").write_text(names + "\n")
        for line in (
            "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=e2e-ca -keyout ca.key -out ca.crt",
            "req -newkey rsa:2048 -nodes -subj /CN=kube-apiserver -keyout api.key -out api.csr",
            "x509 -req -in api.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names -out api.crt",
            "genrsa -out accounts.key 2048",
            "rsa -in accounts.key -pubout -out accounts.pub",
        ):
            subprocess.run(["openssl", *line.split()], cwd=self.work, check=True, capture_output=True)
        (self.work / "tokens.csv").write_text(f'{ADMIN_TOKEN},admin,1,"system:masters"\n')

    def configuration(self):
        self.kubeconfig.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "e2e",
            "clusters": [{"name": "e2e", "cluster": {"server": f"https://{LOCAL}", "certificate-authority": str(self.work / "ca.crt")}}],
            "users": [{"name": "admin", "user": {"token": ADMIN_TOKEN}}],
            "contexts": [{"name": "e2e", "context": {"cluster": "e2e", "user": "admin"}}],
        }))
        # AppArmor's profile cannot be loaded from here, and scores of the whole machine's memory are not ours to lower.
        (self.work / "containerd.toml").write_text(f'''version = 2
root = "{self.work}/containerd"
state = "/run/containerd/state"
[grpc]
  address = "{self.socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{TOOLS_IMAGE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{K8S_HOME}/root/usr/lib/cni"
    conf_dir = "{self.work}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
''')
        (self.work / "cni").mkdir()
        (self.work / "cni/pods.conflist").write_text(json.dumps({
            "cniVersion": "0.4.0", "name": "pods",
            "plugins": [{"type": "bridge", "bridge": "cni0", "isDefaultGateway": True, "ipMasq": False,
                         "ipam": {"type": "host-local", "subnet": POD_NET, "dataDir": "/run/cni"}}],
        }))

    def start_etcd(self):
        clients, peers = f"http://{LOCAL}:2379", f"http://{LOCAL}:2380"
        self.launch("etcd", [
            "etcd", "--data-dir", self.work / "etcd", "--listen-client-urls", clients, "--advertise-client-urls", clients,
            "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", f"default={peers}",
            # Nothing of it outlives the run.
            "--unsafe-no-fsync"])

    def start_api(self):
        work = self.work
        self.launch("kube-apiserver", [
            "kube-apiserver", f"--etcd-servers=http://{LOCAL}:2379", "--secure-port=443", f"--advertise-address={self.address}",
            f"--tls-cert-file={work}/api.crt", f"--tls-private-key-file={work}/api.key", f"--token-auth-file={work}/tokens.csv",
            "--authorization-mode=Node,RBAC", "--kubelet-preferred-address-types=InternalIP", "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={work}/accounts.pub", f"--service-account-signing-key-file={work}/accounts.key",
            f"--service-cluster-ip-range={SERVICE_NET}", "--allow-privileged=true"])

    def start_controllers(self):
        common = [f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", f"--bind-address={LOCAL}", "--port=0"]
        controllers = ("daemonset,deployment,replicaset,endpoint,serviceaccount,serviceaccount-token,namespace,nodelifecycle,"
                       "garbagecollector,root-ca-cert-publisher")
        self.launch("kube-controller-manager", [
            "kube-controller-manager", *common, f"--cert-dir={self.work}/controllers", f"--controllers={controllers}",
            f"--service-account-private-key-file={self.work}/accounts.key", f"--root-ca-file={self.work}/ca.crt",
            "--use-service-account-credentials=false"])
        self.launch("kube-scheduler", ["kube-scheduler", *common, f"--cert-dir={self.work}/scheduler"])

    def start_kubelet(self):
        self.launch("kubelet", [
            "kubelet", f"--kubeconfig={self.kubeconfig}", f"--hostname-override={NODE}", f"--node-ip={self.address}",
            "--container-runtime=remote", f"--container-runtime-endpoint=unix://{self.socket}", f"--root-dir={self.work}/kubelet",
            f"--cert-dir={self.work}/kubelet-certificates", "--cgroup-driver=cgroupfs",
            # Containers' groups beside each other, and no hierarchy of the kubelet's own.
            "--cgroups-per-qos=false", "--enforce-node-allocatable=",
            "--fail-swap-on=false", "--max-open-files=20000", "--make-iptables-util-chains=false",
            # The machine's disk is others' too: how full it is must not decide.
            "--image-gc-high-threshold=100", "--eviction-hard=", f"--pod-infra-container-image={TOOLS_IMAGE}",
            "--read-only-port=0", f"--resolv-conf={os.devnull}"])

    def restart_kubelet(self):
        """Ends the kubelet as a service manager does, and starts it anew."""
        kubelet = self.programs["kubelet"]
        kubelet.send_signal(signal.SIGTERM)
        kubelet.wait(30)
        self.start_kubelet()
        until("the kubelet answers", self.is_kubelet_well)

    def launch(self, name, command):
        log = open(self.logs / f"{name}.log", "ab")
        self.programs[name] = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.work, env=self.environment,
            start_new_session=True)

    def check_alive(self):
        for name, program in self.programs.items():
            if program.poll() is not None:
                tail = (self.logs / f"{name}.log").read_text(errors="replace").splitlines()[-8:]
                raise SystemExit(f"{name} ended with {program.returncode}:\n" + "\n".join(tail))

    def is_node_ready(self):
        node = json.loads(self.kubectl("get", "node", NODE, "--output=json", ok=(0, 1)) or "{}")
        return any(one["type"] == "Ready" and one["status"] == "True" for one in node.get("status", {}).get("conditions", []))

    def is_kubelet_well(self):
        return self.kubectl("get", "--raw", f"/api/v1/nodes/{NODE}/proxy/healthz") == "ok"

    def kubectl(self, *arguments, ok=(0,), text=None, seconds=90):
        """What it says on stdout; a Failure with what it says on stderr if it does not end well. Text is its standard input."""
        return self.command(["kubectl", *arguments], ok, text, seconds)

    def ctr(self, *arguments):
        """True if it ends well: it says little."""
        self.command(["ctr", "--address", self.socket, "--namespace", "k8s.io", *arguments], (0,), None, 120)
        return True

    def tasks(self):
        """Process ids of running containers, by their ids."""
        lines = self.command(["ctr", "--address", self.socket, "--namespace", "k8s.io", "tasks", "ls"], (0,), None, 30).splitlines()[1:]
        return {line.split()[0]: int(line.split()[1]) for line in lines}

    def command(self, command, ok, text, seconds):
        self.check_alive()
        try:
            done = subprocess.run(list(map(str, command)), input=text, text=True, capture_output=True, timeout=seconds, env=self.environment)
        except subprocess.TimeoutExpired:
            raise Failure(f"{' '.join(map(str, command))}: not done after {seconds} s") from None
        if done.returncode not in ok:
            raise Failure(f"{' '.join(map(str, command))}: {done.stderr.strip()[-1500:]}")
        return done.stdout

    def get(self, path):
        """An answer of the API server, asked directly."""
        trusted = ssl.create_default_context(cafile=str(self.work / "ca.crt"))
        connection = http.client.HTTPSConnection(LOCAL, 443, context=trusted, timeout=10)
        self.check_alive()
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"})
            return connection.getresponse().read().decode()
        except OSError as error:
            raise Failure(str(error)) from error
        finally:
            connection.close()

    def get_json(self, path):
        return json.loads(self.get(path))
