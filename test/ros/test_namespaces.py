"""Two vehicles in one ROS domain: each graph flies, records and ends by itself."""

from dataclasses import fields

import numpy as np
import pytest

from liquid_control import topics
from liquid_control.bags import open_bag, read_bag
from liquid_control.config import load_scenario, parse_settings
from liquid_control.evaluation import load_record
from liquid_control.graph.processes import end_processes
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control_sim.flight import fly

from .conftest import exit_status

pytestmark = pytest.mark.ros

LOCKSTEP = {"mode": "lockstep", "use_sim_time": True}
SHORT = ("time_limit_s=1",)
LONG = ("time_limit_s=4", "wind.mean_mps=3")


class Vehicle:
    """The graph of one vehicle in a namespace."""

    def __init__(self, launch, namespace: str, model, folder, seed: int, overrides):
        self.bag, self.record = folder / f"{seed}.mcap", folder / f"{seed}.npz"
        common = {"namespace": namespace, **LOCKSTEP}
        policy = {"model": str(model), "autostart": True}
        self.others = [
            launch("guard_node", **common),
            launch("policy_node", **common, **policy),
            launch("recorder_node", **common, path=str(self.bag)),
        ]
        self.simulator = launch(
            "simulator_node",
            **common,
            seed=seed,
            set=list(overrides),
            recorder=True,
            record_path=str(self.record),
        )


def test_two_graphs_in_one_domain_fly_record_and_end_by_themselves(launch, model, tmp_path):
    first = Vehicle(launch, "/first", model, tmp_path, 3, SHORT)
    second = Vehicle(launch, "/fleet/second", model, tmp_path, 4, LONG)
    assert exit_status(first.simulator) == 0, first.simulator.log.read_text()
    statuses = end_processes(first.others)
    assert set(statuses.values()) == {0}, statuses
    assert exit_status(second.simulator) == 0, second.simulator.log.read_text()
    statuses = end_processes(second.others)
    assert set(statuses.values()) == {0}, statuses
    for vehicle, seed, overrides in ((first, 3, SHORT), (second, 4, LONG)):
        pilot = PolicyPilot(Policy(load_model(model)))
        expected = fly(load_scenario("trail", parse_settings(overrides)), seed, pilot)
        record = load_record(vehicle.record)
        for field in fields(expected):
            np.testing.assert_array_equal(
                getattr(record, field.name), getattr(expected, field.name), err_msg=field.name
            )
        bag = read_bag(vehicle.bag)
        np.testing.assert_array_equal(bag.commands.stamp_ns, expected.stamp_ns)
        np.testing.assert_array_equal(bag.commands.values, expected.command)
        metadata = open_bag(vehicle.bag).metadata
        nodes = {name for name in metadata if name.startswith("parameters/")}
        own = (topics.GUARD, topics.PERCEPTION, topics.CONTROLLER, topics.RECORDER)
        assert nodes == {f"parameters/{name}" for name in (*own, topics.SIMULATOR)}
        assert metadata["parameters/simulator_node"]["seed"] == str(seed)


def test_a_guard_in_another_namespace_does_not_complete_a_graph(launch, probe):
    launch("guard_node", namespace="/other", **LOCKSTEP)
    probe.until(lambda: probe.node.count_publishers("/other/cmd_vel"), "the other guard")
    simulator = launch("simulator_node", namespace="/own", start_timeout_s=1.0, use_sim_time=True)
    assert exit_status(simulator) == 2
    text = simulator.log.read_text()
    assert "guard_node does not subscribe to /own/clock" in text
    assert "guard_node does not publish cmd_vel" in text
