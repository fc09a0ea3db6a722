"""Tubes of the closed loop hold what rollouts attain, and the checker rejects altered ones."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from certified_models import TRAIL, with_state_weights
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reduced_loops import flights_by_hand, model_by_hand

from liquid_control.certification import (
    CLOSED_LOOP,
    CertifiedCell,
    Interval,
    LoopFlights,
    TubePlan,
    certify_closed_loop,
    check_closed_loop,
    closed_loop_lines,
    exact_neuron,
    exact_tube,
    read_tube,
    write_closed_loop,
)
from liquid_control.certification import closed_loop_checker as checker_module
from liquid_control.certification.affine_forms import Form, joined, tanh_line
from liquid_control.certification.gate_plane import neuron
from liquid_control.certification.model_fit import (
    deviations,
    fit_reduced_model,
    followed,
    perception_errors,
    steps_of,
)
from liquid_control.certification.reach_tube import (
    Tube,
    equilibrium,
    excess,
    find_corridor,
    loop_derivative,
    reach_tube,
)
from liquid_control.certification.reduced_model import ReducedModel, SetStep, advance
from liquid_control.certification.shaped_set import ShapedSet
from liquid_control.certification.tube_search import flight_windows, search_rollouts
from liquid_control.errors import CertificateError
from liquid_control.policy import load_model

pytestmark = pytest.mark.unit
PLANS = (
    TubePlan("whole", 1.0, 1.0, (0.049, 0.051), 3, True, 10_000),
    TubePlan("part", 0.1, 0.2, (0.05, 0.1), 2, False, 10_000),
)


@pytest.fixture(scope="module")
def cell():
    return CertifiedCell.of(load_model(TRAIL))


@pytest.fixture(scope="module")
def certified(cell, tmp_path_factory):
    """Return the folder of a model with a closed-loop certificate of flights by hand."""
    folder = tmp_path_factory.mktemp("closed")
    for name in ("model.yaml", "weights.npz", "perception.onnx"):
        shutil.copy(TRAIL / name, folder / name)
    rows = [flights_by_hand(cell, seed) for seed in range(3)]
    flights = LoopFlights(*rows, {"by": "hand"})
    content = certify_closed_loop(load_model(TRAIL), flights, PLANS, corridor=())
    write_closed_loop(folder, content)
    return folder


def form_of(rng, rows, blocks):
    count = sum(blocks)
    starts = np.cumsum([0, *blocks[:-1]])
    return Form(
        rng.normal(size=(1, rows)),
        rng.normal(size=(1, rows, count)) * 10.0 ** rng.uniform(-3, 1),
        np.abs(rng.normal(size=(1, rows))) * 10.0 ** rng.uniform(-6, 0),
        starts,
    )


def symbols_of(rng, form, count):
    """Return random symbols in the balls of a form, also on their borders, [count, M]."""
    s = rng.uniform(-1.0, 1.0, (count, form.symbols.shape[2]))
    s[: count // 2] = np.sign(s[: count // 2])
    for start, stop in zip(form.starts, [*form.starts[1:], s.shape[1]], strict=True):
        norms = np.linalg.norm(s[:, start:stop], axis=1, keepdims=True)
        s[:, start:stop] /= np.maximum(norms, 1.0)
    return s


def values_of(rng, form, s):
    """Return points of the rows of a form at symbols, [T, K]."""
    error = rng.choice([-1.0, 0.0, 1.0], (len(s), form.centre.shape[1])) * form.error[0]
    return form.centre[0] + s @ form.symbols[0].T + error


def around(form, s):
    """Return the smallest and largest values of a form at symbols."""
    middle = form.centre[0] + s @ form.symbols[0].T
    slack = form.error[0] + 1e-12 * (1.0 + np.abs(middle))
    return middle - slack, middle + slack


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_products_sums_and_tanh_of_forms_hold_every_point(seed):
    rng = np.random.default_rng(seed)
    a, b = form_of(rng, 3, [1, 2, 3]), form_of(rng, 3, [1, 2, 3])
    s = symbols_of(rng, a, 60)
    x, y = values_of(rng, a, s), values_of(rng, b, s)
    matrix = rng.normal(size=(2, 3))
    for form, values in (
        (a.times(b), x * y),
        (a + b, x + y),
        (a.tanh(), np.tanh(x)),
        (a.mapped(matrix), x @ matrix.T),
    ):
        low, high = around(form, s)
        assert np.all(low <= values)
        assert np.all(values <= high)
        ends = form.interval
        assert np.all(ends.lower <= values + 1e-12)
        assert np.all(values - 1e-12 <= ends.upper)


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.3, 0.3), (-1e-12, 1e-12), (-700.0, 700.0), (-2.0, 40.0), (5.0, 80.0), (19.0, 19.5)],
)
def test_a_line_of_tanh_holds_at_extremes(low, high):
    slope, middle, error = tanh_line(Interval(np.array([low]), np.array([high])))
    x = np.concatenate([np.linspace(low, high, 20_001), np.clip([-1.0, 0.0, 1.0], low, high)])
    assert np.abs(np.tanh(x) - slope * x - middle).max() <= error[0]


def test_the_tube_of_a_linear_system_is_exact():
    """z' = A z + d, |d| <= b: z_k deviates by |A^k| r + sum_j |A^j| b at most, and attains it."""
    angle = 0.7
    matrix = 0.9 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    radius, bound = np.array([0.5, 0.2]), np.array([0.03, 0.01])
    form = Form(np.zeros((1, 2)), np.diag(radius)[None], np.zeros((1, 2)), np.arange(2))
    exact, power = np.abs(np.diag(radius)).sum(axis=1), np.eye(2)
    noise = np.zeros(2)
    for _ in range(30):
        form = form.mapped(matrix).widened(bound).settled()
        noise, power = noise + np.abs(power) @ bound, matrix @ power
        exact = np.abs(power) @ radius + noise
        np.testing.assert_allclose(form.radius[0], exact, rtol=1e-9)
        assert np.all(form.radius[0] >= exact * (1.0 - 1e-15))
    reduced = form.reduced(20)
    assert reduced.symbols.shape[2] <= 20
    assert np.all(reduced.radius[0] >= exact * (1.0 - 1e-15))


def test_no_rollout_leaves_a_tube(cell):
    model = model_by_hand(cell)
    state = equilibrium(model, cell, 0.07) * np.r_[0.0, 0.0, np.ones(9 + cell.neurons)]
    for dt_s, half in (((0.049, 0.051), 1e-3), ((0.05, 0.1), 0.05)):
        loop = replace(model, dt_s=dt_s)
        start = ShapedSet(state, half * np.eye(len(state)), 4)
        tube = reach_tube(loop, cell, start.form(), 4)
        found = search_rollouts(loop, cell, start, tube, 20_000, 3)
        assert found.outside == 0
        share = (found.upper - found.lower) / (tube.upper - tube.lower)
        assert share[1].min() > 0.05
        parts = reach_tube(loop, cell, start.form((2, 2)), 4)
        for which in (parts, tube):
            assert np.all(which.lower <= found.lower + 1e-9)
            assert np.all(found.upper - 1e-9 <= which.upper)
        assert parts.upper[4, 0] - parts.lower[4, 0] <= tube.upper[4, 0] - tube.lower[4, 0]


def test_a_step_with_the_smallest_sets_is_that_of_the_point(cell):
    model = replace(model_by_hand(cell, 0.0), dt_s=(0.05, 0.05 + 1e-12))
    state = np.linspace(-0.2, 0.2, 11 + cell.neurons)
    form = SetStep(model, cell)(ShapedSet(state, 1e-300 * np.eye(len(state)), 1).form())
    assert form.radius.max() < 1e-4  # the float32 rounding of the core
    matrix, _ = loop_derivative(model_by_hand(cell), cell, state, 0.05)
    assert np.abs(matrix).max() < 10.0


def test_without_features_of_the_trail_there_is_no_corridor(tmp_path):
    cell = CertifiedCell.of(with_state_weights(tmp_path / "small", 0.1))
    model = model_by_hand(cell, 1e-3)
    model = replace(model, gain=0.0 * model.gain, offset=0.0 * model.offset)
    state = equilibrium(model, cell, 0.05)
    assert find_corridor(model, cell, state, 10, rounds=2) is None


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.floats(0.2, 1.5))
def test_prover_and_checker_agree_which_sets_lie_in_a_parallelotope(seed, size):
    rng = np.random.default_rng(seed)
    map_ = rng.normal(size=(3, 3)) * 10.0 ** rng.uniform(-5, 1, 3)
    goal = ShapedSet(rng.normal(size=3), map_, 3)
    shares = rng.dirichlet(np.ones(4), 3)  # of each coordinate s: centre, and three symbols
    s = size * shares * rng.choice([-1.0, 1.0], (3, 4))
    form = Form(
        (goal.centre + map_ @ s[:, 0])[None],
        (map_ @ s[:, 1:])[None],
        np.zeros((1, 3)),
        np.arange(3),
    )
    np.testing.assert_allclose(excess(form, goal).max(), size, rtol=1e-3)
    assume(abs(size - 1.0) > 1e-3)
    assert checker_module._lies_in(exact_rows(form), goal.document()) == (size < 1.0)


def test_nothing_returns_into_a_set_that_is_flat_or_a_ball():
    form = Form(np.zeros((1, 2)), np.zeros((1, 2, 2)), np.zeros((1, 2)), np.arange(2))
    flat = ShapedSet(np.zeros(2), np.array([[1.0, 1.0], [1.0, 1.0 + 1e-15]]), 2)
    assert np.isinf(excess(form, flat)).all()
    ball = ShapedSet(np.zeros(2), np.eye(2), 1)
    assert not checker_module._lies_in(exact_rows(form), ball.document())


def test_coordinates_in_a_parallelotope_by_hand():
    goal = ShapedSet(np.array([1.0, 0.0]), np.array([[2.0, 1.0], [0.0, 1.0]]), 2)
    form = Form(np.array([[1.0, 0.5]]), np.array([[[1.0], [0.0]]]), np.zeros((1, 2)), np.arange(1))
    # s = T^-1 (x - c): (x1 - 1 - x2) / 2 is -0.25 +- 0.5, and x2 is 0.5.
    np.testing.assert_allclose(excess(form, goal), [0.75, 0.5], atol=1e-9)


def test_the_fit_finds_the_lags_the_features_and_the_errors_of_flights(cell):
    model, rows = model_by_hand(cell), flights_by_hand(cell, 5)
    found = fit_reduced_model(cell, rows, rows, (0.049, 0.051), 1.0)
    np.testing.assert_allclose(found.lags_s, model.lags_s)
    np.testing.assert_allclose(found.gain, model.gain, atol=0.015)
    np.testing.assert_allclose(found.offset, model.offset, atol=0.015)
    steps = steps_of(followed(found, cell, rows), found.lags_s)
    d = deviations(found, steps)
    after = advance(found, steps.before, steps.command, steps.dt_s, steps.curvature, d)
    np.testing.assert_allclose(after, steps.after, atol=1e-12)
    for errors, own, true in (
        (d, found.disturbance, model.disturbance),
        (perception_errors(cell, steps), found.perception, model.perception),
    ):
        assert own.coordinates(errors).max() <= 1.0 + 1e-9
        assert np.all(np.diag(own.map) <= 1.1 * np.diag(true.map))
        assert np.all(np.diag(own.map) >= 0.8 * np.diag(true.map))
    with pytest.raises(CertificateError, match="500 or more"):
        fit_reduced_model(cell, flights_by_hand(cell, 5, 200), rows, (0.2, 0.3))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_planes_hold_every_neuron_and_those_of_the_checker_agree(seed):
    rng = np.random.default_rng(seed)
    parts = [form_of(rng, 4, [1, 2, 3, 1]) for _ in range(3)]
    s = symbols_of(rng, parts[0], 400)
    a, c, v = (values_of(rng, part, s) for part in parts)
    gate = 0.5 * (1.0 + np.tanh(v))
    states = np.tanh(a) * (1.0 - gate) + np.tanh(c) * gate
    form = neuron(*parts)
    low, high = around(form, s)
    assert np.all(low <= states)
    assert np.all(states <= high)
    rows = exact_neuron.neuron(*(exact_rows(part) for part in parts))
    found = np.array(rows.ends(), object)
    ends = (found / exact_tube.ONE).astype(float)
    np.testing.assert_allclose(ends[:, 0], form.interval.lower[0], atol=1e-2, rtol=1e-2)
    middle = s @ (rows.symbols / exact_tube.ONE).astype(float).T
    middle = middle + (rows.centre / exact_tube.ONE).astype(float)
    assert np.all(np.abs(states - middle) <= (rows.error / exact_tube.ONE).astype(float) + 1e-12)


def exact_rows(form):
    """Return a form of one set as rows of the checker."""
    grids = [exact_tube.whole(part[0]) for part in (form.centre, form.symbols, form.error)]
    return exact_tube.ExactRows(*grids, form.starts.tolist())


def test_windows_are_held_to_their_assumptions_only(cell):
    """A window is held by the proof up to its first step beyond the sets, and not after it."""
    model, rows = replace(model_by_hand(cell), dt_s=(0.049, 0.051)), flights_by_hand(cell, 1, 120)
    rows = replace(rows, command=rows.pushed)
    steps = steps_of(followed(model, cell, rows), model.lags_s)
    states = np.concatenate([steps.before, steps.core_before], axis=1)
    wide = replace(model, perception=ShapedSet(np.zeros(3), 9.0 * np.eye(3), 3))
    start = ShapedSet(states[0], 1e-9 * np.eye(30), 30)
    lower, upper = states[:6] - 1e-6, states[:6] + 1e-6
    last = start.form()
    inside = flight_windows(wide, cell, rows, start, Tube(lower, upper, last))
    assert (inside["windows"], inside["within_assumptions"], inside["frames_within"]) == (1, 1, 5)
    assert inside["left_within"] == inside["left_outside"] == 0
    for bound in (lower, upper):
        bound[3, 0] -= 1e-5
    left = flight_windows(wide, cell, rows, start, Tube(lower, upper, last))
    assert (left["left_within"], left["left_outside"]) == (1, 0)
    none = replace(model, perception=model.perception.scaled(1e-6))
    left = flight_windows(none, cell, rows, start, Tube(lower, upper, last))
    assert (left["left_within"], left["left_outside"], left["frames_within"]) == (0, 1, 0)


def test_the_problem_is_read_back_and_checked(certified, cell):
    content = check_closed_loop(certified)
    assert [found["outside"] for found in content["found"]] == [0, 0]
    text = "\n".join(closed_loop_lines(content))
    assert "whole: 1 of the perception errors" in text
    assert "after 3 frames offset" in text
    model, start, tube = read_tube(content, "part")
    assert model.dt_s == (0.05, 0.1)
    again = reach_tube(model, cell, start.form(), 2)
    assert np.all(tube.lower <= again.lower)
    assert np.all(again.upper <= tube.upper)
    problem = content["problem"]["dynamics"]
    assert ReducedModel.of(problem).document() == problem


CHANGES = [
    (("claims", "tubes", 0, "upper", 2, 0), -1e-3, "offset after 2 frames"),
    (("claims", "tubes", 0, "lower", 3, 20), 1e-3, "h_9 after 3 frames"),
    (("claims", "tubes", 0, "perception"), 0.05, "could not be derived"),
    (("claims", "tubes", 0, "disturbance"), 0.1, "could not be derived"),
    (("claims", "tubes", 0, "dt_s", 1), 0.01, "could not be derived"),
    (("claims", "tubes", 0, "dt_s", 1), 2.0, "outside of the cell"),
    (("claims", "tubes", 1, "disturbance"), -1.0, "negative factor"),
    (("problem", "initial_sets", "flown", "map", 0, 0), 0.05, "offset after 0 frames"),
    (("problem", "dynamics", "lags_s", "left"), 0.1, "could not be derived"),
    (("problem", "dynamics", "lags_s", "left"), -5.0, "positive lags"),
    (("problem", "dynamics", "curvature_per_m"), 0.1, "could not be derived"),
    (("problem", "dynamics", "features", "gain", 3, 1), 0.2, "could not be derived"),
    (("problem", "dynamics", "perception_error", "map", 2, 2), 0.2, "could not be derived"),
    (("problem", "dynamics", "perception_error", "map", 2, 1), 0.2, "expected an interval"),
    (("problem", "dynamics", "perception_error", "centre", 0), 0.2, "could not be derived"),
    (("problem", "dynamics", "disturbance", "map", 1, 1), 0.2, "could not be derived"),
    (("problem", "dynamics", "disturbance", "boxes"), -1, "expected an interval"),
    (("problem", "cell", "layers", 1, "weight", 2, 3, 4), 0.01, "other weights"),
    (("problem", "cell", "layers", 2, "bias", 0, 1), 0.01, "other weights"),
    (("problem", "cell", "time_unit_s"), 0.01, "time unit"),
    (("schema",), 1, "expected schema 2"),
]


@pytest.mark.parametrize(("keys", "by", "message"), CHANGES, ids=lambda value: str(value)[:40])
def test_the_checker_rejects_altered_certificates(certified, tmp_path, keys, by, message):
    folder = tmp_path / "model"
    shutil.copytree(certified, folder)
    path = folder / CLOSED_LOOP
    content = json.loads(path.read_text())
    place = content
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] += by
    path.write_text(json.dumps(content))
    with pytest.raises(CertificateError, match=message):
        check_closed_loop(folder)


@pytest.mark.parametrize("tube", [0, 1])
def test_the_checker_rejects_a_tube_that_does_not_return(certified, tmp_path, tube):
    folder = tmp_path / "model"
    shutil.copytree(certified, folder)
    content = json.loads((folder / CLOSED_LOOP).read_text())
    content["claims"]["tubes"][tube]["returns"] = True
    (folder / CLOSED_LOOP).write_text(json.dumps(content))
    with pytest.raises(CertificateError, match="its return could not be derived"):
        check_closed_loop(folder)


def test_the_checker_rejects_missing_foreign_and_broken_files(certified, tmp_path):
    with pytest.raises(CertificateError, match="is missing"):
        check_closed_loop(tmp_path)
    folder = tmp_path / "model"
    shutil.copytree(certified, folder)
    (folder / CLOSED_LOOP).write_text("{}")
    with pytest.raises(CertificateError, match="expected a closed-loop certificate"):
        check_closed_loop(folder)
    shutil.copy(certified / CLOSED_LOOP, folder / CLOSED_LOOP)
    network = (folder / "perception.onnx").read_bytes()
    (folder / "perception.onnx").write_bytes(network[:-1])
    text = r"other weights: expected perception\.onnx of sha256 \w{12}…, got"
    with pytest.raises(CertificateError, match=text):
        check_closed_loop(folder)
    (folder / "perception.onnx").write_bytes(network)
    with_state_weights(folder, 0.5)
    with pytest.raises(CertificateError, match=r"other weights: expected weights\.npz"):
        check_closed_loop(folder)


def test_the_checker_shares_no_code_with_the_prover():
    for module in (checker_module, exact_tube, exact_neuron):
        names = {
            value.__module__ for value in vars(module).values() if hasattr(value, "__module__")
        }
        ours = {name for name in names if name.startswith("liquid_control.certification")}
        assert ours <= {
            "liquid_control.certification.exact_neuron",
            "liquid_control.certification.exact_step",
            "liquid_control.certification.exact_tube",
            "liquid_control.certification.closed_loop_checker",
        }


@pytest.mark.slow
def test_the_shipped_certificate_holds_for_its_first_frames():
    content = check_closed_loop(TRAIL, frames=6)
    assert all(found["outside"] == 0 for found in content["found"])


@pytest.mark.slow
def test_the_shipped_corridor_returns_and_a_narrower_one_does_not(cell):
    content = json.loads((TRAIL / CLOSED_LOOP).read_text())
    assert [claim["name"] for claim in content["claims"]["tubes"] if claim.get("returns")] == [
        "corridor"
    ]
    model, start, tube = read_tube(content, "corridor")
    again = reach_tube(model, cell, start.form(), len(tube.lower) - 1)
    assert np.all(tube.lower <= again.lower)
    assert np.all(again.upper <= tube.upper)
    last = exact_rows(again.last)
    assert excess(again.last, start).max() <= 1.0
    assert checker_module._lies_in(last, start.document())
    assert not checker_module._lies_in(last, start.scaled(0.9).document())


def test_joined_forms_keep_their_rows():
    rng = np.random.default_rng(0)
    a, b = form_of(rng, 2, [1, 1]), form_of(rng, 1, [1, 1])
    both = joined(a, b)
    np.testing.assert_array_equal(both.centre[0], [*a.centre[0], *b.centre[0]])
    np.testing.assert_array_equal(both.rows([2]).symbols, b.symbols)
