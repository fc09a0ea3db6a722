"""Why that command: the frames, features and neurons that mattered at one moment of a flight."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from liquid_control.errors import ConfigError
from liquid_control.inspection.contributions import (
    Contributions,
    contributions,
    steps_of_last_second,
)
from liquid_control.inspection.counterfactuals import Clamp, all_without, without
from liquid_control.inspection.flight import AXES, UNITS, InspectedFlight
from liquid_control.policy import Policy
from liquid_control.types import Floats

MOST = 8
"""Entries of each list of a summary."""


def check_options(
    axis: str, moment_s: float | None, clamps: Sequence[str] | None, lacks_maps: bool
) -> None:
    """Check that options of an inspection fit together.

    Args:
        axis: whose command is explained.
        moment_s: of that command; None for none.
        clamps: what is held; needs a moment.
        lacks_maps: whether a video is wanted without a map for every frame.

    Raises:
        ConfigError: they do not.
    """
    if axis not in AXES:
        raise ConfigError(f"--axis: expected {', '.join(AXES)}, got {axis!r}")
    if clamps and moment_s is None:
        raise ConfigError("--clamp: expected --at too, the moment of the command")
    if lacks_maps:
        raise ConfigError("--video: expected --all-maps too")


@dataclass(frozen=True, slots=True, eq=False)
class WhatIf:
    """The command at a moment, had one thing been otherwise.

    Attributes:
        label: such as `inter_7 = 0`.
        command: float64 [4], as `Command.values`.
    """

    label: str
    command: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """What a command came from.

    Attributes:
        frame: index of the frame.
        seconds: of the frame, from the first, s.
        command: float64 [4], as `Command.values`.
        step: contributions to the change since the frame before; None for a core other than the
            wired CfC, and at a fresh start.
        second: contributions to the change over the last second; None likewise.
        what_ifs: the clamps that were asked for, then every single neuron and feature.
        requested: how many of `what_ifs` were asked for.
    """

    frame: int
    seconds: float
    command: Floats
    step: Contributions | None
    second: Contributions | None
    what_ifs: tuple[WhatIf, ...]
    requested: int

    def strongest(self, axis: int) -> list[WhatIf]:
        """Return the single clamps that change an axis most, largest change first."""
        rest = self.what_ifs[self.requested :]
        return sorted(rest, key=lambda one: -abs(one.command[axis] - self.command[axis]))[:MOST]

    def sentences(self, axis: int) -> list[str]:
        """Return what was asked for and the strongest clamps, in words."""
        chosen = (*self.what_ifs[: self.requested], *self.strongest(axis))
        return [
            f"with {one.label} the {AXES[axis]} command is {one.command[axis]:+.3f} {UNITS[axis]} "
            f"instead of {self.command[axis]:+.3f}"
            for one in {one.label: one for one in chosen}.values()
        ]


def moment_of(
    policy: Policy, flight: InspectedFlight, moment_s: float, clamps: Sequence[Clamp] = ()
) -> Explanation:
    """Return what the command of a moment came from.

    Args:
        policy: the policy.
        flight: of it.
        moment_s: s from the first frame.
        clamps: further questions, besides every single neuron and feature.

    Raises:
        ConfigError: the moment is outside the flight.
    """
    frame = flight.frame_at(moment_s)
    found = [without(policy, flight, clamp, frame) for clamp in clamps]
    found += all_without(policy, flight, frame)
    step = second = None
    if policy.model.settings.core.wiring is not None and not flight.fresh[frame]:
        step = contributions(policy.model, flight, frame)
        steps = steps_of_last_second(flight, frame)
        second = contributions(policy.model, flight, frame, steps)
    return Explanation(
        frame=frame,
        seconds=float(flight.seconds[frame]),
        command=flight.commands[frame],
        step=step,
        second=second,
        what_ifs=tuple(WhatIf(one.label, one.commands[-1]) for one in found),
        requested=len(clamps),
    )


def moment_document(moment: Explanation, flight: InspectedFlight) -> dict[str, Any]:
    """Return a moment as plain data for JSON."""
    return {
        "seconds": moment.seconds,
        "command": dict(zip(AXES, moment.command.tolist(), strict=True)),
        "last_step": _parts(moment.step, flight),
        "last_second": _parts(moment.second, flight),
        "what_ifs": {
            one.label: dict(zip(AXES, one.command.tolist(), strict=True))
            for one in moment.what_ifs
        },
    }


def _parts(found: Contributions | None, flight: InspectedFlight) -> dict[str, Any] | None:
    """Return contributions by axis: strongest features, every neuron, every frame."""
    if found is None:
        return None
    parts: dict[str, Any] = {"frames": found.steps}
    start = flight.seconds[found.frame - found.steps + 1 : found.frame + 1]
    for axis, name in enumerate(AXES):
        by_feature = found.features[axis].sum(axis=0)
        order = np.argsort(-np.abs(by_feature), kind="stable")[:MOST]
        parts[name] = {
            "change": float(found.change[axis]),
            "memory": float(found.memory[axis]),
            "sum": float(found.total[axis]),
            "features": {flight.feature_names[i]: float(by_feature[i]) for i in order},
            "neurons": dict(zip(flight.state_names, found.neurons[axis].tolist(), strict=True)),
            "frames": {
                f"{second:.3f}": float(value)
                for second, value in zip(start, found.features[axis].sum(axis=1), strict=True)
            },
        }
    return parts
