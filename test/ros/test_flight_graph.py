"""Flights through the graph: equal to those in process, and ended cleanly in every case."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from liquid_control import topics
from liquid_control.bags import read_bag
from liquid_control.config import load_scenario, parse_settings
from liquid_control.errors import ConfigError, GraphError, ModelError
from liquid_control.evaluation import load_record
from liquid_control.graph import GraphPlan, NodeGraph, fly_through_graph
from liquid_control.graph.processes import end_processes
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control_sim.flight import fly

from .conftest import FLIGHTS, LIMIT_S, SEED, error_line, exit_status, failed_starts

pytestmark = pytest.mark.ros

ENDS_WITHIN_S = 3.0
LOCKSTEP = {"mode": "lockstep", "use_sim_time": True}


@pytest.mark.parametrize("name", ["plain", "hard", "hard, composed"])
def test_a_flight_through_the_graph_equals_the_one_in_process(model, flown, name):
    flight, events = flown(name)
    pilot = PolicyPilot(Policy(load_model(model)))
    scenario = load_scenario("trail", parse_settings(FLIGHTS[name]["overrides"]))
    expected, record = fly(scenario, SEED, pilot), load_record(flight.record)
    for field in fields(expected):
        np.testing.assert_array_equal(
            getattr(record, field.name), getattr(expected, field.name), err_msg=field.name
        )
    assert flight.result == expected.result
    assert np.abs(expected.command).max() > 0.1
    assert flight.statistics["frames"] == expected.framed.sum()
    assert flight.statistics["frames_lost"] == 0
    assert events[-1]["distance_m"] > 0.0

    bag = read_bag(flight.bag)
    np.testing.assert_array_equal(bag.commands.stamp_ns, expected.stamp_ns)
    np.testing.assert_array_equal(bag.commands.values, expected.command)
    np.testing.assert_array_equal(bag.frames.stamp_ns, expected.stamp_ns[expected.framed])
    assert bag.states.values.shape == (expected.framed.sum(), 19)


def test_real_time_keeps_pace_and_counts_late_answers(model, tmp_path):
    overrides = ("time_limit_s=3", "camera.width=128", "camera.height=72", "camera.rate_hz=30")
    plan = GraphPlan("trail", SEED, model, tmp_path, overrides, mode="realtime")
    flight = fly_through_graph(plan)
    statistics = flight.statistics
    assert statistics["frames"] == pytest.approx(90, abs=1)
    assert statistics["wall_s"] >= 3.0
    assert 0 <= statistics["frames_lost"] <= statistics["frames"]
    assert statistics["latency_ms"]["p50"] > 0.0
    assert len(read_bag(flight.bag).frames.stamp_ns) > 0


@pytest.fixture
def endless(model, tmp_path) -> GraphPlan:
    """Return a flight that lasts longer than any test."""
    return GraphPlan("trail", SEED, model, tmp_path, overrides=("trail.length_m=500",))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_a_signal_ends_every_process_with_status_0_and_a_readable_bag(endless, number):
    with NodeGraph(endless) as graph:
        for event in graph.events():
            if event["event"] == "progress" and event["time_s"] > 1.0:
                break
        sent_s = time.monotonic()
        for process in graph.processes:
            process.child.send_signal(number)
        for process in graph.processes:
            exit_status(process)
        elapsed_s = time.monotonic() - sent_s
        statuses = {process.name: process.child.returncode for process in graph.processes}
    assert set(statuses.values()) == {0}, statuses
    assert elapsed_s < ENDS_WITHIN_S
    assert len(read_bag(endless.bag_path).frames.stamp_ns) > 5
    assert not list(endless.out_dir.glob("*.partial"))
    assert not endless.record_path.exists()


def test_no_process_outlives_a_parent_that_is_killed(model, tmp_path):
    script = (
        "import sys; from pathlib import Path\n"
        "from liquid_control.graph import GraphPlan, NodeGraph\n"
        "plan = GraphPlan('trail', 3, Path(sys.argv[1]), Path(sys.argv[2]),"
        " overrides=('trail.length_m=500',))\n"
        "with NodeGraph(plan) as graph:\n"
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
    deadline = time.monotonic() + LIMIT_S
    while alive := [pid for pid in pids if _is_running(pid)]:
        assert time.monotonic() < deadline, f"still running: {alive}"
        time.sleep(0.05)
    assert len(read_bag(tmp_path / "flight.mcap").frames.stamp_ns) > 5


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_a_process_that_dies_in_flight_ends_the_flight_with_its_name(endless):
    with NodeGraph(endless) as graph:
        events = graph.events()
        while next(events)["event"] != "progress":
            pass
        graph.processes[0].child.kill()
        with pytest.raises(GraphError, match="guard_node ended with status -9"):
            list(events)
    assert not endless.record_path.exists()


def test_a_guard_that_hangs_in_lockstep_is_reported_with_its_topic(launch, model):
    guard = launch("guard_node", **LOCKSTEP)
    launch("policy_node", **LOCKSTEP, model=str(model), autostart=True)
    simulator = launch(
        "simulator_node",
        **LOCKSTEP,
        pipe_stdout=True,
        progress=True,
        answer_timeout_s=1.0,
        seed=SEED,
    )
    for line in simulator.child.stdout:
        if b'"progress"' in line:
            guard.child.send_signal(signal.SIGSTOP)
            break
    assert (
        "no cmd_vel from guard_node for the awaited tick, and no progress for 1 s "
        "(all nodes are still in the graph)"
    ) in error_line(simulator)


DELAYED = (
    "import runpy, sys, time\n"
    "end_s = time.process_time() + {work_s}\n"
    "while time.process_time() < end_s: pass\n"
    "sys.argv = sys.argv[1:]\n"
    "runpy.run_module(sys.argv[0], run_name='__main__')\n"
)


def test_a_node_that_starts_after_the_time_limit_gets_its_flight_while_it_works(
    launch, probe, model, tmp_path
):
    """The start of the policy needs 5 s of CPU time; without progress the limit is 3 s."""
    launch("guard_node", **LOCKSTEP)
    simulator = launch(
        "simulator_node",
        **LOCKSTEP,
        set=["time_limit_s=0.2"],
        start_timeout_s=3.0,
        record_path=str(tmp_path / "flight.npz"),
    )
    probe.until(lambda: probe.node.count_publishers(topics.IMAGE), "the simulator")
    ready_s = time.monotonic()
    wrapper = ("-c", DELAYED.format(work_s=5.0))
    policy = launch("policy_node", **LOCKSTEP, wrapper=wrapper, model=str(model), autostart=True)
    assert exit_status(simulator) == 0, simulator.log.read_text()
    assert time.monotonic() - ready_s > 3.0
    assert len(load_record(tmp_path / "flight.npz").stamp_ns) > 5
    assert end_processes([policy])["policy_node"] == 0


def test_a_graph_that_is_not_complete_is_reported_with_what_is_missing(launch):
    text = error_line(launch("simulator_node", start_timeout_s=1.0, use_sim_time=True))
    for clause in (
        "the graph is not complete, and there was no progress for 1 s",
        "perception_node is not there",
        "controller_node is not there",
        "guard_node does not subscribe to /clock",
        "guard_node does not publish cmd_vel",
    ):
        assert clause in text


BAD_PARAMETERS = [
    ({"scenario": "moon"}, "unknown scenario 'moon'; there are: "),
    (
        {"set": ["wind.gust=6"]},
        "unknown key wind.gust; did you mean wind.gust_mps, wind.end_s or wind.roughness_m?",
    ),
    ({"set": ["wind.mean_mps=99"]}, "wind.mean_mps: input should be less than or equal to 30"),
    ({"wind": "hurricane"}, "unknown wind 'hurricane'; there are: calm"),
    ({"seed": "three"}, "simulator_node: seed: expected integer from 0"),
    ({"seed": -1}, "simulator_node: seed: expected integer from 0"),
    ({"firmware": "/no/such"}, "firmware: expected the mode realtime, got lockstep"),
    (
        {"firmware": "/no/such", "mode": "realtime"},
        "PX4: there is no firmware at /no/such",
    ),
]


def test_a_simulator_that_cannot_start_reports_why_in_one_line():
    failures = failed_starts("simulator_node", [bad for bad, _ in BAD_PARAMETERS])
    for (bad, message), (status, errors) in zip(BAD_PARAMETERS, failures, strict=True):
        assert (status, len(errors)) == (2, 1), bad
        assert message in errors[0]


def test_bad_input_is_refused_before_any_process_starts(model, tmp_path):
    with pytest.raises(ConfigError, match="unknown scenario 'moon'"):
        fly_through_graph(GraphPlan("moon", 0, model, tmp_path))
    with pytest.raises(ModelError, match="does not exist"):
        fly_through_graph(GraphPlan("trail", 0, tmp_path / "none", tmp_path))
    overrides = ("camera.horizontal_fov_deg=60",)
    with pytest.raises(ModelError, match="field of view of 90"):
        fly_through_graph(GraphPlan("trail", 0, model, tmp_path, overrides))
    assert not any(tmp_path.iterdir())


def test_a_recorder_whose_bag_exists_reports_its_path(launch, tmp_path):
    (tmp_path / "flight.mcap").write_bytes(b"")
    recorder = launch("recorder_node", path=str(tmp_path / "flight.mcap"))
    assert exit_status(recorder) == 2
    assert recorder.last_error_line().endswith("exists already, and bags are not overwritten")
