"""Arguments of every core in `CORES`: one behaviour, one error."""

import copy
import pickle
import time
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from liquid_control.cores import CORES, make_core
from liquid_control.cores.arguments import check_values
from liquid_control.cores.tcn import TCN
from liquid_control.errors import CellError
from liquid_control.liquid import CfC, auto_ncp, fully_connected, random_weights

from .conftest import INPUTS, OUTPUTS, make_case

pytestmark = pytest.mark.unit


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    "number", [0.05, np.float32(0.05), np.float64(0.05), Fraction(1, 20), torch.tensor(0.05)]
)
def test_one_number_is_the_elapsed_time_of_all_steps(case, number):
    core, x, state = case.core, case.x, case.state
    dt = torch.full_like(case.dt, float(number))
    assert equal(core.step(x[:, 0], state, number), core.step(x[:, 0], state, dt[:, 0]))
    assert equal(core.sequence(x, state, number), core.sequence(x, state, dt))
    assert equal(core(x, number, state), core.sequence(x, state, dt))


def test_an_integer_is_a_number_of_seconds(case):
    expected = case.core.step(case.x[:, 0], case.state, torch.ones(4))
    assert equal(case.core.step(case.x[:, 0], case.state, 1), expected)


def test_a_tensor_without_axes_receives_its_gradient(case):
    dt = torch.tensor(0.05, dtype=torch.float64, requires_grad=True)
    each = torch.full_like(case.dt, 0.05).requires_grad_()
    for elapsed in (dt, each):
        case.core.sequence(case.x, case.state, elapsed)[0].square().sum().backward()
    torch.testing.assert_close(dt.grad, each.grad.sum())


@pytest.mark.parametrize("mask", [False, True])
def test_a_sequence_of_no_steps_leaves_the_state_unchanged(case, mask):
    x, dt = case.x[:, :0], case.dt[:, :0]
    hidden = torch.ones(4, 0, dtype=torch.bool) if mask else None
    for elapsed in (dt, 0.05):
        outputs, after = case.core.sequence(x, case.state, elapsed, hidden)
        assert (outputs.shape, outputs.dtype) == ((4, 0, OUTPUTS), torch.float64)
        assert torch.equal(after, case.state)
    whole = case.core.sequence(case.x, after, case.dt)
    assert equal(whole, case.core.sequence(case.x, case.state, case.dt))


@pytest.mark.parametrize("mask", [False, True])
def test_a_batch_of_no_samples_gives_empty_results(case, mask):
    state = case.core.init_state(0)
    hidden = torch.ones(0, 9, dtype=torch.bool) if mask else None
    for elapsed in (case.dt[:0], 0.05):
        outputs, after = case.core.sequence(case.x[:0], state, elapsed, hidden)
        assert (outputs.shape, after.shape) == ((0, 9, OUTPUTS), (0, case.core.state_size))
    output, after = case.core.step(case.x[:0, 0], state, case.dt[:0, 0])
    assert (output.shape, after.shape) == ((0, OUTPUTS), (0, case.core.state_size))
    assert case.core(case.x[:0], 0.05)[0].dtype == torch.float64


def test_empty_results_in_low_precision(core):
    core.to(torch.bfloat16)
    outputs, after = core(torch.zeros(2, 0, INPUTS), 0.05)
    assert (outputs.dtype, after.dtype) == (torch.bfloat16, torch.float32)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_features_of_any_floating_dtype_are_converted(core, dtype):
    case = make_case(core)
    core.float()
    x, state, dt = case.x.to(dtype), case.state.float(), case.dt.float()
    got = core.sequence(x, state.to(torch.float64), dt.double())
    assert got[0].dtype == got[1].dtype == torch.float32
    assert equal(got, core.sequence(x.float(), state, dt))


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.complex64])
@pytest.mark.parametrize("name_of", ["features", "a state", "dt"])
def test_other_dtypes_are_refused(case, dtype, name_of):
    given = {"features": case.x, "a state": case.state, "dt": case.dt}
    given[name_of] = torch.zeros(given[name_of].shape, dtype=dtype)
    x, state, dt = given.values()
    message = rf"^expected {name_of}.* of a floating-point dtype, got {dtype}$"
    with pytest.raises(CellError, match=message):
        case.core.sequence(x, state, dt)
    with pytest.raises(CellError, match=message):
        case.core.step(x[:, 0], state, dt[:, 0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((4, 9, INPUTS))}, "expected features as a tensor, got ndarray"),
        ({"x": None}, "expected features as a tensor, got NoneType"),
        ({"state": None}, r"expected a state, such as init_state\(batch\), as a tensor, got None"),
        ({"state": (1, 2)}, r"expected a state, .* as a tensor, got tuple"),
        ({"dt": "0.05"}, "expected dt in seconds as a number or a tensor, got str"),
        ({"dt": None}, "expected dt in seconds as a number or a tensor, got NoneType"),
        ({"dt": True}, "expected dt in seconds as a number or a tensor, got bool"),
        ({"dt": [0.05]}, "expected dt in seconds as a number or a tensor, got list"),
        ({"dt": -0.05}, "expected dt in seconds, finite and >= 0, got -0.05"),
        ({"dt": float("nan")}, "expected dt in seconds, finite and >= 0, got nan"),
        ({"dt": float("inf")}, "expected dt in seconds, finite and >= 0, got inf"),
        ({"mask": [True]}, "expected a mask of booleans, got list"),
        ({"mask": torch.ones(4, 9, dtype=torch.int8)}, "a mask of booleans, got torch.int8"),
        ({"x": torch.tensor(1.0)}, r"features of shape \(batch, time, 5\), got \(\)"),
        ({"x": torch.zeros(9, INPUTS)}, r"features of shape \(batch, time, 5\), got \(9, 5\)"),
        ({"x": torch.zeros(1, 4, 9, INPUTS)}, r"features of shape .* got \(1, 4, 9, 5\)"),
        ({"state": torch.zeros(4, 1, 1)}, r"a state of shape \(4, \d+\), got \(4, 1, 1\)"),
        ({"dt": torch.zeros(9)}, r"expected dt of shape \(4, 9\), got \(9,\)"),
    ],
)
def test_what_does_not_fit_is_one_line(case, change, message):
    given = {"x": case.x, "state": case.state, "dt": case.dt, "mask": None} | change
    for call in (case.core.sequence, case.core.forward):
        if call == case.core.forward and change.get("state", ...) is None:
            continue
        with pytest.raises(CellError, match=message) as error:
            call(**given)
        assert "\n" not in str(error.value)
    if "mask" not in change and "x" not in change:
        step = {name: given[name] for name in ("x", "state", "dt")} | {"x": case.x[:, 0]}
        if isinstance(step["dt"], torch.Tensor) and "dt" not in change:
            step["dt"] = case.dt[:, 0]
        message = message.replace(r"\(4, 9\)", r"\(4,\)")
        with pytest.raises(CellError, match=message):
            case.core.step(**step)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_features_and_states_that_are_not_finite_are_refused(core, bad, dtype):
    case = make_case(core)
    core.to(dtype)
    x, state = case.x.clone(), case.state.clone()
    x[1, 3, 2] = bad
    with pytest.raises(CellError, match=rf"^expected features of .* got {bad} at \(1, 3, 2\)$"):
        core.sequence(x.to(dtype), state, case.dt)
    with pytest.raises(CellError, match=rf"^expected features of .* got {bad} at \(1, 2\)$"):
        core.step(x[:, 3].to(dtype), state, case.dt[:, 3])
    if core.state_size:
        state[2, -1] = bad
        place = rf"\(2, {core.state_size - 1}\)"
        with pytest.raises(CellError, match=rf"^expected a state of .* got {bad} at {place}$"):
            core.sequence(case.x, state, case.dt)


def test_large_finite_values_are_accepted(core):
    """The sum of all values overflows in float32; each value is finite."""
    x = torch.full((2, 3, INPUTS), 3e38)
    check_values(x, torch.zeros(2, 1), torch.zeros(2, 3))
    assert torch.isinf(x.sum())


def test_checks_of_values_take_a_negligible_part_of_training():
    """Below 5 % of the fastest core's forward and backward pass; measured: about 1 %."""
    core = make_core("mlp", 34, 4)
    x, dt, state = torch.randn(32, 64, 34), torch.full((32, 64), 0.05), torch.zeros(32, 0)

    def learn():
        core.sequence(x, state, dt)[0].square().sum().backward()

    def least(work):
        times = []
        for _ in range(30):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
        return min(times)

    learn()
    assert least(lambda: check_values(x, state, dt)) < 0.05 * least(learn)


@pytest.mark.parametrize("batch", [-1, 2.0, True, None])
def test_a_batch_that_is_no_number_of_samples_is_refused(core, batch):
    with pytest.raises(CellError, match="expected batch "):
        core.init_state(batch)


COPIES = {"pickle": lambda core: pickle.loads(pickle.dumps(core)), "deepcopy": copy.deepcopy}


@pytest.mark.parametrize("size", ["small", "base"])
@pytest.mark.parametrize("copied", list(COPIES))
def test_copies_keep_weights_and_outputs(name, copied, size):
    core = make_core(name, INPUTS, OUTPUTS, size=size, seed=3)
    x, dt = torch.randn(2, 3, INPUTS), torch.full((2, 3), 0.05)
    core(x, dt)[0].sum().backward()
    other = COPIES[copied](core)
    assert [*other.state_dict()] == [*core.state_dict()]
    assert equal(other.state_dict().values(), core.state_dict().values())
    assert equal(other(x, dt), core(x, dt))
    with torch.no_grad():
        next(other.parameters()).add_(1.0)
    assert not torch.equal(next(other.parameters()), next(core.parameters()))
    assert not torch.equal(other(x, dt)[0], core(x, dt)[0])


def test_weight_normalisation_of_a_tcn_equals_that_of_torch():
    """Names, initial values, results and gradients: stored weights load as before."""
    core = TCN(3, 2, channels=4, blocks=1, kernel=2, seed=5)
    ours = core.blocks[0].convolutions[0]
    theirs = weight_norm(nn.Conv1d(4, 4, 2))
    assert [*ours.state_dict()] == [*theirs.state_dict()]
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(
        ours.state_dict()["parametrizations.weight.original0"].flatten(),
        theirs.weight.detach().flatten(1).norm(dim=1),
    )
    x, gradients = torch.randn(2, 4, 6), []
    for convolution in (ours, theirs):
        convolution(x).square().sum().backward()
        gradients.append([p.grad for p in convolution.parameters()])
    assert torch.equal(ours(x), theirs(x))
    assert equal(*gradients)


@pytest.mark.parametrize("sizes", [(0, 2), (-1, 2), (3, 0), (2.0, 2), (3, "2"), (True, 2)])
def test_numbers_of_features_and_outputs_are_checked(name, sizes):
    with pytest.raises(CellError, match=r"^expected (in|out)put_size (as an integer|>= 1), got "):
        make_core(name, *sizes)


def test_numpy_integers_are_sizes(name):
    assert make_core(name, np.int64(3), np.int32(2)).init_state(np.int64(2)).shape[0] == 2


OPTIONS = [
    (name, option) for name, kind in CORES.items() for option in {**kind.small, **kind.base}
]


@pytest.mark.parametrize("bad", [0, -3, 2.5, True, "8"])
@pytest.mark.parametrize(("kind", "option"), OPTIONS)
def test_sizes_of_every_core_are_checked(kind, option, bad):
    with pytest.raises(CellError) as error:
        make_core(kind, 3, 2, **{option: bad})
    assert "\n" not in str(error.value)
    assert repr(bad) in str(error.value)


@pytest.mark.parametrize("bad", [2.5, True, "8"])
def test_sizes_of_wirings_are_integers(bad):
    with pytest.raises(CellError, match="expected units as an integer"):
        auto_ncp(3, bad, 2)
    with pytest.raises(CellError, match="expected outputs as an integer"):
        fully_connected(3, 8, bad)


def test_the_reference_treats_arguments_alike():
    cell = CfC(random_weights(auto_ncp(3, 9, 2), np.random.default_rng(2)))
    x = np.random.default_rng(3).normal(size=(2, 4, 3)).astype(np.float32)
    state, dt = cell.init_state(2), np.full((2, 4), 0.05)
    for one, other in zip(cell.sequence(x, state, 0.05), cell.sequence(x, state, dt), strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(
        cell.step(x[:, 0], state, 0.05)[1], cell.step(x[:, 0], state, dt[:, 0])[1]
    )
    outputs, after = cell.sequence(x[:, :0], state, 0.05)
    assert (outputs.shape, after.shape) == ((2, 0, 2), (2, 9))
    assert cell.sequence(x[:0], state[:0], 0.05)[0].shape == (0, 4, 2)
    x[1, 2, 0] = np.nan
    with pytest.raises(
        CellError, match=r"expected features of finite numbers, got nan at \(1, 0\)"
    ):
        cell.sequence(x, state, dt)
