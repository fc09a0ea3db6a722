"""MAVLink implementation of `AutopilotBridge`: one port, one thread, one session."""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from liquid_control.autopilots.bridge_session import MAX_NOTICES
from liquid_control.autopilots.interface import (
    ArmCheck,
    AutopilotStatus,
    BatteryStatus,
    LinkEvent,
    LinkHealth,
    LinkNotice,
    OnSample,
    Sample,
    StreamPhase,
)
from liquid_control.autopilots.mavlink_links import LinkAddress, MavlinkPort, open_link
from liquid_control.autopilots.mavlink_session import MavlinkOptions, MavlinkSession
from liquid_control.errors import AutopilotError, ConfigError
from liquid_control.types import NANOSECONDS, Command

WAKE_S = 0.02
"""The thread looks for work at least this often."""
PAUSE_S = 0.2
"""From the failure of a port to the first attempt to open it again."""
REOPEN_S = 1.0
"""Between two attempts to open a port that failed."""


@dataclass(frozen=True, slots=True)
class MavlinkSettings:
    """Settings of a MAVLink autopilot.

    Attributes:
        link: address of the link; see `mavlink_links.FORMS`.
        options: of the connection.

    Raises:
        ConfigError: the address has no known form, or `allow_arm` is set for a link that leaves
            this machine.
    """

    link: str
    options: MavlinkOptions = field(default_factory=MavlinkOptions)

    def __post_init__(self) -> None:
        address = LinkAddress.parse(self.link)
        if self.options.allow_arm and not address.is_on_this_machine:
            raise ConfigError(
                "allow_arm is for simulation only: expected a link on this machine, as "
                f"tcp://127.0.0.1:5760, got {self.link}"
            )


class MavlinkAutopilot:
    """Connection to an ArduPilot Copter or PX4 multirotor over MAVLink.

    A thread reads the link, and sends what is due. It ends with `close`; a port that fails is
    opened again, and the exchange begins anew. Set-points of a command leave from the thread that
    calls `command`.

    Args:
        settings: link and options.
        on_sample: called with every sample, by the thread of the link.
        clock: steady clock, ns.

    Raises:
        DependencyError: pymavlink is not installed.
    """

    def __init__(
        self,
        settings: MavlinkSettings,
        on_sample: OnSample = lambda sample: None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._settings = settings
        self._on_sample = on_sample
        self._clock = clock
        self._session = MavlinkSession(settings.options, clock())
        self._address = LinkAddress.parse(settings.link)
        self._lock = threading.Lock()
        self._link: MavlinkPort | None = None
        self._failure = ""
        self._write_error: AutopilotError | None = None
        self._notices: deque[LinkNotice] = deque(maxlen=MAX_NOTICES)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mavlink", daemon=True)

    def start(self) -> None:
        """Open the link and begin to look for the autopilot.

        Raises:
            AutopilotError: the port cannot be opened.
        """
        self._link = open_link(self._address)
        self._thread.start()

    def connect(self, timeout_s: float) -> AutopilotStatus:
        """Start, and wait for the autopilot.

        Raises:
            AutopilotError: the port cannot be opened, no autopilot answers, or it is not the
                expected one.
        """
        self.start()
        end_ns = self._clock() + round(timeout_s * NANOSECONDS)
        while (state := self.state) is None:
            if self._clock() >= end_ns:
                reason = self.absence(timeout_s)
                self.close()
                raise AutopilotError(reason)
            self._ended.wait(WAKE_S)
        return state

    @property
    def state(self) -> AutopilotStatus | None:
        """State of the autopilot; None before it is found."""
        with self._lock:
            return self._session.state

    @property
    def battery(self) -> BatteryStatus | None:
        """The battery; None before the autopilot states it."""
        with self._lock:
            return self._session.battery

    @property
    def refusal(self) -> str:
        """Reason why there is no autopilot to command; empty if there is one."""
        with self._lock:
            return self._failure or self._session.refusal

    @property
    def phase(self) -> StreamPhase:
        """What the set-point stream sends at present."""
        with self._lock:
            return self._session.stream.phase

    def absence(self, elapsed_s: float) -> str:
        """Return the line on an autopilot that was not found within a time, s."""
        if refusal := self.refusal:
            return refusal if str(self._address) in refusal else f"{self._address}: {refusal}"
        with self._lock:
            received = self._session.bytes_received
        if received == 0:
            return f"{self._address}: no autopilot answers, nothing arrived in {elapsed_s:g} s"
        return (
            f"{self._address}: no heartbeat of an autopilot in {elapsed_s:g} s, but {received} "
            "bytes arrived; check baud rate and protocol of the port"
        )

    def command(self, command: Command, stamp_ns: int, age_ns: int) -> None:
        """Send a set-point, and keep sending it until it is too old.

        Args:
            command: velocity and yaw rate, heading frame.
            stamp_ns: stamp of the frame that it answers.
            age_ns: age of that stamp at present.
        """
        with self._lock:
            self._session.command(command, stamp_ns, age_ns, self._clock())
            self._send()

    def arm_check(self) -> ArmCheck:
        """Return what the autopilot states about its checks before arming."""
        with self._lock:
            return self._session.arm_check()

    def health(self) -> LinkHealth:
        """Return the health of the link."""
        with self._lock:
            return self._session.health(self._clock())

    def notices(self) -> list[LinkNotice]:
        """Return the news since the last call."""
        with self._lock:
            notices = [*self._notices, *self._session.notices()]
            self._notices.clear()
            return notices

    def close(self) -> None:
        """Send zero velocity once if set-points were sent, then close the link."""
        if self._ended.is_set():
            return
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock, suppress(AutopilotError):
            if self._link is not None:
                for frame in self._session.last_frames(self._clock()):
                    self._link.write(frame, self._session.source)
                self._link.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            link = self._link
            if link is None:
                self._reopen()
                continue
            try:
                for sample in self._exchange(link):
                    self._on_sample(sample)
            except AutopilotError as error:
                self._fail(link, str(error))
            except Exception as error:  # one message must not end the stream of set-points
                self._fail(link, f"{self._address}: {type(error).__name__}: {error}")

    def _exchange(self, link: MavlinkPort) -> list[Sample]:
        """Read what has arrived and send what is due; return the samples received.

        Raises:
            AutopilotError: the link has failed.
        """
        received = link.read(self._wait_s())
        samples: list[Sample] = []
        with self._lock:
            now_ns = self._clock()
            for source, data in received:
                samples += self._session.receive(source, data, now_ns)
            self._send()
            error, self._write_error = self._write_error, None
        if error is not None:
            raise error
        return samples

    def _wait_s(self) -> float:
        with self._lock:
            deadline_ns = self._session.deadline_ns()
        if deadline_ns is None:
            return WAKE_S
        return min(WAKE_S, max(0.0, (deadline_ns - self._clock()) / NANOSECONDS))

    def _send(self) -> None:
        """Send what is due; the lock is held."""
        frames = self._session.poll(self._clock())
        if self._link is None or self._write_error is not None:
            return
        try:
            for frame in frames:
                self._link.write(frame, self._session.source)
        except AutopilotError as error:
            self._write_error = error

    def _fail(self, link: MavlinkPort, reason: str) -> None:
        """Close a failed link; the thread opens it again."""
        with self._lock:
            link.close()
            self._link, self._failure = None, reason
            self._notices.append(LinkNotice(LinkEvent.LINK_FAILED, reason))
        self._ended.wait(PAUSE_S)

    def _reopen(self) -> None:
        """Open the port again, and let time pass in the session meanwhile."""
        try:
            link = open_link(self._address)
        except AutopilotError as error:
            with self._lock:
                self._failure = str(error)
                self._session.poll(self._clock())
            self._ended.wait(REOPEN_S)
            return
        with self._lock:
            self._session.discard_partial_frames()
            self._link, self._failure, self._write_error = link, "", None
