"""Online adaptation: exact estimates, the box, bad data, and the certificates that it needs."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.command.motors import MOTORS, MotorScaling
from liquid_control.errors import CertificateError, ConfigError
from liquid_control.policy import (
    CERTIFICATE,
    AdaptationSettings,
    Decision,
    OnlineAdaptation,
    Policy,
    PolicyPilot,
    PolicySession,
    ReadoutBox,
    VelocityReading,
    certified_box,
    load_model,
    velocity_reading,
)
from liquid_control.policy.online_adaptation import estimate
from liquid_control.policy.readout_box import origins
from liquid_control.types import Command, VehicleState

pytestmark = pytest.mark.unit

DT_S, DT_NS = 0.05, 50_000_000
SCALING = MotorScaling()
BOX = ReadoutBox.around(SCALING, 0.3, 0.3)
LAG_S = np.array(AdaptationSettings().lag_s)
EVERY = replace(AdaptationSettings(), adapts=(True,) * 4)


def decision(command) -> Decision:
    return Decision(Command(*np.asarray(command, float).tolist()), np.zeros(19, "f4"), np.zeros(0))


def reading(index: int, values) -> VelocityReading:
    return VelocityReading(index * DT_NS, tuple(np.asarray(values, float).tolist()))


def wanted(index: int) -> np.ndarray:
    t = index * DT_S
    return np.array([1.6, 0.2, 0.1, 0.0]) + 0.6 * np.sin(np.array([1.0, 1.7, 1.3, 2.1]) * t)


class Plant:
    """T dv/dt = k u + d - v, exact for a command that is held."""

    def __init__(self, k, d) -> None:
        self.k, self.d, self.v = np.array(k), np.array(d), np.zeros(4)

    def step(self, u) -> None:
        target = self.k * np.array(u) + self.d
        self.v = target + np.exp(-DT_S / LAG_S) * (self.v - target)


def fly_plant(adaptation, plant, steps, start=0, state=None):
    """Return the states after every frame, and the commands."""
    state, states, commands = state or adaptation.init_state(), [], []
    for index in range(start, start + steps):
        command, state = adaptation.step(
            decision(wanted(index)), state, reading(index, plant.v), index * DT_NS, DT_S
        )
        plant.step(command.values)
        states.append(state)
        commands.append(command.values)
    return states, np.array(commands)


def test_the_estimate_of_a_linear_plant_is_weighted_least_squares_in_closed_form():
    own = EVERY
    adaptation = OnlineAdaptation(BOX, SCALING, own)
    plant = Plant([0.9, 1.1, 0.95, 1.05], [0.1, -0.2, 0.05, 0.1])
    states, _ = fly_plant(adaptation, plant, 300)
    used = [state for state in states if state.updates]
    assert len(used) == states[-1].updates > 250
    plant.v = np.zeros(4)
    keep = np.exp(-DT_S / own.memory_s)
    weight = DT_S / (np.array(own.noise) ** 2 * own.correlation_s)
    motions = []
    for state in states:
        motions.append(plant.v)
        plant.step(state.command)
    values = np.array(motions)[-len(used) :]
    for axis in range(4):
        left, right = np.diag([own.prior_gain**-2, own.prior_offset**-2]), np.zeros(2)
        prior = left.copy()
        right = prior @ [1.0, 0.0]
        for state, value in zip(used, values[:, axis], strict=True):
            u, one, first = state.filtered[axis]
            phi = np.array([u, one])
            left = keep * left + (1 - keep) * prior + weight[axis] * np.outer(phi, phi)
            right = keep * right + (1 - keep) * prior @ [1.0, 0.0]
            right += weight[axis] * phi * (value - first)
        expected = np.linalg.solve(left, right)
        found = estimate(used[-1].information[axis])
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_gain_and_offset_converge_to_those_that_cancel_the_plant():
    own = replace(EVERY, noise=(1e-3,) * 4)
    adaptation = OnlineAdaptation(BOX, SCALING, own)
    k, d = np.array([0.9, 1.1, 0.95, 1.05]), np.array([0.1, -0.2, 0.05, 0.1])
    plant, reference = Plant(k, d), Plant(np.ones(4), np.zeros(4))
    states, commands = fly_plant(adaptation, plant, 600)
    gain, origin = 1.0 / k, origins(SCALING)
    np.testing.assert_allclose(states[-1].gain, gain, atol=2e-4)
    np.testing.assert_allclose(states[-1].offset, (origin - d) * gain - origin, atol=3e-4)
    np.testing.assert_allclose(commands[-1], (wanted(599) - d) / k, atol=1e-3)
    reference.v = plant.v.copy()
    for index in range(600, 700):
        command, state = adaptation.step(
            decision(wanted(index)), states[-1], reading(index, plant.v), index * DT_NS, DT_S
        )
        states.append(state)
        plant.step(command.values)
        reference.step(wanted(index))
    np.testing.assert_allclose(plant.v, reference.v, atol=1e-3)


def test_a_plant_beyond_the_box_ends_at_its_edge_with_the_best_offset_for_it():
    adaptation = OnlineAdaptation(ReadoutBox.around(SCALING, 0.05, 0.3), SCALING, EVERY)
    states, _ = fly_plant(adaptation, Plant([0.8] * 4, [0.0] * 4), 600)
    np.testing.assert_allclose(states[-1].gain[1::2], 1.05)
    assert abs(states[-1].offset[1]) < 0.3 * 1.5


def test_the_vertical_command_is_not_adapted():
    adaptation = OnlineAdaptation(BOX, SCALING)
    states, commands = fly_plant(adaptation, Plant([0.9] * 4, [0.2] * 4), 200)
    assert (states[-1].gain[2], states[-1].offset[2]) == (1.0, 0.0)
    np.testing.assert_array_equal(commands[:, 2], [wanted(index)[2] for index in range(200)])
    assert abs(states[-1].offset[1]) > 0.1


def test_without_a_fault_commands_stay_within_a_millimetre_per_second():
    adaptation = OnlineAdaptation(BOX, SCALING, EVERY)
    _, commands = fly_plant(adaptation, Plant([1.0] * 4, [0.0] * 4), 300)
    np.testing.assert_allclose(commands, [wanted(index) for index in range(300)], atol=1e-12)


def test_nothing_is_adapted_before_two_seconds_of_good_readings():
    adaptation = OnlineAdaptation(BOX, SCALING)
    states, commands = fly_plant(adaptation, Plant([0.8] * 4, [0.3] * 4), 60)
    np.testing.assert_array_equal(commands[:39], [wanted(index) for index in range(39)])
    assert states[38].updates == 0 < states[45].updates
    assert np.any(commands[50] != wanted(50))


def test_parameters_change_no_faster_than_their_rates():
    adaptation = OnlineAdaptation(BOX, SCALING)
    states, _ = fly_plant(adaptation, Plant([0.75] * 4, [0.4] * 4), 200)
    for name, rate in zip(("gain", "offset"), AdaptationSettings().rates, strict=True):
        values = np.array([getattr(state, name) for state in states])
        assert np.abs(np.diff(values, axis=0)).max() <= rate * DT_S * (1 + 1e-9)


BAD = {
    "none": lambda index, v: None,
    "not a number": lambda index, v: reading(index, [*v[:3], np.nan]),
    "infinite": lambda index, v: reading(index, [np.inf, *v[1:]]),
    "stale": lambda index, v: reading(index - 4, v),
    "from the future": lambda index, v: reading(index + 1, v),
    "far from the model": lambda index, v: reading(index, v + np.array([0, 2.5, 0, 0])),
    "beyond any vehicle": lambda index, v: reading(index, v + np.array([0, 100.0, 0, 0])),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_data_leave_the_commands_of_the_policy_and_roll_back(kind):
    adaptation = OnlineAdaptation(BOX, SCALING)
    plant = Plant([0.9, 1.1, 1.0, 1.0], [0.1, -0.2, 0.0, 0.1])
    states, _ = fly_plant(adaptation, plant, 200)
    before = states[-1]
    for index in range(200, 300):
        command, state = adaptation.step(
            decision(wanted(index)), states[-1], BAD[kind](index, plant.v), index * DT_NS, DT_S
        )
        assert command.values == tuple(wanted(index).tolist())
        plant.step(command.values)
        states.append(state)
    np.testing.assert_array_equal(states[-1].gain, np.ones(4))
    np.testing.assert_array_equal(states[-1].information, before.trusted)
    assert before.trusted != before.information
    assert states[-1].updates == before.updates
    assert states[-1].rollbacks == 1
    after, commands = fly_plant(adaptation, plant, 90, 300, states[-1])
    np.testing.assert_array_equal(commands[:38], [wanted(index) for index in range(300, 338)])
    assert after[-1].updates > before.updates
    assert after[-1].offset[1] > 0.1


def test_a_driver_that_repeats_its_reading_is_refused():
    adaptation = OnlineAdaptation(BOX, SCALING)
    states, _ = fly_plant(adaptation, Plant([1.0] * 4, [0.1] * 4), 60)
    frozen = states[-1].reading
    command, state = adaptation.step(
        decision(wanted(60)), states[-1], reading(60, frozen), 60 * DT_NS, DT_S
    )
    assert command.values == tuple(wanted(60).tolist())
    assert state.doubts == 1


ANY = st.floats(allow_nan=True, allow_infinity=True)
NEAR = st.floats(-4.0, 4.0)
FRAMES = st.lists(
    st.tuples(
        st.lists(NEAR, min_size=4, max_size=4),
        st.one_of(st.none(), st.lists(st.one_of(NEAR, ANY), min_size=4, max_size=4)),
        st.integers(-3, 2),
        st.floats(0.0, 1.0),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(FRAMES, st.floats(0.0, 0.9), st.floats(0.0, 1.0))
def test_no_data_lead_out_of_the_box(frames, gain, offset):
    box = ReadoutBox.around(SCALING, gain, offset)
    adaptation = OnlineAdaptation(box, SCALING, replace(EVERY, trust_s=0.1, rates=(9.0, 9.0)))
    state, origin = adaptation.init_state(), origins(SCALING)
    for index, (command, motion, late, dt_s) in enumerate(frames):
        given_reading = None if motion is None else reading(index + late, motion)
        result, after = adaptation.step(
            decision(command), state, given_reading, index * DT_NS, dt_s
        )
        values = np.array(result.values)
        assert np.all((box.gain_low <= after.gain) & (after.gain <= box.gain_high))
        assert np.all((box.offset_low <= after.offset) & (after.offset <= box.offset_high))
        assert np.isfinite(after.information).all()
        low, high = box.commands(np.array(command), np.array(command), origin)
        assert np.all((low <= values) & (values <= high))
        if after.doubts > state.doubts:
            assert result.values == tuple(float(v) for v in command)
        state = after


def test_the_same_readings_give_the_same_bits():
    runs = [
        fly_plant(OnlineAdaptation(BOX, SCALING), Plant([0.9] * 4, [0.1] * 4), 150)[1]
        for _ in range(2)
    ]
    assert runs[0].tobytes() == runs[1].tobytes()


def state_of(index: int) -> VehicleState:
    """Return a level vehicle that nearly follows the commands of the random model."""
    velocity = np.array([1.2, 0.1 + 0.002 * index, 0.0])
    level = np.array([0.0, 0.0, 0.0, 1.0])
    return VehicleState(np.zeros(3), level, velocity, np.array([0.0, 0.0, 0.1]))


@pytest.fixture
def certified(folder):
    write_certificate_of(folder)
    return folder


def write_certificate_of(folder, change=lambda content: None):
    """Write the parts of a certificate that the start of an adaptation reads."""
    model = load_model(folder)
    content = {
        "weights_sha256": model.settings.sha256["weights.npz"],
        "constants": {"commands": model.settings.motors.model_dump()},
        "claims": {"box": {"readout": ReadoutBox.around(SCALING, 0.3, 0.2).to_claim()}},
    }
    change(content)
    (folder / CERTIFICATE).write_text(json.dumps(content))


def test_a_flight_is_adapted_and_the_next_one_begins_afresh(certified, observe):
    policy = Policy(load_model(certified))
    adapting = PolicyPilot(policy, OnlineAdaptation.for_model(policy.model))
    plain, runs = PolicyPilot(policy), []
    for _ in range(2):
        adapting._begin()
        assert adapting.session.adapted.updates == 0
        runs.append(
            [adapting.command(observe(index * DT_NS), state_of(index)) for index in range(90)]
        )
    assert adapting.session.adapted.updates > 0
    assert runs[0] == runs[1]
    still = [plain.command(observe(index * DT_NS), state_of(index)) for index in range(90)]
    assert runs[0][:10] == still[:10]
    assert runs[0] != still


def test_a_jump_of_the_stamps_forgets(certified, observe):
    policy = Policy(load_model(certified))
    adaptation = OnlineAdaptation.for_model(policy.model)
    session = PolicySession(policy, adaptation=adaptation)
    features = policy.features(observe())
    for index in range(60):
        motion = velocity_reading(state_of(index), index * DT_NS)
        session.answer(features, index * DT_NS, motion)
    assert session.adapted.updates > 0
    restored = PolicySession(policy, adaptation=adaptation)
    restored.restore(session.state())
    for one in (session, restored):
        motion = velocity_reading(state_of(70), 60 * DT_NS)
        one.answer(features, 60 * DT_NS, motion)
    assert session.adapted.rows == restored.adapted.rows
    session.answer(features, 100 * DT_NS, velocity_reading(state_of(0), 100 * DT_NS))
    assert session.fresh_starts == 1
    assert session.adapted.updates == 0
    np.testing.assert_array_equal(session.adapted.information, adaptation.init_state().information)


def test_the_reading_of_a_state_is_its_velocity_in_the_heading_frame():
    turned = VehicleState(
        np.zeros(3),
        np.array([0.0, 0.0, np.sin(0.5), np.cos(0.5)]),
        np.array([np.cos(1.0), np.sin(1.0), 0.25]),
        np.array([0.0, 0.0, 0.5]),
    )
    np.testing.assert_allclose(
        velocity_reading(turned, 7).values, [1.0, 0.0, 0.25, 0.5], atol=1e-15
    )


def test_the_box_of_a_certificate_is_the_default_and_a_smaller_one_may_be_requested(certified):
    model = load_model(certified)
    assert certified_box(model).to_claim()["left"]["gain"] == [0.7, 1.3]
    smaller = certified_box(model, "0.1,0.05")
    assert smaller.to_claim()["left"]["gain"] == [0.9, 1.1]
    assert certified_box(model).contains(smaller)


def _set(*path, value):
    def change(content):
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("weights_sha256", value="0" * 64), "is of other weights: expected sha256"),
        (_set("constants", "commands", value={}), "its constants are not those of model.yaml"),
        (_set("claims", "box", value=None), "covers no box of the read-out; make one with"),
        (_set("claims", value={}), "covers no box of the read-out"),
        (_set("claims", "box", value={"readout": {}}), "expected a certificate"),
        (_set("claims", value=[]), "expected a certificate"),
    ],
)
def test_a_certificate_that_does_not_fit_is_one_line(folder, change, message):
    write_certificate_of(folder, change)
    with pytest.raises(CertificateError, match=message) as caught:
        OnlineAdaptation.for_model(load_model(folder))
    assert "\n" not in str(caught.value)


def test_without_a_certificate_it_never_starts(folder):
    with pytest.raises(
        CertificateError, match="is missing; online adaptation needs a certificate"
    ):
        OnlineAdaptation.for_model(load_model(folder))


def test_a_box_larger_than_the_certificates_is_refused(certified):
    with pytest.raises(CertificateError, match=r"the box 0\.31,0\.1 is larger than the certifi"):
        OnlineAdaptation.for_model(load_model(certified), "0.31,0.1")


@pytest.mark.parametrize("text", ["", "0.3", "a,b", "0.3,0.2,0.1", "0.95,0.1", "0.1,2", "nan,0.1"])
def test_a_request_that_is_no_box_is_refused(certified, text):
    with pytest.raises(ConfigError, match="expected a box as GAIN,OFFSET"):
        certified_box(load_model(certified), text)


def test_the_largest_box_is_one():
    box = ReadoutBox.parse("0.9,1", SCALING)
    np.testing.assert_allclose((box.gain_low, box.gain_high), ([0.1] * 4, [1.9] * 4))
    with pytest.raises(ConfigError, match="up to 0"):
        ReadoutBox.parse("0.91,1", SCALING)


def test_a_box_without_the_nominal_parameters_is_refused():
    ones, zeros = np.ones(4), np.zeros(4)
    with pytest.raises(ConfigError, match="expected a box that holds gain 1 and offset 0"):
        ReadoutBox(1.1 * ones, 1.2 * ones, zeros, zeros)
    claim = BOX.to_claim()
    assert list(claim) == list(MOTORS)
    assert ReadoutBox.from_claim(claim).to_claim() == claim
