"""What the bytes of a message mean: by the bag's own definition of its type, else by Jazzy's.

A definition comes with the file, so it is distrusted: one that would make code without bounds, or
that contains itself, is none.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from rosbags.interfaces import Nodetype
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from liquid_control.bags.storage.part import Definition
from liquid_control.errors import BagError

LARGEST_DEFINITION = 2**18
LARGEST_ARRAY = 2**20
LARGEST_UNROLLED = 2**10
"""Of messages and strings, for which code is written out element by element."""

DEEPEST = 32
IDL_FILE = "=" * 80 + "\nIDL: "
TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
ANNOTATION = re.compile(r"@[\w:]+\s*\([^()]*\)")
COMPUTED = re.compile(r"\(|<<|[-+~*/%&|^]\s*[-+~]")
"""What the parser takes exponential time for, and what makes numbers without bounds."""

Fields = Mapping[str, Any]


@cache
def distribution() -> Typestore:
    """Return the types of ROS 2 Jazzy."""
    return get_typestore(Stores.ROS2_JAZZY)


class Types:
    """The types of a bag.

    Args:
        definitions: the bag's own, by type.
    """

    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        self._definitions = definitions
        self._stores: dict[str, Typestore | str] = {}

    def problem(self, kind: str) -> str:
        """Return why a type that the bag defines cannot be decoded; empty if that is not so.

        Of a type that the bag does not define this says nothing: somebody may know its layout.
        """
        store = self._store(kind) if kind in self._definitions else ""
        return store if isinstance(store, str) else ""

    def decode(self, kind: str, data: bytes) -> Any:
        """Return a message object.

        Raises:
            BagError: the type is not known, or the bytes do not fit it.
        """
        store = self._stores.get(kind) or self._store(kind)
        if isinstance(store, str):
            raise BagError(store)
        try:
            return store.deserialize_cdr(data, kind)
        except Exception as error:  # generated code raises whatever a damaged byte leads it to
            reason = " ".join(str(error).split()) or type(error).__name__
            raise BagError(
                f"expected a {kind}, got {len(data)} bytes that are none ({reason})"
            ) from error

    def _store(self, kind: str) -> Typestore | str:
        if kind not in self._stores:
            self._stores[kind] = self._made(kind)
        return self._stores[kind]

    def _made(self, kind: str) -> Typestore | str:
        definition = self._definitions.get(kind)
        problem = f"{kind} is defined neither in the bag nor in ROS 2 Jazzy"
        if definition is not None:
            try:
                return store_of(kind, definition)
            except Exception as error:  # the parser raises whatever a damaged text leads it to
                reason = " ".join(str(error).split())[:200] or type(error).__name__
                problem = f"the bag's definition of {kind} cannot be used ({reason})"
        return distribution() if kind in distribution().fielddefs else problem


@lru_cache(maxsize=256)
def store_of(kind: str, definition: Definition) -> Typestore:
    """Return a store with a type as a bag defines it, and what it is made of.

    Raises:
        Exception: the definition cannot be used; what kind depends on the text.
    """
    fields = parsed(kind, definition)
    known = distribution().fielddefs
    if all(known.get(name) == said for name, said in fields.items()) and kind in fields:
        return distribution()
    needed = closure(kind, {**known, **fields})
    store = Typestore()
    store.register(needed)
    store.get_msgdef(kind)
    return store


def parsed(kind: str, definition: Definition) -> dict[str, Any]:
    """Return the fields of the types in a definition."""
    said = definition.text
    if len(said) > LARGEST_DEFINITION:
        raise ValueError(f"its text has {len(said)} characters")
    if definition.encoding == "ros2msg":
        return dict(get_types_from_msg(said, kind))
    if definition.encoding not in ("ros2idl", "omgidl"):
        raise ValueError(f"its language {definition.encoding!r} is not known")
    plain = ANNOTATION.sub("", TEXT.sub("", said))
    if COMPUTED.search(plain):
        raise ValueError("it computes constants, which can take for ever")
    fields: dict[str, Any] = {}
    for part in said.split(IDL_FILE) if said.startswith(IDL_FILE) else [f"\n{said}"]:
        if part:
            fields.update(get_types_from_idl(part.split("\n", 1)[1]))
    return fields


def closure(kind: str, fields: Fields) -> dict[str, Any]:
    """Return a type and all that it is made of.

    Raises:
        ValueError: something is missing, contains itself, or is too large.
    """
    found: dict[str, Any] = {}

    def visit(name: str, depth: int) -> None:
        if depth > DEEPEST:
            raise ValueError(f"{name} is nested deeper than {DEEPEST} types")
        if name in found:
            return
        if name not in fields:
            raise ValueError(f"{name} is not defined")
        for _, description in fields[name][1]:
            part = described(description)
            if part is not None:
                visit(part, depth + 1)
        found[name] = fields[name]

    visit(kind, 0)
    return found


def described(description: Any) -> str | None:
    """Return the type that a field is made of, if it is not a number or text.

    Raises:
        ValueError: it is too large an array.
    """
    node, said = description
    if node == Nodetype.NAME:
        return str(said)
    if node == Nodetype.BASE:
        return None
    element, count = said
    plain = element[0] == Nodetype.BASE and element[1][0] != "string"
    if node == Nodetype.ARRAY and count > (LARGEST_ARRAY if plain else LARGEST_UNROLLED):
        raise ValueError(f"an array of {count} elements")
    return described(element)
