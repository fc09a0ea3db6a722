"""Scenario overrides: values drawn at random per flight, and named weather presets."""

from collections.abc import Mapping
from itertools import product
from math import exp, log
from typing import Any, get_args

from pydantic import Field, model_validator

from liquid_control.config.disturbances import disturbance_overrides
from liquid_control.config.loading import Settings, dotted_keys, load_yaml, project_file
from liquid_control.config.scenario import Scenario
from liquid_control.config.suggestions import suggestion
from liquid_control.errors import ConfigError
from liquid_control.seeding import stream


class Spread(Settings):
    """Distribution from which one scenario key is drawn for each flight."""

    low: float = Field(0.0, description="smallest value, in the key's unit")
    high: float = Field(0.0, description="largest value, in the key's unit")
    choices: tuple[str, ...] = Field((), description="texts to draw from, instead of low to high")
    share: float = Field(
        1.0, gt=0.0, le=1.0, description="fraction of flights that draw it; the others keep it"
    )
    logarithmic: bool = Field(False, description="uniform in the logarithm, not in the value")

    @property
    def ends(self) -> tuple[float | str, ...]:
        """The smallest and the largest value, or all choices."""
        return self.choices or (self.low, self.high)

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
            drawn[key] = _typed(key, value)
    return consistent_wind(drawn)


def consistent_wind(drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Return keys with mean wind and gust exchanged where the gust is smaller: it is a peak."""
    mean, gust = drawn.get("wind.mean_mps"), drawn.get("wind.gust_mps")
    if mean is not None and gust is not None and 0.0 < gust < mean:
        return {**drawn, "wind.mean_mps": gust, "wind.gust_mps": mean}
    return dict(drawn)


def _typed(key: str, value: float | str) -> float | int | str:
    if isinstance(value, str):
        return value
    return round(value) if is_whole(key) else round(value, 4)


def _draw(spread: Spread, uniform: float) -> float | str:
    if spread.choices:
        return spread.choices[int(uniform * len(spread.choices))]
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


class DisturbanceDraw(Settings):
    """Named disturbances that are drawn for each flight."""

    names: tuple[str, ...] = Field((), description="disturbances of config/disturbances.yaml")
    share: float = Field(0.5, ge=0.0, le=1.0, description="fraction of flights with any")
    most: int = Field(2, ge=1, le=5, description="largest number at a time")
    severities: tuple[int, ...] = Field((1, 2, 3), min_length=1, description="to draw from")

    @model_validator(mode="after")
    def _known(self) -> "DisturbanceDraw":
        try:
            for name, severity in product(self.names, self.severities):
                disturbance_overrides(name, severity)
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return self

    def draw(self, seed: int) -> dict[str, Any]:
        """Return the scenario keys of one flight, from the stream "training.disturbances"."""
        generator = stream(seed, "training.disturbances")
        if not self.names or generator.uniform() >= self.share:
            return {}
        count = min(int(generator.integers(1, self.most + 1)), len(self.names))
        drawn: dict[str, Any] = {}
        for index in generator.choice(len(self.names), count, replace=False):
            severity = self.severities[int(generator.integers(len(self.severities)))]
            drawn |= disturbance_overrides(self.names[int(index)], severity)
        return drawn
