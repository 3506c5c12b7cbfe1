"""Reads the lab's YAML strictly: unknown and missing keys and wrong types are errors that name the file and the key."""
import yaml

from . import LabError


class Doc:
    """A mapping of a file, with the place where it stands."""

    def __init__(self, value, place):
        if not isinstance(value, dict):
            raise LabError(f"{place}: a mapping is wanted, not {value!r}")
        self.value = value
        self.place = place

    def only(self, needed, optional=()):
        for key in self.value:
            if key not in needed and key not in optional:
                raise LabError(f"{self.place}: unknown key `{key}`; there are {', '.join(sorted([*needed, *optional]))}")
        for key in needed:
            if key not in self.value:
                raise LabError(f"{self.place}: the key `{key}` is missing")
        return self

    def get(self, key, kind, default=None):
        value = self.value.get(key, default)
        if value is default:
            return value
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            names = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
            raise LabError(f"{self.place}: `{key}` is to be of type {names}, not {value!r}")
        return value


class Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, which YAML readers otherwise let win."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key, _ in node.value:
            if key.value in seen and key.value != "<<":
                raise LabError(f"line {key.start_mark.line + 1}: the key `{key.value}` stands twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def load(path):
    """The mapping that a file holds."""
    try:
        return Doc(yaml.load(path.read_text(), Loader), str(path))  # noqa: S506 a SafeLoader
    except (OSError, yaml.YAMLError, LabError) as error:
        raise LabError(f"{path}: {error}") from error
