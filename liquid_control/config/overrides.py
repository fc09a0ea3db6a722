"""Scenario overrides: values drawn at random per flight, and named weather presets."""

from collections.abc import Mapping
from math import exp, log
from typing import Any, get_args

from pydantic import Field, model_validator

from liquid_control.config.loading import Settings, dotted_keys, load_yaml, project_file
from liquid_control.config.scenario import Scenario
from liquid_control.config.suggestions import suggestion
from liquid_control.errors import ConfigError
from liquid_control.seeding import stream


class Spread(Settings):
    """Distribution from which one scenario key is drawn for each flight."""

    low: float = Field(description="smallest value, in the key's unit")
    high: float = Field(description="largest value, in the key's unit")
    share: float = Field(
        1.0, gt=0.0, le=1.0, description="fraction of flights that draw it; the others keep it"
    )
    logarithmic: bool = Field(False, description="uniform in the logarithm, not in the value")

    @model_validator(mode="after")
    def _ordered(self) -> "Spread":
        if self.low > self.high:
            raise ValueError(f"low must not exceed high ({self.high:g})")
        if self.logarithmic and self.low <= 0.0:
            raise ValueError("a logarithmic spread needs low above 0")
        return self


def draw_overrides(randomise: Mapping[str, Spread], seed: int) -> dict[str, Any]:
    """Draw one flight's scenario keys, each from its own random stream "training.<key>".

    Where both a mean wind and a gust are drawn, the smaller value becomes the mean: a gust is a
    peak.
    """
    drawn: dict[str, Any] = {}
    for key, spread in randomise.items():
        generator = stream(seed, f"training.{key}")
        varies, value = generator.uniform() < spread.share, _draw(spread, generator.uniform())
        if varies:
            drawn[key] = round(value) if is_whole(key) else round(value, 4)
    mean, gust = drawn.get("wind.mean_mps"), drawn.get("wind.gust_mps")
    if mean is not None and gust is not None and gust < mean:
        drawn["wind.mean_mps"], drawn["wind.gust_mps"] = gust, mean
    return drawn


def _draw(spread: Spread, uniform: float) -> float:
    if spread.logarithmic:
        return exp(log(spread.low) + uniform * (log(spread.high) - log(spread.low)))
    return spread.low + uniform * (spread.high - spread.low)


def check_keys(randomise: Mapping[str, Spread], source: str) -> None:
    """Check that every key is a scenario key.

    Raises:
        ConfigError: a key is unknown; the nearest ones are named.
    """
    known = dotted_keys(Scenario)
    for key in randomise:
        if key not in known:
            raise ConfigError(
                f"{source}: randomise: unknown scenario key {key}; {suggestion(key, known)}"
            )


def is_whole(key: str) -> bool:
    """Return whether a scenario key takes whole numbers only."""
    model: Any = Scenario
    *groups, last = key.split(".")
    for group in groups:
        model = model.model_fields[group].annotation
    kind = model.model_fields[last].annotation
    return int in (kind, *get_args(kind))


KINDS = ("wind", "lighting", "fog")


def preset_names(kind: str) -> list[str]:
    """Return the names of the presets of `wind`, `lighting` or `fog`, mildest first."""
    return list(_presets(kind))


def preset_overrides(wind: str = "", lighting: str = "", fog: str = "") -> dict[str, Any]:
    """Return the scenario keys of the named presets; an empty name selects none.

    Raises:
        ConfigError: a preset does not exist; the known names are listed.
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
