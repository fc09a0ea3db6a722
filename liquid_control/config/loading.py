"""Configuration files: location, YAML, dotted overrides and validation into frozen models.

Every `ConfigError` is one line with the key, the expected value and the value received.
"""

import json
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from liquid_control.config.suggestions import suggestion
from liquid_control.config.yaml_files import load_extended, load_yaml, parse_yaml
from liquid_control.errors import ConfigError


class Settings(BaseModel):
    """Base class of all settings: frozen; unknown keys are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


S = TypeVar("S", bound=Settings)

__all__ = [
    "Settings",
    "apply_overrides",
    "dotted_keys",
    "format_settings",
    "load_extended",
    "load_yaml",
    "parse_settings",
    "project_file",
    "shipped",
    "validate",
]


def parse_settings(pairs: Iterable[str]) -> dict[str, Any]:
    """Parse the `key=value` arguments of `--set`; values are YAML.

    Raises:
        ConfigError: an argument has no `=`, or its value is not YAML.
    """
    parsed = {}
    for pair in pairs:
        key, sign, text = pair.partition("=")
        if not sign or not key:
            raise ConfigError(f"--set expects key=value, got {pair!r}")
        try:
            parsed[key.strip()] = parse_yaml(text)
        except (yaml.YAMLError, ValueError) as error:
            raise ConfigError(f"--set {key}: {text!r} is not a YAML value") from error
    return parsed


def format_settings(overrides: Mapping[str, Any]) -> list[str]:
    """Return `key=value` arguments that `parse_settings` converts back to the overrides."""
    return [f"{key}={json.dumps(value)}" for key, value in overrides.items()]


def apply_overrides(content: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of nested `content` with dotted keys replaced; `validate` checks the keys.

    Raises:
        ConfigError: a dotted key leads into a single value.
    """
    result = {
        key: dict(value) if isinstance(value, Mapping) else value for key, value in content.items()
    }
    for dotted, value in overrides.items():
        head, _, rest = dotted.partition(".")
        if rest:
            inner = result.get(head, {})
            if not isinstance(inner, Mapping):
                raise ConfigError(f"{dotted}: {head} is a single value and has no keys inside")
            result[head] = apply_overrides(inner, {rest: value})
        else:
            result[head] = value
    return result


def dotted_keys(model: type[BaseModel], prefix: str = "") -> dict[str, str]:
    """Return every dotted key that a model accepts, with its description."""
    keys: dict[str, str] = {}
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys |= dotted_keys(kind, f"{prefix}{name}.")
        else:
            keys[prefix + name] = field.description or ""
    return keys


def validate(model: type[S], content: Mapping[str, Any], source: str) -> S:
    """Build a settings model from nested keys and values.

    Args:
        model: settings class.
        content: nested keys and values.
        source: origin of the content; the error message starts with it.

    Raises:
        ConfigError: a key is unknown (the nearest ones are named), or a value has the wrong type
            or is out of range.
    """
    try:
        return model.model_validate(dict(content))
    except ValidationError as error:
        raise ConfigError(f"{source}: {_one_line(model, error)}") from error


def _one_line(model: type[BaseModel], error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        accepted = dotted_keys(model)
        return f"unknown key {key}; {suggestion(key, accepted)}"
    expected = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error" and isinstance(first["input"], Mapping):
        return f"{key}: {expected}" if key else expected
    return f"{key}: {expected[0].lower()}{expected[1:]}, got {first['input']!r}"


_SHARE = Path("share") / "liquid_control"


def _roots() -> list[Path]:
    prefixes = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    return [
        Path(__file__).resolve().parents[2],
        *(prefix / _SHARE for prefix in prefixes),
        Path(sys.prefix) / _SHARE,
    ]


def project_file(relative: str) -> Path:
    """Return the path of a file or folder of the package, such as `config/scenarios`.

    The checkout, the ROS 2 prefixes of `AMENT_PREFIX_PATH` and Python's own prefix are searched.

    Raises:
        ConfigError: none of these locations contains it.
    """
    for root in _roots():
        if (root / relative).exists():
            return root / relative
    places = ", ".join(str(root) for root in _roots())
    raise ConfigError(f"{relative} is part of liquid_control but was found in none of: {places}")


def shipped(path: Path) -> Path:
    """Return an existing path as it is, and otherwise the package's file of that name, if any.

    A bare name such as `trail_cfc19` also stands for the shipped model `models/trail_cfc19`.
    """
    if path.is_absolute() or path.exists():
        return path
    for relative in (str(path), f"models/{path}"):
        with suppress(ConfigError):
            return project_file(relative)
    return path
