"""Whole flights through the graph: equal to those in process, and ended cleanly whatever comes."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from liquid_control.bags import read_bag
from liquid_control.config import load_scenario, parse_settings
from liquid_control.errors import ConfigError, GraphError, ModelError
from liquid_control.evaluation.records import load_record
from liquid_control.graph.flight_graph import FlightGraph, GraphPlan, fly_through_graph
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control_sim.flight import fly

from .conftest import ends

pytestmark = pytest.mark.ros

SEED = 3
SHORT = "time_limit_s=3"
HARD = ["camera.rate_hz=30", "camera.drop_rate=0.3", "wind.mean_mps=4", "wind.gust_mps=6"]
ENDS_WITHIN_S = 3.0


@pytest.mark.parametrize(
    ("overrides", "composed"),
    [([SHORT], False), ([SHORT, *HARD], False), ([SHORT, *HARD], True)],
    ids=["plain", "30 Hz, 30 % lost, wind", "composed"],
)
def test_a_flight_through_the_graph_equals_the_one_in_process(
    model, tmp_path, overrides, composed
):
    told = []
    outcome = fly_through_graph(
        "trail", SEED, overrides, model, tmp_path, on_progress=told.append, composed=composed
    )
    pilot = PolicyPilot(Policy(load_model(model)))
    here = fly(load_scenario("trail", parse_settings(overrides)), SEED, pilot)
    there = load_record(outcome["record"])
    for field in fields(here):
        np.testing.assert_array_equal(
            getattr(there, field.name), getattr(here, field.name), err_msg=field.name
        )
    assert np.abs(here.command).max() > 0.1
    assert outcome["statistics"]["frames"] == here.framed.sum()
    assert outcome["statistics"]["frames_lost"] == 0
    assert told[-1]["distance_m"] > 0.0

    bag = read_bag(outcome["bag"])
    np.testing.assert_array_equal(bag.commands.stamp_ns, here.stamp_ns)
    np.testing.assert_array_equal(bag.commands.values, here.command)
    np.testing.assert_array_equal(bag.frames.stamp_ns, here.stamp_ns[here.framed])
    assert bag.states.values.shape == (here.framed.sum(), 19)


def test_real_time_keeps_pace_and_tells_what_came_late(model, tmp_path):
    overrides = [SHORT, "camera.width=128", "camera.height=72", "camera.rate_hz=30"]
    outcome = fly_through_graph("trail", SEED, overrides, model, tmp_path, mode="realtime")
    statistics = outcome["statistics"]
    assert statistics["frames"] == pytest.approx(90, abs=1)
    assert statistics["wall_s"] >= 3.0
    assert 0 <= statistics["frames_lost"] <= statistics["frames"]
    assert statistics["latency_ms"]["p50"] > 0.0
    assert len(read_bag(outcome["bag"]).frames.stamp_ns) > 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_a_signal_ends_every_process_with_status_0_and_a_readable_bag(model, tmp_path, number):
    plan = GraphPlan("trail", SEED, model, tmp_path, overrides=("trail.length_m=500",))
    with FlightGraph(plan) as graph:
        for event in graph.events():
            if event["event"] == "progress" and event["time_s"] > 1.0:
                break
        sent_s = time.monotonic()
        for process in graph.processes:
            process.child.send_signal(number)
        for process in graph.processes:
            ends(process)
        took_s = time.monotonic() - sent_s
        statuses = {process.name: process.child.returncode for process in graph.processes}
    assert set(statuses.values()) == {0}, statuses
    assert took_s < ENDS_WITHIN_S
    assert len(read_bag(plan.bag_path).frames.stamp_ns) > 5
    assert not list(tmp_path.glob("*.partial"))
    assert not plan.record_path.exists()


def test_nothing_outlives_a_parent_that_is_killed(model, tmp_path):
    script = (
        "import sys; from pathlib import Path\n"
        "from liquid_control.graph.flight_graph import FlightGraph\n"
        "from liquid_control.graph.flight_graph import GraphPlan\n"
        "plan = GraphPlan('trail', 3, Path(sys.argv[1]), Path(sys.argv[2]),"
        " overrides=('trail.length_m=500',))\n"
        "with FlightGraph(plan) as graph:\n"
        "    for event in graph.events():\n"
        "        if event['event'] == 'progress' and event['time_s'] > 1.0:\n"
        "            print(*[p.child.pid for p in graph.processes], flush=True)\n"
    )
    path = os.pathsep.join(filter(None, sys.path))
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(model), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 5
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 10.0
    while alive := [pid for pid in pids if _runs(pid)]:
        assert time.monotonic() < deadline, f"still there: {alive}"
        time.sleep(0.05)
    assert len(read_bag(tmp_path / "flight.mcap").frames.stamp_ns) > 5


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_a_process_that_dies_in_flight_ends_it_with_its_name(model, tmp_path):
    plan = GraphPlan("trail", SEED, model, tmp_path, overrides=("trail.length_m=500",))
    with FlightGraph(plan) as graph:
        events = graph.events()
        while next(events)["event"] != "progress":
            pass
        graph.processes[0].child.kill()
        with pytest.raises(GraphError, match="guard_node ended with status -9"):
            list(events)
    assert not plan.record_path.exists()


def test_a_guard_that_hangs_in_lockstep_is_named_with_its_topic(launch, model, probe):
    common = {"mode": "lockstep", "use_sim_time": True}
    guard = launch("guard_node", **common)
    launch("policy_node", **common, model=str(model), autostart=True)
    simulator = launch(
        "simulator_node", **common, heard=True, progress=True, answer_timeout_s=1.0, seed=SEED
    )
    for line in simulator.child.stdout:
        if json.loads(line)["event"] == "progress":
            guard.child.send_signal(signal.SIGSTOP)
            break
    assert ends(simulator) == 2
    assert (
        "no cmd_vel from guard_node for the tick awaited within 1 s" in simulator.last_error_line()
    )


def test_a_graph_that_is_not_complete_is_told_with_who_is_missing(launch):
    simulator = launch("simulator_node", start_timeout_s=1.0, use_sim_time=True)
    assert ends(simulator) == 2
    words = simulator.last_error_line()
    for clause in (
        "the graph is not complete after 1 s",
        "perception_node is not there",
        "controller_node is not there",
        "guard_node does not hear /clock",
        "guard_node does not publish cmd_vel",
    ):
        assert clause in words


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"scenario": "moon"}, "unknown scenario 'moon'; there are: "),
        ({"set": ["wind.gust=6"]}, "unknown key wind.gust; did you mean wind.gust_mps?"),
        ({"set": ["wind.mean_mps=99"]}, "wind.mean_mps: input should be less than or equal to 30"),
        ({"wind": "hurricane"}, "unknown wind 'hurricane'; there are: calm"),
        ({"seed": "three"}, "simulator_node: seed: expected integer from 0"),
        ({"seed": -1}, "simulator_node: seed: expected integer from 0"),
    ],
)
def test_a_simulator_that_cannot_start_says_why_in_one_line(launch, parameters, said):
    simulator = launch("simulator_node", **parameters)
    assert ends(simulator) == 2
    errors = [line for line in simulator.log.read_text().splitlines() if "[ERROR]" in line]
    assert len(errors) == 1
    assert said in errors[0]


def test_bad_input_is_refused_before_anything_starts(model, tmp_path):
    with pytest.raises(ConfigError, match="unknown scenario 'moon'"):
        fly_through_graph("moon", 0, [], model, tmp_path)
    with pytest.raises(ModelError, match="does not exist"):
        fly_through_graph("trail", 0, [], tmp_path / "none", tmp_path)
    with pytest.raises(ModelError, match="field of view of 90"):
        fly_through_graph("trail", 0, ["camera.horizontal_fov_deg=60"], model, tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_recorder_without_a_place_to_write_names_it(launch, tmp_path):
    (tmp_path / "flight.mcap").write_bytes(b"")
    recorder = launch("recorder_node", path=str(tmp_path / "flight.mcap"))
    assert ends(recorder) == 2
    assert recorder.last_error_line().endswith("exists already, and bags are not overwritten")
