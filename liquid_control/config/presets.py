"""Weather by name: `wind:=gusty`, `lighting:=dusk`, `fog:=haze` as dotted scenario keys."""

from typing import Any

from liquid_control.config.loading import load_yaml
from liquid_control.config.locations import project_file
from liquid_control.errors import ConfigError

KINDS = ("wind", "lighting", "fog")


def preset_names(kind: str) -> list[str]:
    """Return the names of the presets of `wind`, `lighting` or `fog`, mildest first."""
    return list(_presets(kind))


def preset_overrides(wind: str = "", lighting: str = "", fog: str = "") -> dict[str, Any]:
    """Return the scenario keys that presets stand for; an empty name stands for none.

    Raises:
        ConfigError: there is no such preset.
    """
    overrides: dict[str, Any] = {}
    for kind, name in zip(KINDS, (wind, lighting, fog), strict=True):
        if not name:
            continue
        presets = _presets(kind)
        if name not in presets:
            raise ConfigError(f"unknown {kind} {name!r}; there are: {', '.join(presets)}")
        overrides |= presets[name]
    return overrides


def _presets(kind: str) -> dict[str, dict[str, Any]]:
    presets: dict[str, dict[str, Any]] = load_yaml(project_file("config/presets.yaml"))[kind]
    return presets
