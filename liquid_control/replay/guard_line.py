"""The guard over a replay: the calls that the guard node makes, with time taken from the bag."""

import numpy as np

from liquid_control.command import Guard, GuardState
from liquid_control.replay.track import Rows, Series
from liquid_control.types import NANOSECONDS, Command


class GuardLine:
    """Guards a replay's commands and keeps what came out.

    In lockstep it answers every `/clock` later than its last output, as the node does. A clock is
    held until something later is heard: the bag may have filed it before the frame of its stamp,
    which the flight answered first.
    In real time it polls between two frames as often as the node's timer, on the frames' clock.

    Args:
        guard: holds the envelope.
        lockstep: None to take it from the first frame: only a lockstep flight's is filed under
            its own stamp.
    """

    def __init__(self, guard: Guard, lockstep: bool | None = None) -> None:
        self.lockstep = lockstep
        self.state = GuardState()
        self._guard = guard
        self._period_ns = round(guard.envelope.period_s * NANOSECONDS)
        self._sent_ns: int | None = None
        self._clocks: list[int] = []
        self._out = Rows("values", np.float64, 4)

    def clock(self, stamp_ns: int) -> None:
        """Hear a `/clock`."""
        if self.lockstep is not False:
            self._answer_clocks(stamp_ns)
            self._clocks.append(stamp_ns)

    def admit(self, command: Command, stamp_ns: int, log_ns: int) -> None:
        """Take the policy's answer to a frame."""
        if self.lockstep is None:
            self.lockstep = log_ns == stamp_ns
        if self.lockstep:
            self._answer_clocks(stamp_ns)
        else:
            self._poll_until(stamp_ns)
        before = self.state
        self.state = self._guard.admit(command, stamp_ns, before)
        if self.state.output_stamp_ns != before.output_stamp_ns:
            self._send(stamp_ns)

    def outputs(self) -> Series:
        """Return what came out, float64 [T, 4]; the flight is over."""
        if self.lockstep is not False and self._clocks:
            self._answer_clocks(self._clocks[-1] + 1)
        return self._out.series()

    def _answer_clocks(self, before_ns: int) -> None:
        """Answer the clocks that are held and earlier than an instant; later ones stay."""
        if self.lockstep is None:
            return
        held, self._clocks = self._clocks, [c for c in self._clocks if c >= before_ns]
        for now_ns in held:
            if now_ns < before_ns and (self._sent_ns is None or now_ns > self._sent_ns):
                self.state = self._guard.poll(now_ns, self.state)
                self._send(now_ns)

    def _poll_until(self, stamp_ns: int) -> None:
        fresh_ns = self.state.fresh_stamp_ns
        if fresh_ns is None:
            return
        now_ns = min(fresh_ns + self._period_ns, stamp_ns)
        while (now_ns < stamp_ns or stamp_ns < fresh_ns) and not self.state.stale:
            self.state = self._guard.poll(now_ns, self.state)
            if self.state.stale:
                self._send(now_ns)
            if stamp_ns < fresh_ns:
                return
            now_ns += self._period_ns

    def _send(self, stamp_ns: int) -> None:
        self._sent_ns = stamp_ns
        self._out.add(stamp_ns, self.state.output.values)
