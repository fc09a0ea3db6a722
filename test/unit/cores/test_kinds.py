import pytest

from liquid_control.cores import CORES, Core, CoreKind, make_core
from liquid_control.errors import CellError, ConfigError

pytestmark = pytest.mark.unit

BUDGET = 2144
"""Parameters of ncps's CfC of 19 neurons with 34 inputs and 4 outputs."""


def parameters(core: Core) -> int:
    return sum(parameter.numel() for parameter in core.parameters())


def test_an_unknown_core_lists_the_choices():
    with pytest.raises(ConfigError, match=r"no core named 'lstn'; choose one of .*lstm, gru"):
        make_core("lstn", 3, 2)


def test_an_unknown_size_lists_the_choices():
    with pytest.raises(ConfigError, match="no size 'huge'; choose one of small, base"):
        make_core("lstm", 3, 2, size="huge")


@pytest.mark.parametrize("name", list(CORES))
def test_small_cores_stay_within_the_parameters_of_19_neurons(name):
    small, base = (make_core(name, 34, 4, size=size) for size in ("small", "base"))
    assert (small.input_size, small.output_size) == (34, 4)
    assert 0.35 * BUDGET < parameters(small) <= BUDGET
    assert parameters(base) > 2 * parameters(small)


@pytest.mark.parametrize("name", list(CORES))
def test_every_core_has_a_source(name):
    assert CORES[name].paper
    assert CORES[name].time


def test_options_override_those_of_the_size():
    assert make_core("gru", 3, 2, size="small", hidden=7).state_size == 7


def test_core_of_another_module_is_one_line(monkeypatch):
    monkeypatch.setitem(CORES, "other", CoreKind("liquid_control.cores.lstm_gru:GRU"))
    assert make_core("other", 3, 2).state_size == 64


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("mlp", {"hidden": 0}, "expected hidden >= 1, got 0"),
        ("lstm", {"hidden": -1}, "expected hidden >= 1, got -1"),
        ("gru_d", {"time_unit_s": 0.0}, "expected time_unit_s > 0, got 0.0"),
        ("tcn", {"kernel": 0}, "expected kernel >= 1, got 0"),
        ("transformer", {"width": 6, "heads": 4}, "expected a width that 4 heads divide, got 6"),
        ("hyena", {"filter_length": 0}, "expected filter_length >= 1, got 0"),
    ],
)
def test_invalid_sizes_are_refused(name, options, message):
    with pytest.raises(CellError, match=message):
        make_core(name, 3, 2, **options)
