"""Configuration: YAML files validated into frozen models, with dotted overrides."""

from liquid_control.config.loading import (
    Settings,
    apply_overrides,
    load_yaml,
    parse_settings,
    validate,
)
from liquid_control.config.locations import project_file
from liquid_control.config.scenario import Scenario, load_scenario

__all__ = [
    "Scenario",
    "Settings",
    "apply_overrides",
    "load_scenario",
    "load_yaml",
    "parse_settings",
    "project_file",
    "validate",
]
