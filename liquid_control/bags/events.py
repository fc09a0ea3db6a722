"""What a recorded flight is made of, in the order in which it happened, whoever recorded it.

Frames, units and names are ours here, whatever the bag had: RGB pictures, `base_link` FLU, map
ENU, commands in the heading frame, stamps in ns.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from liquid_control.types import Command, Floats, Observation, VehicleState


class CommandSource(str, Enum):
    """Whose command it is."""

    POLICY = "policy"
    GUARD = "guard"


@dataclass(frozen=True, slots=True)
class FrameEvent:
    """A frame with its IMU window, as a policy gets it.

    Attributes:
        observation: the picture as recorded, uint8 [H, W, 3] RGB, not yet fitted to any model.
        log_ns: when the recorder filed the picture.
    """

    observation: Observation
    log_ns: int


@dataclass(frozen=True, slots=True)
class CommandEvent:
    """A recorded command.

    Attributes:
        speaker: the policy (or human, or autopilot's set-point), or the guard after it.
        command: in the heading frame.
        stamp_ns: of the frame that it answers where the recorder wrote that; else its own.
        log_ns: when it was filed.
    """

    speaker: CommandSource
    command: Command
    stamp_ns: int
    log_ns: int


@dataclass(frozen=True, slots=True)
class OdometryEvent:
    """The vehicle's recorded state."""

    stamp_ns: int
    state: VehicleState


@dataclass(frozen=True, slots=True)
class FeaturesEvent:
    """Recorded features of a frame, float32 [F]."""

    stamp_ns: int
    features: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class NeuronsEvent:
    """Recorded neurons: names, float64 [N] states and time gates."""

    stamp_ns: int
    names: tuple[str, ...]
    states: Floats
    gates: Floats


@dataclass(frozen=True, slots=True)
class ClockEvent:
    """A message of `/clock`."""

    stamp_ns: int


@dataclass(frozen=True, slots=True)
class CameraInfoEvent:
    """The camera's intrinsics, told once and whenever they change.

    Attributes:
        width: pixels.
        height: pixels.
        horizontal_fov_deg: degrees.
        distortion: float64 [D], as in `sensor_msgs/CameraInfo`; empty for none.
    """

    width: int
    height: int
    horizontal_fov_deg: float
    distortion: Floats


Event = (
    FrameEvent
    | CommandEvent
    | OdometryEvent
    | FeaturesEvent
    | NeuronsEvent
    | ClockEvent
    | CameraInfoEvent
)
