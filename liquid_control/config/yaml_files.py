"""YAML files: bounded reading, no key twice, and inheritance through `extends`.

PyYAML keeps the last of two equal keys without a word, and an alias is one object with many
parents: a file of one kilobyte can stand for 10^9 values. Both are refused here.
"""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from liquid_control.errors import ConfigError
from liquid_control.files import read_limited

MAX_BYTES = 2**24
MAX_VALUES = 1_000_000
"""Largest number of values of a file with every alias written out."""

MAX_DEPTH = 100

EXTENDS = "extends"
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The libyaml loader where PyYAML has it; it is about ten times as fast."""


class _TolerantLoader(_BASE):  # type: ignore[misc]
    """Safe loader that refuses a document whose aliases stand for too many values."""

    def get_single_node(self) -> Any:
        """Return the root node."""
        root = super().get_single_node()
        if root is not None:
            _count(root, {}, set())
        return root


class _Loader(_TolerantLoader):
    """Loader of this package's own files: it also refuses a key that comes twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        """Return a mapping."""
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                line, name = key.start_mark.line + 1, (key.tag, key.value)
                if name in lines:
                    raise _refusal(
                        key, f"key {key.value!r} comes twice, in lines {lines[name]} and {line}"
                    )
                lines[name] = line
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping


def _refusal(node: Any, problem: str) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _count(node: Any, known: dict[int, int], open_nodes: set[int]) -> int:
    """Return the number of values of a node with every alias written out."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) in open_nodes:
        raise _refusal(node, "an alias stands for a value that contains it")
    if id(node) not in known:
        open_nodes.add(id(node))
        pairs = isinstance(node, yaml.MappingNode)
        children = (part for pair in node.value for part in pair) if pairs else node.value
        known[id(node)] = 1 + sum(_count(child, known, open_nodes) for child in children)
        open_nodes.discard(id(node))
        if known[id(node)] > MAX_VALUES:
            raise _refusal(node, f"its aliases stand for more than {MAX_VALUES:,} values")
    return known[id(node)]


def parse_yaml(text: str | bytes, twice: bool = False) -> Any:
    """Return the content of a YAML document in plain Python types.

    Args:
        text: the document.
        twice: accept a key that comes twice, as foreign files may have it; the last one counts.

    Raises:
        yaml.YAMLError: the document is not YAML, a key comes twice, or aliases stand for too many
            values.
        ValueError: a scalar is no valid number or date.
    """
    _check_depth(text)
    return yaml.load(text, Loader=_TolerantLoader if twice else _Loader)


def _check_depth(text: str | bytes) -> None:
    """Refuse deep nesting before the loader composes nodes: libyaml's recurses and crashes."""
    depth = 0
    for event in yaml.parse(text, Loader=_BASE):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _refusal(event, f"it is nested more than {MAX_DEPTH} levels deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def node_parameters(path: Path, name: str) -> dict[str, object]:
    """Return what a ROS parameter file has for a node's name, in any namespace.

    Raises:
        ConfigError: the file does not exist, or is no YAML.
    """
    found: dict[str, object] = {}

    def collect(tree: object, last: str) -> None:
        for key, value in tree.items() if isinstance(tree, dict) else ():
            if key != "ros__parameters":
                collect(value, str(key).rpartition("/")[2] or last)
            elif last in (name, "*", "**") and isinstance(value, dict):
                found.update(value)

    collect(load_yaml(path), "")
    return found


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping.

    Raises:
        ConfigError: the file is missing or too large, is not YAML, has a key twice, or its top
            level is not a mapping.
    """
    try:
        content = parse_yaml(read_limited(path, MAX_BYTES).decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except yaml.constructor.ConstructorError as error:
        line = "" if error.problem_mark is None else f"line {error.problem_mark.line + 1}: "
        raise ConfigError(f"{path}: {line}{' '.join(str(error.problem).split())}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{path}: is not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path}: expected a mapping of keys to values, got {type(content).__name__}"
        )
    return content


def load_extended(path: Path, folder: Path) -> dict[str, Any]:
    """Read a YAML file and what it extends.

    `extends: trail` names a file of `folder`, and `extends: ../mine.yaml` a path relative to the
    file that says it. Mappings are merged key by key; any other value, a list too, replaces the
    one of the file that is extended.

    Args:
        path: the file.
        folder: where names are looked up, such as `config/scenarios` of this package.

    Raises:
        ConfigError: a file cannot be read, or the files extend each other in a circle.
    """
    layers: list[dict[str, Any]] = []
    chain: list[Path] = []
    following: Path | None = path
    while following is not None:
        if following.resolve() in [known.resolve() for known in chain]:
            circle = " -> ".join(map(str, [*chain, following]))
            raise ConfigError(f"{path}: {EXTENDS}: the files extend each other: {circle}")
        if chain and not following.is_file():
            raise ConfigError(f"{chain[-1]}: {EXTENDS}: {following} does not exist")
        chain.append(following)
        layers.append(load_yaml(following))
        following = _base(following, layers[-1].pop(EXTENDS, None), folder)
    content: dict[str, Any] = {}
    for layer in reversed(layers):
        content = merged(content, layer)
    return content


def _base(path: Path, named: Any, folder: Path) -> Path | None:
    """Return the file that a file extends."""
    if named is None:
        return None
    if not isinstance(named, str) or not named:
        raise ConfigError(
            f"{path}: {EXTENDS}: expected a name of {folder.name} or a path to a .yaml, "
            f"got {named!r}"
        )
    if Path(named).suffix in (".yaml", ".yml"):
        return path.parent / named
    if not (folder / f"{named}.yaml").is_file():
        known = ", ".join(sorted(found.stem for found in folder.glob("*.yaml")))
        raise ConfigError(
            f"{path}: {EXTENDS}: unknown name {named!r}; there are: {known}, or give a path to a "
            ".yaml"
        )
    return folder / f"{named}.yaml"


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested content with changes: mappings key by key, other values replaced."""
    result = dict(base)
    for key, value in changes.items():
        before = result.get(key)
        nested = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[key] = merged(dict(before or {}), value) if nested else value
    return result
