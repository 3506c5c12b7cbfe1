"""Writes a made-up word list, a word a line, of drawn lengths: what tools that enumerate or guess are given."""
import argparse
import string

from common import rng

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--count", type=int, required=True)
parser.add_argument("--ends", default="", help="with commas; a word gets one of these, or none")
parser.add_argument("file")
options = parser.parse_args()
seen = set()
while len(seen) < options.count:
    word = "".join(rng.choice(string.ascii_lowercase + string.digits) for _ in range(rng.randint(4, 14)))
    seen.add(word + rng.choice(["", *options.ends.split(",")]))
with open(options.file, "w") as file:
    file.writelines(f"{word}\n" for word in sorted(seen))
