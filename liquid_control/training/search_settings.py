"""Settings of an architecture search: the keys of `config/search/*.yaml`."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from liquid_control.config import (
    Settings,
    apply_overrides,
    load_extended,
    load_yaml,
    shipped,
    validate,
)
from liquid_control.config.suggestions import suggestion
from liquid_control.errors import ConfigError, LiquidControlError
from liquid_control.seeding import MAX_SEED
from liquid_control.training.start import check_network, check_run
from liquid_control.training.training_settings import TrainingSettings

Objective = Literal["success", "latency_ms", "weights"]
Value = bool | int | float | str
Point = dict[str, Value]
"""A value for every parameter of a space, by name."""

MOST_CHECKED = 400
"""Number of corners of a space up to which all are checked before a search begins."""
SIGNIFICANT = 4
"""Digits of a parameter that is not whole."""
_CORE = "network.core."


class SearchParameter(Settings):
    """One parameter of the space: choices, or a range."""

    choices: tuple[Value, ...] | dict[str, dict[str, Any]] = Field(
        (),
        description="values of the training key that the parameter is named after; or names, each "
        "with the training keys that it sets",
    )
    low: float | None = Field(None, description="smallest value of a range")
    high: float | None = Field(None, description="largest value of a range")
    whole: bool = Field(False, description="whole numbers only")
    logarithmic: bool = Field(False, description="uniform in the logarithm, not in the value")
    when: dict[str, tuple[Value, ...]] = Field(
        {},
        description="earlier parameters and the choices with which this one is used; in other "
        "trials the training file's value holds",
    )

    @property
    def ends(self) -> tuple[Value, ...]:
        """All choices, or the smallest and the largest value."""
        if self.choices or self.low is None or self.high is None:
            return tuple(self.choices)
        return tuple(dict.fromkeys(self.typed(value) for value in (self.low, self.high)))

    def typed(self, value: Value) -> Value:
        """Return a value as it is used; of a range whole, or with `SIGNIFICANT` digits."""
        if self.low is None or self.high is None:
            return value
        if self.whole:
            return round(float(value))
        return min(max(float(f"{float(value):.{SIGNIFICANT}g}"), self.low), self.high)

    @model_validator(mode="after")
    def _choices_or_range(self) -> "SearchParameter":
        if bool(self.choices) == (self.low is not None and self.high is not None):
            raise ValueError("expected either choices, at least one, or low and high")
        if self.low is None or self.high is None:
            if len(set(self.choices)) < len(self.choices):
                raise ValueError("expected choices that differ")
            return self
        if self.low > self.high:
            raise ValueError(f"low must not exceed high ({self.high:g})")
        if self.logarithmic and self.low <= 0.0:
            raise ValueError("a logarithmic range needs low above 0")
        if self.whole and not (self.low.is_integer() and self.high.is_integer()):
            raise ValueError("a whole range needs whole low and high")
        return self


class SearchSettings(Settings):
    """An architecture search: a training file, and the space of what trials change in it."""

    name: str = Field(
        min_length=1, max_length=40, pattern=r"^[A-Za-z0-9_\-]+$", description="of the search"
    )
    training: str = Field(description="training file of the trials, by path")
    overrides: dict[str, Any] = Field(
        {}, description="keys of the training file that every trial sets"
    )
    seed: int = Field(0, ge=0, le=MAX_SEED, description="of the draws of both searches")
    trials: int = Field(40, ge=1, le=10_000, description="of each of the two searches")
    population: int = Field(10, ge=2, le=1000, description="networks of a generation of NSGA-II")
    objectives: tuple[Objective, ...] = Field(
        ("success", "latency_ms", "weights"),
        min_length=2,
        description="what is optimised; all three are measured",
    )
    space: dict[str, SearchParameter] = Field(
        min_length=1, description="parameters by name, a dotted key of the training file"
    )

    @model_validator(mode="after")
    def _consistent(self) -> "SearchSettings":
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError(f"objectives: expected each once, got {', '.join(self.objectives)}")
        for index, (name, parameter) in enumerate(self.space.items()):
            earlier = list(self.space)[:index]
            for other, values in parameter.when.items():
                if other not in earlier:
                    raise ValueError(
                        f"space.{name}.when: expected an earlier parameter, got {other}; "
                        f"{suggestion(other, earlier)}"
                    )
                choices = tuple(self.space[other].choices)
                for value in values:
                    if value not in choices:
                        raise ValueError(
                            f"space.{name}.when.{other}: expected choices of it, got {value!r}; "
                            f"{suggestion(str(value), map(str, choices))}"
                        )
        if all(len(parameter.ends) == 1 for parameter in self.space.values()):
            raise ValueError("space: expected a parameter with at least two values")
        return self

    def used(self, point: Mapping[str, Value]) -> Point:
        """Return the parameters of a point that are used: those whose conditions hold."""
        found: Point = {}
        for name, parameter in self.space.items():
            if all(found.get(other) in values for other, values in parameter.when.items()):
                found[name] = parameter.typed(point[name])
        return found

    def corners(self) -> Iterator[Point]:
        """Yield points at the ends of all ranges and choices, each set of used values once."""
        points: list[Point] = [{}]
        for name, parameter in self.space.items():
            points = [
                {**point, name: value}
                for point in points
                for value in (parameter.ends if self._holds(name, point) else parameter.ends[:1])
            ]
            points = points[:: 1 + (len(points) - 1) // MOST_CHECKED]
        yield from points

    def _holds(self, name: str, point: Point) -> bool:
        conditions = self.space[name].when
        return all(
            point[other] in values and self._holds(other, point)
            for other, values in conditions.items()
        )

    @cached_property
    def _content(self) -> dict[str, Any]:
        path = shipped(Path(self.training))
        return load_extended(path, path.parent)

    def trial(self, point: Mapping[str, Value], name: str) -> TrainingSettings:
        """Return the settings of the training of a trial.

        Args:
            point: a value for every parameter of the space.
            name: of the trial's model.

        Raises:
            ConfigError: a key is unknown, or a value is of the wrong type or out of range.
        """
        keys: dict[str, Any] = {**self.overrides, "name": name}
        for parameter, value in self.used(point).items():
            choices = self.space[parameter].choices
            keys |= choices[str(value)] if isinstance(choices, dict) else {parameter: value}
        return validate(TrainingSettings, apply_overrides(self._content, keys), self.training)

    def check(self) -> list[TrainingSettings]:
        """Check that trials can be trained at the corners of the space.

        Returns:
            The settings of one training for every corner outside `network.core`.

        Raises:
            ConfigError: a training could not begin; the message names its parameters.
        """
        checked: dict[str, TrainingSettings] = {}
        for point in self.corners():
            used = self.used(point)
            try:
                settings = self.trial(point, self.name)
                self._check_flights(settings)
                others = {key: value for key, value in used.items() if not key.startswith(_CORE)}
                if str(others) in checked:
                    check_network(settings)
                else:
                    check_run(settings)
                    checked[str(others)] = settings
            except LiquidControlError as error:
                shown = ", ".join(f"{key}={value}" for key, value in used.items())
                raise ConfigError(f"{self.name}: space: {shown}: {error}") from error
        return list(checked.values())

    def _check_flights(self, settings: TrainingSettings) -> None:
        settings.check_tasks()
        if settings.encoder is not None:
            raise ConfigError(
                f"{self.training} trains an encoder: expected one that trains a core"
            )
        if not settings.validation.flights:
            raise ConfigError(
                "validation.flights is 0: expected at least 1, since success is counted there"
            )


def load_search(path: Path | str, overrides: Mapping[str, Any] | None = None) -> SearchSettings:
    """Read a search file.

    Args:
        path: YAML file, such as `config/search/trail.yaml`.
        overrides: dotted keys of the file and their values, such as {"trials": 20}.

    Raises:
        ConfigError: a key is unknown, or a value is of the wrong type or out of range.
    """
    content = apply_overrides(load_yaml(Path(path)), overrides or {})
    return validate(SearchSettings, content, str(path))
