"""Export of every core with torch.export, torch.jit.trace and ONNX."""

import importlib.util
import io
import sys

import pytest
import torch

from liquid_control.cores import LTC, RK4, Dopri5, Euler, make_core
from liquid_control.cores.ode_cores import CTRNN, GRUODE, ODERNN
from liquid_control.errors import CellError
from liquid_control.liquid import Mode, auto_ncp
from liquid_control.onnx_runtime import onnxruntime

from .conftest import INPUTS, OUTPUTS

pytestmark = [
    pytest.mark.unit,
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

NAMES = ["x", "dt", "state"]
RESULTS = ["outputs", "after"]
TOLERANCE = {"atol": 1e-5, "rtol": 1e-5}
EXPORTERS = [
    False,
    pytest.param(
        True,
        marks=pytest.mark.skipif(
            importlib.util.find_spec("onnxscript") is None, reason="needs onnxscript"
        ),
    ),
]


def arguments(core, batch, steps=2, seed=0):
    """Return features, elapsed times and a state that differs from the initial one."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, 2 * steps, core.input_size, generator=random)
    dt = 0.2 * torch.rand(batch, 2 * steps, generator=random)
    with torch.no_grad():
        _, state = core(x[:, steps:], dt[:, steps:])
    return x[:, :steps], dt[:, :steps], state


def assert_same(got, core, given):
    with torch.no_grad():
        expected = core(*given)
    for value, wanted in zip(got, expected, strict=True):
        torch.testing.assert_close(torch.as_tensor(value), wanted, **TOLERANCE)


def onnx_bytes(core, given, *, dynamo=False):
    batch = torch.export.Dim("batch", min=1, max=512)
    shapes = (
        {"dynamic_shapes": tuple({0: batch} for _ in given)}
        if dynamo
        else {"dynamic_axes": {name: {0: "batch"} for name in (*NAMES, *RESULTS)}}
    )
    written = io.BytesIO()
    program = torch.onnx.export(
        core,
        given,
        None if dynamo else written,
        dynamo=dynamo,
        input_names=NAMES[: len(given)],
        output_names=RESULTS,
        **shapes,
    )
    return program.model_proto.SerializeToString() if dynamo else written.getvalue()


def run_onnx(graph, given):
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    values = dict(zip(NAMES, given, strict=False))
    inputs = {node.name: values[node.name].numpy() for node in session.get_inputs()}
    return session.run(None, inputs)


def test_torch_export_for_any_batch_size(core):
    batch = torch.export.Dim("batch", min=1, max=512)
    shapes = ({0: batch}, {0: batch}, {0: batch})
    program = torch.export.export(core, arguments(core, 2, 3), dynamic_shapes=shapes)
    given = arguments(core, 6, 3, seed=1)
    assert_same(program.module()(*given), core, given)


def test_torch_export_from_the_initial_state(core):
    x, dt, _ = arguments(core, 2, 1)
    program = torch.export.export(core, (x, dt))
    assert_same(program.module()(x, dt), core, (x, dt))


def test_torch_export_of_a_module_that_contains_a_core():
    core = make_core("cfc_wired", INPUTS, OUTPUTS)

    class Policy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.core = core

        def forward(self, x, dt, state):
            outputs, after = self.core(torch.tanh(x), dt, state)
            return 2.0 * outputs, after

    policy, given = Policy(), arguments(core, 2)
    assert_same(torch.export.export(policy, given).module()(*given), policy, given)


def test_torch_jit_trace_saved_for_any_batch_size(core):
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(core, arguments(core, 2)), buffer)
    buffer.seek(0)
    given = arguments(core, 6, seed=1)
    assert_same(torch.jit.load(buffer)(*given), core, given)


@pytest.mark.parametrize("dynamo", EXPORTERS, ids=["torchscript", "dynamo"])
@pytest.mark.parametrize("steps", [1, 3])
def test_onnx_for_any_batch_size(core, steps, dynamo):
    graph = onnx_bytes(core, arguments(core, 2, steps), dynamo=dynamo)
    given = arguments(core, 6, steps, seed=1)
    assert_same(run_onnx(graph, given), core, given)


def test_onnx_from_the_initial_state(core):
    x, dt, _ = arguments(core, 2, 1)
    assert_same(run_onnx(onnx_bytes(core, (x, dt)), (x, dt)), core, (x, dt))


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("name", ["cfc_wired", "cfc", "cfc_mm"])
def test_every_mode_of_a_cfc(name, mode):
    core = make_core(name, INPUTS, OUTPUTS, mode=mode)
    given = arguments(core, 2)
    assert_same(torch.export.export(core, given).module()(*given), core, given)
    assert_same(run_onnx(onnx_bytes(core, given), given), core, given)


@pytest.mark.parametrize("solver", [Euler(12), RK4(4)], ids=lambda solver: solver.name)
def test_fixed_step_solvers(solver):
    core = LTC(auto_ncp(INPUTS, 12, OUTPUTS), solver=solver, time_unit_s=0.5)
    given = arguments(core, 2)
    assert_same(torch.export.export(core, given).module()(*given), core, given)
    assert_same(run_onnx(onnx_bytes(core, given), given), core, given)


ADAPTIVE = {
    "ltc": lambda: LTC(auto_ncp(INPUTS, 12, OUTPUTS), solver=Dopri5()),
    "ct_rnn": lambda: CTRNN(INPUTS, OUTPUTS, hidden=4, solver=Dopri5()),
    "ode_rnn": lambda: ODERNN(INPUTS, OUTPUTS, hidden=4, solver=Dopri5()),
    "gru_ode": lambda: GRUODE(INPUTS, OUTPUTS, hidden=4, solver=Dopri5()),
}


@pytest.mark.parametrize("kind", list(ADAPTIVE))
def test_the_adaptive_solver_is_refused_in_one_line(kind):
    core = ADAPTIVE[kind]()
    given = arguments(core, 2)
    for export in (torch.export.export, torch.jit.trace, onnx_bytes):
        with pytest.raises(CellError, match="dopri5 solver chooses its steps") as error:
            export(core, given)
        assert "\n" not in str(error.value)


def test_shapes_are_checked_while_tracing(core):
    x, dt, state = arguments(core, 2)
    with pytest.raises(CellError, match=r"expected dt of shape \(2, 2\), got \(2, 1\)"):
        torch.export.export(core, (x, dt[:, :1], state))


def test_values_are_checked_again_after_tracing():
    core = make_core("gru", INPUTS, OUTPUTS)
    x, dt, state = arguments(core, 2)
    torch.export.export(core, (x, dt, state))
    torch.jit.trace(core, (x, dt, state))
    with pytest.raises(CellError, match="finite and >= 0, got -"):
        core(x, -dt - 1.0, state)


@pytest.mark.parametrize("name", ["cfc_wired", "gru_d", "ssm"])
def test_torch_compile_gives_the_same_results(name):
    core = make_core(name, INPUTS, OUTPUTS)
    given = arguments(core, 2)
    compiled = torch.compile(core, backend="eager")
    with torch.no_grad():
        assert_same(compiled(*given), core, given)


def test_onnx_export_needs_no_onnxscript(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    core = make_core("gru", INPUTS, OUTPUTS)
    given = arguments(core, 2)
    assert_same(run_onnx(onnx_bytes(core, given), given), core, given)
