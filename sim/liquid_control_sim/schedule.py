"""Schedule of camera frames and guard polls in physics ticks, with exact stamps."""

from liquid_control.types import NANOSECONDS

PHYSICS_HZ = 240


def stamp_of(tick: int) -> int:
    """Return the stamp in ns of a physics tick."""
    return tick * NANOSECONDS // PHYSICS_HZ


class Schedule:
    """Physics ticks of camera frames and of guard polls.

    A frame is taken at the physics tick nearest to its due time. At a camera rate that does not
    divide 240 Hz, the interval between frames varies by one tick; the stamps are those of the
    ticks.
    """

    def __init__(self, camera_hz: float, guard_period_s: float) -> None:
        self._camera_hz = camera_hz
        self._guard_every = max(1, round(guard_period_s * PHYSICS_HZ))

    def frame_tick(self, index: int) -> int:
        """Return the physics tick of a camera frame."""
        return round(index * PHYSICS_HZ / self._camera_hz)

    def next_control_tick(self, tick: int, next_frame: int) -> int:
        """Return the first physics tick after `tick` at which a frame or a guard poll is due."""
        poll = (tick // self._guard_every + 1) * self._guard_every
        return min(poll, self.frame_tick(next_frame))
