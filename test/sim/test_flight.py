"""Flights in one process: reproducibility, frames, end reasons, settings, backends."""

import numpy as np
import pytest

from liquid_control.config import load_scenario
from liquid_control.errors import ConfigError, DependencyError
from liquid_control.types import Command
from liquid_control_sim import Expert, Flight, fly

pytestmark = pytest.mark.sim
SHORT = {
    "trail.length_m": 6.0,
    "forest.trees": 30,
    "camera.width": 32,
    "camera.height": 18,
}


def short(**overrides):
    return load_scenario("trail", {**SHORT, **overrides})


class HoverPilot:
    """A pilot that hovers."""

    name = "hover"

    def start(self, world):
        pass

    def command(self, observation, truth):
        return Command()


class SidewaysPilot(HoverPilot):
    """A pilot that leaves the trail."""

    def command(self, observation, truth):
        return Command(0.0, 2.0)


def fields(record):
    return {
        name: getattr(record, name)
        for name in ("stamp_ns", "position", "quaternion", "velocity", "command", "framed", "wind")
    }


def test_the_expert_completes_and_the_record_is_consistent():
    record = fly(short(), 3, Expert())
    assert record.result.reason == "completed"
    assert record.result.distance_m == 6.0
    assert record.progress_m[-1] >= 6.0
    assert record.result.duration_s == record.stamp_ns[-1] / 1e9
    assert record.result.cross_track_rms_m == pytest.approx(
        np.sqrt(np.mean(record.cross_track_m**2))
    )
    assert record.result.min_clearance_m == record.clearance_m.min()


def test_the_same_seed_repeats_a_flight_bit_for_bit():
    windy = short(**{"wind.mean_mps": 4, "wind.gust_mps": 6, "camera.drop_rate": 0.3})
    first, second = fly(windy, 5, Expert()), fly(windy, 5, Expert())
    for name, values in fields(first).items():
        assert np.array_equal(values, getattr(second, name)), name
    assert not np.array_equal(first.position, fly(windy, 6, Expert()).position)


@pytest.mark.parametrize(("rate_hz", "ticks"), [(10, {24}), (40, {6}), (20, {12}), (25, {9, 10})])
def test_frames_have_the_camera_rate_and_exact_stamps(rate_hz, ticks):
    record = fly(short(**{"camera.rate_hz": rate_hz}), 3, Expert())
    stamps = record.stamp_ns[record.framed]
    assert set(np.round(np.diff(stamps) * 240e-9).astype(int)) == ticks


def test_frames_are_lost_at_the_drop_rate_except_the_first():
    record = fly(short(**{"camera.drop_rate": 0.5, "trail.length_m": 12.0}), 3, Expert())
    due = record.stamp_ns % 50_000_000 == 0
    assert record.framed[0]
    assert 0.3 < record.framed[due].mean() < 0.7


def test_imu_windows_are_contiguous_between_frames():
    windows = []
    with Flight(short(**{"camera.drop_rate": 0.5}), 3) as flight:
        for _ in range(80):
            tick = flight.advance()
            if tick is None:
                break
            if tick.observation is not None:
                windows.append(tick.observation.imu)
                assert tick.observation.imu.stamps_ns[-1] == tick.stamp_ns
            flight.apply_command(Command(1.0))
    stamps = np.concatenate([window.stamps_ns for window in windows])
    assert np.array_equal(stamps, np.arange(len(stamps)) * 1_000_000_000 // 240)


def test_hovering_is_a_guard_stop_and_flying_sideways_leaves_the_trail():
    assert fly(short(), 3, HoverPilot()).result.reason == "guard_stop"
    assert fly(short(**{"forest.trees": 0}), 3, SidewaysPilot()).result.reason == "left_trail"


def test_hitting_a_trunk_is_a_collision():
    wide = short(**{"trail.lateral_limit_m": 20.0, "forest.trees": 400})
    assert fly(wide, 3, SidewaysPilot()).result.reason == "collision"


def test_timeout():
    assert fly(short(time_limit_s=1.0), 3, Expert()).result.reason == "timeout"


def test_camera_latency_delays_the_images_only():
    quiet = {"camera.shot_noise": 0.0, "camera.rate_hz": 20.0}
    prompt = images_of(short(**quiet))
    late = images_of(short(**quiet, **{"camera.latency_s": 0.1}))
    assert not np.array_equal(prompt[20], prompt[22])
    for index in range(2, 40):
        assert np.array_equal(late[index], prompt[index - 2]), index
    assert np.array_equal(late[0], prompt[0])


def images_of(scenario):
    """Return the first images of a flight under a constant command."""
    images = []
    with Flight(scenario, 3) as flight:
        while len(images) < 40 and (tick := flight.advance()) is not None:
            if tick.observation is not None:
                images.append(tick.observation.image)
            flight.apply_command(Command(1.0, 0.0, 0.0, 0.2))
    return images


def test_a_long_hover_ends_a_flight_unless_commands_do_not_reach_the_vehicle():
    ends = {}
    for limits in (True, False):
        with Flight(short(time_limit_s=5.0), 3, limits_hover=limits) as flight:
            while flight.advance() is not None:
                flight.apply_command(Command())
            ends[limits] = flight.record().result
    assert (ends[True].reason, ends[False].reason) == ("guard_stop", "timeout")
    assert ends[True].duration_s < 3.2
    assert ends[False].duration_s > 5.0


@pytest.mark.parametrize(
    "changes",
    [
        {"faults.rotor_efficiency": 0.85},
        {"faults.battery_sag": 0.2},
        {"faults.mass_scale": 1.15},
        {"faults.velocity_bias_mps": 0.3},
        {"wind.mean_mps": 4.0},
        {"wind.rotor_wash": 3.0},
    ],
)
def test_scenario_settings_affect_the_flight(changes):
    sound = fly(short(), 3, Expert())
    changed = fly(short(**changes), 3, Expert())
    assert changed.result.success
    assert not np.array_equal(changed.position, sound.position)


def test_lee_changes_the_wind_and_zero_lee_does_not():
    windy = {"wind.mean_mps": 4.0}
    open_field, wood = (
        fly(short(**windy, **{"wind.lee": lee}), 3, Expert()) for lee in (0.0, 1.0)
    )
    assert np.array_equal(open_field.wind, fly(short(**windy), 3, Expert()).wind)
    assert not np.array_equal(open_field.wind[0], wood.wind[0])


def test_a_missing_backend_is_refused():
    try:
        import gym_pybullet_drones  # noqa: F401
    except ImportError:
        pass
    else:
        pytest.skip("gym-pybullet-drones is installed; test_aviary.py flies on it")
    scenario = short(**{"vehicle": "cf2x", "world.backend": "gym_pybullet_drones"})
    with pytest.raises(DependencyError, match="gym-pybullet-drones"):
        Flight(scenario, 3)


def test_the_aviary_backend_accepts_cf2x_only():
    with pytest.raises(ConfigError, match="gym_pybullet_drones flies cf2x, got 'outdoor'"):
        short(**{"world.backend": "gym_pybullet_drones"})


def test_a_changed_cruise_speed_is_in_the_observations_from_then_on():
    scenario = load_scenario("trail", {"speed_mps": 2.5, "camera.rate_hz": 40.0})
    speeds = []
    with Flight(scenario, seed=1) as flight:
        for index in range(6):
            tick = flight.advance()
            if tick.observation is not None:
                speeds.append(tick.observation.cruise_mps)
            flight.cruise_mps = 2.5 if index < 2 else 4.0
            flight.apply_command(Command())
    assert speeds == [2.5] * 3 + [4.0] * 3
