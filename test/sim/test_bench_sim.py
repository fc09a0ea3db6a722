"""`liquid-control bench sim`: what it times is the real flight, and its table tells all."""

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


def test_the_timed_flight_is_the_flight_and_its_shares_add_up():
    scenario = load_scenario("trail", SMALL)
    record = fly(scenario, 5, Expert())
    times = time_flight(scenario, 5, Expert())
    assert times.frames == record.framed.sum()
    assert times.simulated_s == record.stamp_ns[-1] / 1e9
    shares = times.camera_ms + times.pilot_ms + times.physics_ms
    assert shares * times.frames == pytest.approx(1e3 * times.flight_s)
    assert times.steps_per_s == pytest.approx(1e3 / shares)
    assert times.camera_per_s == pytest.approx(1e3 / times.camera_ms)


def test_resets_are_counted_and_weighed(monkeypatch):
    monkeypatch.setattr(simulation_timing, "WARM_SEEDS", 2)
    told = []
    times = time_resets(load_scenario("trail", SMALL), 100, 3, lambda: told.append(1))
    assert len(told) == 2 * 2 + 3
    assert 0.0 < times.warm_least_ms <= times.warm_ms <= times.warm_most_ms
    assert times.cold_least_ms <= times.cold_ms <= times.cold_most_ms
    none = time_resets(load_scenario("trail", SMALL), 100, 0, lambda: None)
    assert (none.resets, none.cold_ms, none.growth_mb) == (0, None, None)


def test_memory_is_what_the_process_holds():
    before = simulation_timing._resident_mb()
    block = np.ones(8_000_000)
    grown = simulation_timing._resident_mb() - before
    assert block.sum() == 8e6
    assert grown == pytest.approx(64.0, abs=8.0)


def test_the_command_measures_and_writes(tmp_path, monkeypatch, capsys):
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
def test_the_peers_camera_takes_pictures_of_our_size():
    camera = PeerCamera.of(96, 54)
    rgb, _, _ = camera.aviary._getDroneImages(0, segmentation=False)
    camera.close()
    assert rgb.shape == (54, 96, 4)
    assert len(np.unique(rgb.reshape(-1, 4), axis=0)) > 1
