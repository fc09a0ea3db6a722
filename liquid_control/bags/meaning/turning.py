"""Commands wait for the attitude that turns them into the heading frame."""

from collections import deque

import numpy as np

from liquid_control.bags.events import Commanded, Speaker
from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.meaning.commands import Attitudes, Told, command_of
from liquid_control.types import Floats

PATIENCE_NS = 200_000_000
"""Of log time that a command waits for the odometry of its stamp."""


class Turning:
    """Commands, of which some wait for the attitude that turns them into the heading frame.

    Attributes:
        attitudes: the vehicle's, to be added to.
    """

    def __init__(self, has_odometry: bool, losses: Losses) -> None:
        self.attitudes = Attitudes()
        self._has_odometry = has_odometry
        self._losses = losses
        self._waiting: deque[tuple[Speaker, Told, int, int]] = deque()

    def add(self, speaker: Speaker, told: Told, stamp_ns: int, log_ns: int) -> list[Commanded]:
        """Take a command; return it if nothing lacks, with what waited before it."""
        if not told.needs_attitude:
            return self._said(speaker, told, told.quaternion, stamp_ns, log_ns)
        if not self._has_odometry:
            self._lose(told, "the bag has no odometry")
            return []
        self._waiting.append((speaker, told, stamp_ns, log_ns))
        return self.heard(log_ns)

    def heard(self, log_ns: int) -> list[Commanded]:
        """Return the commands whose attitude is known, or for which it was waited too long."""
        turned: list[Commanded] = []
        while self._waiting:
            _, _, stamp_ns, filed_ns = self._waiting[0]
            if not self.attitudes.reach(stamp_ns) and log_ns - filed_ns <= PATIENCE_NS:
                break
            turned += self._turn(*self._waiting.popleft())
        return turned

    def finish(self) -> list[Commanded]:
        """Return what still waits."""
        turned: list[Commanded] = []
        while self._waiting:
            turned += self._turn(*self._waiting.popleft())
        return turned

    def _turn(self, speaker: Speaker, told: Told, stamp_ns: int, log_ns: int) -> list[Commanded]:
        quaternion = self.attitudes.at(stamp_ns)
        if quaternion is None:
            self._lose(told, f"no odometry within a second before {stamp_ns} ns")
            return []
        return self._said(speaker, told, quaternion, stamp_ns, log_ns)

    def _said(
        self, speaker: Speaker, told: Told, attitude: Floats | None, stamp_ns: int, log_ns: int
    ) -> list[Commanded]:
        with np.errstate(over="ignore", invalid="ignore"):
            command = command_of(told, attitude)
        if command.is_finite:
            return [Commanded(speaker, command, stamp_ns, log_ns)]
        self._losses.count(Loss.BAD_VALUE, f"expected a finite velocity, got {command.values}")
        return []

    def _lose(self, told: Told, reason: str) -> None:
        self._losses.count(
            Loss.NO_HEADING, f"a velocity in {told.frame.value} takes an attitude; {reason}"
        )
