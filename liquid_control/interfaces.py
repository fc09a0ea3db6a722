"""The protocols through which workshops meet without knowing each other's insides."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from liquid_control.config.scenario import Scenario
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
        """Return (x, y), m, map; beyond the ends the trail goes straight on."""
        ...

    def heading(self, along_m: float) -> float:
        """Return the trail's heading in rad, counter-clockwise from east."""
        ...

    def project(self, x: float, y: float, near_m: float) -> tuple[float, float]:
        """Return arc length and signed distance, left positive, of the closest point, m."""
        ...


class Ground(Protocol):
    """What is flown over."""

    def height_at(self, x: float, y: float) -> float:
        """Return the ground's height at a place, m, map."""
        ...


class PlaceObstacles(Protocol):
    """What can be hit, save the ground."""

    @property
    def trunks(self) -> Floats:
        """X, y and radius of every trunk, float64 [N, 3], m, map; upright."""
        ...

    @property
    def capsules(self) -> Floats:
        """Both ends and radius of everything else, float64 [M, 7], m, map."""
        ...

    def clearance(self, x: float, y: float, z: float) -> float:
        """Return the distance of a point to the nearest surface, m; infinite without any."""
        ...


class PlaceTarget(Protocol):
    """Something to find and to stop at."""

    @property
    def centre(self) -> tuple[float, float, float]:
        """X, y and z of its middle, m, map."""
        ...

    @property
    def radius_m(self) -> float:
        """Radius of the ball around it that is hit and measured."""
        ...


class Place(Protocol):
    """Where something is to be flown, as far as a map shows it."""

    @property
    def trail(self) -> Trail:
        """The trail to follow, or the course from target to target."""
        ...

    @property
    def obstacles(self) -> PlaceObstacles:
        """Trunks and everything else that can be hit."""
        ...

    @property
    def targets(self) -> Sequence[PlaceTarget]:
        """What is to be found, in this order; none on a trail."""
        ...


class World(Place, Protocol):
    """What a privileged pilot may know of the place it flies in."""

    @property
    def scenario(self) -> Scenario:
        """What the world is made of."""
        ...

    @property
    def seed(self) -> int:
        """Of every random stream of the flight."""
        ...

    @property
    def trunks(self) -> Floats:
        """X, y and radius of every trunk, float64 [N, 3], m, map."""
        ...

    @property
    def ground(self) -> Ground:
        """What altitude is counted from."""
        ...


class Pilot(Protocol):
    """Whatever answers frames with commands: a learned policy, the expert, a mixture of both.

    A pilot flies one flight at a time; `start` makes it forget the one before.
    """

    name: str

    def start(self, world: World) -> None:
        """Prepare for a flight. Experts read `world`; policies look away."""
        ...

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Answer one frame. Only privileged pilots may read `truth`."""
        ...


@runtime_checkable
class Demonstrator(Protocol):
    """A pilot that flies something else than it shows: pushed off its way, it shows the way back.

    What it shows is what a bag holds as the policy's command and a learner is to learn.
    """

    @property
    def shown(self) -> Command:
        """The clean answer to the last frame."""
        ...


class FlightProgress(Protocol):
    """What a watcher is told after each control tick of a flight."""

    @property
    def stamp_ns(self) -> int:
        """Simulated time."""
        ...

    @property
    def image(self) -> Pixels | None:
        """The frame delivered at this tick, uint8 [H, W, 3] RGB, if there was one."""
        ...

    @property
    def imu(self) -> ImuWindow:
        """The IMU samples since the control tick before."""
        ...

    @property
    def command(self) -> Command:
        """What came into force at this tick."""
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
    """What a disturbance makes of the pictures of one recorded flight, in their order.

    It may remember pictures (a frozen frame repeats the one before), so it is made anew for each
    replay.
    """

    def __call__(self, image: Pixels, stamp_ns: int, index: int) -> Pixels | None:
        """Return the changed picture, or None where the frame is not delivered.

        Whoever replays treats a frame that is not delivered as one that was never recorded: its
        IMU samples belong to the next frame's window.

        Args:
            image: uint8 [H, W, 3], RGB; it is left as it was.
            stamp_ns: the frame's stamp.
            index: number of the frame in the recording, from 0.
        """
        ...


class Flyer(Protocol):
    """Flies one seeded scenario from start to end, in process; `liquid_control_sim.fly` is one."""

    def __call__(
        self,
        scenario: Scenario,
        seed: int,
        pilot: Pilot,
        watch: Callable[[FlightProgress], None] | None = None,
    ) -> FlightRecord:
        """Return the record of the flight; `watch` is called after each control tick."""
        ...
