"""tcpdump on the node's bridge: every packet between pods, and between pods and the node or the outside, once."""
import re
import signal
import subprocess

from . import LabError

# Ethernet, IPv6 and the longest TCP header are 114 bytes; features take lengths from the headers, not from what was kept.
SNAPLEN = 160
BUFFER_KIB = 32768  # A flood must not outrun the writer; what the kernel drops fails the run.


class Capture:
    def __init__(self, interface, path):
        self.path = path
        self.process = subprocess.Popen(
            ["tcpdump", "-i", interface, "-s", str(SNAPLEN), "-B", str(BUFFER_KIB), "-Z", "root", "-n", "-U", "-w", str(path)],
            stderr=subprocess.PIPE, text=True, start_new_session=True)
        line = ""
        while "listening on" not in line:
            line = self.process.stderr.readline()
            if not line:
                raise LabError(f"tcpdump does not listen on {interface}")

    def stop(self):
        """Ends the capture and returns how many packets it holds."""
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=20)
        count = {what: int(number) for number, what in re.findall(r"(\d+) packets? (captured|dropped by kernel)", said)}
        if count.get("dropped by kernel"):
            raise LabError(f"the kernel dropped {count['dropped by kernel']} packets of the capture: lower the scenario's rate")
        return count.get("captured", 0)
