"""Inputs of a policy that a recording lacks: options, recorded values, refusals."""

import math
from pathlib import Path

import numpy as np
import pytest

from liquid_control.bags import BagWriter, Role, open_bag
from liquid_control.bags.topics import Axes, Source, TopicMap
from liquid_control.bags.writing import messages
from liquid_control.config import load_scenario
from liquid_control.errors import ConfigError
from liquid_control.message_types import CAMERA_INFO, IMAGE, IMU, JOINT_STATE, RANGE
from liquid_control.policy import Model, ModelSettings
from liquid_control.replay.given_inputs import (
    GivenInputs,
    changes_in_flight,
    check_inputs,
    given_inputs,
)
from liquid_control.types import ImuWindow, Observation

pytestmark = pytest.mark.unit

PERCEPTION = "parameters/perception_node"


def observe(**readings):
    return Observation(0, np.zeros((2, 2, 3), np.uint8), ImuWindow.empty(), **readings)


def test_options_replace_the_parameters_of_the_recorded_flight():
    recorded = {PERCEPTION: {"cruise_speed_mps": "2.5", "camera_pitch_down_deg": "null"}}
    given = given_inputs(["camera_pitch_down_deg=20"], recorded)
    assert (given.cruise_mps, given.pitch_down_deg) == (2.5, 20.0)
    assert given.words == ["camera_pitch_down_deg=20.0"]
    assert given.parameters == {"cruise_speed_mps": 2.5, "camera_pitch_down_deg": 20.0}
    assert given_inputs((), {}) == GivenInputs()


def test_a_flight_recorded_in_process_has_the_values_of_its_scenario():
    scenario = load_scenario("trail", {"speed_mps": 3.5, "camera.pitch_down_deg": 12.0})
    given = given_inputs((), {"flight": {"settings": scenario.model_dump_json()}})
    assert (given.cruise_mps, given.pitch_down_deg) == (3.5, 12.0)
    assert given_inputs((), {"flight": {"settings": '{"of": "another version"}'}}) == GivenInputs()


@pytest.mark.parametrize(
    "word", ["range_m=1", "cruise_speed_mps", "cruise_speed_mps=0", "camera_pitch_down_deg=nan"]
)
def test_another_option_is_refused_in_one_line(word):
    with pytest.raises(ConfigError, match=r"--input: expected cruise_speed_mps=NUMBER") as caught:
        given_inputs([word], {})
    assert "\n" not in str(caught.value)


def test_recorded_readings_are_kept_unless_an_option_replaces_them():
    recorded = observe(cruise_mps=1.5, mount=(80.0, 10.0))
    plain = GivenInputs(2.0, 20.0)
    assert plain.completed(recorded, None).mount == (80.0, 10.0)
    assert plain.completed(recorded, 70.0).mount == (70.0, 10.0)
    assert plain.completed(recorded, None).cruise_mps == 1.5
    wins = GivenInputs(2.0, 20.0, frozenset({"cruise_speed_mps", "camera_pitch_down_deg"}))
    assert wins.completed(recorded, None).mount == (80.0, 20.0)
    assert wins.completed(recorded, None).cruise_mps == 2.0
    empty = plain.completed(observe(), None)
    assert (empty.cruise_mps, empty.mount) == (2.0, None)
    assert plain.completed(observe(), 90.0).mount == (90.0, 20.0)
    missing = plain.completed(observe(mount=(math.nan, math.nan)), 90.0).mount
    assert math.isnan(missing[1]), "the policy had no mount in flight"


def test_a_change_of_the_cruise_speed_in_flight_is_found():
    change = {"node": "perception_node", "stamp_ns": "5", "cruise_speed_mps": "3.0"}
    assert changes_in_flight({"parameters_changed/1": change})
    assert not changes_in_flight({"parameters_changed/1": {**change, "node": "guard_node"}})


EVERYTHING = {
    Role.CAMERA: Source("/camera", IMAGE),
    Role.CAMERA_INFO: Source("/info", CAMERA_INFO),
    Role.IMU: Source("/imu", IMU),
    Role.RANGE: Source("/range", RANGE),
}


def model(*inputs, mount=False):
    settings = ModelSettings(
        name="random",
        features={"inputs": inputs},
        perception={"mount": mount, "hidden": 16 if mount else 0},
        core={"kind": "mlp"},
    )
    return Model(Path("random"), settings, {}, b"", b"")


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """Return a bag with one message of inputs: the range of a frame."""
    path = tmp_path_factory.mktemp("bags") / "flight.mcap"
    with BagWriter(path, {"policy/inputs": JOINT_STATE}) as writer:
        writer.write("policy/inputs", messages.inputs_cdr({"range_m": 1.5}, 0), 0)
    return open_bag(path)


@pytest.mark.parametrize(
    ("needed", "without", "option"),
    [
        ("cruise_speed", None, "--input cruise_speed_mps=NUMBER"),
        ("range", Role.RANGE, "--topic range=/NAME"),
        ("attitude", Role.IMU, "--topic imu=/NAME,flu"),
        ("mount", None, "--input camera_pitch_down_deg=NUMBER"),
        ("mount", Role.CAMERA_INFO, "--topic camera=/NAME,DEGREES"),
    ],
)
def test_a_missing_input_is_refused_with_the_option_that_supplies_it(bag, needed, without, option):
    sources = {role: source for role, source in EVERYTHING.items() if role is not without}
    given = GivenInputs() if without is None else GivenInputs(2.0, 15.0)
    with pytest.raises(ConfigError, match=f"needs the input {needed}, and .*; add {option}"):
        check_inputs(model(needed), bag, TopicMap(sources), given)
    check_inputs(model(needed), bag, TopicMap(EVERYTHING), GivenInputs(2.0, 15.0))
    check_inputs(model(), bag, TopicMap({}), GivenInputs())


def test_an_input_that_the_policy_was_given_needs_no_other_topic(bag):
    recorded = TopicMap({Role.INPUTS: Source("/policy/inputs", JOINT_STATE)})
    check_inputs(model("range"), bag, recorded, GivenInputs())
    with pytest.raises(ConfigError, match="needs the input attitude"):
        check_inputs(model("range", "attitude"), bag, recorded, GivenInputs())


def test_an_encoder_with_a_mount_and_imus_in_other_axes_are_checked_too(bag):
    with pytest.raises(ConfigError, match="needs the input mount"):
        check_inputs(model(mount=True), bag, TopicMap(EVERYTHING), GivenInputs(2.0))
    turned = EVERYTHING | {Role.IMU: Source("/imu", IMU, axes=Axes.OPTICAL)}
    with pytest.raises(ConfigError, match="no sensor_msgs/Imu in flu axes"):
        check_inputs(model("attitude"), bag, TopicMap(turned), GivenInputs())
