"""Betaflight's simulator target as the autopilot of the simulated vehicle: setup and companion."""

import math
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from liquid_control.autopilots.angle_mode import AngleMode, AngleModeSettings, AngleState
from liquid_control.autopilots.betaflight_rc import (
    HIGH_US,
    MSP_STATUS,
    OVERRIDE_CHANNEL,
    STICKS,
    MspReader,
    channels_of,
    idle_channels,
    msp_request,
    msp_set_raw_rc,
    msp_status,
    rc_packet,
)
from liquid_control.errors import AutopilotError
from liquid_control.types import NANOSECONDS, Command, VehicleState
from liquid_control_sim.firmware.backend import LOOPBACK, FlightStage, Patience
from liquid_control_sim.firmware.betaflight_udp import STATE_PORT, BetaflightUdp, is_udp_port_used
from liquid_control_sim.firmware.process import FirmwareProcess, LockstepClock, check_program
from liquid_control_sim.schedule import PHYSICS_HZ
from liquid_control_sim.sensors.navigation import NavigationSensors
from liquid_control_sim.world import VehicleSite

NAME = "Betaflight"
RC_PORT, CLI_PORT = 9004, 5761
EEPROM = "eeprom.bin"
CONNECT_S, REPLY_S, SAVE_S = 10.0, 3.0, 10.0
RC_EVERY = 4
"""Physics ticks from one RC frame to the next: 60 Hz."""
MSP_PERIOD_NS = 50_000_000
"""From one frame to the next over MSP: faster ones wait in the firmware's buffer."""
STATUS_EVERY = 48
BOOTED_NS, READY_NS, SWITCH_NS = 2 * NANOSECONDS, 6 * NANOSECONDS, 2 * NANOSECONDS
"""RC frames that arrive while it boots are lost, and with them the receiver."""
BATCH = "# "
"""Prompt of the CLI."""

SETTINGS = (
    "aux 0 0 0 1700 2100 0 0",  # ARM on AUX1
    "aux 1 1 1 1700 2100 0 0",  # ANGLE on AUX2
    "set angle_limit = 45",
    "set rates_type = ACTUAL",
    *(f"set {axis}_{key} = 36" for axis in ("roll", "pitch") for key in ("rc_rate", "srate")),
    *(f"set yaw_{key} = 20" for key in ("rc_rate", "srate")),  # 200 degrees/s, linear
    "set small_angle = 180",
    "set pid_process_denom = 4",
    "set tpa_rate = 0",
    *(f"set p_{axis} = 30" for axis in ("roll", "pitch")),
    *(f"set i_{axis} = 30" for axis in ("roll", "pitch")),
    *(f"set d_{axis} = 25" for axis in ("roll", "pitch")),
    *(f"set d_max_{axis} = 0" for axis in ("roll", "pitch")),
    "set p_yaw = 200",
    "set i_yaw = 40",
    "set f_yaw = 0",
    "set runaway_takeoff_prevention = OFF",
)
"""Lines for the CLI: switches, linear rates, and gains of a vehicle with 10 inch propellers."""
MODE = AngleModeSettings(hover_throttle=0.568, yaw_rate_limit_radps=math.radians(200.0))
"""Velocity loop for the vehicle `outdoor` and `SETTINGS`."""


OVERRIDE = ("aux 2 50 2 1700 2100 0 0", "set msp_override_channels_mask = 15")
"""Lines for the CLI: MSP OVERRIDE of four channels on AUX3."""


@dataclass(frozen=True)
class BetaflightSetup:
    """Starts a Betaflight that was built for the target SITL; implements `FirmwareSetup`.

    Attributes:
        program: its program.
        pace: simulated seconds per second that are not exceeded; None for no limit. Without
            lockstep it must be 1: Betaflight's clock is that of the machine then.
        arm_s: longest time until it arms, simulated time, s.
        lockstep: whether to replace its clock by simulated time.
        settings: lines for its CLI.
        override: whether the sticks go over MSP, in the place of those of a receiver whose sticks
            are centred. MSP is TCP, which lockstep does not hold: two flights of one seed differ,
            and the pace must be 1.
    """

    program: Path
    pace: float | None = None
    arm_s: float = 20.0
    lockstep: bool = True
    settings: tuple[str, ...] = SETTINGS
    override: bool = False

    @property
    def name(self) -> str:
        """Name of the firmware."""
        return NAME

    def start(self, folder: Path) -> FirmwareProcess:
        """Configure the firmware in a folder, unless it is, and start it there.

        Raises:
            AutopilotError: the program is missing, does not start, refuses a setting, or another
                one runs.
        """
        program = check_program(NAME, self.program)
        if used := [port for port in (STATE_PORT, RC_PORT) if is_udp_port_used(port)]:
            raise AutopilotError(
                f"{NAME}: UDP port {used[0]} is in use; does another Betaflight run?"
            )
        command = [str(program), LOOPBACK]
        if not (folder / EEPROM).exists():
            process = FirmwareProcess(NAME, command, folder)
            try:
                configure(process, (*self.settings, *(OVERRIDE if self.override else ())))
            except BaseException:
                (folder / EEPROM).unlink(missing_ok=True)
                raise
            finally:
                process.end()
        clock = LockstepClock() if self.lockstep else None
        return FirmwareProcess(NAME, command, folder, clock=clock)

    def backend(self, process: FirmwareProcess, site: VehicleSite) -> BetaflightUdp:
        """Return the physics side."""
        sensors = NavigationSensors(site.scenario.navigation, site.seed)
        return BetaflightUdp(sensors, Patience(NAME, process.exit_message), process.clock)

    def companion(self, process: FirmwareProcess) -> "BetaflightCompanion":
        """Return the side that commands it."""
        return BetaflightCompanion(process.clock, override=self.override)


def configure(process: FirmwareProcess, settings: tuple[str, ...]) -> None:
    """Send lines to the CLI and save them; the firmware ends then.

    Raises:
        AutopilotError: the CLI does not answer, or refuses a line.
    """
    with connect(process) as port:
        _ask(process, port, b"#")
        for line in settings:
            answer = _ask(process, port, line.encode() + b"\n")
            if "ERROR" in answer.upper():
                reason = " ".join(answer.replace("#", " ").split())
                raise AutopilotError(f"{NAME}: its CLI refused {line!r}: {reason}")
        port.sendall(b"save\n")
        if not process.wait(SAVE_S):
            raise AutopilotError(f"{NAME}: it did not save its settings in {SAVE_S:g} s")


def connect(process: FirmwareProcess) -> socket.socket:
    """Return a connection to the first serial port of the firmware.

    Raises:
        AutopilotError: the firmware ended, or does not listen.
    """
    end = time.monotonic() + CONNECT_S
    while time.monotonic() < end:
        if message := process.exit_message():
            raise AutopilotError(f"{NAME}: {message}")
        with suppress(OSError):
            return socket.create_connection((LOOPBACK, CLI_PORT), REPLY_S)
        time.sleep(0.05)
    raise AutopilotError(
        f"{NAME}: nothing listens on TCP port {CLI_PORT} after {CONNECT_S:g} s; "
        "is the program a Betaflight of the target SITL?"
    )


def _ask(process: FirmwareProcess, port: socket.socket, line: bytes) -> str:
    """Send a line and return what the CLI prints before its next prompt."""
    port.sendall(line)
    answer, end = b"", time.monotonic() + REPLY_S
    while time.monotonic() < end:
        port.settimeout(max(0.01, end - time.monotonic()))
        with suppress(TimeoutError):
            data = port.recv(4096)
            answer += data
            if not data or answer.endswith(BATCH.encode()):
                return answer.decode(errors="replace").removeprefix(line.decode())
    raise AutopilotError(
        f"{NAME}: its CLI did not answer {line.decode().strip()!r} in {REPLY_S:g} s"
    )


class BetaflightCompanion:
    """Flies Betaflight by RC frames in angle mode; implements `Companion`.

    The arm switch is raised once the firmware has calibrated its gyroscope. A switch that is
    raised before is refused until it is lowered again, so it is raised anew every two seconds.
    """

    def __init__(
        self,
        clock: LockstepClock | None = None,
        mode: AngleMode | None = None,
        override: bool = False,
    ) -> None:
        """Create the RC port; MSP is opened when it is needed.

        Args:
            clock: of the firmware, if it flies in lockstep.
            mode: velocity loop; that of the vehicle `outdoor` if None.
            override: whether the sticks go over MSP, as MSP OVERRIDE.
        """
        self._override = override
        self._mode = mode or AngleMode(MODE)
        self._clock = clock
        self._state = AngleState()
        self._port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._msp: socket.socket | None = None
        self._reader = MspReader()
        self._blocked_by: tuple[str, ...] = ()
        self._tick = 0
        self._next_msp_ns = 0

    def step(self, now_ns: int, state: VehicleState, command: Command, stage: FlightStage) -> None:
        """Send the RC frame that is due; see `Companion.step`."""
        self._tick += 1
        if (
            stage is FlightStage.ARM
            and now_ns > READY_NS + SWITCH_NS
            and self._tick % STATUS_EVERY == 0
        ):
            self._exchange_msp(msp_request(MSP_STATUS))
        if self._tick % RC_EVERY or now_ns < BOOTED_NS:
            return
        if stage is FlightStage.FLY:
            dt = RC_EVERY / PHYSICS_HZ
            sticks, self._state = self._mode.step(command, state, dt, self._state)
            channels = channels_of(sticks, armed=True)
        else:
            raised = now_ns >= READY_NS and now_ns % SWITCH_NS >= SWITCH_NS // 4
            channels = idle_channels(armed=stage is FlightStage.ARM and raised)
            self._state = AngleState()
        self.send(now_ns, channels)

    def send(self, now_ns: int, channels: Sequence[int]) -> None:
        """Send an RC frame: simulated time and 16 channels, us."""
        if self._override:
            if now_ns >= self._next_msp_ns:
                self._next_msp_ns = now_ns + MSP_PERIOD_NS
                self._exchange_msp(msp_set_raw_rc(channels[:STICKS]))
            channels = (*idle_channels(armed=False)[:STICKS], *channels[STICKS:])
            channels = (*channels[:OVERRIDE_CHANNEL], HIGH_US, *channels[OVERRIDE_CHANNEL + 1 :])
        with suppress(OSError):  # nothing is bound to the port yet
            self._port.sendto(rc_packet(now_ns / NANOSECONDS, channels), (LOOPBACK, RC_PORT))
            if self._clock is not None:
                self._clock.expect()

    @property
    def neutral(self) -> tuple[int, ...]:
        """Channels of level sticks with the throttle that hovered last, us."""
        return channels_of(self._mode.neutral(self._state), armed=True)

    @property
    def is_armed(self) -> None:
        """Not stated: its motors turn while it is armed."""
        return None

    def arming_problem(self) -> str:
        """Return why the firmware does not arm, as MSP_STATUS states it."""
        return ", ".join(self._blocked_by)

    def close(self) -> None:
        """Close the ports."""
        for port in (self._port, self._msp):
            if port is not None:
                port.close()

    def _exchange_msp(self, request: bytes) -> None:
        """Read what has arrived over MSP, and send a request."""
        try:
            if self._msp is None:
                self._msp = socket.create_connection((LOOPBACK, CLI_PORT), 0.05)
                self._msp.setblocking(False)
            with suppress(BlockingIOError):
                for message in self._reader.feed(self._msp.recv(4096)):
                    status = msp_status(message.payload or b"")
                    if message.code == MSP_STATUS and status is not None:
                        self._blocked_by = status.blocked_by
            self._msp.sendall(request)
        except OSError:
            self._msp = None
