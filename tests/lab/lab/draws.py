"""Seeded draws: what a scenario writes instead of a constant, and the random source it is drawn from.

A distribution is a mapping with one key that names it, and optional `min`, `max` and `round`:

    {uniform: [1, 5]}         whole numbers if both bounds are, else a fraction
    {lognormal: [0.2, 0.8]}   median, and sigma of the logarithm
    {exponential: 0.5}        mean
    {choice: [a, b, c]}       one of these
    {sample: [2, [a, b, c]]}  so many different ones, in random order
    {word: [4, 12]}           letters and digits, of a length between these
"""
import difflib
import hashlib
import math
import random
import re
import string

from . import LabError

KINDS = {"uniform", "lognormal", "exponential", "choice", "sample", "word"}
BOUNDS = {"min", "max", "round"}
NAME = re.compile(r"\$\{([A-Za-z0-9_.-]+)\}")


def source(*words):
    """A random source that depends on these words alone, on every machine the same."""
    digest = hashlib.sha256("\0".join(map(str, words)).encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))


def is_distribution(value):
    return isinstance(value, dict) and bool(KINDS & value.keys())


def check(value, place):
    """Complains about a distribution that cannot be drawn from; other values pass."""
    if not is_distribution(value):
        if isinstance(value, dict):
            raise LabError(f"{place}: no distribution; one of {', '.join(sorted(KINDS))} is wanted")
        return
    if len(KINDS & value.keys()) != 1 or value.keys() - KINDS - BOUNDS:
        raise LabError(f"{place}: one distribution, and beside it only {', '.join(sorted(BOUNDS))}")
    try:
        draw(value, random.Random(0))
    except (TypeError, ValueError, IndexError) as error:
        raise LabError(f"{place}: cannot be drawn from: {error}") from error


def draw(value, rng):
    """A value of the distribution; anything else is itself."""
    if not is_distribution(value):
        return value
    (kind,) = KINDS & value.keys()
    given = value[kind]
    if kind == "choice":
        return draw(rng.choice(given), rng)
    if kind == "sample":
        return rng.sample(given[1], draw(given[0], rng))
    if kind == "word":
        letters = string.ascii_lowercase + string.digits
        return "".join(rng.choice(letters) for _ in range(rng.randint(*given)))
    if kind == "uniform":
        low, high = given
        drawn = rng.randint(low, high) if isinstance(low, int) and isinstance(high, int) else rng.uniform(low, high)
    elif kind == "lognormal":
        median, sigma = given
        drawn = rng.lognormvariate(math.log(median), sigma)
    else:
        drawn = rng.expovariate(1 / given)
    drawn = max(drawn, value.get("min", drawn))
    drawn = min(drawn, value.get("max", drawn))
    if "round" in value:
        drawn = round(drawn, value["round"]) if value["round"] else round(drawn)
    return drawn


def fill(value, names, place):
    """Puts drawn values and addresses where `${name}` stands, in texts, lists and mappings."""
    if isinstance(value, list):
        return [fill(item, names, f"{place}[{number}]") for number, item in enumerate(value)]
    if isinstance(value, dict):
        return {key: fill(item, names, f"{place}.{key}") for key, item in value.items()}
    if not isinstance(value, str):
        return value

    def known(match):
        if match[1] not in names:
            raise LabError(f"{place}: nothing is called {match[0]}{near(match[1], names)}")
        return names[match[1]]

    whole = NAME.fullmatch(value)
    if whole:
        return known(whole)
    return NAME.sub(lambda match: text(known(match)), value)


def near(word, names):
    found = difflib.get_close_matches(word, names, 4, 0.5) or sorted(name for name in names if "." not in name)
    return f"; perhaps {', '.join(found)}"


def text(value):
    """How a value stands in an argument: fractions without a long tail, lists with commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    if isinstance(value, list):
        return ",".join(map(text, value))
    return str(value)
