"""Deserialise messages by the bag's own type definitions, else by those of ROS 2 Jazzy.

Definitions come with the file and are untrusted: a definition that would generate unbounded code,
or that contains itself, is rejected.
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

MAX_DEFINITION_CHARS = 2**18
MAX_ARRAY = 2**20
MAX_UNROLLED_ARRAY = 2**10
"""Limit for arrays of messages and strings: rosbags generates code for each element."""

MAX_DEPTH = 32
IDL_FILE = "=" * 80 + "\nIDL: "
COMMENT_OR_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
ANNOTATION = re.compile(r"@[\w:]+\s*\([^()]*\)")
COMPUTED = re.compile(r"\(|<<|[-+~*/%&|^]\s*[-+~]")
"""Expressions that take the parser exponential time or yield unbounded numbers."""

Fields = Mapping[str, Any]


@cache
def distribution() -> Typestore:
    """Return the type store of ROS 2 Jazzy."""
    return get_typestore(Stores.ROS2_JAZZY)


class Types:
    """Type store of a bag.

    Args:
        definitions: type definitions of the bag, by type.
    """

    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        self._definitions = definitions
        self._stores: dict[str, Typestore | str] = {}

    def problem(self, kind: str) -> str:
        """Return why a type that the bag defines cannot be decoded; empty if it can.

        Also empty for a type that the bag does not define: the caller may know its layout.
        """
        store = self._store(kind) if kind in self._definitions else ""
        return store if isinstance(store, str) else ""

    def decode(self, kind: str, data: bytes) -> Any:
        """Deserialise a message.

        Raises:
            BagError: the type is unknown, or the bytes do not fit it.
        """
        store = self._stores.get(kind) or self._store(kind)
        if isinstance(store, str):
            raise BagError(store)
        try:
            return store.deserialize_cdr(data, kind)
        except Exception as error:  # generated code raises arbitrary exceptions on damaged bytes
            reason = " ".join(str(error).split()) or type(error).__name__
            raise BagError(
                f"expected a {kind}, got {len(data)} bytes that do not fit ({reason})"
            ) from error

    def _store(self, kind: str) -> Typestore | str:
        if kind not in self._stores:
            self._stores[kind] = self._make_store(kind)
        return self._stores[kind]

    def _make_store(self, kind: str) -> Typestore | str:
        definition = self._definitions.get(kind)
        problem = f"{kind} is defined neither in the bag nor in ROS 2 Jazzy"
        if definition is not None:
            try:
                return store_of(kind, definition)
            except Exception as error:  # the parser raises arbitrary exceptions
                reason = " ".join(str(error).split())[:200] or type(error).__name__
                problem = f"the bag's definition of {kind} cannot be used ({reason})"
        return distribution() if kind in distribution().fielddefs else problem


@lru_cache(maxsize=256)
def store_of(kind: str, definition: Definition) -> Typestore:
    """Return a type store with a type as a bag defines it, and the types of its fields.

    Raises:
        Exception: the definition is unusable; the exception type depends on the text.
    """
    fields = parse_definition(kind, definition)
    known = distribution().fielddefs
    if all(known.get(name) == field for name, field in fields.items()) and kind in fields:
        return distribution()
    needed = closure(kind, {**known, **fields})
    store = Typestore()
    store.register(needed)
    store.get_msgdef(kind)
    return store


def parse_definition(kind: str, definition: Definition) -> dict[str, Any]:
    """Return the fields of the types in a definition."""
    text = definition.text
    if len(text) > MAX_DEFINITION_CHARS:
        raise ValueError(f"its text has {len(text)} characters")
    if definition.encoding == "ros2msg":
        return dict(get_types_from_msg(text, kind))
    if definition.encoding not in ("ros2idl", "omgidl"):
        raise ValueError(f"its encoding {definition.encoding!r} is unknown")
    plain = ANNOTATION.sub("", COMMENT_OR_STRING.sub("", text))
    if COMPUTED.search(plain):
        raise ValueError("it computes constants, which can take unbounded time")
    fields: dict[str, Any] = {}
    for part in text.split(IDL_FILE) if text.startswith(IDL_FILE) else [f"\n{text}"]:
        if part:
            fields.update(get_types_from_idl(part.split("\n", 1)[1]))
    return fields


def closure(kind: str, fields: Fields) -> dict[str, Any]:
    """Return a type and the types of all its fields, recursively.

    Raises:
        ValueError: a type is missing, contains itself, or is too large.
    """
    found: dict[str, Any] = {}

    def visit(name: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise ValueError(f"{name} is nested deeper than {MAX_DEPTH} types")
        if name in found:
            return
        if name not in fields:
            raise ValueError(f"{name} is not defined")
        for _, description in fields[name][1]:
            nested = nested_type(description)
            if nested is not None:
                visit(nested, depth + 1)
        found[name] = fields[name]

    visit(kind, 0)
    return found


def nested_type(description: Any) -> str | None:
    """Return the message type of a field; None for numbers and strings.

    Raises:
        ValueError: the field is an array that is too large.
    """
    node, value = description
    if node == Nodetype.NAME:
        return str(value)
    if node == Nodetype.BASE:
        return None
    element, count = value
    plain = element[0] == Nodetype.BASE and element[1][0] != "string"
    if node == Nodetype.ARRAY and count > (MAX_ARRAY if plain else MAX_UNROLLED_ARRAY):
        raise ValueError(f"an array of {count} elements")
    return nested_type(element)
