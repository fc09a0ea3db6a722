"""Solver against points in space that a turning and moving camera sees."""

from math import radians, tan

import numpy as np
import pytest

from liquid_control.calibration import solver
from liquid_control.calibration.rotation import GyroRotation
from liquid_control.calibration.tracks import Matches
from liquid_control.perception.camera_model import CameraModel
from liquid_control.seeding import stream

pytestmark = pytest.mark.unit

WIDTH, HEIGHT = 320, 180
LEVER_M = np.array([0.1, 0.0, 0.02])


def position(time_s, speed_mps):
    return speed_mps * np.array([np.sin(3 * time_s), np.cos(2.3 * time_s), 0.2 * np.sin(time_s)])


def problem_of(
    *,
    fov_deg=80.0,
    pitch_deg=20.0,
    roll_deg=0.0,
    yaw_deg=0.0,
    delay_s=0.06,
    speed_mps=0.5,
    noise_px=0.15,
    outliers=0.0,
    bias=(0.003, -0.004, 0.002),
    amplitudes=(0.15, 0.2, 1.2),
    seed=0,
    duration_s=15.0,
):
    generator = stream(seed, "calibration test")
    times = np.arange(-1.0, duration_s + 1.0, 1 / 240)
    phases = generator.uniform(0.0, 6.0, 3)
    rates = np.array(amplitudes) * np.sin(2 * np.pi * np.outer(times, (0.5, 0.45, 0.4)) + phases)
    noisy = rates + generator.normal(0.0, 0.005, rates.shape) + bias
    truth = GyroRotation(times, rates).integrated(np.zeros(3))
    focal = 0.5 * WIDTH / tan(radians(fov_deg) / 2)
    mount = solver.mount_rotation(radians(pitch_deg), radians(roll_deg), radians(yaw_deg))
    centre = np.array([0.5 * (WIDTH - 1), 0.5 * (HEIGHT - 1)])
    stamps, pair, first, last = [], [], [], []
    for begin in np.arange(0.0, duration_s - 0.3, 0.125):
        end = begin + 0.25
        before, after = truth.at(np.array([begin, end]))
        pixels = generator.uniform((0, 0), (WIDTH - 1, HEIGHT - 1), (60, 2))
        rays = np.column_stack([(pixels - centre) / focal, np.ones(60)])
        points = (rays * generator.uniform(1.5, 12.0, (60, 1))) @ (before @ mount).T
        points += position(begin, speed_mps) + before @ LEVER_M
        seen = (points - position(end, speed_mps) - after @ LEVER_M) @ (after @ mount)
        moved = seen[:, :2] / seen[:, 2:] * focal + centre
        inside = (seen[:, 2] > 0) & (moved > 0).all(1) & (moved < (WIDTH, HEIGHT)).all(1)
        wrong = generator.random(60) < outliers
        moved[wrong] += generator.uniform(-30.0, 30.0, (int(wrong.sum()), 2))
        pair += [len(stamps)] * int(inside.sum())
        stamps.append((begin + delay_s, end + delay_s))
        first.append(pixels[inside])
        last.append(moved[inside])
    start, stop = (np.concatenate(part) for part in (first, last))
    start = start + generator.normal(0.0, noise_px, start.shape)
    stop = stop + generator.normal(0.0, noise_px, stop.shape)
    matches = Matches(np.array(stamps), np.array(pair), start, stop)
    lens = CameraModel(WIDTH, HEIGHT, WIDTH, WIDTH, *centre)
    return solver.CalibrationProblem(matches, GyroRotation(times, noisy), lens)


def estimates(problem):
    """Return field of view, pitch, roll, yaw in degrees, and delay in ms."""
    values = solver.solve(problem).values
    fov_deg = 2.0 * np.degrees(np.arctan(0.5 * WIDTH / np.exp(values[solver.FOCAL])))
    return np.array([fov_deg, *np.degrees(values[1:4]), values[solver.DELAY] * 1e3])


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [
        {},
        {"speed_mps": 0.0},
        {"fov_deg": 60.0, "pitch_deg": 0.0, "delay_s": 0.0},
        {"fov_deg": 110.0, "pitch_deg": 45.0, "delay_s": 0.2},
        {"roll_deg": 2.0, "yaw_deg": -3.0, "delay_s": -0.02},
        {"outliers": 0.2},
        {"amplitudes": (0.05, 0.05, 1.2)},
    ],
    ids=str,
)
def test_estimates_are_those_of_the_camera(case):
    """Bounds are more than 5 standard deviations of these problems; each has one fixed seed."""
    known = {"fov_deg": 80.0, "pitch_deg": 20.0, "roll_deg": 0.0, "yaw_deg": 0.0, "delay_s": 0.06}
    known |= {name: value for name, value in case.items() if name in known}
    expected = [*list(known.values())[:4], known["delay_s"] * 1e3]
    apart = np.abs(estimates(problem_of(**case)) - expected)
    assert (apart < [0.6, 0.15, 0.3, 1.0, 0.8]).all(), apart


def test_sigmas_grow_when_the_camera_turns_less():
    much = solver.solve(problem_of(duration_s=8.0))
    little = solver.solve(problem_of(duration_s=8.0, amplitudes=(0.01, 0.01, 0.1)))
    assert (little.sigmas[:5] > 2.0 * much.sigmas[:5]).all()


def test_a_pitched_camera_looks_down():
    """The optical axis of a camera pitched by 30 degrees, and its right, in base_link."""
    mount = solver.mount_rotation(radians(30.0), 0.0, 0.0)
    np.testing.assert_allclose(mount @ [0, 0, 1], [np.sqrt(0.75), 0.0, -0.5], atol=1e-12)
    np.testing.assert_allclose(mount @ [1, 0, 0], [0.0, -1.0, 0.0], atol=1e-12)


def test_a_camera_turned_to_the_left_and_rolled():
    mount = solver.mount_rotation(0.0, 0.0, radians(90.0))
    np.testing.assert_allclose(mount @ [0, 0, 1], [0.0, 1.0, 0.0], atol=1e-12)
    rolled = solver.mount_rotation(0.0, radians(90.0), 0.0)
    np.testing.assert_allclose(rolled @ [1, 0, 0], [0.0, 0.0, -1.0], atol=1e-12)


def test_bearings_of_a_distorted_lens_are_those_of_opencv():
    """A point at (0.5, 0.25) in a lens with k1 = 0.1: r2 = 0.3125, factor 1.03125."""
    lens = CameraModel(320, 180, 100.0, 100.0, 160.0, 90.0, "plumb_bob", (0.1, 0.0, 0.0, 0.0, 0.0))
    none = Matches(np.zeros((1, 2)), np.zeros(1, np.int64), np.zeros((1, 2)), np.zeros((1, 2)))
    gyro = GyroRotation(np.array([0.0, 1.0]), np.zeros((2, 3)))
    problem = solver.CalibrationProblem(none, gyro, lens)
    pixel = np.array([[160.0 + 100.0 * 0.5 * 1.03125, 90.0 + 100.0 * 0.25 * 1.03125]])
    np.testing.assert_allclose(problem.bearings(pixel, 100.0), [[0.5, 0.25, 1.0]], atol=1e-4)
