"""`--disturb` of `liquid-control replay`: the option, and the disturbed replay it asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liquid_control.cli.replay_variants import disturbed_variants, left_out

if TYPE_CHECKING:
    from liquid_control.cli.replay_run import Asked
    from liquid_control.policy import Model
    from liquid_control.replay.perturbation import DisturbedReplay
    from liquid_control.replay.severity_curve import DisturbedSection

DisturbOption = Annotated[
    list[str] | None,
    typer.Option(
        "--disturb",
        help="How far a disturbance would have moved the commands: a name such as noise (all its "
        "severities) or noise=3, or a group: camera, light, published or all. May be given "
        "several times.",
    ),
]


_SHOWN = 3


@dataclass(frozen=True, slots=True, eq=False)
class Disturbing:
    """A disturbed replay that goes with an ordinary one.

    Attributes:
        replay: hears the bag's events.
        left_out: what of the groups asked for cannot be applied, a line each.
    """

    replay: "DisturbedReplay"
    left_out: tuple[str, ...]

    def section(self, start_ns: int) -> "DisturbedSection":
        """Return what the report shows of it; the flight, which began then, is over."""
        from liquid_control.replay.severity_curve import disturbed_section

        return disturbed_section(self.replay, start_ns, self.left_out)

    def line(self) -> str:
        """Return what moved the first model's commands most, in a line."""
        rows = self.replay.rows()
        mine = [row for row in rows if row.model == rows[0].model]
        most = sorted(mine, key=lambda row: -row.movement)[:_SHOWN]
        told = [
            f"{row.disturbance}={row.severity} by {100.0 * row.movement:.1f} %" for row in most
        ]
        return f"moved most, of the motors' range: {', '.join(told)}"


def disturbing(
    words: Sequence[str], model: "Model", further: Sequence[Path], duration_s: float | None
) -> "Disturbing | None":
    """Return the disturbed replay that `--disturb` asks for; None where it does not.

    Args:
        words: of `--disturb`.
        model: of the ordinary replay.
        further: folders of models that are disturbed beside it.
        duration_s: of what is replayed, if that is known.

    Raises:
        ConfigError: a word is not accepted, two models have one name, or there are several models
            and nothing to disturb.
        ModelError: a model is missing or damaged.
        DependencyError: the simulator is needed and not installed.
    """
    from liquid_control.errors import ConfigError
    from liquid_control.policy import Policy
    from liquid_control.replay import Perceiver
    from liquid_control.replay.perturbation import DisturbedReplay

    if not words:
        if further:
            raise ConfigError(
                "--model: several models are for --disturb; to compare a model with another, give "
                "the other as --against DIR"
            )
        return None
    variants = disturbed_variants(words, duration_s=duration_s)
    perceivers = {
        label: Perceiver(Policy(one)) for label, one in _labelled(model, further).items()
    }
    return Disturbing(DisturbedReplay(perceivers, variants), tuple(left_out(words)))


def _labelled(first: "Model", further: Sequence[Path]) -> "dict[str, Model]":
    """Return the models by name."""
    from liquid_control.cli.shipped import shipped
    from liquid_control.errors import ConfigError
    from liquid_control.policy import load_model

    labelled = {first.name: first}
    for folder in further:
        model = load_model(shipped(folder))
        if model.name in labelled:
            raise ConfigError(
                f"--model: expected models with different names, {model.name!r} comes twice"
            )
        labelled[model.name] = model
    return labelled


def replayed_s(asked: "Asked") -> float | None:
    """Return how long the part of the bag is that is replayed, if that is known."""
    begin, end = asked.bag.start_ns, asked.bag.end_ns
    if begin is None or end is None:
        return asked.span.duration_s
    left_s = max((end - begin) * 1e-9 - (asked.span.start_s or 0.0), 0.0)
    told_s = asked.span.duration_s
    return left_s if told_s is None else min(left_s, told_s)
