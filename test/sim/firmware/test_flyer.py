"""Whole flights: with small programs in the place of a firmware that fails, and with a real one.

LIQUID_CONTROL_BETAFLIGHT is the path of a Betaflight that was built for the target SITL,
LIQUID_CONTROL_ARDUPILOT that of an `arducopter`, LIQUID_CONTROL_PX4 that of `bin/px4`, both built
for SITL.
"""

import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liquid_control.config import NavigationSettings, load_scenario
from liquid_control.errors import AutopilotError, ConfigError
from liquid_control.frames import heading_from_world, heading_of
from liquid_control.graph import betaflight_flight
from liquid_control.graph.betaflight_flight import BetaflightSetup
from liquid_control.graph.firmware_flight import SETUPS, firmware_setup
from liquid_control.graph.mavlink_flight import ArduPilotSetup, Px4Setup
from liquid_control.types import Command
from liquid_control_sim import Expert
from liquid_control_sim.dynamics.vectors import ZERO
from liquid_control_sim.firmware import FirmwareFlyer, FirmwareSortie
from liquid_control_sim.place.terrain import FLAT
from liquid_control_sim.quiet_bullet import pybullet
from liquid_control_sim.sensors.navigation import NavigationSensors, geodetic, pressure_hpa
from liquid_control_sim.world import VehicleSite

pytestmark = pytest.mark.sim

START = (np.array([0.0, 0.0, 1.5]), 0.5)
PROGRAMS = {name: os.environ.get(f"LIQUID_CONTROL_{name.upper()}", "") for name in SETUPS}


def with_firmwares(*names: str) -> pytest.MarkDecorator:
    """Run a test with real firmwares, where their programs are given."""

    def needs(name: str) -> pytest.MarkDecorator:
        reason = f"LIQUID_CONTROL_{name.upper()} is not set to a program built for SITL"
        return pytest.mark.skipif(not PROGRAMS[name], reason=reason)

    return pytest.mark.parametrize("name", [pytest.param(one, marks=needs(one)) for one in names])


NEVER_ARMS = """
import socket, struct
port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
port.bind(("127.0.0.1", 9003))
while True:
    port.recv(200)
    port.sendto(struct.pack("<4f", 0, 0, 0, 0), ("127.0.0.1", 9002))
"""
DIES = (
    NEVER_ARMS.replace("while True:", "for _ in range(100):") + "print('panic: stack')\nexit(9)\n"
)
RUNS_AWAY = NEVER_ARMS.replace("0, 0, 0, 0", "1, 1, 1, 1")


@pytest.fixture
def site():
    client = pybullet.connect(pybullet.DIRECT)
    yield VehicleSite(client, load_scenario("trail"), 1, FLAT)
    pybullet.disconnect(client)


def program(folder: Path, text: str) -> BetaflightSetup:
    """Return a setup of a Python program that is configured already and keeps no lockstep."""
    path = folder / "firmware.py"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    (folder / betaflight_flight.EEPROM).write_bytes(b"")
    return BetaflightSetup(path, pace=1.0, arm_s=1.0, lockstep=False)


def hover(setup: BetaflightSetup, site: VehicleSite, folder: Path) -> None:
    with FirmwareFlyer(setup, folder).hovering(site, START, FirmwareSortie()):
        pass


def test_a_firmware_that_never_arms_is_one_line(site, tmp_path):
    with pytest.raises(
        AutopilotError, match=r"^Betaflight: not armed after 1 s of simulated time: "
    ):
        hover(program(tmp_path, NEVER_ARMS), site, tmp_path)


def test_a_firmware_that_dies_in_flight_is_one_line_with_its_last_words(site, tmp_path):
    line = r"^Betaflight: the firmware ended with status 9: panic: stack$"
    with pytest.raises(AutopilotError, match=line):
        hover(program(tmp_path, DIES), site, tmp_path)


def test_a_firmware_that_does_not_obey_is_one_line(site, tmp_path):
    with pytest.raises(AutopilotError, match=r"^no hover at the start of the flight within 25 s"):
        hover(program(tmp_path, RUNS_AWAY), site, tmp_path)


def test_a_program_that_is_no_firmware_is_refused_before_the_flight(site, tmp_path):
    setup = program(tmp_path, "print('usage: other')\nexit(2)\n")
    (tmp_path / betaflight_flight.EEPROM).unlink()
    with pytest.raises(AutopilotError, match=r"ended with status 2: usage: other$"):
        hover(setup, site, tmp_path)
    assert not (tmp_path / betaflight_flight.EEPROM).exists()


def is_bound(port):
    """Look it up: to try the port would take it from the process that is about to bind it."""
    table = Path("/proc/net/udp").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(f":{port:04X}") for line in table)


def test_a_second_firmware_on_the_same_ports_is_refused(site, tmp_path):
    setup = program(tmp_path, NEVER_ARMS)
    process = setup.start(tmp_path)
    try:
        while not is_bound(9003):
            assert process.exit_message() is None
        with pytest.raises(AutopilotError, match=r"UDP port 9003 is in use; does another Beta"):
            hover(setup, site, tmp_path)
    finally:
        process.end()


@pytest.mark.parametrize("name", ["betaflight", "ardupilot", "px4"])
def test_what_the_command_line_refuses(name):
    with pytest.raises(ConfigError, match=f"--autopilot {name}: expected --firmware PATH too"):
        firmware_setup(name, None)
    with pytest.raises(AutopilotError, match="there is no firmware at /no/such"):
        firmware_setup(name, Path("/no/such"))
    with pytest.raises(ConfigError, match="expected one of ardupilot, px4, betaflight, got 'x'"):
        firmware_setup("x", Path("/no/such"))


def test_px4_without_its_files_is_refused(tmp_path):
    program = tmp_path / "bin" / "px4"
    program.parent.mkdir()
    program.touch(mode=0o755)
    with pytest.raises(
        AutopilotError, match=r"^PX4: expected the folder .*etc beside its program$"
    ):
        Px4Setup(program).start(tmp_path / "flight")


def test_the_command_line_of_ardupilot(tmp_path):
    """Its program is one that prints its arguments."""
    echo = tmp_path / "arducopter"
    echo.write_text('#!/bin/sh\necho "$@"\n')
    echo.chmod(0o755)
    process = ArduPilotSetup(echo).start(tmp_path / "run")
    assert process.wait(10.0)
    expected = "--wipe --model JSON:127.0.0.1 --home 47.397742,8.545594,488,0"
    assert process.log.read_text().startswith(expected)
    assert process.log.read_text().endswith("--serial0 tcp:0\n")  # tcp:0:wait waits for a client
    lines = (tmp_path / "run" / "vehicle.parm").read_text().splitlines()
    assert {"FRAME_TYPE 1", "ATC_RAT_YAW_P 1"} <= set(lines)


def test_px4_gets_parameters_and_remembers_no_earlier_flight(tmp_path, monkeypatch):
    """Its program is one that prints its environment and the files of its folder."""
    monkeypatch.setenv("PX4_SIMULATOR", "gz")
    monkeypatch.setenv("PX4_SYS_AUTOSTART", "4001")
    program = tmp_path / "build" / "bin" / "px4"
    (tmp_path / "build" / "etc").mkdir(parents=True)
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nenv | grep ^PX4_ | sort\necho "$@"\nls\n')
    program.chmod(0o755)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "parameters.bson").write_bytes(b"of an earlier flight")
    process = Px4Setup(program, parameters={"COM_OF_LOSS_T": 1.0}).start(folder)
    assert process.wait(10.0)
    assert process.log.read_text().splitlines() == [
        "PX4_PARAM_COM_OBL_RC_ACT=5",
        "PX4_PARAM_COM_OF_LOSS_T=1",
        "PX4_SIM_MODEL=none_iris",
        f"-d {tmp_path / 'build' / 'etc'}",
        "firmware.log",
    ]


def test_the_standard_atmosphere_and_the_place_by_hand():
    assert pressure_hpa(0.0) == 1013.25
    assert pressure_hpa(1000.0) == pytest.approx(898.75, abs=0.01)  # ISO 2533: 898.76
    latitude, longitude, altitude = geodetic((0.0, 111.31949, 12.0))
    assert latitude == pytest.approx(47.397742 + 0.001)
    assert (longitude, altitude) == (8.545594, 500.0)


def test_navigation_sensors_have_the_noise_of_the_settings():
    sensors = NavigationSensors(NavigationSettings(baro_drift_m=0.0, gps_drift_m=0.0), 3)
    level = (0.0, 0.0, 0.0, 1.0)
    field = np.array([sensors.magnetic_field(level) for _ in range(2000)])
    assert field.std(0) == pytest.approx([0.002] * 3, rel=0.1)
    assert field.mean(0) == pytest.approx([0.00771, 0.21523, -0.42741], abs=0.05)
    heights = np.array([sensors.altitude(2.0, 0.05) for _ in range(2000)])
    assert heights.std() == pytest.approx(0.1, rel=0.1)
    assert heights.mean() == pytest.approx(490.0, abs=0.02)
    fixes = [sensors.fix((1.0, 2.0, 3.0), (0.0, 1.0, 0.0), 0.1) for _ in range(2000)]
    places, rates = np.array([one[0] for one in fixes]), np.array([one[1] for one in fixes])
    assert places.std(0) == pytest.approx([0.1, 0.1, 0.15], rel=0.1)
    assert places.mean(0) == pytest.approx([1.0, 2.0, 3.0], abs=0.02)
    assert rates.std(0) == pytest.approx([0.05] * 3, rel=0.1)


@given(st.integers(0, 2**40))
def test_navigation_sensors_are_functions_of_the_seed(seed):
    settings = NavigationSettings()
    first, second = NavigationSensors(settings, seed), NavigationSensors(settings, seed)
    second.altitude(1.0, 0.1)  # each sensor has a stream of its own
    still = (0.0, 0.0, 0.0)
    assert first.fix(still, still, 0.1) == second.fix(still, still, 0.1)
    level = (0.0, 0.0, 0.0, 1.0)
    assert first.magnetic_field(level) == second.magnetic_field(level)


@with_firmwares("betaflight", "ardupilot", "px4")
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_real_firmware_obeys_each_axis_with_its_sign(name, site, tmp_path):
    commands = [
        Command(forward_mps=0.8),
        Command(left_mps=0.8),
        Command(up_mps=0.4),
        Command(yaw_rate_radps=0.5),
    ]
    sortie = FirmwareSortie()
    flyer = FirmwareFlyer(firmware_setup(name, Path(PROGRAMS[name])), tmp_path)
    with flyer.hovering(site, START, sortie) as vehicle:
        for command in commands:
            for _ in range(480):
                vehicle.step(command, ZERO)
            state = vehicle.state
            velocity = heading_from_world(state.velocity, heading_of(state.quaternion))
            got = [*velocity.tolist(), float(state.angular_velocity[2])]
            assert got == pytest.approx(command.values, abs=0.12)
            for _ in range(480):
                vehicle.step(Command(), ZERO)
    assert sortie.landed_s is not None
    assert sortie.counts["refused"] == 0


@with_firmwares("ardupilot", "px4")
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_real_firmware_flies_a_short_trail_and_lands(name, tmp_path):
    flyer = FirmwareFlyer(firmware_setup(name, Path(PROGRAMS[name])), tmp_path)
    record = flyer(load_scenario("trail", {"trail.length_m": 6}), 10_000, Expert())
    assert record.result.success
    (sortie,) = flyer.sorties
    assert 0.0 < sortie.armed_s < sortie.ready_s < (sortie.landed_s or 0.0)


@with_firmwares("betaflight")
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_betaflight_flies_a_short_trail_twice_alike(name, tmp_path):
    flyer = FirmwareFlyer(firmware_setup(name, Path(PROGRAMS[name])), tmp_path)
    scenario = load_scenario("trail", {"trail.length_m": 6})
    first = flyer(scenario, 10_000, Expert())
    second = flyer(scenario, 10_000, Expert())
    assert first.result.success
    assert np.array_equal(first.position, second.position)
    assert flyer.sorties[0].counts["unanswered"] == flyer.sorties[1].counts["unanswered"]
