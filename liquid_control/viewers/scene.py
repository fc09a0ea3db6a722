"""The flight in 3D, transforms and events as messages of Foxglove's own schemas."""

from collections import deque
from collections.abc import Mapping, Sequence
from math import atan2, pi, radians
from typing import Any

import numpy as np

from liquid_control import frames
from liquid_control.command import GuardAction
from liquid_control.dependencies import require
from liquid_control.types import NANOSECONDS, Command, Floats, VehicleState

SPACING_M = 0.2
"""Distance between points of the path."""
PATH_POINTS = 2000
"""Longest path; earlier points are forgotten."""
JUMP_M = 20.0
"""A step of this length begins a new path: another flight, or a seek in a replay."""
ARROW_S = 0.5
"""Length of an arrow for its velocity, m for each m/s."""
BLUE, ORANGE, GREY = (0.14, 0.39, 0.79), (0.85, 0.41, 0.12), (0.42, 0.46, 0.53)
"""Colours of the flight page: path, command, wind."""
NO_COUNTS = {"action"}
"""Values in diagnostics of the guard that are states."""
LEVELS = ("Info", "Warning", "Error", "Error")
"""Levels of Foxglove by that of diagnostic_msgs/DiagnosticStatus."""


def sdk(module: str = "foxglove.messages") -> Any:
    """Return a module of foxglove-sdk.

    Raises:
        DependencyError: it is not installed.
    """
    return require(module, "foxglove", "serve Foxglove")


def timestamp(stamp_ns: int) -> Any:
    """Return a stamp as a time of Foxglove."""
    return sdk().Timestamp(sec=stamp_ns // NANOSECONDS, nsec=stamp_ns % NANOSECONDS)


def pose_of(position: Sequence[float] | Floats, quaternion: Sequence[float] | Floats) -> Any:
    """Return a pose; the quaternion is (x, y, z, w)."""
    x, y, z, w = map(float, quaternion)
    return sdk().Pose(position=_vector(position), orientation=sdk().Quaternion(x=x, y=y, z=z, w=w))


def pose_message(state: VehicleState, stamp_ns: int) -> bytes:
    """Return the vehicle's pose in the map as `foxglove.PoseInFrame`."""
    pose = pose_of(state.position, state.quaternion)
    message = sdk().PoseInFrame(timestamp=timestamp(stamp_ns), frame_id=frames.MAP, pose=pose)
    return bytes(message.encode())


def transforms_message(state: VehicleState, stamp_ns: int, pitch_down_deg: float) -> bytes:
    """Return the tree of REP 105 as `foxglove.FrameTransforms`: map, odom, base_link, camera.

    Args:
        state: of the vehicle.
        stamp_ns: of the state.
        pitch_down_deg: of the camera's optical axis below the x axis of `base_link`.
    """
    camera = frames.quaternion_from_euler(-0.5 * pi - radians(pitch_down_deg), 0.0, -0.5 * pi)
    still, level = (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)
    chain = (
        (frames.MAP, frames.ODOM, still, level),
        (frames.ODOM, frames.BASE_LINK, state.position, state.quaternion),
        (frames.BASE_LINK, frames.CAMERA_OPTICAL, still, camera),
    )
    transforms = []
    for parent, child, position, quaternion in chain:
        x, y, z, w = map(float, quaternion)
        transforms.append(
            sdk().FrameTransform(
                timestamp=timestamp(stamp_ns),
                parent_frame_id=parent,
                child_frame_id=child,
                translation=_vector(position),
                rotation=sdk().Quaternion(x=x, y=y, z=z, w=w),
            )
        )
    return bytes(sdk().FrameTransforms(transforms=transforms).encode())


class FlightScene:
    """Path, commanded velocity and wind, in the map frame.

    The path begins with the first state: nothing is kept while no viewer looks. Each of its points
    is made once.
    """

    def __init__(self) -> None:
        self._points: deque[Floats] = deque(maxlen=PATH_POINTS)
        self._drawn: deque[Any] = deque(maxlen=PATH_POINTS)
        self._undrawn = 0
        self._state: VehicleState | None = None
        self._command: Command | None = None
        self._wind: Floats | None = None

    @property
    def path(self) -> Floats:
        """Points of the path, float64 [P, 3], m."""
        return np.array(self._points).reshape(-1, 3)

    def add_state(self, state: VehicleState) -> None:
        """Add the vehicle's state; a path gets a point every `SPACING_M`."""
        step = np.inf
        if self._points:
            step = float(np.linalg.norm(state.position - self._points[-1]))
        if self._points and step > JUMP_M:
            self._points.clear()
            self._drawn.clear()
            self._undrawn = 0
        if step >= SPACING_M:
            self._points.append(state.position)
            self._undrawn = min(self._undrawn + 1, PATH_POINTS)
        self._state = state

    def set_command(self, command: Command) -> None:
        """Set the command in force, heading frame."""
        self._command = command

    def set_wind(self, wind: Floats) -> None:
        """Set the wind, float64 [3], m/s in the map."""
        self._wind = wind

    def message(self, stamp_ns: int) -> bytes | None:
        """Return `foxglove.SceneUpdate`; None before the first state."""
        if self._state is None:
            return None
        entities = [self._entity("path", stamp_ns, lines=[self._line()])]
        if self._command is not None:
            heading = frames.heading_of(self._state.quaternion)
            velocity = frames.world_from_heading(np.array(self._command.values[:3]), heading)
            entities.append(self._arrow("command", velocity, ORANGE, stamp_ns))
        if self._wind is not None:
            entities.append(self._arrow("wind", self._wind, GREY, stamp_ns))
        return bytes(sdk().SceneUpdate(entities=entities).encode())

    def _line(self) -> Any:
        assert self._state is not None
        new = list(self._points)[len(self._points) - self._undrawn :]
        self._drawn.extend(map(_point, new))
        self._undrawn = 0
        return sdk().LinePrimitive(
            points=[*self._drawn, _point(self._state.position)],
            thickness=2.0,
            scale_invariant=True,
            color=_colour(BLUE),
        )

    def _arrow(self, name: str, velocity: Floats, colour: tuple[float, ...], ns: int) -> Any:
        assert self._state is not None
        length = float(np.linalg.norm(velocity)) * ARROW_S
        yaw = atan2(velocity[1], velocity[0])
        pitch = -atan2(velocity[2], float(np.hypot(velocity[0], velocity[1])))
        turn = frames.quaternion_from_euler(0.0, pitch, yaw)
        arrow = sdk().ArrowPrimitive(
            pose=pose_of(self._state.position, turn),
            shaft_length=0.8 * length,
            shaft_diameter=0.05,
            head_length=0.2 * length,
            head_diameter=0.12,
            color=_colour(colour),
        )
        return self._entity(name, ns, arrows=[arrow])

    @staticmethod
    def _entity(name: str, stamp_ns: int, **primitives: Any) -> Any:
        return sdk().SceneEntity(
            timestamp=timestamp(stamp_ns), frame_id=frames.MAP, id=name, **primitives
        )


class EventLog:
    """Turns diagnostics, which come once a second, into the events since the last ones."""

    def __init__(self) -> None:
        self._values: dict[str, Mapping[str, int]] = {}
        self._texts: dict[str, str] = {}

    def messages(self, diagnostics: Any, stamp_ns: int) -> list[bytes]:
        """Return a `foxglove.Log` for each node with new events or another message.

        The first diagnostics of a node are an event only if they report a problem.

        Args:
            diagnostics: a `diagnostic_msgs/DiagnosticArray`.
            stamp_ns: of the logs.
        """
        found = []
        for status in diagnostics.status:
            values = {pair.key: int(pair.value) for pair in status.values if _whole(pair.value)}
            before, text = self._values.get(status.name), self._texts.get(status.name)
            self._values[status.name], self._texts[status.name] = values, status.message
            grown = _grown(before or values, values)
            if grown or (status.message != text and (before is not None or status.level)):
                line = f"{status.message} ({', '.join(grown)})" if grown else status.message
                found.append(self._log(status, line, stamp_ns))
        return found

    @staticmethod
    def _log(status: Any, text: str, stamp_ns: int) -> bytes:
        level = getattr(sdk().LogLevel, LEVELS[min(int(status.level), 3)])
        log = sdk().Log(timestamp=timestamp(stamp_ns), level=level, message=text, name=status.name)
        return bytes(log.encode())


def _grown(before: Mapping[str, int], values: Mapping[str, int]) -> list[str]:
    """Return what has been counted since, and the guard's action where it is another one."""
    found = [
        f"{key} +{value - before.get(key, 0)}"
        for key, value in sorted(values.items())
        if key not in NO_COUNTS and value > before.get(key, 0)
    ]
    if values.get("action", 0) != before.get("action", 0):
        found.append(f"action {GuardAction(values['action']).name.lower()}")
    return found


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _point(position: Floats) -> Any:
    return sdk().Point3(x=float(position[0]), y=float(position[1]), z=float(position[2]))


def _vector(values: Sequence[float] | Floats) -> Any:
    return sdk().Vector3(x=float(values[0]), y=float(values[1]), z=float(values[2]))


def _colour(rgb: tuple[float, ...]) -> Any:
    return sdk().Color(r=rgb[0], g=rgb[1], b=rgb[2], a=1.0)
