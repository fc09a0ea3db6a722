"""ArduPilot and PX4 as the autopilot of the simulated vehicle: setups and MAVLink companion."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from liquid_control.autopilots.interface import Firmware, StreamPhase
from liquid_control.autopilots.mavlink_links import LinkAddress, MavlinkPort, open_link
from liquid_control.autopilots.mavlink_requests import ARM_DISARM, TAKEOFF, CommandRequest
from liquid_control.autopilots.mavlink_session import MavlinkOptions, MavlinkSession
from liquid_control.autopilots.setpoint_stream import SetpointRules
from liquid_control.errors import AutopilotError
from liquid_control.types import HOVER, NANOSECONDS, Command, VehicleState
from liquid_control_sim.firmware.ardupilot_json import ArduPilotJson
from liquid_control_sim.firmware.backend import LOOPBACK, FlightStage, Patience
from liquid_control_sim.firmware.process import FirmwareProcess, check_program
from liquid_control_sim.firmware.px4_hil import Px4Hil, hil_dialect
from liquid_control_sim.sensors.navigation import (
    HOME_ALTITUDE_M,
    HOME_LATITUDE_DEG,
    HOME_LONGITUDE_DEG,
    NavigationSensors,
)
from liquid_control_sim.world import VehicleSite

LINK_EVERY, COMMAND_EVERY, REOPEN_EVERY = 2, 12, 240
"""Physics ticks between two looks at the link, two set-points, two attempts to open it."""
CLIMB_M, CLIMBED_M = 1.5, 0.7
"""Height of ArduPilot's take-off, and the height from which set-points take over."""
DISARM_EVERY_NS, TAKEOFF_EVERY_NS = NANOSECONDS, 5 * NANOSECONDS

CLIMBING = CommandRequest(TAKEOFF, (*(0.0,) * 6, CLIMB_M), "take-off")
DISARMING = CommandRequest(ARM_DISARM, (0.0,), "disarming")

MAGNET_OFFSETS: Mapping[str, float] = {"X": 5, "Y": 13, "Z": -18}
"""Of the magnetometers that ArduPilot simulates, milligauss; without these it does not arm."""
ARDUPILOT_PARAMETERS: Mapping[str, float] = {
    "FRAME_CLASS": 1,
    "FRAME_TYPE": 1,
    "GUID_TIMEOUT": 0.5,
    "MOT_SPOOL_TIME": 0.5,
    "DISARM_DELAY": 0,
    "ATC_RAT_YAW_P": 1.0,
    "ATC_RAT_YAW_I": 0.1,
    "ATC_RAT_YAW_FLTE": 10,
    **{f"COMPASS_OFS{i}_{axis}": at for i in ("", 2, 3) for axis, at in MAGNET_OFFSETS.items()},
}
"""Quadrotor in X, with calibrated magnetometers and yaw gains for the vehicle `outdoor`: with the
defaults its yaw rate oscillates for seconds. The rest are the defaults of the firmware."""
PX4_PARAMETERS: Mapping[str, float] = {"COM_OF_LOSS_T": 0.5, "COM_OBL_RC_ACT": 5}
"""Hold when set-points stop. The rest are the defaults of the model `none_iris`."""
PX4_FILES = ("parameters.bson", "parameters_backup.bson", "dataman")
"""What PX4 keeps from one flight to the next: calibrations and the thrust of hover that it learnt
would make a flight depend on the ones before it."""
ONBOARD_PORT, PAYLOAD_PORT, STATION_PORT, LISTENING_PORT = 14540, 14030, 14550, 14580
"""UDP ports of PX4 in simulation: it sends to the first three, which are for a companion, a second
one and a ground station, and it listens to a companion on the last."""
PX4_VARIABLES = ("PX4_",)
"""Variables of its start script: a user's PX4_SIMULATOR or PX4_SYS_AUTOSTART would start another
simulation or vehicle."""


@dataclass(frozen=True)
class ArduPilotSetup:
    """Starts an ArduPilot Copter that was built for SITL; implements `FirmwareSetup`.

    Attributes:
        program: its program.
        arm_s: longest time until it arms, simulated time, s; its estimator needs about 42.
        parameters: in addition to `ARDUPILOT_PARAMETERS`, or in their place.
    """

    program: Path
    arm_s: float = 120.0
    pace: float | None = None
    name: str = "ArduPilot"
    parameters: Mapping[str, float] = field(default_factory=dict)

    def start(self, folder: Path) -> FirmwareProcess:
        """Start the firmware in a folder; see `FirmwareSetup.start`."""
        program = check_program(self.name, self.program)
        hil_dialect()
        folder.mkdir(parents=True, exist_ok=True)
        values = {**ARDUPILOT_PARAMETERS, **self.parameters}
        lines = "".join(f"{name} {value:g}\n" for name, value in values.items())
        (folder / "vehicle.parm").write_text(lines, encoding="utf-8")
        home = f"{HOME_LATITUDE_DEG},{HOME_LONGITUDE_DEG},{HOME_ALTITUDE_M:g},0"
        options = ["--model", f"JSON:{LOOPBACK}", "--home", home, "--defaults", "vehicle.parm"]
        # By default it waits for a connection before its first servo outputs: tcp:0:wait.
        command = [str(program), "--wipe", *options, "--serial0", "tcp:0"]
        return FirmwareProcess(self.name, command, folder)

    def backend(self, process: FirmwareProcess, site: VehicleSite) -> ArduPilotJson:
        """Return the physics side."""
        return ArduPilotJson(Patience(self.name, process.exit_message, silence_s=60.0))

    def companion(self, process: FirmwareProcess) -> "MavlinkCompanion":
        """Return the side that commands it."""
        return MavlinkCompanion(f"tcp://{LOOPBACK}:5760")


@dataclass(frozen=True)
class Px4Setup:
    """Starts a PX4 that was built for SITL with lockstep; implements `FirmwareSetup`.

    Attributes:
        program: `bin/px4` in its build folder, beside `etc`.
        arm_s: longest time until it arms, simulated time, s.
        parameters: in addition to `PX4_PARAMETERS`, or in their place.
        port: UDP port of this machine to which it sends, for the companion.
    """

    program: Path
    arm_s: float = 60.0
    pace: float | None = None
    name: str = "PX4"
    parameters: Mapping[str, float] = field(default_factory=dict)
    port: int = ONBOARD_PORT

    def start(self, folder: Path) -> FirmwareProcess:
        """Start the firmware in a folder; see `FirmwareSetup.start`."""
        program = check_program(self.name, self.program)
        hil_dialect()
        files = program.parent.parent / "etc"
        if not files.is_dir():
            raise AutopilotError(f"{self.name}: expected the folder {files} beside its program")
        for kept in PX4_FILES:
            (folder / kept).unlink(missing_ok=True)
        values = {**PX4_PARAMETERS, **self.parameters}
        environment = {f"PX4_PARAM_{name}": f"{value:g}" for name, value in values.items()}
        environment["PX4_SIM_MODEL"] = "none_iris"
        command = [str(program), "-d", str(files)]
        return FirmwareProcess(self.name, command, folder, environment, hidden=PX4_VARIABLES)

    def backend(self, process: FirmwareProcess, site: VehicleSite) -> Px4Hil:
        """Return the physics side."""
        sensors = NavigationSensors(site.scenario.navigation, site.seed)
        return Px4Hil(sensors, Patience(self.name, process.exit_message, silence_s=60.0))

    def companion(self, process: FirmwareProcess) -> "MavlinkCompanion":
        """Return the side that commands it."""
        return MavlinkCompanion(f"udpin://{LOOPBACK}:{self.port}")


class MavlinkCompanion:
    """Commands ArduPilot or PX4 by `MavlinkSession` in simulated time; implements `Companion`.

    Mode and arming are requested by the session, which this is allowed to in simulation only.
    ArduPilot takes off by NAV_TAKEOFF, since it ignores velocities on the ground. A set-point ends
    its take-off at once, zero velocity too, so the stream stops before the request.
    """

    def __init__(self, address: str) -> None:
        """Prepare the link; it is opened once the firmware listens."""
        self._address = LinkAddress.parse(address)
        rules = SetpointRules(on_stale="stop")
        options = MavlinkOptions(
            imu_rate_hz=0.0, odometry_rate_hz=0.0, allow_arm=True, rules=rules
        )
        self._session = MavlinkSession(options, 0)
        self._link: MavlinkPort | None = None
        self._tick = -1
        self._ground_m: float | None = None
        self._asked_ns: int | None = None
        self._climbed = False

    @property
    def is_armed(self) -> bool:
        """Whether its heartbeat states that it is armed."""
        found = self._session.state
        return found is not None and found.armed

    def step(self, now_ns: int, state: VehicleState, command: Command, stage: FlightStage) -> None:
        """Exchange what is due; see `Companion.step`."""
        self._tick += 1
        if self._link is None and self._tick % REOPEN_EVERY == 0:
            self._open()
        if self._link is None or self._tick % LINK_EVERY:
            return
        if self._tick % COMMAND_EVERY == 0:
            self._command(now_ns, state, command, stage)
        try:
            for source, data in self._link.read(0.0):
                self._session.receive(source, data, now_ns)
            for frame in self._session.poll(now_ns):
                self._link.write(frame, self._session.source)
        except AutopilotError:
            self._link.close()
            self._link = None

    def arming_problem(self) -> str:
        """Return the state of the firmware and its messages about failed checks."""
        found = self._session.state
        if found is None:
            return self._session.refusal or f"{self._address}: no autopilot answers"
        reasons = self._session.arm_check().reasons
        notices = [notice.text for notice in self._session.notices()]
        return "; ".join([str(found), *(reasons or notices)])

    def close(self) -> None:
        """Close the link."""
        if self._link is not None:
            self._link.close()

    def _open(self) -> None:
        try:
            self._link = open_link(self._address)
        except AutopilotError:  # the firmware does not listen yet
            self._session.discard_partial_frames()

    def _command(
        self, now_ns: int, state: VehicleState, command: Command, stage: FlightStage
    ) -> None:
        height = float(state.position[2])
        if stage is FlightStage.FLY and self._takes_off(height, now_ns):
            return
        if stage is FlightStage.DISARM:
            self._request(DISARMING, now_ns, DISARM_EVERY_NS)
        # On the ground it goes on to descend, which is how a firmware finds that it has landed.
        flown = HOVER if stage is FlightStage.ARM else command
        if stage is not FlightStage.WAIT:
            self._session.command(flown, now_ns, 0, now_ns)

    def _takes_off(self, height: float, now_ns: int) -> bool:
        """Return whether ArduPilot's take-off is in progress; request it until it climbs."""
        found = self._session.state
        if self._climbed or found is None or found.firmware is not Firmware.ARDUPILOT:
            return False
        if self._ground_m is None:
            self._ground_m = height
        self._climbed = height - self._ground_m >= CLIMBED_M
        if self._session.stream.phase is StreamPhase.STOPPED and not self._climbed:
            self._request(CLIMBING, now_ns, TAKEOFF_EVERY_NS)
        return not self._climbed

    def _request(self, request: CommandRequest, now_ns: int, every_ns: int) -> None:
        """Send a request, and again after a while."""
        one, asked_ns = self._session.one, self._asked_ns
        if one is not None and (asked_ns is None or now_ns - asked_ns >= every_ns):
            self._asked_ns = now_ns
            one.request(request)
