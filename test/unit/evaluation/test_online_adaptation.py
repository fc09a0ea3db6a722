"""The study of online adaptation: lags, tracking errors, effects, and the last-layer baseline."""

from dataclasses import replace

import numpy as np
import pytest

from liquid_control.command.motors import MotorScaling
from liquid_control.config import project_file
from liquid_control.errors import CertificateError, ConfigError
from liquid_control.evaluation.last_layer import LastLayerAdaptation
from liquid_control.evaluation.online_adaptation import (
    LAST_LAYER,
    NONE,
    READOUT,
    StudyRow,
    effects,
    fit_lag,
    lagged,
    row_of,
    study,
    tracking_rms,
)
from liquid_control.evaluation.paired import difference_interval
from liquid_control.policy import AdaptationSettings, Decision, ReadoutBox, VelocityReading
from liquid_control.types import Command

pytestmark = pytest.mark.unit

DT_NS = 50_000_000
LAG_S = np.array(AdaptationSettings().lag_s)
STAMPS = DT_NS * np.arange(200)


def commands() -> np.ndarray:
    times = STAMPS[:, None] * 1e-9
    return np.array([1.5, 0.0, 0.1, 0.0]) + 0.5 * np.sin(np.array([1.0, 1.5, 2.0, 3.0]) * times)


def test_a_lagged_command_is_the_exact_response_to_a_step():
    steps = np.tile([1.0, 2.0, 0.0, -1.0], (200, 1))
    found = lagged(STAMPS, steps, np.zeros(4), LAG_S)
    expected = steps * (1.0 - np.exp(-STAMPS[:, None] * 1e-9 / LAG_S))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_lag_of_an_exact_plant_is_found_and_nothing_is_left():
    motions = lagged(STAMPS, commands(), np.array([0.3, 0.0, 0.1, 0.0]), np.full(4, 0.42))
    lag_s, left = fit_lag([(STAMPS, commands(), motions)] * 2)
    np.testing.assert_allclose(lag_s, 0.42)
    np.testing.assert_allclose(left, 0.0, atol=1e-9)


def test_the_tracking_error_of_a_constant_offset_is_the_offset():
    motions = lagged(STAMPS, commands(), np.zeros(4), LAG_S)
    late = np.where(STAMPS[:, None] > 0, [0.3, -0.2, 0.0, 0.1], 0.0)
    found = tracking_rms(STAMPS, commands(), motions + late, LAG_S.tolist())
    np.testing.assert_allclose(found, [0.3, 0.2, 0.0, 0.1], atol=1e-9)


def row(arm, seed, success, error, across) -> StudyRow:
    zeros = (0.0,) * 4
    tracking = (0.6 * error, 0.8 * error, 0.0, 0.0)
    return StudyRow(arm, "c", seed, success, "", across, 9.0, tracking, zeros, zeros, 1, 0)


def test_effects_are_those_of_pairs():
    rows = [
        *(row(NONE, seed, seed > 0, 0.5, 0.4) for seed in range(4)),
        *(row(READOUT, seed, True, 0.1 + 0.02 * seed, 0.3) for seed in range(4)),
        row(LAST_LAYER, 9, True, 0.1, 0.1),
    ]
    (found,) = effects(rows)
    assert (found.condition, found.arm, found.forests, found.successes) == (
        "c",
        READOUT,
        4,
        (3, 4),
    )
    assert found.success[:3] == (0.25, *difference_interval(3, 0, 1, 0))
    assert (found.before, found.after) == pytest.approx((0.5, 0.13))
    # t(0.975, 3) = 3.182, s = 0.02 sqrt(5 / 3), n = 4
    half = 3.182446 * 0.02 * np.sqrt(5.0 / 3.0) / 2.0
    assert found.tracking == pytest.approx((-0.37, -0.37 - half, -0.37 + half), rel=1e-5)
    assert found.cross_track[0] == pytest.approx(-0.1)


def test_a_row_comes_back_from_its_journal():
    own = row(READOUT, 3, True, 0.2, 0.1)
    content = {name: getattr(own, name) for name in own.__slots__}
    assert row_of(content | {"tracking": list(own.tracking)}) == own


def test_the_last_layer_cancels_a_constant_offset_within_the_box_and_forgets_without_readings():
    box = ReadoutBox.around(MotorScaling(), 0.3, 0.3)
    adaptation = LastLayerAdaptation(box, slice(9, 15), replace(AdaptationSettings()))
    state, v, rng = adaptation.init_state(), np.zeros(4), np.random.default_rng(0)
    offset = np.array([0.2, -0.15, 0.0, 0.1])
    for index, wanted in enumerate(np.tile(commands(), (2, 1))):
        neurons = np.tanh(rng.normal(size=19)).astype(np.float32)
        decision = Decision(Command(*wanted.tolist()), neurons, np.zeros(0))
        reading = VelocityReading(index * DT_NS, tuple(v.tolist()))
        command, state = adaptation.step(decision, state, reading, index * DT_NS, 0.05)
        target = np.array(command.values) + offset
        v = target + np.exp(-0.05 / LAG_S) * (v - target)
        assert np.all((box.offset_low <= state.offset) & (state.offset <= box.offset_high))
    np.testing.assert_allclose(np.array(state.offset)[[0, 1, 3]], -offset[[0, 1, 3]], atol=0.03)
    command, state = adaptation.step(decision, state, None, 0, 0.05)
    assert command == decision.command
    np.testing.assert_array_equal(state.information, adaptation.init_state().information)


def test_a_study_is_refused_before_it_flies(tmp_path):
    model = str(project_file("models/trail_cfc19"))
    with pytest.raises(ConfigError, match="expected names of none, read-out, last layer, got 'x'"):
        study(None, model, [1], tmp_path, arms=["x"])
    with pytest.raises(ConfigError, match=r"expected names of undisturbed.*got 'storm'"):
        study(None, model, [1], tmp_path, conditions=["storm"])
    with pytest.raises(CertificateError, match=r"covers no box|is missing"):
        study(None, str(project_file("models/hike_cfc19")), [1], tmp_path)
    assert not list(tmp_path.iterdir())
