"""Scenario keys drawn flight by flight: what training data and demonstrations vary."""

from collections.abc import Mapping
from math import exp, log
from typing import Any, get_args

from pydantic import Field, model_validator

from liquid_control.config.loading import Settings, dotted_keys
from liquid_control.config.scenario import Scenario
from liquid_control.errors import ConfigError
from liquid_control.seeding import stream


class Spread(Settings):
    """How one scenario key is drawn, flight by flight."""

    low: float = Field(description="smallest value, in the key's unit")
    high: float = Field(description="largest value, in the key's unit")
    share: float = Field(
        1.0, gt=0.0, le=1.0, description="share of flights that draw it; the others keep it"
    )
    logarithmic: bool = Field(False, description="even in the logarithm instead of in the value")

    @model_validator(mode="after")
    def _ordered(self) -> "Spread":
        if self.low > self.high:
            raise ValueError(f"low must not exceed high ({self.high:g})")
        if self.logarithmic and self.low <= 0.0:
            raise ValueError("a logarithmic spread needs low above 0")
        return self


def draw_overrides(randomise: Mapping[str, Spread], seed: int) -> dict[str, Any]:
    """Draw one flight's scenario keys, each from a stream of its own.

    Of a mean wind and a gust that were both drawn, the smaller becomes the mean: a gust is a peak.
    """
    drawn: dict[str, Any] = {}
    for key, spread in randomise.items():
        generator = stream(seed, f"training.{key}")
        taken, value = generator.uniform() < spread.share, _draw(spread, generator.uniform())
        if taken:
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
    """Check that every key is one of the scenario's.

    Raises:
        ConfigError: one is not; the accepted ones are listed.
    """
    known = dotted_keys(Scenario)
    for key in randomise:
        if key not in known:
            raise ConfigError(
                f"{source}: randomise: unknown scenario key {key}; accepted: {', '.join(known)}"
            )


def is_whole(key: str) -> bool:
    """Whether a scenario key takes whole numbers only."""
    model: Any = Scenario
    *groups, last = key.split(".")
    for group in groups:
        model = model.model_fields[group].annotation
    kind = model.model_fields[last].annotation
    return int in (kind, *get_args(kind))
