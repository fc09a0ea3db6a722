"""A firmware's program as a child process, and its clock where it needs one for lockstep.

The program runs in a folder of its own and ends with this process. A firmware that runs on the
machine's clock gets a library preloaded, `lockstep.c`, which replaces its monotonic clock by
simulated time; that stands still until the simulator grants more. The library is compiled once,
into the user's cache.
"""

import ctypes
import hashlib
import os
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from liquid_control.errors import AutopilotError, DependencyError
from liquid_control_sim.compiling import cache_folder
from liquid_control_sim.firmware.backend import Patience

_SOURCE = Path(__file__).with_name("lockstep.c")
_GRANT = struct.Struct("<q")
DONE, PROCESSED = b"d", b"p"
FIRST_DATAGRAM_S, ENDING_S = 0.02, 2.0


def lockstep_library() -> Path:
    """Compile the library unless it is in the cache; return its path.

    Raises:
        DependencyError: there is no C compiler, or it fails.
    """
    source = _SOURCE.read_bytes()
    path = cache_folder() / f"lockstep-{hashlib.sha256(source).hexdigest()[:12]}.so"
    if path.exists():
        return path
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise DependencyError("lockstep with this firmware needs a C compiler, found no cc or gcc")
    built = path.with_suffix(f".{os.getpid()}")
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(built), str(_SOURCE), "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise DependencyError(f"{compiler} failed on lockstep.c: {(lines or ['no output'])[-1]}")
    built.replace(path)
    return path


class LockstepClock:
    """The clock of one firmware: grants it simulated time.

    Attributes:
        environment: variables for the firmware's process.
        descriptors: file descriptors that it inherits.
    """

    def __init__(self) -> None:
        """Create the pipes.

        Raises:
            DependencyError: the library cannot be compiled.
        """
        library = lockstep_library()
        grant_in, self._grant = os.pipe()
        self._done, done_out = os.pipe()
        self.descriptors: tuple[int, ...] = (grant_in, done_out)
        self.environment = {
            "LD_PRELOAD": str(library),
            "LIQUID_CONTROL_GRANT_FD": str(grant_in),
            "LIQUID_CONTROL_DONE_FD": str(done_out),
        }
        self._patience = Patience("firmware")
        self._expected = 0
        self._begun = False

    def begin(self, patience: Patience) -> None:
        """Take over from the firmware's start: it has come to its first wait.

        Raises:
            AutopilotError: it ended, or does not come there.
        """
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = ()
        self._patience = patience
        self._wait(DONE)

    def expect(self) -> None:
        """State that a datagram was sent to the firmware."""
        self._expected += 1

    def advance(self, to_ns: int) -> None:
        """Grant the firmware time up to a simulated time, and wait until it is used up.

        It first processes the datagrams that were sent to it.

        Raises:
            AutopilotError: it ended, or does not come there.
        """
        while self._expected:
            if not self._begun and not self._patience.receive(self._done, FIRST_DATAGRAM_S):
                self._expected = 0  # its ports are not open yet
                break
            self._wait(PROCESSED)
            self._expected -= 1
            self._begun = True
        try:
            os.write(self._grant, _GRANT.pack(to_ns))
        except OSError:
            self._patience.check()
        self._wait(DONE)

    def _wait(self, event: bytes) -> None:
        patience = self._patience
        while patience.receive(self._done, patience.silence_s):
            got = os.read(self._done, 1)
            if got == event:
                return
            if not got:  # its end of the pipe is closed: it is ending
                end = time.monotonic() + ENDING_S
                while time.monotonic() < end:
                    patience.check()
                    time.sleep(0.01)
                break
        raise AutopilotError(
            f"{patience.name}: its clock did not advance in {patience.silence_s:g} s; "
            "is it another build than the documentation asks for?"
        )

    def close(self) -> None:
        """Close the pipes: the firmware ends."""
        for descriptor in (self._grant, self._done, *self.descriptors):
            os.close(descriptor)


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
        hidden: tuple[str, ...] = (),
    ) -> None:
        """Start the program.

        Args:
            name: of the firmware, for messages.
            command: program and arguments.
            folder: working folder.
            environment: variables in addition to those of this process.
            clock: its clock, if it needs one for lockstep.
            hidden: beginnings of names of this process's variables that it does not get.

        Raises:
            AutopilotError: the program cannot be started.
        """
        self.name = name
        self.log = folder / LOG
        self.clock = clock
        passed = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
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
                    env=passed | added,
                    pass_fds=() if clock is None else clock.descriptors,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    preexec_fn=die_with_parent,
                    start_new_session=True,
                )
        except OSError as error:
            if clock is not None:
                clock.close()
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
