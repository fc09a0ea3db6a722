"""Adversarial flights at a fence: the vehicle is that of PyBullet, and the filter holds."""

import json

import numpy as np
import pytest

from benchmarks import barrier
from benchmarks.barrier import FAMILIES, arm_rules, fly_round, time_filter
from benchmarks.barrier_flights import SHAPES, draw_attack, fly_attack, free_vehicle
from liquid_control.cli.main import main
from liquid_control.command import Fence
from liquid_control.types import Command
from liquid_control_sim.dynamics.quadrotor import Quadrotor
from liquid_control_sim.dynamics.vehicle import load_vehicle
from liquid_control_sim.quiet_bullet import pybullet

pytestmark = pytest.mark.sim

CHOSEN_SEED = 20_000
"""Apart from the seeds of the reported flights."""


def test_the_vehicle_without_pybullet_is_the_one_with_it():
    """Two seconds of commands and wind: the position agrees within 1 mm."""
    client = pybullet.connect(pybullet.DIRECT)
    quadrotor = Quadrotor(client, load_vehicle("outdoor"), np.array([0.0, 0.0, 9.0]), 0.3)
    vehicle = free_vehicle()
    state = vehicle.start((0.0, 0.0, 9.0), 0.3)
    steps = [(Command(3.0, -1.0, 1.0, 1.5), (0.0, 5.0, 0.0)), (Command(-2.0), (-6.0, 0.0, 0.0))]
    for command, wind in steps:
        for _ in range(240):
            quadrotor.step(command, wind)
        state = vehicle.step(state, command, wind, 240)
        np.testing.assert_allclose(state.position, quadrotor.position, atol=1e-3)
        np.testing.assert_allclose(state.velocity, quadrotor.state.velocity, atol=5e-3)
    pybullet.disconnect(client)
    assert np.linalg.norm(state.position) > 2.0


def test_flights_leave_the_fence_without_the_filter_and_not_with_it():
    free = fly_round("none", "held", 0, CHOSEN_SEED)
    assert free.crossed > 5
    assert free.clearance_m < -1.0
    for family in FAMILIES:
        kept = fly_round("barrier", family, 0, CHOSEN_SEED)
        assert (kept.crossed, kept.flights) == (0, barrier.FLIGHTS)
        assert kept.clearance_m > 0.5
    assert fly_round("barrier", "held", 1, CHOSEN_SEED) == fly_round(
        "barrier", "held", 1, CHOSEN_SEED
    )


def test_attacks_begin_inside_and_are_those_of_their_seed():
    fences = {len(draw_attack("random", seed, 1.0).fence.corners) for seed in range(20)}
    assert fences == {len(shape) for shape in SHAPES}
    one, other = draw_attack("bang-bang", 3, 1.0), draw_attack("bang-bang", 3, 1.0)
    np.testing.assert_array_equal(one.segments, other.segments)
    assert fly_attack(one, arm_rules("slow", one.fence)) == fly_attack(
        other, arm_rules("slow", other.fence)
    )
    assert not arm_rules("none", Fence()).some


def test_the_program_is_solved_as_by_scipy(monkeypatch):
    monkeypatch.setattr(barrier, "COMMANDS", 40)
    times = time_filter(5)
    assert times.peer_gap_mps < 1e-4
    assert 0.0 < times.program_us[0] <= times.program_us[1]


def test_the_command_resumes_and_prints_arms_and_times(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(barrier, "COMMANDS", 20)
    monkeypatch.setattr(barrier, "FLIGHTS", 1)
    words = ["bench", "barrier", "--repeats", "1", "--out", str(tmp_path)]
    assert main(words) == 0
    rows = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert [row["corners"] for row in rows[:3]] == [4, 12, 100]
    assert [row["arm"] for row in rows[3:]] == [arm for arm in barrier.ARMS for _ in FAMILIES]
    assert "barrier: all" in capsys.readouterr().out
    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    (tmp_path / "rows.jsonl").write_text("\n".join(lines[:-2]) + "\n")
    assert main([*words, "--resume"]) == 0
    assert json.loads((tmp_path / "results.json").read_text())["rows"][:-2] == rows[:-2]
