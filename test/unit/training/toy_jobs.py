"""Jobs for worker processes, which import this module by name."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from liquid_control.errors import ConfigError


@dataclass(frozen=True)
class Writing:
    """Writes its worker's process id and thread limit."""

    path: Path

    def run(self) -> None:
        self.path.write_text(f"{os.getpid()} {os.environ['OMP_NUM_THREADS']}")


@dataclass(frozen=True)
class Refusing:
    path: Path

    def run(self) -> None:
        raise ConfigError(f"{self.path.stem}: cannot be flown")


@dataclass(frozen=True)
class Dying:
    path: Path

    def run(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)
