"""The policy is brought up and down with one service, and says what it waits for."""

import pytest
from lifecycle_msgs.srv import ChangeState, GetState
from std_srvs.srv import SetBool, Trigger

from liquid_control import topics
from liquid_control.bags import open_bag
from liquid_control.evaluation import load_record

from .conftest import SEED, error_line, exit_status
from .test_policy_nodes import Sensors, advertise

pytestmark = pytest.mark.ros

POLICY = (topics.PERCEPTION, topics.CONTROLLER)
LOCKSTEP = {"mode": "lockstep", "use_sim_time": True}


def set_active(probe, active: bool) -> SetBool.Response:
    return probe.call(SetBool, "/lifecycle_manager/set_active", SetBool.Request(data=active))


def states(probe) -> list[str]:
    responses = [probe.call(GetState, f"/{n}/get_state", GetState.Request()) for n in POLICY]
    return [response.current_state.label for response in responses]


def started(launch, model, **parameters):
    """Start the manager, and perception and controller in processes of their own."""
    launch(topics.MANAGER, **parameters)
    return [launch(name, mode="realtime", model=str(model)) for name in POLICY]


def test_one_service_brings_the_policy_up_and_down_and_an_inactive_one_logs_nothing(
    launch, probe, model
):
    processes = started(launch, model)
    advertise(probe)
    response = set_active(probe, True)
    assert (response.success, response.message) == (True, "")
    assert states(probe) == ["active", "active"]
    response = probe.call(Trigger, "/lifecycle_manager/is_active", Trigger.Request())
    assert response.success
    assert response.message == "perception_node is active; controller_node is active"
    perception, controller = (process.log for process in processes)
    waits = "active; waiting for imu/data (1 publisher, no message yet)"
    probe.until(lambda: waits in perception.read_text(), "what perception waits for")
    waits = "active; waiting for perception/features (1 publisher, no message yet)"
    probe.until(lambda: waits in controller.read_text(), "what the controller waits for")

    assert set_active(probe, False).success
    assert states(probe) == ["inactive", "inactive"]
    before = [process.log.read_text() for process in processes]
    sensors = Sensors(probe)
    sensors.encoding = "unknown"
    diagnostics = probe.listen(topics.DIAGNOSTICS, "realtime")
    for _ in range(40):
        sensors.publish()
        probe.spin(0.05)
    assert [process.log.read_text() for process in processes] == before
    found = {m.status[0].name: m.status[0] for _, m in diagnostics}
    for name in POLICY:
        assert (found[name].level, found[name].message) == (b"\x00", "inactive"), name

    response = probe.call(Trigger, "/lifecycle_manager/reset", Trigger.Request())
    assert response.success
    assert states(probe) == ["unconfigured", "unconfigured"]
    response = probe.call(Trigger, "/lifecycle_manager/is_active", Trigger.Request())
    assert not response.success


def test_a_node_that_dies_and_is_started_again_is_activated_and_one_of_an_operator_is_not(
    launch, probe, model
):
    processes = started(launch, model)
    assert set_active(probe, True).success
    deactivate = ChangeState.Request()
    deactivate.transition.id = 4
    response = probe.call(ChangeState, f"/{topics.PERCEPTION}/change_state", deactivate)
    assert response.success
    processes[1].child.kill()
    processes[1].child.wait()
    log = launch.processes[0].log
    probe.until(lambda: "controller_node is gone" in log.read_text(), "the loss of the controller")
    launch(topics.CONTROLLER, mode="realtime", model=str(model))
    probe.until(lambda: states(probe)[1] == "active", "the controller")
    probe.spin(1.0)
    assert states(probe) == ["inactive", "active"]


def test_a_transition_that_the_state_does_not_have_is_refused_and_ends_no_node(
    launch, probe, model
):
    node = launch(topics.CONTROLLER, mode="realtime", model=str(model))
    request = ChangeState.Request()
    request.transition.id = 3
    service = f"/{topics.CONTROLLER}/change_state"
    assert not probe.call(ChangeState, service, request).success
    request.transition.id = 99
    assert not probe.call(ChangeState, service, request).success
    response = probe.call(GetState, f"/{topics.CONTROLLER}/get_state", GetState.Request())
    assert response.current_state.label == "unconfigured"
    assert "transition 3 refused: the node is unconfigured" in node.log.read_text()


def test_a_model_that_does_not_load_fails_the_request_with_the_node(
    launch, probe, model, tmp_path
):
    started(launch, tmp_path / "none")
    response = set_active(probe, True)
    assert not response.success
    assert response.message == "perception_node: configure failed; its log has the reason"
    assert states(probe) == ["unconfigured", "unconfigured"]


def test_a_request_fails_with_the_nodes_that_are_missing(launch, probe, model):
    launch(topics.MANAGER, timeout_s=1.0)
    launch(topics.PERCEPTION, mode="realtime", model=str(model))
    response = set_active(probe, True)
    assert not response.success
    assert "no progress for 1 s" in response.message
    assert "controller_node is not there" in response.message


def test_a_manager_that_starts_the_policy_itself_ends_with_its_failure(launch, tmp_path):
    started(launch, tmp_path / "none", autostart=True)
    assert "perception_node: configure failed" in error_line(launch.processes[0])


def test_a_simulator_waits_for_an_operator_longer_than_its_time_limit(
    launch, probe, model, tmp_path
):
    launch(topics.GUARD, **LOCKSTEP)
    launch(topics.MANAGER)
    for name in POLICY:
        launch(name, **LOCKSTEP, model=str(model))
    bag = tmp_path / "flight.mcap"
    launch(topics.RECORDER, **LOCKSTEP, path=str(bag))
    simulator = launch(
        topics.SIMULATOR,
        **LOCKSTEP,
        seed=SEED,
        set=["time_limit_s=0.5"],
        start_timeout_s=3.0,
        recorder=True,
        record_path=str(tmp_path / "flight.npz"),
    )
    waits = "waiting: perception_node is unconfigured"
    probe.until(lambda: waits in simulator.log.read_text(), "what the simulator waits for")
    assert set_active(probe, True).success
    assert exit_status(simulator) == 0, simulator.log.read_text()
    record = load_record(tmp_path / "flight.npz")
    text = simulator.log.read_text()
    assert f"flying: scenario trail, seed {SEED}" in text
    assert "the flight has ended: failed: timeout after 0.5" in text
    launch.processes[-2].child.terminate()
    assert exit_status(launch.processes[-2]) == 0
    result = open_bag(bag).metadata["result"]
    assert (result["success"], result["reason"]) == ("false", "timeout")
    assert float(result["distance_m"]) == record.result.distance_m
