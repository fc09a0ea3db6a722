"""Bridge to a Betaflight flight controller over MSP: angle mode, and a keeper that owns the link.

The firmware estimates attitude only, so velocity and height come from the caller. Only roll,
pitch, throttle and yaw are sent: arming and modes stay on the pilot's switches (MSP override).
"""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from liquid_control.autopilots import betaflight_rc as rc
from liquid_control.autopilots.angle_mode import AngleMode, AngleModeSettings, AngleState, Sticks
from liquid_control.autopilots.bridge_session import BridgeRules, BridgeSession
from liquid_control.autopilots.interface import (
    ArmCheck,
    AutopilotStatus,
    BatteryStatus,
    Firmware,
    LinkEvent,
    LinkHealth,
    LinkNotice,
    StreamPhase,
)
from liquid_control.autopilots.mavlink_links import LinkAddress
from liquid_control.autopilots.rc_keeper import KeeperRules, RcKeeper
from liquid_control.errors import AutopilotError, ConfigError
from liquid_control.types import HOVER, NANOSECONDS, Command, VehicleState

VARIANT, API = b"BTFL", 1
"""Betaflight's name in MSP, and the first number of its API's version."""
STEP_S = 0.02
"""The velocity loop runs, and a frame is sent, this often; see `betaflight_rc.MSP_HZ`."""
REOPEN_S = 1.0
"""Between two attempts to open a link that failed."""
SWITCHED_OFF = StreamPhase.WAITING, StreamPhase.STOPPED


@dataclass(frozen=True, slots=True)
class BetaflightOptions:
    """Options of a Betaflight flight controller.

    Attributes:
        link: `serial:///dev/ttyAMA0:115200` or `tcp://127.0.0.1:5761`.
        rules: of set-points.
        angle_mode: vehicle and velocity loop.
        neutral_s: level sticks for so long when set-points end, before the link is released, s.
        odometry_timeout_s: level sticks without odometry for so long, s.

    Raises:
        ConfigError: the link has another form.
    """

    link: str
    rules: BridgeRules = field(default_factory=BridgeRules)
    angle_mode: AngleModeSettings = field(default_factory=AngleModeSettings)
    neutral_s: float = 2.0
    odometry_timeout_s: float = 0.2

    def __post_init__(self) -> None:
        if LinkAddress.parse(self.link).kind not in ("serial", "tcp"):
            raise ConfigError(
                "link: expected serial:///dev/NAME:BAUD or tcp://ADDRESS:PORT, which carry MSP, "
                f"got {self.link}"
            )


class BetaflightSession:
    """State machine of the connection; every method gets the steady clock's time, in ns.

    Args:
        options: of the connection.

    Attributes:
        rules: of set-points, status and news.
        bytes_received: from the flight controller.
    """

    def __init__(self, options: BetaflightOptions) -> None:
        self.rules = BridgeSession(options.rules)
        self.bytes_received = 0
        self._options = options
        self._mode = AngleMode(options.angle_mode)
        self._angle = AngleState()
        self._reader = rc.MspReader()
        self._boxes: bytes = b""
        self._vehicle: tuple[int, VehicleState] | None = None
        self._command = HOVER
        self._step_ns: int | None = None

    @property
    def damaged(self) -> int:
        """Frames with a wrong checksum."""
        return self._reader.refused

    def odometry(self, state: VehicleState, now_ns: int) -> None:
        """Keep the state of the vehicle, `map`."""
        self._vehicle = now_ns, state

    def receive(self, data: bytes, now_ns: int) -> None:
        """Process bytes of the flight controller."""
        self.bytes_received += len(data)
        for message in self._reader.feed(data):
            self._on_message(message, now_ns)

    def poll(self, now_ns: int) -> tuple[Sticks, Sticks] | None:
        """Return the sticks to send now and the neutral ones; None to send nothing.

        Without recent odometry the sticks are level, with the throttle that hovered last.
        """
        old = self._vehicle is None or now_ns - self._vehicle[0] > self._odometry_ns
        limit_s = self._options.odometry_timeout_s
        if self.rules.stream.phase not in SWITCHED_OFF:
            self.rules.problem = f"no odometry within {limit_s:g} s" if old else ""
        setpoint = self.rules.poll(now_ns)
        if setpoint is not None:
            self._command = setpoint[0]
        if self.rules.state is None or self.rules.stream.phase in SWITCHED_OFF:
            self._step_ns, self._angle = None, AngleState()
            return None
        neutral = self._mode.neutral(self._angle)
        if old or self._vehicle is None:
            self._step_ns = None
            return neutral, neutral
        elapsed_ns = 0 if self._step_ns is None else now_ns - self._step_ns
        dt = min(elapsed_ns / NANOSECONDS, 5 * STEP_S)
        self._step_ns = now_ns
        if not (self.rules.state.obeys and self.rules.state.armed):
            self._angle = AngleState()  # nothing follows the sticks: integrators stay empty
        sticks, self._angle = self._mode.step(self._command, self._vehicle[1], dt, self._angle)
        return sticks, neutral

    def _on_message(self, message: rc.MspMessage, now_ns: int) -> None:
        payload = message.payload or b""
        if message.code == rc.MSP_FC_VARIANT and payload:
            name = payload.decode(errors="replace")
            wrong = payload != VARIANT
            self.rules.refusal = f"expected Betaflight (BTFL), found {name!r}" if wrong else ""
        elif message.code == rc.MSP_API_VERSION and len(payload) >= 3:
            if payload[1] != API:
                self.rules.refusal = f"expected MSP API {API}, found {payload[1]}.{payload[2]}"
        elif message.code == rc.MSP_BOXIDS:
            self._boxes = payload
        elif message.code == rc.MSP_STATUS and self._boxes and not self.rules.refusal:
            self._on_status(payload, now_ns)

    def _on_status(self, payload: bytes, now_ns: int) -> None:
        status = rc.msp_status(payload, self._boxes)
        if status is None:
            return
        mode = " + ".join(
            name
            for name, is_on in (("ANGLE", status.angle), ("MSP OVERRIDE", status.override))
            if is_on
        )
        obeys = status.angle and status.override is not False
        state = AutopilotStatus(Firmware.BETAFLIGHT, 0, mode or "ACRO", obeys, status.armed)
        ready = not status.blocked_by
        self.rules.status(state, now_ns, ArmCheck(ready, status.blocked_by))

    @property
    def _odometry_ns(self) -> int:
        return round(self._options.odometry_timeout_s * NANOSECONDS)


class BetaflightAutopilot:
    """Connection to a Betaflight flight controller; implements `AutopilotBridge`.

    A thread runs the velocity loop. The keeper's process owns the link; when it has ended, by a
    link that failed or by its release, another one is started.

    Args:
        options: of the connection.
        clock: steady clock, ns.
    """

    battery: BatteryStatus | None = None

    def __init__(
        self, options: BetaflightOptions, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._options, self._clock = options, clock
        self._session = BetaflightSession(options)
        self._lock = threading.Lock()
        self._keeper: RcKeeper | None = None
        self._failure = ""
        self._sending = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="betaflight", daemon=True)

    def start(self) -> None:
        """Open the link and begin to look for the flight controller."""
        self._thread.start()

    @property
    def state(self) -> AutopilotStatus | None:
        """State of the flight controller; None before it is found."""
        with self._lock:
            return self._session.rules.state

    @property
    def refusal(self) -> str:
        """Reason why there is no flight controller to command; empty if there is one."""
        with self._lock:
            return self._failure or self._session.rules.refusal

    @property
    def phase(self) -> StreamPhase:
        """What the set-point stream sends at present."""
        with self._lock:
            return self._session.rules.stream.phase

    def absence(self, elapsed_s: float) -> str:
        """Return the line on a flight controller that was not found within a time, s."""
        link = self._options.link
        if refusal := self.refusal:
            return refusal if link in refusal else f"{link}: {refusal}"
        with self._lock:
            received = self._session.bytes_received
        if received == 0:
            return f"{link}: no flight controller answers, nothing arrived in {elapsed_s:g} s"
        return (
            f"{link}: no MSP status in {elapsed_s:g} s, but {received} bytes arrived; check baud "
            "rate, and that MSP is on for this port"
        )

    def command(self, command: Command, stamp_ns: int, age_ns: int) -> None:
        """Follow a command until it is too old; the thread sends the sticks."""
        with self._lock:
            self._session.rules.command(command, stamp_ns, age_ns, self._clock())

    def odometry(self, state: VehicleState) -> None:
        """Take the state of the vehicle, which the velocity loop needs."""
        with self._lock:
            self._session.odometry(state, self._clock())

    def arm_check(self) -> ArmCheck:
        """Return what the flight controller states about its checks before arming."""
        with self._lock:
            return self._session.rules.arm_check()

    def health(self) -> LinkHealth:
        """Return the health of the link."""
        with self._lock:
            health = self._session.rules.health(self._clock())
            return replace(health, refused=self._session.damaged)

    def notices(self) -> list[LinkNotice]:
        """Return the news since the last call."""
        with self._lock:
            return self._session.rules.notices()

    def close(self) -> None:
        """End the frames: the keeper sends neutral ones, then releases the link."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None

    def _run(self) -> None:
        while not self._ended.is_set():
            if self._keeper is None:
                self._keeper = self._open()
            try:
                self._exchange(self._keeper)
            except AutopilotError as error:
                self._fail(str(error))
            self._ended.wait(STEP_S)

    def _open(self) -> RcKeeper:
        timeout_s = self._options.rules.setpoints.timeout_s
        rules = KeeperRules(timeout_s, self._options.neutral_s)
        self._sending = False
        return RcKeeper(self._options.link, rules, rc.STICKS)

    def _exchange(self, keeper: RcKeeper) -> None:
        """Read what has arrived, and send the sticks that are due.

        Raises:
            AutopilotError: the keeper has ended.
        """
        data = keeper.read()
        with self._lock:
            now_ns = self._clock()
            self._session.receive(data, now_ns)
            sticks = self._session.poll(now_ns)
            self._failure = "" if data else self._failure
        if sticks is not None:
            self._sending = True
            channels, neutral = (rc.channels_of(one, armed=False) for one in sticks)
            keeper.send(channels, neutral)
        elif not keeper.is_alive():
            raise AutopilotError(keeper.last_words())

    def _fail(self, reason: str) -> None:
        """Forget a keeper that has ended; a release after the end of commands is no failure."""
        released = self._sending and "released" in reason
        with self._lock:
            if not released:
                if reason != self._failure:
                    self._session.rules.notice(LinkEvent.LINK_FAILED, reason)
                self._failure = reason
        if self._keeper is not None:
            with suppress(OSError):
                self._keeper.close()
        self._keeper = None
        if not released:
            self._ended.wait(REOPEN_S)
