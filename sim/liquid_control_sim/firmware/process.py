"""A firmware's program as a child process: started in a folder of its own, ends with this one."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from liquid_control.errors import AutopilotError
from liquid_control_sim.firmware.lockstep import LockstepClock

LOG = "firmware.log"
TERM_S = 2.0
_PR_SET_PDEATHSIG = 1


def check_program(name: str, path: Path) -> Path:
    """Return the absolute path of a firmware's program.

    Raises:
        AutopilotError: it does not exist, or is not a program.
    """
    if not path.is_file():
        raise AutopilotError(f"{name}: there is no firmware at {path}")
    if not os.access(path, os.X_OK):
        raise AutopilotError(f"{name}: {path} is not a program: it is not executable")
    return path.resolve()


class FirmwareProcess:
    """A running firmware.

    Its output goes to `firmware.log` in its folder, where it also keeps its parameters and logs.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str] | None = None,
        clock: LockstepClock | None = None,
    ) -> None:
        """Start the program.

        Args:
            name: of the firmware, for messages.
            command: program and arguments.
            folder: working folder.
            environment: variables in addition to those of this process.
            clock: its clock, if it needs one for lockstep.

        Raises:
            AutopilotError: the program cannot be started.
        """
        self.name = name
        self.log = folder / LOG
        self.clock = clock
        added = dict(environment or {}) | ({} if clock is None else clock.environment)
        prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

        def die_with_parent() -> None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

        try:
            folder.mkdir(parents=True, exist_ok=True)
            with self.log.open("w", encoding="utf-8") as log:
                self._child = subprocess.Popen(
                    list(command),
                    cwd=folder,
                    env=dict(os.environ) | added,
                    pass_fds=() if clock is None else clock.descriptors,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    preexec_fn=die_with_parent,
                    start_new_session=True,
                )
        except OSError as error:
            raise AutopilotError(f"{name}: {command[0]} does not start ({error})") from error

    @property
    def pid(self) -> int:
        """Process id."""
        return self._child.pid

    def exit_message(self) -> str | None:
        """Return status and last line of a process that has ended; None while it lives."""
        status = self._child.poll()
        if status is None:
            return None
        text = self.log.read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return f"the firmware ended with status {status}: {(lines or ['no output'])[-1][:200]}"

    def end(self) -> None:
        """End the process: SIGTERM, then SIGKILL, since ArduPilot ignores the first."""
        if self.clock is not None:
            self.clock.close()
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(TERM_S)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    self._child.kill()
                self._child.wait()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the end of the process; return whether it has ended."""
        try:
            self._child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True
