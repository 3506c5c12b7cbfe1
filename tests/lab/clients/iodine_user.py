"""Opens an iodine tunnel, fetches pages through it with think times, and closes it. The device is the tunnel's own, of a drawn name."""
import argparse
import http.client
import subprocess
import time

from common import rng, think

FAR = "10.99.0.1"  # iodined's address inside of the tunnel.
FAR_NET = "10.99.0.0/27"  # As iodine's own route, so that the metric decides.
parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--server", required=True)
parser.add_argument("--zone", required=True)
parser.add_argument("--password", required=True)
parser.add_argument("--type", default="NULL")
parser.add_argument("--lazy", default="1")
parser.add_argument("--seconds", type=float, default=5)
parser.add_argument("--pause", type=float, default=0.3)
options = parser.parse_args()
# What is sent before the tunnel is up must not leave by the default route.
subprocess.run(["ip", "route", "replace", "unreachable", FAR_NET, "metric", "4000"], check=True)
device = f"dns{rng.randrange(10**6)}"
tunnel = subprocess.Popen(["iodine", "-f", "-r", "-L", options.lazy, "-T", options.type, "-I", "1", "-d", device, "-m", "500", "-P", options.password,
                           options.server, options.zone], stdin=subprocess.DEVNULL)
end = time.monotonic() + options.seconds * (0.7 + 0.6 * rng.random())
try:
    while time.monotonic() < end and tunnel.poll() is None:
        try:
            connection = http.client.HTTPConnection(FAR, 8088, timeout=2)
            connection.request("GET", f"/{rng.choice([1, 1, 4, 16])}.txt")
            connection.getresponse().read()
            connection.close()
        except (OSError, http.client.HTTPException):
            time.sleep(0.2)  # Not up yet, or slow.
        think(options.pause, 0.5, 3)
finally:
    tunnel.terminate()
    tunnel.wait()
