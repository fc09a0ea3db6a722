"""Bags of a straight flight with known stamps, labels and pictures."""

from pathlib import Path

import numpy as np

from liquid_control.bags import BagWriter
from liquid_control.bags.writing import messages
from liquid_control.config import CameraSettings
from liquid_control.types import Command, VehicleState

MS = 1_000_000
WIDTH, HEIGHT = 32, 18
CAMERA = CameraSettings(width=WIDTH, height=HEIGHT)


def picture(number: int) -> np.ndarray:
    """Return a picture with contrast, unique to its number."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, ::2] = 100
    image[0, 0] = number % 256
    image[0, 1] = number // 256
    return image


def command(number: int) -> Command:
    """Return the command of a number: forward 1 m/s, left 0.001 m/s times the number."""
    return Command(1.0, 0.001 * number, 0.0, -0.002 * number)


def write_bag(
    path: Path,
    stamps_ns: list[int],
    images: list[np.ndarray] | None = None,
    commands: list[tuple[int, Command]] | None = None,
    speeds: list[tuple[int, float]] | None = None,
    guarded: list[tuple[int, Command]] | None = None,
    metadata: dict | None = None,
    ahead_ns: int = 0,
) -> Path:
    """Write frames with one IMU sample each; commands are stamped with the frames by default.

    The clock of commands and odometry can be ahead of the camera's by a time.
    """
    shown = images or [picture(number) for number in range(len(stamps_ns))]
    labels = commands
    if labels is None:
        labels = [(stamp, command(number)) for number, stamp in enumerate(stamps_ns)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with BagWriter(path, messages.FLIGHT_TOPICS, metadata=metadata) as bag:
        rows = [
            (stamp, _frame(stamp, image)) for stamp, image in zip(stamps_ns, shown, strict=True)
        ]
        rows += [
            (s, [("policy/cmd_vel", messages.command_cdr(c, s + ahead_ns))]) for s, c in labels
        ]
        rows += [(s, [("cmd_vel", messages.command_cdr(c, s))]) for s, c in guarded or ()]
        rows += [
            (s, [("odom", messages.odometry_cdr(state(v), s + ahead_ns))]) for s, v in speeds or ()
        ]
        for stamp, parts in sorted(rows, key=lambda row: row[0]):
            for topic, cdr in parts:
                bag.write(topic, cdr, stamp)
    return path


def _frame(stamp: int, image: np.ndarray) -> list[tuple[str, bytes]]:
    rate, force = np.array([stamp * 1e-9, 0.0, 0.0]), np.array([0.0, 0.0, 9.81])
    return [
        ("imu/data", messages.imu_cdr(rate, force, stamp)),
        ("camera/camera_info", messages.camera_info_cdr(CAMERA, stamp)),
        ("camera/image_raw", messages.image_cdr(image, stamp)),
    ]


def state(speed_mps: float) -> VehicleState:
    """Return a state that heads east, flies north at a speed and turns left at 0.5 rad/s."""
    return VehicleState(
        np.array([0.0, 0.0, 1.5]),
        np.array([0.0, 0.0, 0.0, 1.0]),
        np.array([0.0, speed_mps, 0.0]),
        np.array([0.0, 0.0, 0.5]),
    )
