"""The controller in fixed point against the reference, and its limits."""

import ctypes

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liquid_control.command import Motor, MotorScaling
from liquid_control.errors import CellError
from liquid_control.export import fixed_controller_c
from liquid_control.export.c_fixed import FIXED_HEADER
from liquid_control.liquid import CfC, auto_ncp, random_weights
from liquid_control.policy import load_model

from .conftest import compiled, need, output_of
from .test_c import WEIGHTS

pytestmark = pytest.mark.unit

RANGE = 2.0
"""Of a motor neuron, from -1 to 1."""

LIBRARY = """
#include "controller_q15.h"
void step(const int16_t *x, int16_t *state, uint32_t dt_us, int32_t *command);
int features(const float *x, int16_t *inputs);
int32_t tanh_of(int64_t x);
void step(const int16_t *x, int16_t *state, uint32_t dt_us, int32_t *command)
{
    lcq_step(x, state, dt_us, command);
}
int features(const float *x, int16_t *inputs)
{
    return lcq_features(x, inputs);
}
int32_t tanh_of(int64_t x)
{
    return lcq_tanh(x);
}
"""


class Fixed:
    """`controller_q15.h` of some weights as a library."""

    def __init__(self, weights, folder, motors=None):
        need("cc")
        (folder / FIXED_HEADER).write_text(
            fixed_controller_c(weights, motors or MotorScaling(), "a")
        )
        (folder / "library.c").write_text(LIBRARY)
        path = compiled(
            "cc", folder, ["library.c"], folder / "fixed.so", "-O2", "-shared", "-fPIC"
        )
        self.library = ctypes.CDLL(str(path))
        self.library.tanh_of.argtypes = [ctypes.c_int64]
        self.wiring = weights.wiring
        self.state = np.zeros(self.wiring.neurons, np.int16)

    def features(self, x):
        """Return the code of the conversion and Q13 values."""
        inputs = np.zeros(self.wiring.inputs, np.int16)
        given = np.ascontiguousarray(x, np.float32)
        return self.library.features(
            given.ctypes.data_as(ctypes.c_void_p), pointer(inputs)
        ), inputs

    def step(self, inputs, dt_us):
        """Return the command in m/s and rad/s."""
        command = np.zeros(self.wiring.outputs, np.int32)
        self.library.step(
            pointer(inputs), pointer(self.state), ctypes.c_uint32(dt_us), pointer(command)
        )
        return command / 65536.0


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def largest_error(weights, fixed, steps, limit=1.0):
    """Return the largest error of a motor neuron over irregular steps, from one fresh state."""
    rng, cell = np.random.default_rng(8), CfC(weights, np.float64)
    state, worst = cell.init_state(), 0.0
    own = slice(-weights.wiring.outputs, None)
    for _ in range(steps):
        x = rng.uniform(-limit, limit, weights.wiring.inputs)
        dt_us = int(10 ** rng.uniform(3.5, 6.0))
        output, state = cell.step(x[None], state, np.array([dt_us * 1e-6]))
        code, inputs = fixed.features(x)
        assert code == 0
        fixed.step(inputs, dt_us)
        worst = max(worst, np.abs(fixed.state[own] / 32768.0 - output[0]).max())
    return worst


def test_error_is_below_2_percent_of_the_range_over_1000_irregular_steps(tmp_path):
    """dt from 3 ms to 1 s. Measured for the shipped models: 0.02 to 0.14 %."""
    for name in ("trail_cfc19", "target_cfc19", "hike_cfc19", "trail_from_bags"):
        weights = load_model(name).weights
        folder = tmp_path / name
        folder.mkdir()
        assert largest_error(weights, Fixed(weights, folder), 1000) < 0.002 * RANGE
    assert largest_error(WEIGHTS, Fixed(WEIGHTS, tmp_path), 1000) < 0.02 * RANGE


def test_features_up_to_the_limit_of_imu_and_inputs(tmp_path):
    weights = load_model("trail_cfc19").weights
    assert largest_error(weights, Fixed(weights, tmp_path), 300, limit=3.0) < 0.02 * RANGE


def test_commands_are_motor_states_in_their_ranges(tmp_path):
    motors = MotorScaling(forward=Motor(offset=2.0, scale=2.4))
    fixed = Fixed(WEIGHTS, tmp_path, motors)
    command = fixed.step(np.zeros(34, np.int16), 50_000)
    expected = motors.commands(fixed.state[-4:] / 32768.0)
    np.testing.assert_allclose(command, expected, atol=2.0**-15)


def test_tanh_table(tmp_path):
    tanh = Fixed(WEIGHTS, tmp_path).library.tanh_of
    x = np.arange(-10 * 65536, 10 * 65536, 97)
    values = np.array([tanh(int(value)) for value in x]) / 32768.0
    assert np.abs(values - np.tanh(x / 65536.0)).max() < 1.5e-4
    assert (np.diff(values) >= 0.0).all()
    assert (tanh(0), tanh(2**62), tanh(-(2**62))) == (0, 32767, -32767)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    inputs=st.lists(st.integers(-(2**15), 2**15 - 1), min_size=34, max_size=34),
    state=st.lists(st.integers(-(2**15), 2**15 - 1), min_size=19, max_size=19),
    dt_us=st.integers(0, 2**32 - 1),
)
def test_every_argument_gives_states_within_one(shared, inputs, state, dt_us):
    shared.state[:] = state
    command = shared.step(np.array(inputs, np.int16), dt_us)
    assert (np.abs(shared.state.astype(int)) <= 32767).all()
    limits = np.abs(MotorScaling().offsets) + MotorScaling().scales
    assert (np.abs(command) <= limits + 1e-3).all()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return Fixed(WEIGHTS, tmp_path_factory.mktemp("shared"))


def test_features_saturate_and_refuse_what_is_not_finite(shared):
    x = np.zeros(34)
    x[:6] = (1.0, -1.0, 3.0, 5.0, -1e30, 0.00005)
    code, inputs = shared.features(x)
    assert code == 0
    assert inputs[:6].tolist() == [8192, -8192, 24576, 32767, -32767, 0]
    for value in (np.nan, np.inf, -np.inf):
        assert shared.features(np.full(34, value))[0] == 2


def test_no_undefined_behaviour_at_the_extremes(tmp_path):
    """Largest inputs, states, dt and weights, under the sanitizer."""
    need("cc")
    weights = random_weights(auto_ncp(5, 12, 4), np.random.default_rng(4), time_unit_s=1e-4)
    for layer in weights.layers:
        layer.weight[layer.weight != 0] = 4000.0
    (tmp_path / FIXED_HEADER).write_text(fixed_controller_c(weights, MotorScaling(), "a"))
    (tmp_path / "extremes.c").write_text(
        '#include "controller_q15.h"\n'
        "int main(void)\n{\n"
        "    const int16_t inputs[LCQ_INPUTS] = {32767, 32767, 32767, -32768, -32768};\n"
        "    int16_t state[LCQ_NEURONS];\n    int32_t command[LCQ_OUTPUTS];\n    int i, k;\n"
        "    for (k = 0; k < 4; ++k) {\n"
        "        for (i = 0; i < LCQ_NEURONS; ++i) {\n"
        "            state[i] = (int16_t)(k & 1 ? -32768 : 32767);\n        }\n"
        "        lcq_step(inputs, state, k & 2 ? 0xffffffffu : 0u, command);\n    }\n"
        "    return 0;\n}\n"
    )
    options = ("-O1", "-fsanitize=undefined", "-fno-sanitize-recover=all")
    output_of(compiled("cc", tmp_path, ["extremes.c"], tmp_path / "extremes", *options))


def test_header_has_no_floating_point_besides_the_conversion():
    text = fixed_controller_c(WEIGHTS, MotorScaling(), "a")
    start = text.index("/* The nearest integer")
    end = text.index("/* Time units in Q16")
    code = text[text.index("#ifndef") : start] + text[end:]
    assert "float" not in code
    assert "." not in "".join(line for line in code.splitlines() if line.startswith("    {"))


def test_what_16_bits_cannot_hold_is_refused():
    rng = np.random.default_rng(0)
    wide = random_weights(auto_ncp(5, 12, 4), rng)
    wide.layers[0].weight[0, 0, np.flatnonzero(wide.layers[0].weight[0, 0])[0]] = 5000.0
    with pytest.raises(CellError, match="expected weights below 16384 for fixed point, got 20000"):
        fixed_controller_c(wide, MotorScaling(), "a")
    biased = random_weights(auto_ncp(5, 12, 4), rng)
    biased.layers[1].bias[0, 0] = 40000.0
    with pytest.raises(CellError, match="expected a bias below 32768 for fixed point, got 40000"):
        fixed_controller_c(biased, MotorScaling(), "a")
    fast = random_weights(auto_ncp(5, 12, 4), rng, time_unit_s=1e-12)
    with pytest.raises(CellError, match="expected a time unit of 1 us or more, got 1e-12 s"):
        fixed_controller_c(fast, MotorScaling(), "a")
