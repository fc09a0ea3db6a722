"""`--disturb` of `liquid-control replay`: the option, and the disturbed replay it asks for."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from liquid_control.config import Scenario
    from liquid_control.interfaces import PictureChange
    from liquid_control.perception.camera_view import CameraView
    from liquid_control.policy import Model
    from liquid_control.replay.disturbed import DisturbedReplay, Variant
    from liquid_control.replay.request import Asked
    from liquid_control.replay.severity_curves import DisturbedSection


ALL, PUBLISHED, DELTA = "all", "published", "delta"
PUBLISHED_SEVERITIES = range(1, 5)
"""Those of the published strengths; severity 5 is one step further and must be asked for."""


def disturbed_variants(
    words: Sequence[str], seed: int = 0, duration_s: float | None = None
) -> "list[Variant]":
    """Return the variants that `--disturb` words ask for, in their order, each once.

    Args:
        words: names, `name=severity` or groups.
        seed: of drops, noise, losses and all else that is drawn.
        duration_s: of the recording; see `overlay`.

    Raises:
        ConfigError: a name is unknown or cannot be applied to a recorded picture, or a severity
            is none.
        DependencyError: the simulator is needed and not installed.
    """
    from liquid_control.config.disturbances import disturbance_overrides
    from liquid_control.replay.disturbed import Variant

    wanted = dict.fromkeys(pair for word in words for pair in _asked(word))
    order = {name: number for number, name in enumerate(dict.fromkeys(n for n, _ in wanted))}
    return [
        Variant(
            name,
            severity,
            disturbance_overrides(name, severity),
            _maker(disturbance_overrides(name, severity), seed, duration_s),
        )
        for name, severity in sorted(wanted, key=lambda pair: (order[pair[0]], pair[1]))
    ]


def left_out(words: Sequence[str]) -> list[str]:
    """Return a line for each disturbance of the groups asked for that cannot be applied."""
    from liquid_control.config.disturbances import disturbances
    from liquid_control.config.recorded_pictures import disturbance_refusals

    named = [DELTA if word == PUBLISHED else word for word in words]
    return [
        f"{name}: {'; '.join(refused)}"
        for name, disturbance in disturbances().items()
        if (disturbance.group in named or (ALL in named and disturbance.group == "camera"))
        and (refused := disturbance_refusals(name))
    ]


def _asked(word: str) -> list[tuple[str, int]]:
    """Return the names and severities that a word stands for."""
    from liquid_control.config.disturbances import HIGHEST_SEVERITY, parse_disturbances

    name, sign, _ = word.partition("=")
    if sign:
        _check(name.strip())
        return list(parse_disturbances([word]).items())
    everything = range(1, HIGHEST_SEVERITY + 1)
    return [
        (name, severity)
        for name in _named(word.strip())
        for severity in (PUBLISHED_SEVERITIES if name.startswith(f"{DELTA}_") else everything)
    ]


def _named(word: str) -> list[str]:
    """Return the disturbances of a group, or the one of this name."""
    from liquid_control.config.disturbances import disturbances
    from liquid_control.config.recorded_pictures import overlaid_disturbances

    group = DELTA if word == PUBLISHED else word
    members = [n for n in overlaid_disturbances() if group in (ALL, disturbances()[n].group)]
    if not members:
        _check(word)
    return members or [word]


def _check(name: str) -> None:
    """Check a name, or say what is accepted and what was meant, or why it cannot be."""
    from liquid_control.config.disturbances import disturbances
    from liquid_control.config.recorded_pictures import disturbance_refusals, overlaid_disturbances
    from liquid_control.errors import ConfigError

    names = overlaid_disturbances()
    if name in names:
        return
    held = dict.fromkeys(disturbances()[accepted].group for accepted in names)
    groups = [ALL, *(PUBLISHED if group == DELTA else group for group in held)]
    accepted = f"there are {', '.join(names)}, and the groups {', '.join(groups)}"
    if name in disturbances():
        why = "; ".join(disturbance_refusals(name))
        raise ConfigError(
            f"--disturb {name} cannot be applied to a recorded picture ({why}); {accepted}"
        )
    close = difflib.get_close_matches(name, [*names, *groups], n=1)
    meant = [known for known in names if known == f"{DELTA}_{name}"] or close
    hint = f"did you mean {meant[0]}? " if meant else ""
    raise ConfigError(f"--disturb: unknown disturbance {name!r}; {hint}{accepted}")


def _maker(
    overrides: "Mapping[str, Any]", seed: int, duration_s: float | None
) -> "partial[PictureChange]":
    from liquid_control.config import Scenario, apply_overrides

    scenario = Scenario.model_validate(apply_overrides({}, overrides))
    if all(key.startswith(f"{DELTA}.") for key in overrides):
        return partial(_published, scenario, seed)
    return partial(_overlaid, _overlay(), scenario, seed, duration_s)


def _published(scenario: "Scenario", seed: int, view: "CameraView") -> "PictureChange":
    from liquid_control.replay.disturbed import PublishedChange

    return PublishedChange(scenario.delta, seed)


def _overlay() -> Any:
    """Return the simulator's `overlay`."""
    from liquid_control.dependencies import require

    purpose = "apply the simulator's disturbances to recorded pictures"
    return require("liquid_control_sim.picture.overlay", "sim", purpose).overlay


def _overlaid(
    overlay: Any, scenario: "Scenario", seed: int, duration_s: float | None, view: "CameraView"
) -> "PictureChange":
    size = view.width, view.height, view.horizontal_fov_deg
    change: PictureChange = overlay(scenario, seed, *size, duration_s)
    return change


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
        from liquid_control.replay.severity_curves import disturbed_section

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
    from liquid_control.replay import FeatureExtractor
    from liquid_control.replay.disturbed import DisturbedReplay

    if not words:
        if further:
            raise ConfigError(
                "--model: several models are for --disturb; to compare a model with another, give "
                "the other as --against DIR"
            )
        return None
    variants = disturbed_variants(words, duration_s=duration_s)
    extractors = {
        label: FeatureExtractor(Policy(one)) for label, one in _labelled(model, further).items()
    }
    return Disturbing(DisturbedReplay(extractors, variants), tuple(left_out(words)))


def _labelled(first: "Model", further: Sequence[Path]) -> "dict[str, Model]":
    """Return the models by name."""
    from liquid_control.config.locations import shipped
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
