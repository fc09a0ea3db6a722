"""Compilation of the exported C, and comparison over a golden sequence of 500 irregular steps."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from liquid_control.command import Motor, MotorScaling
from liquid_control.errors import CellError
from liquid_control.export.c import (
    HEADER,
    TANH_DENOMINATOR,
    TANH_ERROR,
    TANH_LIMIT,
    TANH_NUMERATOR,
    TRIAL,
    controller_c,
)
from liquid_control.liquid import CfC, CfCWeights, Masking, Mode, auto_ncp, random_weights

COMPILER = shutil.which("cc") or shutil.which("gcc")
pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(COMPILER is None, reason="no C compiler"),
]

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
GOLDEN = np.load(Path(__file__).parents[2] / "golden" / "cfc19.npz")
WEIGHTS = CfCWeights.from_arrays(dict(GOLDEN), auto_ncp(34, 19, 4), Masking.SYNAPSES, 0.05)
X = (GOLDEN["x"] / 127).astype(np.float32)
DT, STATES = GOLDEN["dt"], GOLDEN["states"]
TOLERANCE = 1e-5


def build(folder, weights, motors=None, options=("-O2",)):
    for name, text in controller_c(weights, motors or MotorScaling(), "golden").items():
        (folder / name).write_text(text)
    program = folder / "controller_test"
    command = [COMPILER, *STRICT, *options, str(folder / TRIAL), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build(tmp_path_factory.mktemp("c"), WEIGHTS)


def outputs_of(program, dt, x):
    rows = np.column_stack([dt, x])
    lines = "\n".join(" ".join(f"{value:.9g}" for value in row) for row in rows)
    done = subprocess.run([program, "-"], input=lines, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def numbers(lines):
    return np.array([line.split() for line in lines], dtype=np.float64)


def test_golden_sequence(program):
    got = numbers(outputs_of(program, DT, X))
    assert got.shape == (500, 4 + 19)
    np.testing.assert_allclose(got[:, 4:], STATES, atol=TOLERANCE)
    expected = MotorScaling().commands(STATES[:, 15:])
    np.testing.assert_allclose(got[:, :4], expected, atol=2 * TOLERANCE)


@pytest.mark.parametrize("masking", list(Masking))
def test_every_masking_time_unit_and_motor_range(tmp_path, masking):
    rng = np.random.default_rng(1)
    weights = random_weights(auto_ncp(5, 12, 4), rng, masking=masking, time_unit_s=0.2)
    motors = MotorScaling(forward=Motor(offset=1.0, scale=0.5))
    program = build(tmp_path, weights, motors, options=("-O3", "-ffp-contract=fast"))
    x = rng.uniform(-2, 2, (40, 5)).astype(np.float32)
    dt = rng.uniform(0, 1, 40).astype(np.float32)
    cell = CfC(weights, np.float64)
    outputs, after = cell.sequence(x[None], cell.init_state(), dt[None])
    got = numbers(outputs_of(program, dt, x))
    np.testing.assert_allclose(got[:, :4], motors.commands(outputs[0]), atol=2 * TOLERANCE)
    np.testing.assert_allclose(got[-1, 4:], after[0], atol=TOLERANCE)


def test_sources_beyond_a_byte(tmp_path):
    weights = random_weights(auto_ncp(300, 19, 4), np.random.default_rng(2))
    text = controller_c(weights, MotorScaling(), "wide")[HEADER]
    assert "static const uint16_t lc_source" in text
    done = subprocess.run([build(tmp_path, weights)], capture_output=True, check=False)
    assert done.returncode == 0


def test_controller_test_prints_difference_and_time(program):
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    compared, timed = done.stdout.splitlines()
    assert compared.startswith("largest difference ")
    assert compared.endswith(" over 16 steps")
    assert float(compared.split()[2]) < 1e-6
    assert float(timed.split()[0]) > 0.0


def test_controller_test_fails_if_a_weight_differs(tmp_path):
    program = build(tmp_path, WEIGHTS)
    header = tmp_path / HEADER
    text = header.read_text()
    biases = text.index("static const float lc_bias")
    header.write_text(text[:biases] + text[biases:].replace("\n    {", "\n    {0.5f + ", 1))
    subprocess.run([COMPILER, str(tmp_path / TRIAL), "-o", str(program)], check=True)
    done = subprocess.run([program], capture_output=True, check=False)
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("dt", "place", "value", "code"),
    [
        (-0.1, 0, 0.0, 1),
        (np.nan, 0, 0.0, 1),
        (np.inf, 0, 0.0, 1),
        (0.05, 3, np.nan, 2),
        (0.05, 33, -np.inf, 2),
    ],
)
def test_invalid_input_returns_a_code_and_changes_nothing(program, dt, place, value, code):
    x = np.repeat(X[:1], 3, axis=0)
    x[1, place] = value
    first, refused, second = outputs_of(program, [0.05, dt, 0.05], x)
    assert refused == f"error {code}"
    plain = outputs_of(program, [0.05, 0.05], x[[0, 2]])
    assert [first, second] == plain


def test_states_stay_in_their_interval(program):
    rng = np.random.default_rng(4)
    x = rng.choice([-1e30, -1e3, 0.0, 1e3, 1e30], (200, 34))
    got = numbers(outputs_of(program, rng.uniform(0, 10, 200), x))
    assert (np.abs(got[:, 4:]) <= 1.0).all()


def test_tanh_error_stays_within_the_bound_of_the_header():
    x = np.linspace(-12, 12, 2_000_001).astype(np.float32)
    held = np.clip(x, -np.float32(TANH_LIMIT), np.float32(TANH_LIMIT))
    y = held * held
    p, q = (np.full_like(y, np.float32(c[-1])) for c in (TANH_NUMERATOR, TANH_DENOMINATOR))
    for lower, upper in zip(TANH_NUMERATOR[-2::-1], TANH_DENOMINATOR[-2::-1], strict=True):
        p, q = p * y + np.float32(lower), q * y + np.float32(upper)
    value = held * p / q
    assert np.abs(value - np.tanh(x.astype(np.float64))).max() < float(TANH_ERROR)
    assert np.abs(value).max() <= 1.0


def test_same_weights_give_the_same_text():
    one, two = (controller_c(WEIGHTS, MotorScaling(), "golden") for _ in range(2))
    assert one == two


def test_rejects_weights_that_cannot_be_exported():
    rng = np.random.default_rng(0)
    pure = random_weights(auto_ncp(5, 12, 4), rng, mode=Mode.PURE)
    with pytest.raises(CellError, match="expected a CfC in mode 'default', got 'pure'"):
        controller_c(pure, MotorScaling(), "pure")
    with pytest.raises(CellError, match="expected 4 outputs, got 3"):
        controller_c(random_weights(auto_ncp(5, 12, 3), rng), MotorScaling(), "three")
