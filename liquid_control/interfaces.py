"""Protocols between packages that do not import each other: places, pilots, flyers."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from liquid_control.config import Scenario
from liquid_control.types import (
    Command,
    FlightRecord,
    Floats,
    ImuWindow,
    Observation,
    Pixels,
    VehicleState,
)


class Trail(Protocol):
    """A path on the ground, by arc length."""

    @property
    def length_m(self) -> float:
        """Arc length from start to end."""
        ...

    def point(self, along_m: float) -> tuple[float, float]:
        """Return (x, y), m, map; beyond the ends the trail continues straight."""
        ...

    def heading(self, along_m: float) -> float:
        """Return the trail's heading in rad, counter-clockwise from east."""
        ...

    def project(self, x: float, y: float, near_m: float) -> tuple[float, float]:
        """Return arc length and signed distance, left positive, of the closest point, m."""
        ...


class Ground(Protocol):
    """The ground below a flight."""

    def height_at(self, x: float, y: float) -> float:
        """Return the ground's height at (x, y), m, map."""
        ...


class PlaceObstacles(Protocol):
    """Obstacles other than the ground."""

    @property
    def trunks(self) -> Floats:
        """X, y and radius of every trunk, float64 [N, 3], m, map; vertical."""
        ...

    @property
    def capsules(self) -> Floats:
        """Both ends and radius of all other obstacles, float64 [M, 7], m, map."""
        ...

    def clearance(self, x: float, y: float, z: float) -> float:
        """Return the distance of a point to the nearest surface, m; infinite without any."""
        ...


class PlaceTarget(Protocol):
    """An object to find and to stop at."""

    @property
    def centre(self) -> tuple[float, float, float]:
        """X, y and z of its centre, m, map."""
        ...

    @property
    def radius_m(self) -> float:
        """Radius of its bounding sphere, for collisions and distances, m."""
        ...


class Place(Protocol):
    """The place of a flight, as drawn on a map."""

    @property
    def trail(self) -> Trail:
        """The trail to follow, or the course from target to target."""
        ...

    @property
    def obstacles(self) -> PlaceObstacles:
        """Trunks and all other obstacles."""
        ...

    @property
    def targets(self) -> Sequence[PlaceTarget]:
        """Targets to find, in order; empty on a trail."""
        ...


class World(Place, Protocol):
    """The place of a flight, as a privileged pilot knows it."""

    @property
    def scenario(self) -> Scenario:
        """Settings of the world."""
        ...

    @property
    def seed(self) -> int:
        """Seed of every random stream of the flight."""
        ...

    @property
    def trunks(self) -> Floats:
        """X, y and radius of every trunk, float64 [N, 3], m, map."""
        ...

    @property
    def ground(self) -> Ground:
        """The ground; altitudes are above it."""
        ...

    @property
    def picture_range_m(self) -> NDArray[np.float32] | None:
        """Range of every pixel of the last picture, float32 [H, W], m; infinite for the sky."""
        ...

    def project(
        self, point: tuple[float, float, float], state: VehicleState
    ) -> tuple[int, int] | None:
        """Return row and column of a point [3] of the map in a picture; None outside of it."""
        ...


class Pilot(Protocol):
    """Maps frames to commands: a learned policy, the expert, or a mixture of both.

    A pilot flies one flight at a time; `start` resets its state.
    """

    name: str

    def start(self, world: World) -> None:
        """Prepare for a flight. Experts read `world`; policies ignore it."""
        ...

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return the command for a frame. Only privileged pilots read `truth`."""
        ...


@runtime_checkable
class Demonstrator(Protocol):
    """A pilot whose command to learn differs from the command it flies.

    An expert that flies with added pushes shows the recovery. The shown command is recorded in a
    bag as the policy's command, and a learner learns it.
    """

    @property
    def shown(self) -> Command:
        """The command to learn for the last frame."""
        ...


@runtime_checkable
class RoutePilot(Protocol):
    """A pilot that knows the route it flies, such as the expert of trails."""

    def route_ahead(
        self, truth: VehicleState, distances_m: tuple[float, ...]
    ) -> tuple[float, ...] | None:
        """Return how far left of the vehicle the route passes, at distances along it.

        It holds for the state of the last `command`, in the heading frame, m; None without one.
        """
        ...


class FlightProgress(Protocol):
    """State of a flight after a control tick."""

    @property
    def stamp_ns(self) -> int:
        """Simulated time."""
        ...

    @property
    def image(self) -> Pixels | None:
        """The frame delivered at this tick, uint8 [H, W, 3] RGB; None without one."""
        ...

    @property
    def imu(self) -> ImuWindow:
        """The IMU samples since the control tick before."""
        ...

    @property
    def command(self) -> Command:
        """The command that takes effect at this tick."""
        ...

    @property
    def acting(self) -> tuple[tuple[str, int], ...]:
        """Rules of the guard that act from this tick on, as `command.GuardState.acting`."""
        ...

    @property
    def truth(self) -> VehicleState:
        """The vehicle's true state."""
        ...

    @property
    def wind(self) -> Floats:
        """Wind at the vehicle, float64 [3], m/s, map."""
        ...

    @property
    def progress_m(self) -> float:
        """Arc length reached along the trail."""
        ...

    @property
    def cross_track_m(self) -> float:
        """Signed distance from the trail's centre, left positive."""
        ...

    @property
    def clearance_m(self) -> float:
        """Distance from hull to nearest trunk."""
        ...


class PictureChange(Protocol):
    """Disturbance of the pictures of one recorded flight, called in their order.

    It may have state (a frozen frame repeats the one before), so each replay creates its own.
    """

    def __call__(self, image: Pixels, stamp_ns: int, index: int) -> Pixels | None:
        """Return the changed picture, or None if the frame is not delivered.

        A replay treats a frame that is not delivered as one that was not recorded: its IMU
        samples belong to the next frame's window.

        Args:
            image: uint8 [H, W, 3], RGB; it is not modified.
            stamp_ns: the frame's stamp.
            index: number of the frame in the recording, from 0.
        """
        ...


@runtime_checkable
class StatefulChange(PictureChange, Protocol):
    """A `PictureChange` whose state can be stored between two pictures."""

    def state(self) -> dict[str, Any]:
        """Return the state: numbers, texts, arrays, and lists and dictionaries of them."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a state of a change that was made alike."""
        ...


class Flyer(Protocol):
    """Flies one seeded scenario from start to end, in process, as `liquid_control_sim.fly`."""

    def __call__(
        self,
        scenario: Scenario,
        seed: int,
        pilot: Pilot,
        watch: Callable[[FlightProgress], None] | None = None,
    ) -> FlightRecord:
        """Return the record of the flight; `watch` is called after each control tick."""
        ...
