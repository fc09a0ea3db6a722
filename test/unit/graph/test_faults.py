"""Fault campaigns: kinds, plans, what a record says, the table."""

import errno
import math
import signal
import subprocess
import sys

import numpy as np
import pytest

from liquid_control.config import project_file
from liquid_control.config.driver_faults import parse_driver_faults
from liquid_control.errors import ConfigError
from liquid_control.graph.fault_campaign import (
    DURATION_S,
    START_S,
    FaultCampaign,
    run_faults,
    write_faults,
)
from liquid_control.graph.fault_flight import FaultRow, check_reached, forbid_writing, measured
from liquid_control.graph.fault_kinds import KINDS, Recovery, choose_kinds
from liquid_control.types import FlightRecord, FlightResult

pytestmark = pytest.mark.unit

MODEL = project_file("models/trail_cfc19")


def test_every_kind_acts_in_one_way_and_has_a_name_of_its_own():
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 30
    for kind in KINDS:
        ways = [kind.driver, kind.process or None, kind.intruder, kind.load or None]
        ways.append(kind.disk or None)
        assert sum(way is not None for way in ways) == 1, kind.name


def test_kinds_are_chosen_by_name():
    assert [kind.name for kind in choose_kinds(["cpu_hog"])] == ["cpu_hog"]
    assert choose_kinds([]) == KINDS
    with pytest.raises(ConfigError, match="'guard_kiled' is not known; nearest: guard_killed"):
        choose_kinds(["guard_kiled"])


def test_flights_are_a_function_of_the_seed(tmp_path):
    kinds = choose_kinds(["camera_silent", "guard_stopped", "guards_killed"])
    campaign = FaultCampaign(kinds, [5, 6], MODEL)
    flights, again = campaign.flights(tmp_path), campaign.flights(tmp_path)
    assert [flight.start_s for flight in flights] == [flight.start_s for flight in again]
    assert len({flight.start_s for flight in flights}) == len(flights) == 6
    assert all(START_S[0] <= flight.start_s <= START_S[1] for flight in flights)
    camera, stopped, killed = flights[:3]
    assert camera.duration_s == stopped.duration_s == DURATION_S
    assert killed.kind.recovery is Recovery.STAYS
    assert killed.duration_s > 1000.0
    assert stopped.kind.signal == signal.SIGSTOP
    (fault,) = parse_driver_faults(camera.nodes["simulator_node"]["driver_faults"])
    assert (fault.topic, fault.start_s) == ("camera/image_raw", camera.start_s)
    assert "driver_faults" not in stopped.nodes["simulator_node"]
    assert list(stopped.nodes)[-1] == "simulator_node"


def test_a_recorder_is_in_the_graph_where_a_fault_acts_on_it(tmp_path):
    kinds = choose_kinds(["recorder_killed", "disk_full", "standby_killed"])
    flights = FaultCampaign(kinds, [5], MODEL).flights(tmp_path)
    assert ["recorder_node" in flight.nodes for flight in flights] == [True, True, False]
    assert kinds[2].process == ["guard_standby"]


def test_a_process_that_may_not_write_gets_an_error_and_lives(tmp_path):
    program = (
        "import sys\nfile = open(sys.argv[1], 'a')\n"
        "for line in sys.stdin:\n"
        "    try:\n        print(line, file=file, flush=True)\n"
        "    except OSError as error:\n        print(error.errno, flush=True)\n"
        "    else:\n        print('written', flush=True)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "log")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as child:

        def answer() -> str:
            child.stdin.write("line\n")
            child.stdin.flush()
            return child.stdout.readline().strip()

        assert answer() == "written"
        forbid_writing(child.pid)
        assert answer() == str(errno.EFBIG)
        child.stdin.close()


def test_an_intruder_waits_for_its_time(tmp_path):
    (kind,) = choose_kinds(["foreign_imu_data"])
    (flight,) = FaultCampaign([kind], [5], MODEL).flights(tmp_path)
    assert flight.nodes["intruder_node"] == {
        "topic": "imu/data",
        "rate_hz": 50.0,
        "start_s": flight.start_s,
        "duration_s": 2.0,
    }
    assert list(flight.nodes)[-1] == "simulator_node"


def test_a_campaign_without_seeds_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="expected at least one seed"):
        run_faults(FaultCampaign(KINDS, [], MODEL), tmp_path)


def record(reason: str, commands: list[float], speeds: list[float]) -> FlightRecord:
    """A flight along x, a row every second."""
    count = len(speeds)
    zeros = np.zeros((count, 3))
    speed = np.array(speeds)
    position = np.concatenate([[0.0], np.cumsum(speed[:-1])])[:, None] * [1.0, 0.0, 0.0]
    return FlightRecord(
        stamp_ns=np.arange(count, dtype=np.int64) * 1_000_000_000,
        position=position,
        quaternion=np.zeros((count, 4)),
        velocity=speed[:, None] * [1.0, 0.0, 0.0],
        command=np.array(commands)[:, None] * [1.0, 0.0, 0.0, 0.0],
        framed=np.ones(count, bool),
        wind=zeros,
        progress_m=position[:, 0],
        cross_track_m=np.zeros(count),
        clearance_m=np.ones(count),
        result=FlightResult(reason == "completed", reason, 1.0, 0.0, 1.0, float(count)),
    )


def test_times_and_path_count_from_the_fault():
    flown = record("guard_stop", [2, 2, 2, 0, 0, 0], [2.0, 2.0, 2.0, 2.0, 1.0, 0.1])
    assert measured(flown, 1.5, 2.0) == {
        "outcome": "hovered",
        "reason": "guard_stop",
        "hover_s": 1.5,
        "standstill_s": 3.5,
        "travelled_m": 7.0,
    }


def test_a_flight_that_ends_before_its_fault_is_refused():
    """The record ends at 5 s; a fault at that time was injected."""
    flown = record("completed", [2] * 6, [2.0] * 6)
    check_reached(flown, 5.0, 7)
    line = r"seed 7: the flight ended after 5.0 s \(completed\), before the fault at 5.1 s; give a"
    with pytest.raises(ConfigError, match=line):
        check_reached(flown, 5.1, 7)


def test_a_flight_that_never_stopped_has_no_times():
    values = measured(record("completed", [2] * 6, [2.0] * 6), 1.0, 2.0)
    assert values["outcome"] == "went on"
    assert math.isnan(values["hover_s"])
    assert math.isnan(values["standstill_s"])
    assert values["travelled_m"] == 4.0


@pytest.mark.parametrize("reason", ["collision", "left_trail", "altitude", "timeout"])
def test_an_end_elsewhere_is_unsafe(reason):
    assert measured(record(reason, [2] * 4, [2.0] * 4), 1.0, 2.0)["outcome"] == "unsafe"


def test_the_table_counts_endings_and_bounds_the_unsafe_share(tmp_path):
    kinds = choose_kinds(["cpu_hog", "guard_killed"])
    rows = [
        FaultRow("cpu_hog", 1, 3.0, "went on", "completed", math.nan, math.nan, 4.0),
        FaultRow("guard_killed", 1, 3.0, "hovered", "guard_stop", 0.2, 1.0, 1.5),
        FaultRow("guard_killed", 2, 3.0, "unsafe", "collision", 0.4, math.nan, 2.5),
    ]
    text = write_faults(tmp_path, rows, kinds, "liquid-control faults").read_text()
    assert "| two busy processes per core | 1 | 0 | 1 | 0 | none | 4.00 m |" in text
    assert "| kill -9 of guard_node | 2 | 1 | 0 | 1 | 0.30 s, 0.40 s, 0.40 s | 2.50 m |" in text
    assert "3 faults of 2 kinds; 1 unsafe outcomes (at most 79.2 %" in text


def test_the_table_has_an_interval_of_the_median_from_six_times_on(tmp_path):
    """Of eight values the first and last bound it: 2 (1 + 8) / 256 > 0.05 > 2 / 256."""
    kinds = choose_kinds(["guard_killed"])
    rows = [
        FaultRow("guard_killed", seed, 3.0, "hovered", "guard_stop", 0.1 * seed, 1.0, 1.5)
        for seed in range(1, 9)
    ]
    text = write_faults(tmp_path, rows, kinds, "liquid-control faults").read_text()
    assert "| 8 | 8 | 0 | 0 | 0.45 s (0.10 to 0.80), 0.79 s, 0.80 s | 1.50 m |" in text
