"""Builds a run's node in the network namespace that the process already stands in: a bridge, pods on veths, an outside behind a router.

Every namespace is held by a process (a pod's `pause`, as in a cluster) and has no name, so that the end of the processes is
the end of the namespaces. Files that a pod sees of its own (resolver, hosts) lie on the run's tmpfs and are bound over in its mount
namespace.
"""
import subprocess
from pathlib import Path

from . import HOME, PYTHON, LabError

SCRATCH = Path("/run/lab")  # On a tmpfs of the run's own mount namespace: nobody else sees it, and it goes with the run.


class Pod:
    """A namespace of its own with one veth; programs are started in it through `enter`."""

    def __init__(self, name, hostname):
        self.name = name
        self.home = SCRATCH / name
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o755)
        (self.home / "tmp").mkdir(exist_ok=True)
        (self.home / "tmp").chmod(0o1777)
        # The shell says that its namespaces are there, waits for its link, runs what it is told, and becomes the pause process.
        shell = f"hostname {hostname} && echo there && . /dev/stdin && echo done && exec sleep infinity"
        self.pause = subprocess.Popen(
            ["unshare", "--net", "--mount", "--uts", "sh", "-ec", shell], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def enter(self, argv):
        return ["nsenter", f"--target={self.pause.pid}", "--net", "--mount", "--uts", "--",
                "env", f"--chdir={self.home}", *argv]

    def answer(self, wanted):
        line = self.pause.stdout.readline().strip()
        if line != wanted:
            raise LabError(f"pod {self.name}: its namespace could not be made; see the run's log")

    def configure(self, script):
        # The whole script goes in at once; the shell reads it to the end of the pipe.
        self.pause.stdin.write(script)
        self.pause.stdin.close()


class NodePod:
    """The node itself, for what kubelet does: the run's own namespace."""

    name = "node"
    pause = None

    def __init__(self):
        self.home = SCRATCH / "node"
        (self.home / "tmp").mkdir(parents=True, exist_ok=True)

    def enter(self, argv):
        return argv


def build(plan):
    """Makes everything of the plan, and returns the pods by name."""
    pods = {name: Pod(name, name) for name in plan.pods}
    cloud = Pod("cloud", "cloud")
    for pod in [*pods.values(), cloud]:
        pod.answer("there")
    mtu = plan.drawn["mtu"]
    run("sh", "-ec", sysctls(forward=True))
    links = [f"link add {plan.bridge} type bridge", f"link set {plan.bridge} mtu {mtu} up", "link set lo up"]
    links += [f"address add {ip}/{net.prefixlen} dev {plan.bridge} {nodad(ip)}" for ip, net in zip(plan.node, plan.pod_nets)]
    links += [f"route add {net} dev {plan.bridge}" for net in plan.service_nets]
    inside = [name for name, pod in plan.pods.items() if not pod["outside"]]
    for number, name in enumerate(inside):
        links += [f"link add v{number} mtu {mtu} type veth peer name eth0 mtu {mtu} netns {pods[name].pause.pid}",
                  f"link set v{number} master {plan.bridge} up"]
    ip_batch(links)
    for number in range(len(inside)):
        run("ethtool", "-K", f"v{number}", *OFFLOADS)
    outside = [name for name, pod in plan.pods.items() if pod["outside"]]
    relay = start_relay(plan, cloud)
    cloud.configure(cloud_script(plan, {name: pods[name] for name in outside}))
    cloud.answer("done")
    ip_batch([f"address add {ip} dev wan0 {nodad(ip)}" for ip in WAN_NODE] + [f"link set wan0 mtu {mtu} up"]
             + [f"route add {net} via {ip}" for net, ip in zip(plan.outside_nets, WAN_CLOUD)])
    for name, pod in pods.items():
        pod.configure(pod_script(plan, name, pod))
    for pod in pods.values():
        pod.answer("done")
    return {**pods, "node": NodePod()}, relay


def pod_script(plan, name, pod):
    """What the pod's shell runs once its end of the veth is there."""
    entry = plan.pods[name]
    nets = plan.outside_nets if entry["outside"] else plan.pod_nets
    routers = plan.gateway if entry["outside"] else plan.node
    (pod.home / "resolv.conf").write_text(resolver(plan, entry))
    (pod.home / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    lines = [sysctls(), "ip link set lo up", f"ip link set eth0 mtu {plan.drawn['mtu']} up",
             f"ethtool -K eth0 {' '.join(OFFLOADS)} >/dev/null"]
    lines += [f"ip address add {ip}/{net.prefixlen} dev eth0 {nodad(ip)}" for ip, net in zip(entry["ips"], nets)]
    if not entry["outside"]:
        lines += [f"ip address add {ip} dev eth0 {nodad(ip)}" for ip in entry["services"]]
        # The source is named: a pod that serves an address speaks to others from its own.
        lines += [f"ip route add {net} dev eth0 src {ip}" for net, ip in zip(plan.service_nets, entry["ips"])]
    lines += [f"ip route add default via {router}" for router in routers]
    buffer = plan.drawn["receive_buffer"]
    lines += [f"echo 4096 {buffer} 6291456 >/proc/sys/net/ipv4/tcp_rmem"]
    if entry["outside"]:
        ttl = 64 - plan.drawn["wan_hops"]
        lines += [f"echo {ttl} >/proc/sys/net/ipv4/ip_default_ttl", f"echo {ttl} >/proc/sys/net/ipv6/conf/eth0/hop_limit"]
    lines += [f"mount --bind {pod.home}/{name} /etc/{name}" for name in ("resolv.conf", "hosts")]
    lines += [f"mount --bind {pod.home}/tmp /tmp"]
    return "\n".join(lines) + "\n"


def resolver(plan, entry):
    server = f"nameserver {plan.pods['dns']['services'][0]}\n"
    if entry["outside"]:
        return server
    parent = plan.domain.split(".", 1)[1]
    return f"{server}search {plan.domain} {parent} {parent.split('.', 1)[1]}\noptions ndots:5\n"


def cloud_script(plan, outside):
    mtu = plan.drawn["mtu"]
    lines = [sysctls(forward=True), "ip link set lo up", "ip link add br0 type bridge", f"ip link set br0 mtu {mtu} up"]
    lines += [f"ip address add {ip}/{net.prefixlen} dev br0 {nodad(ip)}" for ip, net in zip(plan.gateway, plan.outside_nets)]
    for number, pod in enumerate(outside.values()):
        lines += [f"ip link add o{number} mtu {mtu} type veth peer name eth0 mtu {mtu} netns {pod.pause.pid}",
                  f"ip link set o{number} master br0 up", f"ethtool -K o{number} {' '.join(OFFLOADS)} >/dev/null"]
    lines += [f"ip address add {ip} dev wan1 {nodad(ip)}" for ip in WAN_CLOUD_NETS] + [f"ip link set wan1 mtu {mtu} up"]
    lines += [f"ip route add {net} via {ip}" for nets in (plan.pod_nets, plan.service_nets) for net, ip in zip(nets, WAN_NODE_IPS)]
    return "\n".join(lines) + "\n"


def start_relay(plan, cloud):
    drawn = plan.drawn
    relay = subprocess.Popen(
        [PYTHON, "-B", str(HOME / "lab" / "wan.py"), str(cloud.pause.pid), str(drawn["wan_delay_ms"]), str(drawn["wan_jitter_ms"]),
         str(drawn["wan_loss"])], stdout=subprocess.PIPE, text=True)
    if relay.stdout.readline().strip() != "ready":
        raise LabError("the link to the outside could not be made; is there a /dev/net/tun?")
    return relay


def sysctls(forward=False):
    values = {"ipv6/conf/all/accept_dad": 0, "ipv6/conf/default/accept_dad": 0, "ipv6/conf/default/accept_ra": 0,
              "ipv6/conf/all/router_solicitations": 0, "ipv6/conf/default/router_solicitations": 0,
              "ipv4/ip_unprivileged_port_start": 0}
    if forward:
        values |= {"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1}
    return "\n".join(f"echo {value} >/proc/sys/net/{key}" for key, value in values.items())


def nodad(ip):
    return "nodad" if ip and ":" in str(ip) else ""


def ip_batch(lines):
    done = subprocess.run(["ip", "-batch", "-"], input="\n".join(lines) + "\n", text=True, capture_output=True)
    if done.returncode:
        raise LabError(f"ip: {done.stderr.strip()}")


def run(*argv):
    done = subprocess.run(argv, text=True, capture_output=True)
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip()}")


# Without these a capture holds packets of up to 64 KiB that never were on a wire, and checksums that nobody computed.
OFFLOADS = ["tso", "off", "gso", "off", "gro", "off", "tx", "off"]
WAN_NODE = ["169.254.77.1/30", "fd00:77::1/126"]
WAN_NODE_IPS = ["169.254.77.1", "fd00:77::1"]
WAN_CLOUD = ["169.254.77.2", "fd00:77::2"]
WAN_CLOUD_NETS = ["169.254.77.2/30", "fd00:77::2/126"]
