"""Declare settings models as ROS parameters, with type, range and description, and check them."""

from array import array
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic.fields import FieldInfo
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterUninitializedException
from rclpy.node import Node
from rclpy.parameter import Parameter

from liquid_control.config import validate
from liquid_control.config.suggestions import suggestion
from liquid_control.errors import ConfigError
from liquid_control.nodes.node_settings import NodeSettings

S = TypeVar("S", bound=NodeSettings)

_TYPES: dict[object, Parameter.Type] = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    float | None: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
    list[str]: Parameter.Type.STRING_ARRAY,
    list[float]: Parameter.Type.DOUBLE_ARRAY,
}
_EVERYTHING = 1e308
OF_ROS = ("use_sim_time", "start_type_description_service", "qos_overrides.")
"""Parameters of every node of ROS, by the beginning of their names."""


def declare(node: Node, model: type[S]) -> S:
    """Declare every field of a model as a parameter and return the values.

    Raises:
        ConfigError: a value has the wrong type or is out of range, or a parameter was given that
            no node of this package has: ROS ignores it, so a misspelt rule of the guard would be
            off.
    """
    _check_names(node, model)
    for name, field in model.model_fields.items():
        _declare_one(node, name, field, name in model.changeable)
    return validate(model, _values(node, model), node.get_name())


def _check_names(node: Node, model: type[NodeSettings]) -> None:
    """Refuse unknown parameters; a section for all nodes has those of other nodes too."""
    given = {name for name in node._parameter_overrides if not name.startswith(OF_ROS)}
    if given <= _known():
        return
    import_module("liquid_control.nodes.autopilot_settings")
    for name in sorted(given - _known()):
        hint = suggestion(name, model.model_fields)
        raise ConfigError(f"{node.get_name()}: unknown parameter {name}; {hint}")


def _known() -> set[str]:
    """Return the names of all parameters whose models are loaded."""
    return {name for one in _models(NodeSettings) for name in one.model_fields}


def _models(base: type[NodeSettings]) -> Iterator[type[NodeSettings]]:
    """Yield a model and all that derive from it."""
    yield base
    for one in base.__subclasses__():
        yield from _models(one)


def on_parameter_change(node: Node, model: type[S], apply: Callable[[S], None]) -> None:
    """Check every change of parameters, and apply the new settings if they are valid.

    A change is refused with the error's message where `apply` raises a `ConfigError`.
    """

    def check(changes: list[Parameter]) -> SetParametersResult:
        changed = {p.name: p.value for p in changes if p.name in model.model_fields}
        try:
            apply(validate(model, _values(node, model) | changed, node.get_name()))
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(check)


def _declare_one(node: Node, name: str, field: FieldInfo, changeable: bool) -> None:
    kind = _TYPES[str if get_origin(field.annotation) is Literal else field.annotation]
    descriptor = _descriptor(field, kind)
    descriptor.read_only = not changeable
    default = kind if field.default in ([], None) else field.default
    try:
        node.declare_parameter(name, default, descriptor)
    except Exception as error:  # rclpy has a class per cause and no common base
        raise ConfigError(
            f"{node.get_name()}: {name}: expected {kind.name.lower()}{_range_text(field)} "
            f"({field.description}), got an invalid value ({_one_line(error)})"
        ) from error


def _descriptor(field: FieldInfo, kind: Parameter.Type) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(type=kind.value, description=field.description or "")
    low, high = _bounds(field)
    if low is None and high is None:
        choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        descriptor.additional_constraints = f"one of: {', '.join(choices)}" if choices else ""
    elif kind is Parameter.Type.DOUBLE:
        low, high = (-_EVERYTHING if low is None else low), (_EVERYTHING if high is None else high)
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=float(low), to_value=float(high))
        ]
    else:
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return descriptor


def _bounds(field: FieldInfo) -> tuple[Any, Any]:
    """Return the smallest and largest value; open bounds are given as closed ones."""
    low = high = None
    for constraint in field.metadata:
        low = getattr(constraint, "ge", getattr(constraint, "gt", low))
        high = getattr(constraint, "le", getattr(constraint, "lt", high))
    return low, high


def _range_text(field: FieldInfo) -> str:
    low, high = _bounds(field)
    return "" if low is None and high is None else f" from {low} to {high}"


def _values(node: Node, model: type[NodeSettings]) -> dict[str, Any]:
    values = {}
    for name in model.model_fields:
        try:
            value = node.get_parameter(name).value
        except ParameterUninitializedException:
            continue
        if value is not None:
            values[name] = list(value) if isinstance(value, array) else value
    return values


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
