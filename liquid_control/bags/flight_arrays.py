"""Read the bag of a whole flight into arrays, for reports and figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from liquid_control.bags import events
from liquid_control.bags.bag import open_bag
from liquid_control.bags.flight_events import read_flight
from liquid_control.bags.losses import Losses
from liquid_control.bags.topics import Role, load_rules, resolve
from liquid_control.command import GuardChange
from liquid_control.errors import BagError
from liquid_control.types import ImuWindow

E = TypeVar("E", bound=events.Event)


@dataclass(frozen=True, slots=True)
class Stamped:
    """Values with their stamps.

    Attributes:
        stamp_ns: int64 [N], ns.
        values: array [N, ...]; one row per stamp.
    """

    stamp_ns: NDArray[np.int64]
    values: NDArray[Any]


@dataclass(frozen=True, slots=True)
class FlightBag:
    """Recorded data of one flight, by stamp; arrays of unrecorded topics are empty.

    Attributes:
        frames: uint8 [N, H, W, 3], RGB.
        features: float32 [N, F].
        policy_commands: float64 [N, 4], as `Command.values`, before the guard.
        commands: float64 [M, 4], commands sent to the autopilot.
        neuron_names: names of the neurons, in the order of `states`.
        states: float64 [N, neurons].
        gates: float64 [N, neurons], time gates.
        adaptation: float64 [N, 5, 3], gain, offset and innovation of each command, then updates,
            doubts and rollbacks, of an online adaptation.
        guard: changes of the rules of the guard that act.
        imu: samples of the IMU windows of all frames.
        positions: float64 [M, 3], m, map.
    """

    frames: Stamped
    features: Stamped
    policy_commands: Stamped
    commands: Stamped
    neuron_names: tuple[str, ...]
    states: Stamped
    gates: Stamped
    adaptation: Stamped
    guard: tuple[GuardChange, ...]
    imu: ImuWindow
    positions: Stamped


def read_bag(path: Path | str, losses: Losses | None = None) -> FlightBag:
    """Read the whole bag of a flight with the topics of this project's graph.

    Args:
        path: a bag of any format that `open_bag` supports.
        losses: counts unusable data.

    Raises:
        BagError: the bag cannot be read, has no topic of frames or commands, or its pictures,
            features or neurons change their size.
    """
    bag = open_bag(path)
    topics = resolve(bag, load_rules(), needed=(Role.CAMERA, Role.COMMAND))
    recorded = list(read_flight(bag, topics, Losses() if losses is None else losses))
    try:
        return _flight(recorded)
    except ValueError as error:
        raise BagError(
            f"{path}: expected pictures, features and neurons of one size, got several ({error})"
        ) from error


def _flight(recorded: Sequence[events.Event]) -> FlightBag:
    frames = [event.observation for event in recorded if isinstance(event, events.FrameEvent)]
    neurons = _of(recorded, events.NeuronsEvent)
    features, odometry = _of(recorded, events.FeaturesEvent), _of(recorded, events.OdometryEvent)
    return FlightBag(
        frames=_stamped([(frame.stamp_ns, frame.image) for frame in frames]),
        features=_stamped([(event.stamp_ns, event.features) for event in features]),
        policy_commands=_commands(recorded, events.CommandSource.POLICY),
        commands=_commands(recorded, events.CommandSource.GUARD),
        neuron_names=neurons[0].names if neurons else (),
        states=_stamped([(event.stamp_ns, event.states) for event in neurons]),
        gates=_stamped([(event.stamp_ns, event.gates) for event in neurons]),
        adaptation=_stamped(
            [(event.stamp_ns, event.values) for event in _of(recorded, events.AdaptationEvent)]
        ),
        guard=tuple(
            GuardChange(event.stamp_ns, event.acting)
            for event in _of(recorded, events.GuardChangeEvent)
        ),
        imu=ImuWindow.joined([frame.imu for frame in frames]),
        positions=_stamped(
            [
                (event.stamp_ns, event.state.position)
                for event in odometry
                if np.isfinite(event.state.position).all()
            ]
        ),
    )


def _of(recorded: Sequence[events.Event], kind: type[E]) -> list[E]:
    return [event for event in recorded if isinstance(event, kind)]


def _commands(recorded: Sequence[events.Event], source: events.CommandSource) -> Stamped:
    commands = [event for event in _of(recorded, events.CommandEvent) if event.source is source]
    return _stamped([(event.stamp_ns, event.command.values) for event in commands])


def _stamped(rows: Sequence[tuple[int, Any]]) -> Stamped:
    stamps = np.array([stamp_ns for stamp_ns, _ in rows], np.int64)
    return Stamped(stamps, np.stack([row for _, row in rows]) if rows else np.empty((0,)))
