"""Simulator benchmark: the timed flight equals the real one, and the table is complete."""

import json

import numpy as np
import pytest

from benchmarks import simulation, simulation_timing
from benchmarks.simulation import PeerCamera, peer_is_installed
from benchmarks.simulation_timing import time_flight, time_resets
from liquid_control.cli.main import main
from liquid_control.config import load_scenario
from liquid_control_sim import Expert, fly

pytestmark = pytest.mark.sim

SMALL = {"forest.trees": 10, "trail.length_m": 6.0, "camera.width": 32, "camera.height": 18}


def test_timed_flight_equals_the_flight_and_its_parts_sum_up():
    scenario = load_scenario("trail", SMALL)
    record = fly(scenario, 5, Expert())
    times = time_flight(scenario, 5, Expert())
    assert times.frames == record.framed.sum()
    assert times.simulated_s == record.stamp_ns[-1] / 1e9
    step_ms = times.camera_ms + times.pilot_ms + times.physics_ms
    assert step_ms * times.frames == pytest.approx(1e3 * times.flight_s)
    assert times.steps_per_s == pytest.approx(1e3 / step_ms)
    assert times.camera_per_s == pytest.approx(1e3 / times.camera_ms)


def test_resets_are_timed_and_their_memory_measured(monkeypatch):
    monkeypatch.setattr(simulation_timing, "WARM_SEEDS", 2)
    calls = []
    times = time_resets(load_scenario("trail", SMALL), 100, 3, lambda: calls.append(1))
    assert len(calls) == 2 * 2 + 3
    assert 0.0 < times.warm_least_ms <= times.warm_ms <= times.warm_most_ms
    assert times.cold_least_ms <= times.cold_ms <= times.cold_most_ms
    none = time_resets(load_scenario("trail", SMALL), 100, 0, lambda: None)
    assert (none.resets, none.cold_ms, none.growth_mb) == (0, None, None)


def test_resident_memory_includes_an_allocated_array():
    before = simulation_timing._resident_mb()
    block = np.ones(8_000_000)
    grown = simulation_timing._resident_mb() - before
    assert block.sum() == 8e6
    assert grown == pytest.approx(64.0, abs=8.0)


def test_command_prints_a_table_and_writes_results(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(simulation, "SETTINGS", {**simulation.SETTINGS, **SMALL})
    monkeypatch.setattr(simulation, "PEER_FRAMES", 2)
    monkeypatch.setattr(simulation, "WARM_SEEDS", 1)
    monkeypatch.setattr(simulation_timing, "WARM_SEEDS", 1)
    words = ["bench", "sim", "--repeats", "2", "--resets", "1", "--out", str(tmp_path)]
    assert main(words) == 0
    (row,) = json.loads((tmp_path / "results.json").read_text())["rows"]
    assert [flight["seed"] for flight in row["flights"]] == [10_001, 10_002]
    assert len(row["turns"]) == (2 if peer_is_installed() else 0)
    assert row["resets"]["resets"] == 1
    printed = capsys.readouterr().out
    assert "control steps a second" in printed
    assert ("not installed" in printed) is not peer_is_installed()
    assert printed.count("by CPU time") == (5 if peer_is_installed() else 3)
    assert "memory grown by 1 resets, MB" in printed


@pytest.mark.skipif(not peer_is_installed(), reason="gym-pybullet-drones is not installed")
def test_peer_camera_renders_the_configured_size():
    camera = PeerCamera.of(96, 54)
    rgb, _, _ = camera.aviary._getDroneImages(0, segmentation=False)
    camera.close()
    assert rgb.shape == (54, 96, 4)
    assert len(np.unique(rgb.reshape(-1, 4), axis=0)) > 1
