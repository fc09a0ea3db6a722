"""Selection of disturbed-replay variants by name, severity and group.

Published changes (brightness, contrast, saturation, noise) come with this package. All other
disturbances come with the simulator, which is an optional dependency and is loaded by name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from liquid_control.config import Scenario, apply_overrides
from liquid_control.config.disturbances import (
    HIGHEST_SEVERITY,
    disturbance_overrides,
    disturbances,
    parse_disturbances,
)
from liquid_control.config.recorded_pictures import disturbance_refusals, overlaid_disturbances
from liquid_control.config.suggestions import suggestion
from liquid_control.dependencies import require
from liquid_control.errors import ConfigError
from liquid_control.interfaces import PictureChange
from liquid_control.perception import CameraView
from liquid_control.policy import Model
from liquid_control.replay.disturbed import PublishedChange, Variant

ALL, PUBLISHED, DELTA = "all", "published", "delta"
PUBLISHED_SEVERITIES = range(1, 5)
"""The published strengths; severity 5 is one step further and must be named."""


@dataclass(frozen=True, slots=True, eq=False)
class DisturbanceRequest:
    """The disturbed part of a replay.

    Attributes:
        words: names, `name=severity` or groups, as requested.
        variants: the variants of these words.
        left_out: members of the requested groups that cannot be applied, a line each.
        further_models: models that are disturbed in addition to the replayed one.
    """

    words: tuple[str, ...]
    variants: tuple[Variant, ...]
    left_out: tuple[str, ...]
    further_models: tuple[Model, ...] = ()


def disturbance_request(
    words: Sequence[str],
    model: Model,
    further_models: Sequence[Model] = (),
    duration_s: float | None = None,
) -> DisturbanceRequest | None:
    """Return the disturbed part of a replay; None where no disturbance is requested.

    Args:
        words: names, `name=severity` or groups.
        model: the replayed model.
        further_models: models to disturb in addition.
        duration_s: length of the replayed part, s; None where it is not known.

    Raises:
        ConfigError: a word is not accepted, two models have one name, or several models are given
            without a disturbance.
        DependencyError: the simulator is needed and not installed.
    """
    if not words:
        if further_models:
            raise ConfigError(
                "--model: several models are for --disturb; to compare a model with another, give "
                "the other as --against DIR"
            )
        return None
    variants = disturbed_variants(words, duration_s=duration_s)
    names = [model.name]
    for further in further_models:
        if further.name in names:
            raise ConfigError(
                f"--model: expected models with different names, {further.name!r} comes twice"
            )
        names.append(further.name)
    return DisturbanceRequest(
        tuple(words), tuple(variants), tuple(left_out(words)), tuple(further_models)
    )


def disturbed_variants(
    words: Sequence[str], seed: int = 0, duration_s: float | None = None
) -> list[Variant]:
    """Return the variants of `--disturb` words, each once, in the order of the words.

    Args:
        words: names, `name=severity` or groups.
        seed: of drops, noise, losses and all other random draws.
        duration_s: length of the recording, s; see `liquid_control_sim.picture.overlay`.

    Raises:
        ConfigError: a name is unknown or cannot be applied to a recorded picture, or a severity
            is not accepted.
        DependencyError: the simulator is needed and not installed.
    """
    wanted = dict.fromkeys(pair for word in words for pair in _pairs(word))
    order = {name: number for number, name in enumerate(dict.fromkeys(n for n, _ in wanted))}
    variants = []
    for name, severity in sorted(wanted, key=lambda pair: (order[pair[0]], pair[1])):
        overrides = disturbance_overrides(name, severity)
        make = _maker(overrides, seed, duration_s)
        variants.append(Variant(name, severity, overrides, make))
    return variants


def left_out(words: Sequence[str]) -> list[str]:
    """Return a line for each member of the requested groups that cannot be applied."""
    groups = [DELTA if word == PUBLISHED else word for word in words]
    return [
        f"{name}: {'; '.join(refused)}"
        for name, disturbance in disturbances().items()
        if (disturbance.group in groups or (ALL in groups and disturbance.group == "camera"))
        and (refused := disturbance_refusals(name))
    ]


def _pairs(word: str) -> list[tuple[str, int]]:
    """Return the names and severities of a word."""
    name, sign, _ = word.partition("=")
    if sign:
        _check(name.strip())
        return list(parse_disturbances([word]).items())
    everything = range(1, HIGHEST_SEVERITY + 1)
    return [
        (name, severity)
        for name in _members(word.strip())
        for severity in (PUBLISHED_SEVERITIES if name.startswith(f"{DELTA}_") else everything)
    ]


def _members(word: str) -> list[str]:
    """Return the disturbances of a group, or the one with this name."""
    group = DELTA if word == PUBLISHED else word
    members = [n for n in overlaid_disturbances() if group in (ALL, disturbances()[n].group)]
    if not members:
        _check(word)
    return members or [word]


def _check(name: str) -> None:
    """Check a name; the error names the nearest names and the groups, or the reason."""
    names = overlaid_disturbances()
    if name in names:
        return
    used = dict.fromkeys(disturbances()[accepted].group for accepted in names)
    groups = [ALL, *(PUBLISHED if group == DELTA else group for group in used)]
    accepted = f"the groups are {', '.join(groups)}"
    if name in disturbances():
        why = "; ".join(disturbance_refusals(name))
        raise ConfigError(
            f"--disturb {name} cannot be applied to a recorded picture ({why}); {accepted}"
        )
    published = f"{DELTA}_{name}"
    hint = suggestion(name, [*names, *groups])
    if published in names:
        hint = f"did you mean {published}?"
    raise ConfigError(f"--disturb: unknown disturbance {name!r}; {hint}; {accepted}")


def _maker(
    overrides: Mapping[str, Any], seed: int, duration_s: float | None
) -> Callable[[CameraView], PictureChange]:
    scenario = Scenario.model_validate(apply_overrides({}, overrides))
    if all(key.startswith(f"{DELTA}.") for key in overrides):
        return partial(_published, scenario, seed)
    purpose = "apply the simulator's disturbances to recorded pictures"
    overlay = require("liquid_control_sim.picture.overlay", "sim", purpose).overlay
    return partial(_overlaid, overlay, scenario, seed, duration_s)


def _published(scenario: Scenario, seed: int, view: CameraView) -> PictureChange:
    return PublishedChange(scenario.delta, seed)


def _overlaid(
    overlay: Any, scenario: Scenario, seed: int, duration_s: float | None, view: CameraView
) -> PictureChange:
    size = view.width, view.height, view.horizontal_fov_deg
    change: PictureChange = overlay(scenario, seed, *size, duration_s)
    return change
