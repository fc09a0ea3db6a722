"""Classes and definitions of message types that are known by name."""

from importlib import import_module

from liquid_control.errors import OutputError

_RULE = "=" * 80
_PRIMITIVES = {"boolean": "bool", "octet": "byte", "float": "float32", "double": "float64"}
STAMPED = ("std_msgs/Header", "builtin_interfaces/Time")


def message_class(kind: str) -> type:
    """Return the class of a type such as `px4_msgs/msg/VehicleOdometry`.

    Raises:
        OutputError: its package is not installed, or has no such type.
    """
    package, _, name = kind.rpartition("/")
    try:
        return getattr(import_module(package.replace("/", ".")), name)
    except (ImportError, AttributeError) as error:
        raise OutputError(
            f"{kind} is not installed: source the workspace that has {package.split('/')[0]}"
        ) from error


def name_of(kind: type) -> str:
    """Return the name of a type in bags and tools, such as `sensor_msgs/msg/Image`."""
    package, folder = kind.__module__.split(".")[:2]
    return f"{package}/{folder}/{kind.__name__}"


def begins_with_stamp(kind: type) -> bool:
    """Return whether a type's first field is a time or a header."""
    return next(iter(kind.get_fields_and_field_types().values()), "") in STAMPED


def type_definition(kind: type) -> str:
    """Return a type's definition with those of its parts, in the format `ros2msg`.

    Constants and default values are missing: a class does not have them.
    """
    own, parts = _fields(kind)
    sections, known = [own], set()
    while parts:
        name = parts.pop(0)
        if name in known:
            continue
        known.add(name)
        text, more = _fields(message_class(name.replace("/", "/msg/")))
        sections.append(f"{_RULE}\nMSG: {name}\n{text}")
        parts += more
    return "".join(sections)


def _fields(kind: type) -> tuple[str, list[str]]:
    """Return a type's fields, one line each, and the message types of its fields."""
    lines, parts = [], []
    for name, declared in kind.get_fields_and_field_types().items():
        element, brackets = _element(declared)
        lines.append(f"{_PRIMITIVES.get(element, element)}{brackets} {name}\n")
        if "/" in element:
            parts.append(element)
    return "".join(lines), parts


def _element(declared: str) -> tuple[str, str]:
    """Return the element type of a field, and the brackets of an array."""
    bare, _, size = declared.removesuffix("]").partition("[")
    if size:
        return _string(bare), f"[{size}]"
    if not declared.startswith("sequence<"):
        return _string(declared), ""
    inner, _, bound = declared[len("sequence<") : -1].partition(", ")
    return _string(inner), f"[<={bound}]" if bound else "[]"


def _string(declared: str) -> str:
    """Return a bounded string as message definitions have it: `string<=5` for `string<5>`."""
    bare, _, bound = declared.removesuffix(">").partition("<")
    return f"{bare}<={bound}" if bound else bare
