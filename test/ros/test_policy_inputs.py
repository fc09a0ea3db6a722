"""Models with optional inputs in the graph: equal to flights in process and to replays of bags."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter

from liquid_control import topics
from liquid_control.bags import (
    FrameEvent,
    Losses,
    load_rules,
    open_bag,
    read_bag,
    read_flight,
    resolve,
)
from liquid_control.command import Guard, GuardState
from liquid_control.config import CameraSettings, load_scenario, parse_settings
from liquid_control.errors import ConfigError, ModelError
from liquid_control.evaluation import load_record
from liquid_control.export import model_graphs
from liquid_control.graph import GraphPlan, fly_through_graph
from liquid_control.nodes import conversions
from liquid_control.perception import INPUTS
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control.replay import ReplayRequest, evaluate_replay
from liquid_control.training.network import PolicyNetwork
from liquid_control.training.publish import save_candidate
from liquid_control.training.training_settings import TrainingSettings
from liquid_control.types import FlightRecord
from liquid_control_sim.flight import Flight, fly

from .conftest import SEED, exit_status, failed_starts
from .test_policy_nodes import Sensors

pytestmark = pytest.mark.ros

LOCKSTEP = {"mode": "lockstep", "use_sim_time": True}
OVERRIDES = (
    *("time_limit_s=2", "range.enabled=true", "speed_mps=2.3", "camera.rate_hz=30"),
    *("camera.drop_rate=0.2", "camera.horizontal_fov_deg=90.4", "camera.pitch_down_deg=13.7"),
)


@pytest.fixture(scope="module")
def model_of(tmp_path_factory):
    """Return a function that makes a random model with all inputs, by the kind of its core."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            core = {"core": {"kind": kind, "size": "small"}}
            network = core | {"inputs": tuple(INPUTS), "mount": True, "hidden": 16}
            settings = TrainingSettings(name=kind, network=network)
            fresh = PolicyNetwork.fresh(settings.network, settings.base_scenario(), seed=4)
            made[kind] = tmp_path_factory.mktemp("models") / kind
            save_candidate(made[kind], fresh, settings, model_graphs)
        return made[kind]

    return make


def pilot_of(model: Path) -> PolicyPilot:
    return PolicyPilot(Policy(load_model(model)))


def assert_equal_flights(record: FlightRecord, expected: FlightRecord) -> None:
    for field in fields(expected):
        np.testing.assert_array_equal(
            getattr(record, field.name), getattr(expected, field.name), err_msg=field.name
        )


def observations(bag: Path) -> list:
    opened = open_bag(bag)
    events = read_flight(opened, resolve(opened, load_rules()), Losses())
    return [event.observation for event in events if isinstance(event, FrameEvent)]


def assert_equal_replay(bag: Path, model: Path) -> None:
    result = evaluate_replay(ReplayRequest.for_bag(bag, model))
    assert result.identity.identical, result.identity.first
    assert {"policy", "guarded", "features", "states"} <= set(result.identity.compared)


@pytest.mark.parametrize("kind", ["cfc_wired", "gru", "mlp"])
def test_a_flight_with_all_inputs_equals_the_one_in_process_and_its_replay(
    model_of, tmp_path, kind
):
    """The state of the MLP is empty; two of the flights have perception in a shared process."""
    model = model_of(kind)
    plan = GraphPlan("trail", SEED, model, tmp_path, OVERRIDES, composed=kind != "cfc_wired")
    flight = fly_through_graph(plan)
    expected = fly(load_scenario("trail", parse_settings(OVERRIDES)), SEED, pilot_of(model))
    assert_equal_flights(load_record(flight.record), expected)
    assert np.abs(expected.command).max() > 0.1
    assert flight.statistics["frames_lost"] == 0
    assert_equal_replay(flight.bag, model)
    frames = observations(flight.bag)
    assert {frame.cruise_mps for frame in frames} == {2.3}
    assert {frame.mount[1] for frame in frames} == {13.7}
    assert len({frame.range_m for frame in frames}) == len(frames) == expected.framed.sum()
    assert len({tuple(frame.orientation) for frame in frames}) == len(frames)


def progress_beyond(simulator, time_s: float) -> None:
    for line in simulator.child.stdout:
        event = json.loads(line)
        if event["event"] == "progress" and event["time_s"] > time_s:
            return
    raise AssertionError("the flight ended before")


def fly_in_process(model: Path, cruise_mps: dict[int, float]) -> FlightRecord:
    """Fly with the cruise speed of each frame, by stamp."""
    scenario = load_scenario("trail", parse_settings((*OVERRIDES, "time_limit_s=4")))
    pilot, guard, state = pilot_of(model), Guard(), GuardState()
    with Flight(scenario, SEED) as flight:
        pilot.start(flight.world)
        first_ns = min(cruise_mps)
        ahead = sorted(stamp_ns for stamp_ns in cruise_mps if stamp_ns > first_ns)
        flight.cruise_mps = cruise_mps[first_ns]
        while (tick := flight.advance()) is not None:
            if tick.observation is None:
                state = guard.poll(tick.stamp_ns, state)
            else:
                command = pilot.command(tick.observation, tick.truth)
                state = guard.admit(command, tick.stamp_ns, state)
                if ahead:
                    flight.cruise_mps = cruise_mps[ahead.pop(0)]
            flight.apply_command(state.output)
        return flight.record()


def test_a_cruise_speed_that_is_changed_in_flight_reaches_policy_and_bag(
    launch, probe, model_of, tmp_path
):
    model, bag, path = model_of("gru"), tmp_path / "flight.mcap", tmp_path / "flight.npz"
    launch("guard_node", **LOCKSTEP)
    inputs = {"cruise_speed_mps": 2.3, "camera_pitch_down_deg": 13.7}
    launch("policy_node", **LOCKSTEP, model=str(model), autostart=True, **inputs)
    recorder = launch("recorder_node", mode="lockstep", use_sim_time=True, path=str(bag))

    def set_speed(speed_mps: float) -> bool:
        value = Parameter("cruise_speed_mps", value=speed_mps).to_parameter_msg()
        request = SetParameters.Request(parameters=[value])
        service = "/perception_node/set_parameters"
        return probe.call(SetParameters, service, request).results[0].successful

    assert set_speed(2.3)
    assert not set_speed(-1.0)
    simulator = launch(
        "simulator_node",
        **LOCKSTEP,
        pipe_stdout=True,
        progress=True,
        recorder=True,
        seed=SEED,
        set=[*OVERRIDES, "time_limit_s=4"],
        record_path=str(path),
    )
    progress_beyond(simulator, 0.3)
    assert set_speed(0.9)
    assert exit_status(simulator) == 0, simulator.log.read_text()
    recorder.child.terminate()
    assert exit_status(recorder) == 0
    cruise_mps = {frame.stamp_ns: frame.cruise_mps for frame in observations(bag)}
    assert list(dict.fromkeys(cruise_mps.values())) == [2.3, 0.9]
    changes = open_bag(bag).metadata["parameters_changed/1"]
    assert (changes["node"], changes["cruise_speed_mps"]) == ("perception_node", "0.9")
    expected = fly_in_process(model, cruise_mps)
    assert_equal_flights(load_record(path), expected)
    column = read_bag(bag).features.values[:, 28 + 6]
    assert set(column) == {np.float32(2.3 / 3.0), np.float32(0.9 / 3.0)}
    assert_equal_replay(bag, model)


def test_a_range_that_nothing_publishes_is_named_and_the_vehicle_hovers(
    launch, model_of, tmp_path
):
    path = tmp_path / "flight.npz"
    launch("guard_node", **LOCKSTEP)
    inputs = {"cruise_speed_mps": 2.3, "camera_pitch_down_deg": 15.0}
    policy = launch(
        "policy_node", **LOCKSTEP, model=str(model_of("gru")), autostart=True, **inputs
    )
    settings = {"set": ["time_limit_s=0.4"], "record_path": str(path)}
    simulator = launch("simulator_node", **LOCKSTEP, seed=SEED, **settings)
    assert exit_status(simulator) == 0, simulator.log.read_text()
    assert not load_record(path).command.any()
    assert "the model needs the input range, from the topic `range`" in policy.log.read_text()
    assert "Traceback" not in policy.log.read_text()


def test_a_missing_cruise_speed_is_named_until_it_is_set(launch, probe, model_of):
    mode = "realtime"
    for topic in (topics.RANGE, topics.IMU, topics.IMAGE, topics.CAMERA_INFO):
        probe.advertise(topic, mode)
    received = probe.listen(topics.FEATURES, mode)
    perception = launch(
        *("perception_node",),
        **{"mode": mode, "model": str(model_of("gru")), "autostart": True},
        camera_pitch_down_deg=15.0,
    )
    sensors, camera = Sensors(probe), CameraSettings(width=128, height=72)
    sensors.image = np.zeros((camera.height, camera.width, 3), np.uint8)
    level = np.array([0.0, 0.0, 0.0, 1.0])

    def publish() -> bool:
        stamp_ns = sensors.publish_imu()
        sample = conversions.imu_message((0.0,) * 3, (0.0, 0.0, 9.81), stamp_ns + 1, level)
        probe.publish(topics.IMU, sample)
        probe.publish(topics.RANGE, conversions.range_message(1.5, stamp_ns))
        probe.publish(topics.CAMERA_INFO, conversions.camera_info_message(camera, stamp_ns))
        probe.publish(topics.IMAGE, conversions.image_message(sensors.image, stamp_ns + 2))
        probe.spin(0.05)
        return bool(received)

    probe.until(publish, "features")
    assert np.isnan(conversions.features_from(received[-1][1])).all()
    line = "the model needs the input cruise_speed, from the scenario's speed or the parameter"
    probe.until(lambda: publish() and line in perception.log.read_text(), "the reason")
    value = Parameter("cruise_speed_mps", value=2.0).to_parameter_msg()
    request = SetParameters.Request(parameters=[value])
    service = "/perception_node/set_parameters"
    assert probe.call(SetParameters, service, request).results[0].successful

    def is_answered() -> bool:
        received.clear()
        return publish() and np.isfinite(conversions.features_from(received[-1][1])).all()

    probe.until(is_answered, "features that can be used")


def test_a_flight_without_an_input_of_the_model_is_refused_before_it_begins(model_of, tmp_path):
    plan = GraphPlan("trail", SEED, model_of("gru"), tmp_path, ("time_limit_s=1",))
    with pytest.raises(ModelError, match=r"no range sensor; add --set range.enabled=true"):
        fly_through_graph(plan)
    assert not any(tmp_path.iterdir())


def test_a_pitch_that_the_model_was_not_trained_for_is_refused_in_one_line(model_of):
    parameters = {"model": str(model_of("gru")), "autostart": True, "camera_pitch_down_deg": 40.0}
    ((status, errors),) = failed_starts("perception_node", [parameters])
    assert (status, len(errors)) == (2, 1)
    assert "expects a camera pitched down by 15 +- 3 degrees, got 40" in errors[0]


def test_a_bag_without_the_inputs_of_the_model_is_refused_with_the_option(flown, model_of):
    """The bag of a model without inputs: the other topics and options give them."""
    bag = flown("plain").flight.bag
    with pytest.raises(ConfigError, match="needs the input range, and there is no range; add"):
        ReplayRequest.for_bag(bag, model_of("gru"))
