"""The address plan of a run: which pod has which addresses and names. Drawn from the half's pools by the run's seed.

A service address stands on the pod that serves it, and the other pods reach it on the link, as behind a load balancer that answers
ARP. So a capture on the bridge sees every packet once; translation in the node would show it before and after.
"""
import ipaddress

import yaml

from . import HOME, LabError, draws

POOLS = ("pods", "services", "outside")
DRAWN = ("mtu", "receive_buffer", "wan_delay_ms", "wan_jitter_ms", "wan_loss", "wan_hops")


def load_topology(path=HOME / "topology.yaml"):
    try:
        topology = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise LabError(f"{path}: {error}") from error
    wanted = {"seed", "bridge", "domain", "outside_domain", "halves", *DRAWN}
    if set(topology) != wanted:
        raise LabError(f"{path}: keys missing or unknown: {', '.join(sorted(set(topology) ^ wanted))}")
    for key in DRAWN:
        draws.check(topology[key], f"{path}: {key}")
    for half, pools in topology["halves"].items():
        if set(pools) != set(POOLS):
            raise LabError(f"{path}: halves.{half}: pools {', '.join(POOLS)} are wanted")
    return topology


class Plan:
    """Addresses of one run. `pods` maps a pod's name to its entry; `node` and `dns` are always there."""

    def __init__(self, topology, half, pods, rng):
        pools = {name: [ipaddress.ip_network(pool) for pool in topology["halves"][half][name]] for name in POOLS}
        self.bridge = topology["bridge"]
        self.domain = topology["domain"]
        self.drawn = {key: draws.draw(topology[key], rng) for key in DRAWN}
        self.pod_nets = [subnet(pools["pods"][0], 24, rng), subnet(pools["pods"][1], 64, rng)]
        self.service_nets = pools["services"]
        self.outside_nets = pools["outside"]
        self.node = [net[1] for net in self.pod_nets]
        self.gateway = [net[1] for net in self.outside_nets]
        # The last byte tells hosts apart; .1 is the router, .10 the cluster's DNS service.
        numbers = rng.sample(range(2, 250), len(pods) + 1)
        services = rng.sample(range(20, 60000), len(pods) + 1)
        self.pods = {}
        for name, number, service in zip(["dns", *(name for name in pods if name != "dns")], numbers, services):
            pod = pods.get(name, {})
            outside = pod.get("at") == "outside"
            nets = self.outside_nets if outside else self.pod_nets
            entry = {"outside": outside, "ips": [net[number] for net in nets], "services": []}
            if name == "dns" or (not outside and pod.get("part") and pod.get("service", True)):
                entry["services"] = [net[10 if name == "dns" else service] for net in self.service_nets]
            entry["name"] = f"{name}.{topology['outside_domain'] if outside else self.domain}"
            self.pods[name] = entry

    def names(self):
        """What `${...}` may say: node.ip, POD.ip, POD.ip6, POD.service, POD.service6, POD.name and so on."""
        names = {"node.ip": str(self.node[0]), "node.ip6": str(self.node[1]), "domain": self.domain,
                 "pods.net": str(self.pod_nets[0]), "pods.net6": str(self.pod_nets[1]),
                 "services.net": str(self.service_nets[0]), "services.net6": str(self.service_nets[1]),
                 "outside.net": str(self.outside_nets[0]), "outside.net6": str(self.outside_nets[1])}
        for name, pod in self.pods.items():
            names[f"{name}.ip"], names[f"{name}.ip6"] = map(str, pod["ips"])
            service = pod["services"] or pod["ips"]
            names[f"{name}.service"], names[f"{name}.service6"] = map(str, service)
            names[f"{name}.name"] = pod["name"]
            names[f"{name}.short"] = name
        return names

    def addresses(self, name):
        """Every address of a pod, or of the node."""
        if name == "node":
            return [str(ip) for ip in [*self.node, *self.gateway]]
        pod = self.pods[name]
        return [str(ip) for ip in [*pod["ips"], *pod["services"]]]

    def hosts(self):
        """Lines of a hosts file, which the DNS server answers from."""
        lines = []
        for pod in self.pods.values():
            lines += [f"{ip} {pod['name']}" for ip in pod["services"] or pod["ips"]]
        return "\n".join(lines) + "\n"


def subnet(pool, prefix, rng):
    if pool.prefixlen >= prefix:
        return pool
    number = rng.randrange(1, 2 ** (prefix - pool.prefixlen) - 1)
    return ipaddress.ip_network((int(pool.network_address) + (number << (pool.max_prefixlen - prefix)), prefix))
