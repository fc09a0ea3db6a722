"""Execution of `docs/add_a_core.md`, and comparison of `docs/cores.md` with the cores."""

import ast
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from liquid_control.config import load_scenario
from liquid_control.cores import CORES, CoreKind, make_core
from liquid_control.export import model_graphs
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control.training.network import PolicyNetwork
from liquid_control.training.publish import save_candidate
from liquid_control.training.training_settings import TrainingSettings

from . import test_contract
from .conftest import make_case

pytestmark = pytest.mark.unit
DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def leaky(tmp_path, monkeypatch) -> str:
    file, line = re.findall(r"```python\n(.*?)```", (DOCS / "add_a_core.md").read_text(), re.S)
    (tmp_path / "leaky.py").write_text(file)
    monkeypatch.syspath_prepend(tmp_path)
    assert len(ast.parse(line).body) == 1
    monkeypatch.setitem(CORES, "leaky", CORES["mlp"])
    exec(line.replace("liquid_control.cores.leaky:", "leaky:"), {**globals()})
    return "leaky"


def test_core_of_the_docs_solves_its_equation(leaky):
    core = make_core(leaky, 3, 2).double()
    assert isinstance(CORES[leaky], CoreKind)
    case = make_case(core)
    one, two = case.dt[:, 0], case.dt[:, 1]
    _, half = core.step(case.x[:, 0], case.state, one)
    _, twice = core.step(case.x[:, 0], half, two)
    _, once = core.step(case.x[:, 0], case.state, one + two)
    torch.testing.assert_close(twice, once)


def test_core_of_the_docs_fulfils_the_contract(leaky):
    def case():
        return make_case(make_core(leaky, 5, 3, seed=3))

    for mask in (None, test_contract.MASK):
        test_contract.test_sequence_equals_repeated_steps(case(), mask)
        test_contract.test_permuting_a_batch(case(), mask)
    test_contract.test_splitting_a_sequence_in_two(case())
    test_contract.test_masked_steps_have_no_effect(case())
    test_contract.test_results_are_finite_for_any_elapsed_time(case(), 1e5)
    test_contract.test_gradients(leaky, None)
    small = make_core(leaky, 34, 4)
    assert sum(parameter.numel() for parameter in small.parameters()) <= 2144


def test_core_of_the_docs_flies(leaky, tmp_path):
    """The model folder of the core flies in the simulator, through ONNX Runtime."""
    simulator = pytest.importorskip("liquid_control_sim")
    (text,) = re.findall(r"```yaml\n(.*?)```", (DOCS / "add_a_core.md").read_text(), re.S)
    settings = TrainingSettings(**yaml.safe_load(text))
    network = PolicyNetwork.fresh(settings.network, settings.base_scenario(), settings.seed)
    save_candidate(tmp_path / "model", network, settings, model_graphs)
    pilot = PolicyPilot(Policy(load_model(tmp_path / "model")))
    record = simulator.fly(load_scenario("trail", {"time_limit_s": 2.0}), 3, pilot)
    assert record.framed.sum() > 20
    assert pilot.decision.state.shape == (50,)
    assert np.ptp(record.command[record.framed], axis=0).min() > 0.0


def test_table_of_cores_is_up_to_date():
    spec = importlib.util.spec_from_file_location("core_table", DOCS / "core_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.table() in (DOCS / "cores.md").read_text()
