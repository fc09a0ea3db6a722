"""Read a whole flight's bag back as arrays, for reports and for flying it again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from liquid_control.bags.bag import open_bag
from liquid_control.bags.events import (
    CommandEvent,
    CommandSource,
    Event,
    FeaturesEvent,
    FrameEvent,
    NeuronsEvent,
    OdometryEvent,
)
from liquid_control.bags.flight_events import read_flight
from liquid_control.bags.losses import Losses
from liquid_control.bags.topics import Role, load_rules, resolve
from liquid_control.errors import BagError
from liquid_control.types import ImuWindow

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Stamped:
    """Rows by stamp.

    Attributes:
        stamp_ns: int64 [N].
        values: [N, ...].
    """

    stamp_ns: NDArray[np.int64]
    values: NDArray[Any]


@dataclass(frozen=True, slots=True)
class FlightBag:
    """What was recorded of one flight, by stamp; empty where a topic was not recorded.

    Attributes:
        frames: uint8 [N, H, W, 3], RGB.
        features: float32 [N, F].
        policy_commands: float64 [N, 4], as `Command.values`, before the guard.
        commands: float64 [M, 4], what the autopilot was told.
        neuron_names: of the network's state.
        states: float64 [N, neurons].
        gates: float64 [N, neurons], the time gates.
        imu: the samples of all frames' windows.
        positions: float64 [M, 3], m, map.
    """

    frames: Stamped
    features: Stamped
    policy_commands: Stamped
    commands: Stamped
    neuron_names: tuple[str, ...]
    states: Stamped
    gates: Stamped
    imu: ImuWindow
    positions: Stamped


def read_bag(path: Path, losses: Losses | None = None) -> FlightBag:
    """Read a flight's bag whole, with the topics of this project's graph.

    Args:
        path: a bag of any kind that `open_bag` takes.
        losses: takes what could not be used.

    Raises:
        BagError: it cannot be read, has no topic of frames or commands, or its pictures, features
            or neurons change their size.
    """
    bag = open_bag(path)
    topics = resolve(bag, load_rules(), needed=(Role.CAMERA, Role.COMMAND))
    events = list(read_flight(bag, topics, Losses() if losses is None else losses))
    try:
        return _flight(events)
    except ValueError as error:
        raise BagError(
            f"{path}: expected pictures, features and neurons of one size, got several ({error})"
        ) from error


def _flight(events: Sequence[Event]) -> FlightBag:
    frames = [event.observation for event in events if isinstance(event, FrameEvent)]
    fired = _of(events, NeuronsEvent)
    featured, moved = _of(events, FeaturesEvent), _of(events, OdometryEvent)
    return FlightBag(
        frames=_stamped([(frame.stamp_ns, frame.image) for frame in frames]),
        features=_stamped([(event.stamp_ns, event.features) for event in featured]),
        policy_commands=_said(events, CommandSource.POLICY),
        commands=_said(events, CommandSource.GUARD),
        neuron_names=fired[0].names if fired else (),
        states=_stamped([(event.stamp_ns, event.states) for event in fired]),
        gates=_stamped([(event.stamp_ns, event.gates) for event in fired]),
        imu=ImuWindow.joined([frame.imu for frame in frames]),
        positions=_stamped([(event.stamp_ns, event.state.position) for event in moved]),
    )


def _of(events: Sequence[Event], kind: type[E]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def _said(events: Sequence[Event], speaker: CommandSource) -> Stamped:
    said = [event for event in _of(events, CommandEvent) if event.speaker is speaker]
    return _stamped([(event.stamp_ns, event.command.values) for event in said])


def _stamped(rows: Sequence[tuple[int, Any]]) -> Stamped:
    stamps = np.array([stamp_ns for stamp_ns, _ in rows], np.int64)
    return Stamped(stamps, np.stack([row for _, row in rows]) if rows else np.empty((0,)))
