"""Conversion of motor neurons, in (-1, 1), to physical commands, and back for training targets."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from liquid_control.config import Settings
from liquid_control.types import Command

MOTORS = ("forward", "left", "up", "yaw_rate")
"""Names of the four motor neurons, in the order of `Command.values`."""


class Motor(Settings):
    """Range of one motor neuron: `offset + scale * state`."""

    offset: float = Field(0.0, ge=-50.0, le=50.0, description="value at state 0, m/s or rad/s")
    scale: float = Field(gt=0.0, le=50.0, description="value at state 1 - offset, m/s or rad/s")


class MotorScaling(Settings):
    """Ranges of the four motor neurons; commands stay within them."""

    forward: Motor = Motor(offset=1.5, scale=1.5)
    left: Motor = Motor(scale=1.5)
    up: Motor = Motor(scale=0.8)
    yaw_rate: Motor = Motor(scale=1.5)

    @property
    def offsets(self) -> NDArray[np.float32]:
        """float32 [4], in the order of `Command.values`."""
        return np.array([getattr(self, name).offset for name in MOTORS], dtype=np.float32)

    @property
    def scales(self) -> NDArray[np.float32]:
        """float32 [4], in the order of `Command.values`."""
        return np.array([getattr(self, name).scale for name in MOTORS], dtype=np.float32)

    def command(self, motors: ArrayLike) -> Command:
        """Return the command for four motor states in (-1, 1)."""
        values = self.offsets + self.scales * np.asarray(motors, dtype=np.float32)
        return Command(*values.tolist())

    def commands(self, motors: ArrayLike) -> NDArray[np.float32]:
        """Return motor states [..., 4] as rows of `Command.values`, float32 [..., 4]."""
        return self.offsets + self.scales * np.asarray(motors, dtype=np.float32)

    def motors(self, commands: ArrayLike, limit: float = 1.0) -> NDArray[np.float32]:
        """Return rows of `Command.values` [..., 4] as motor states, clipped to +-limit.

        Args:
            commands: m/s and rad/s.
            limit: largest magnitude; training targets below 1 avoid saturation of tanh.
        """
        states = (np.asarray(commands, dtype=np.float32) - self.offsets) / self.scales
        clipped: NDArray[np.float32] = np.clip(states, -limit, limit)
        return clipped
