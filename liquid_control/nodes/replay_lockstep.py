"""A tape played in lockstep: each tick waits for its answer. No ROS in here."""

import time

from liquid_control.nodes.replay_pace import Play
from liquid_control.nodes.replay_ticks import BagTick


class Lockstep:
    """Plays on only when the command stamped with the last tick is there."""

    def __init__(self, play: Play, paused: bool) -> None:
        self._play = play
        self._paused = paused
        self._begun = False
        self._steps = 0
        self._tick: BagTick | None = None
        self._since_s = 0.0

    def start(self) -> None:
        """Begin: everybody is there."""
        self._begun = True
        self._go_on()

    def pause(self, paused: bool) -> None:
        """Stop once the awaited answer is there, or go on."""
        self._paused, self._steps = paused, 0
        self._go_on()

    def step(self) -> None:
        """Play up to the next frame, and be paused after its answer."""
        self._paused = True
        self._steps += 1
        self._go_on()

    def wound(self) -> None:
        """Do nothing: an answer that is awaited still comes, and the next tick is the new one."""

    def set_rate(self, rate: float) -> None:
        """Do nothing: answers set the pace."""

    def stuck_for_s(self) -> float:
        """Return for how long an answer has been awaited, s of wall time."""
        return 0.0 if self._tick is None else time.monotonic() - self._since_s

    def on_command(self, stamp_ns: int) -> None:
        """Go on once the awaited answer is there; anything else is not for this tick."""
        tick = self._tick
        if tick is None or stamp_ns != tick.stamp_ns:
            return
        self._tick = None
        self._play.times.answered(stamp_ns, time.monotonic_ns())
        if tick.frame is not None:
            self._play.output.publish_clock(stamp_ns)
        self._go_on()

    def _go_on(self) -> None:
        if not self._begun or self._tick is not None or (self._paused and not self._steps):
            return
        self._tick = tick = self._play.advance()
        if tick is None:
            self._play.ended()
            return
        self._since_s = time.monotonic()
        self._play.publish(tick)
        if tick.frame is not None:
            self._steps = max(0, self._steps - 1)
        else:
            self._play.output.publish_clock(tick.stamp_ns)
