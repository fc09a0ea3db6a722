"""Events of a recorded flight, in the units and frames of this package.

The conventions do not depend on the recorder: RGB pictures, `base_link` FLU, map ENU, commands in
the heading frame, stamps in ns.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from liquid_control.command import RuleAction
from liquid_control.perception.camera_model import CameraModel
from liquid_control.types import Command, Floats, Observation, VehicleState


class CommandSource(str, Enum):
    """Origin of a command."""

    POLICY = "policy"
    GUARD = "guard"


@dataclass(frozen=True, slots=True)
class FrameEvent:
    """A camera frame with its IMU window, as a policy receives it.

    Attributes:
        observation: the picture as recorded, uint8 [H, W, 3] RGB, not yet resized for a model.
        log_ns: log time of the picture.
    """

    observation: Observation
    log_ns: int


@dataclass(frozen=True, slots=True)
class CommandEvent:
    """A recorded command.

    Attributes:
        source: the policy (or a human, or the autopilot's set-point), or the guard after it.
        command: velocity command in the heading frame.
        stamp_ns: stamp of the camera frame that the command answers, if recorded; else its own.
        log_ns: log time of the command.
    """

    source: CommandSource
    command: Command
    stamp_ns: int
    log_ns: int


@dataclass(frozen=True, slots=True)
class OdometryEvent:
    """Recorded state of the vehicle.

    Attributes:
        stamp_ns: stamp of the state.
        state: the state; its position is NaN if it was not measured.
        log_ns: log time of the state; None if unknown.
    """

    stamp_ns: int
    state: VehicleState
    log_ns: int | None = None


@dataclass(frozen=True, slots=True)
class FeaturesEvent:
    """Recorded features of a frame, float32 [F]."""

    stamp_ns: int
    features: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class NeuronsEvent:
    """Recorded neurons: names, states float64 [N], time gates float64 [N]."""

    stamp_ns: int
    names: tuple[str, ...]
    states: Floats
    gates: Floats


@dataclass(frozen=True, slots=True)
class AdaptationEvent:
    """Recorded state of an online adaptation: names, and three values each, float64 [N, 3].

    They are gain, offset and innovation of each command; the last name is `counters`.
    """

    stamp_ns: int
    names: tuple[str, ...]
    values: Floats


@dataclass(frozen=True, slots=True)
class GuardChangeEvent:
    """Recorded rules of the guard that act from a stamp on."""

    stamp_ns: int
    acting: tuple[RuleAction, ...]


@dataclass(frozen=True, slots=True)
class ClockEvent:
    """Simulated time from `/clock`."""

    stamp_ns: int


@dataclass(frozen=True, slots=True)
class CameraInfoEvent:
    """Camera intrinsics, emitted once and whenever they change.

    Attributes:
        width: picture width, pixels.
        height: picture height, pixels.
        horizontal_fov_deg: horizontal field of view, degrees; NaN if there is a problem.
        distortion: float64 [D] as in `sensor_msgs/CameraInfo`; empty if unknown.
        model: the camera's model; None if only the field of view is known.
        problem: why the field of view does not follow from the calibration; empty if it does.
    """

    width: int
    height: int
    horizontal_fov_deg: float
    distortion: Floats
    model: CameraModel | None = None
    problem: str = ""


Event = (
    FrameEvent
    | CommandEvent
    | OdometryEvent
    | FeaturesEvent
    | NeuronsEvent
    | AdaptationEvent
    | GuardChangeEvent
    | ClockEvent
    | CameraInfoEvent
)
