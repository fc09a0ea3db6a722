"""`docs/add_a_core.md` is run as it stands, and `docs/cores.md` holds what the cores are."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest
import torch

from liquid_control.cores import CORES, CoreKind, make_core

from . import test_contract
from .conftest import drawn

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


def test_the_core_of_the_docs_solves_its_equation(leaky):
    core = make_core(leaky, 3, 2).double()
    assert isinstance(CORES[leaky], CoreKind)
    case = drawn(core)
    one, two = case.dt[:, 0], case.dt[:, 1]
    _, half = core.step(case.x[:, 0], case.state, one)
    _, twice = core.step(case.x[:, 0], half, two)
    _, once = core.step(case.x[:, 0], case.state, one + two)
    torch.testing.assert_close(twice, once)


def test_the_core_of_the_docs_keeps_the_contract(leaky):
    def case():
        return drawn(make_core(leaky, 5, 3, seed=3))

    for mask in (None, test_contract.MASK):
        test_contract.test_a_sequence_is_repeated_steps(case(), mask)
        test_contract.test_permuting_a_batch(case(), mask)
    test_contract.test_splitting_a_sequence_in_two(case())
    test_contract.test_what_a_mask_hides_has_no_effect(case())
    test_contract.test_any_elapsed_time(case(), 1e5)
    test_contract.test_gradients(leaky, None)
    small = make_core(leaky, 34, 4)
    assert sum(parameter.numel() for parameter in small.parameters()) <= 2144


def test_the_table_of_cores_is_what_they_are():
    spec = importlib.util.spec_from_file_location("core_table", DOCS / "core_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.table() in (DOCS / "cores.md").read_text()
