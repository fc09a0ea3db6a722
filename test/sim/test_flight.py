import numpy as np
import pytest

from liquid_control.config import load_scenario
from liquid_control.types import Command
from liquid_control_sim import Expert, Flight, fly

pytestmark = pytest.mark.sim
SHORT = {"trail.length_m": 6.0, "forest.trees": 30}


def short(**overrides):
    return load_scenario("trail", {**SHORT, **overrides})


class Still:
    """A pilot that never moves."""

    name = "still"

    def start(self, world):
        pass

    def command(self, observation, truth):
        return Command()


class Sideways(Still):
    """A pilot that leaves the trail."""

    def command(self, observation, truth):
        return Command(0.0, 2.0)


def fields(record):
    return {
        name: getattr(record, name)
        for name in ("stamp_ns", "position", "quaternion", "velocity", "command", "framed", "wind")
    }


def test_the_expert_completes_and_the_record_adds_up():
    record = fly(short(), 3, Expert())
    assert record.result.reason == "completed"
    assert record.result.distance_m == 6.0
    assert record.progress_m[-1] >= 6.0
    assert record.result.duration_s == record.stamp_ns[-1] / 1e9
    assert record.result.cross_track_rms_m == pytest.approx(
        np.sqrt(np.mean(record.cross_track_m**2))
    )
    assert record.result.min_clearance_m == record.clearance_m.min()


def test_the_same_seed_flies_the_same_flight_bit_for_bit():
    windy = short(**{"wind.mean_mps": 4, "wind.gust_mps": 6, "camera.drop_rate": 0.3})
    first, second = fly(windy, 5, Expert()), fly(windy, 5, Expert())
    for name, values in fields(first).items():
        assert np.array_equal(values, getattr(second, name)), name
    assert not np.array_equal(first.position, fly(windy, 6, Expert()).position)


@pytest.mark.parametrize(("rate_hz", "ticks"), [(10, {24}), (40, {6}), (20, {12}), (25, {9, 10})])
def test_frames_come_at_the_cameras_rate_with_exact_stamps(rate_hz, ticks):
    record = fly(short(**{"camera.rate_hz": rate_hz}), 3, Expert())
    stamps = record.stamp_ns[record.framed]
    assert set(np.round(np.diff(stamps) * 240e-9).astype(int)) == ticks


def test_lost_frames_leave_gaps_and_the_first_is_never_lost():
    record = fly(short(**{"camera.drop_rate": 0.5, "trail.length_m": 12.0}), 3, Expert())
    due = record.stamp_ns % 50_000_000 == 0
    assert record.framed[0]
    assert 0.3 < record.framed[due].mean() < 0.7


def test_the_observations_imu_reaches_from_frame_to_frame():
    windows = []
    with Flight(short(**{"camera.drop_rate": 0.5}), 3) as flight:
        for _ in range(80):
            tick = flight.advance()
            if tick is None:
                break
            if tick.observation is not None:
                windows.append(tick.observation.imu)
                assert tick.observation.imu.stamps_ns[-1] == tick.stamp_ns
            flight.obey(Command(1.0))
    stamps = np.concatenate([window.stamps_ns for window in windows])
    assert np.array_equal(stamps, np.arange(len(stamps)) * 1_000_000_000 // 240)


def test_a_resting_vehicle_is_stopped_by_the_guard_and_a_straying_one_leaves():
    assert fly(short(), 3, Still()).result.reason == "guard_stop"
    assert fly(short(**{"forest.trees": 0}), 3, Sideways()).result.reason == "left_trail"


def test_a_trunk_in_the_way_is_a_collision():
    wide = short(**{"trail.lateral_limit_m": 20.0, "forest.trees": 400})
    assert fly(wide, 3, Sideways()).result.reason == "collision"


def test_time_runs_out():
    assert fly(short(time_limit_s=1.0), 3, Expert()).result.reason == "timeout"
