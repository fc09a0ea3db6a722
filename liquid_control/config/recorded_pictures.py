"""Scenario keys that can be applied to recorded pictures, and the reasons for refusing others."""

from collections.abc import Mapping

from liquid_control.config.disturbances import HIGHEST_SEVERITY, disturbances
from liquid_control.config.loading import apply_overrides
from liquid_control.config.scenario import Scenario

ACCEPTED_KEYS = frozenset(
    {
        *("light.gain", "light.temperature_k", "light.level", "light.exposure_lag_s"),
        *("light.flicker", "light.flicker_hz"),
        *("camera.drops", "camera.dirt", "camera.defocus", "camera.vignetting"),
        *("camera.noise_sigma", "camera.jpeg_quality"),
        *("camera.drop_rate", "camera.rate_hz", "camera.latency_s", "camera.freeze_rate"),
        *("camera.blackout_s", "camera.blackout_from_s"),
        *(f"delta.{kind}" for kind in ("brightness", "contrast", "saturation", "noise")),
    }
)
"""Scenario keys that can be applied to a recorded picture."""


def refusals(scenario: Scenario) -> list[str]:
    """Return a clause for each key that cannot be applied to a recorded picture."""
    defaults = flat_keys(Scenario())
    changed = [key for key, value in flat_keys(scenario).items() if value != defaults[key]]
    refused = [f"{key} {_reason(key)}" for key in changed if key not in ACCEPTED_KEYS]
    default_hz = Scenario().camera.rate_hz
    if scenario.camera.rate_hz > default_hz:
        refused.append(
            f"camera.rate_hz above {default_hz:g} needs frames between those that were recorded"
        )
    return refused


def disturbance_refusals(name: str) -> list[str]:
    """Return a clause for each key of a disturbance, at any severity, that cannot be applied."""
    disturbance = disturbances()[name]
    scenarios = (
        Scenario.model_validate(apply_overrides({}, disturbance.at(severity)))
        for severity in range(1, HIGHEST_SEVERITY + 1)
    )
    return list(dict.fromkeys(clause for scenario in scenarios for clause in refusals(scenario)))


def overlaid_disturbances() -> list[str]:
    """Return the names of the disturbances that can be applied at every severity."""
    return [name for name in disturbances() if not disturbance_refusals(name)]


_REASONS = {
    "camera.exposure_s": "needs distances and the vehicle's motion",
    "camera.shot_noise": "is in the recorded picture already (light.level adds to it)",
    "light.glare": "needs the sun's direction",
    "fog.": "needs distances",
    "rain.": "needs distances",
    "snow.": "needs distances",
    "light.": "needs another scene",
    "camera.": "needs another camera",
    "wind.": "acts on the vehicle",
    "imu.": "acts on the IMU",
    "range.": "acts on the range sensor",
    "faults.": "acts on the vehicle",
}
"""Reason for refusing a key, by prefix; the longest matching prefix applies."""


def _reason(key: str) -> str:
    matching = [prefix for prefix in _REASONS if key.startswith(prefix)]
    return _REASONS[max(matching, key=len)] if matching else "needs another scene"


def flat_keys(scenario: Scenario) -> Mapping[str, object]:
    """Return all values of a scenario by dotted key."""
    flat: dict[str, object] = {}
    for name, value in scenario.model_dump().items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            flat[name] = value
    return flat
