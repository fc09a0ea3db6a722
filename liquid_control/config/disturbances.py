"""Disturbances by name and severity, translated to dotted scenario keys (`--disturb fog=3`).

Severity 0 sets no key: its flight equals the undisturbed flight bit for bit.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import Field

from liquid_control.config.loading import (
    Settings,
    apply_overrides,
    dotted_keys,
    load_yaml,
    project_file,
    validate,
)
from liquid_control.config.scenario import Scenario
from liquid_control.config.suggestions import suggestion
from liquid_control.errors import ConfigError

HIGHEST_SEVERITY = 5


class Disturbance(Settings):
    """One entry of `config/disturbances.yaml`."""

    group: str = Field(min_length=1, description="air, light, weather, camera, imu, ...")
    about: str = Field(min_length=1, description="description in one line")
    keys: dict[str, Any] = Field(
        min_length=1,
        description="dotted scenario keys: five values for severities 1 to 5, or one for all",
    )

    def at(self, severity: int) -> dict[str, Any]:
        """Return the dotted keys and values of a severity from 0 to 5; severity 0 has none."""
        if severity == 0:
            return {}
        return {
            key: values[severity - 1] if isinstance(values, list) else values
            for key, values in self.keys.items()
        }


def load_disturbances(path: Path) -> dict[str, Disturbance]:
    """Load a file of disturbances and check its keys and the values of every severity.

    Raises:
        ConfigError: the file, a key or a value is invalid.
    """
    named = {
        name: validate(Disturbance, _mapping(content, path, name), f"{path}: {name}")
        for name, content in load_yaml(path).items()
    }
    for name, disturbance in named.items():
        _check(disturbance, f"{path}: {name}")
    return named


def _mapping(content: Any, path: Path, name: str) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise ConfigError(f"{path}: {name}: expected group, about and keys, got {content!r}")
    return content


def _check(disturbance: Disturbance, source: str) -> None:
    accepted = dotted_keys(Scenario)
    for key, values in disturbance.keys.items():
        if key not in accepted:
            raise ConfigError(f"{source}: unknown scenario key {key}; {suggestion(key, accepted)}")
        if isinstance(values, list) and len(values) != HIGHEST_SEVERITY:
            raise ConfigError(
                f"{source}: {key}: expected {HIGHEST_SEVERITY} values, for severities 1 to "
                f"{HIGHEST_SEVERITY}, or one for all, got {len(values)}"
            )
    for severity in range(1, HIGHEST_SEVERITY + 1):
        content = apply_overrides({}, disturbance.at(severity))
        validate(Scenario, content, f"{source}: severity {severity}")


@lru_cache(maxsize=4)
def _loaded(path: Path) -> Mapping[str, Disturbance]:
    return load_disturbances(path)


def disturbances() -> Mapping[str, Disturbance]:
    """Return all disturbances by name, in the order of `config/disturbances.yaml`."""
    return _loaded(project_file("config/disturbances.yaml"))


def disturbance_names() -> list[str]:
    """Return the names of all disturbances."""
    return list(disturbances())


def disturbance_overrides(name: str, severity: int) -> dict[str, Any]:
    """Return the dotted scenario keys of a disturbance at a severity.

    Args:
        name: name of the disturbance.
        severity: 0 (undisturbed) to 5.

    Raises:
        ConfigError: the disturbance or the severity does not exist.
    """
    known = disturbances()
    if name not in known:
        hint = suggestion(name, known, "`liquid-control worlds`")
        raise ConfigError(f"unknown disturbance {name!r}; {hint}")
    whole = isinstance(severity, int) and not isinstance(severity, bool)
    if not whole or not 0 <= severity <= HIGHEST_SEVERITY:
        raise ConfigError(
            f"disturbance {name}: expected a severity that is a whole number from 0 to "
            f"{HIGHEST_SEVERITY}, got {severity!r}"
        )
    return known[name].at(severity)


def joined_overrides(severities: Mapping[str, int]) -> dict[str, Any]:
    """Return the keys of several disturbances; a later one overrides the keys of an earlier one.

    Raises:
        ConfigError: a disturbance or a severity does not exist.
    """
    joined: dict[str, Any] = {}
    for name, severity in severities.items():
        joined |= disturbance_overrides(name, severity)
    return joined


def parse_disturbances(words: Iterable[str]) -> dict[str, int]:
    """Parse the `name=severity` arguments of `--disturb`.

    Raises:
        ConfigError: an argument has another form, or the disturbance or severity does not exist.
    """
    severities: dict[str, int] = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign or not name:
            raise ConfigError(f"--disturb expects name=severity, such as fog=3, got {word!r}")
        severity: Any = int(text) if text.strip().isdecimal() else text
        disturbance_overrides(name.strip(), severity)
        severities[name.strip()] = severity
    return severities


def values_of(values: object) -> str:
    """Format the values of a key: `1, 2, 4, 6, 8`, or `3` for a single value."""
    if not isinstance(values, list):
        return value_of(values)
    return ", ".join(value_of(value) for value in values)


def value_of(value: object) -> str:
    """Format one value."""
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)
