"""Registry of cores: constructor, two sizes and use of elapsed time of each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from inspect import Parameter, signature
from operator import attrgetter
from typing import Any, Literal

from liquid_control.cores.base import Core
from liquid_control.errors import ConfigError
from liquid_control.liquid.checks import check_sizes

Size = Literal["small", "base"]

HERE = "liquid_control.cores"


@dataclass(frozen=True)
class CoreKind:
    """An architecture and its sizes.

    Attributes:
        target: "module:Class" or "module:Class.constructor", imported when a core is built.
        small: keyword arguments for about as many parameters as 19 liquid neurons have.
        base: keyword arguments of the size that the literature uses.
        time: how the core uses the elapsed time of a step.
        paper: its source.
    """

    target: str
    small: Mapping[str, Any] = field(default_factory=dict)
    base: Mapping[str, Any] = field(default_factory=dict)
    time: str = ""
    paper: str = ""

    @property
    def constructor(self) -> Callable[..., Core]:
        """The constructor, imported."""
        module, _, name = self.target.partition(":")
        found: Callable[..., Core] = attrgetter(name)(import_module(module))
        return found

    def accepts(self, option: str) -> bool:
        """Return whether the constructor has a keyword argument of this name."""
        parameters = signature(self.constructor).parameters
        open_ended = any(found.kind is Parameter.VAR_KEYWORD for found in parameters.values())
        return option in parameters or open_ended

    def build(self, input_size: int, output_size: int, **options: Any) -> Core:
        """Return a core; options are keyword arguments of its constructor."""
        return self.constructor(input_size, output_size, **options)


INPUT = "log1p(dt) is a feature"

CORES: dict[str, CoreKind] = {
    "ltc": CoreKind(
        f"{HERE}.ltc:LTC.with_auto_ncp",
        {"neurons": 19},
        {"neurons": 64},
        "solves its differential equation over dt",
        "arXiv 2006.04439",
    ),
    "cfc_wired": CoreKind(
        f"{HERE}.wired_cfc:WiredCfC.with_auto_ncp",
        {"neurons": 19},
        {"neurons": 64},
        "dt moves its time gates",
        "arXiv 2106.13898, doi 10.1038/s42256-020-00237-3",
    ),
    "cfc": CoreKind(
        f"{HERE}.cfc:DenseCfC",
        {"units": 12, "backbone_units": 20},
        {"units": 64, "backbone_units": 128},
        "dt moves its time gates",
        "arXiv 2106.13898",
    ),
    "cfc_mm": CoreKind(
        f"{HERE}.cfc:MixedMemory.with_dense_cfc",
        {"units": 8, "backbone_units": 8},
        {"units": 64, "backbone_units": 128},
        "dt moves its time gates",
        "arXiv 2106.13898, 2006.04418",
    ),
    "ct_rnn": CoreKind(
        f"{HERE}.ode_cores:CTRNN",
        {"hidden": 28},
        {"hidden": 64},
        "solves its differential equation over dt",
        "doi 10.1016/S0893-6080(05)80125-X",
    ),
    "ode_rnn": CoreKind(
        f"{HERE}.ode_cores:ODERNN",
        {"hidden": 12, "width": 12},
        {"hidden": 64},
        "solves a differential equation over dt between updates",
        "arXiv 1907.03907",
    ),
    "gru_ode": CoreKind(
        f"{HERE}.ode_cores:GRUODE",
        {"hidden": 13},
        {"hidden": 64},
        "solves its differential equation over dt",
        "arXiv 1905.12374",
    ),
    "mlp": CoreKind(f"{HERE}.mlp:MLP", {"hidden": 28}, {"hidden": 128}, INPUT, "none needed"),
    "lstm": CoreKind(
        f"{HERE}.lstm_gru:LSTM",
        {"hidden": 10},
        {"hidden": 64},
        INPUT,
        "doi 10.1162/neco.1997.9.8.1735",
    ),
    "gru": CoreKind(
        f"{HERE}.lstm_gru:GRU", {"hidden": 13}, {"hidden": 64}, INPUT, "arXiv 1406.1078"
    ),
    "gru_d": CoreKind(
        f"{HERE}.gru_d:GRUD",
        {"hidden": 13},
        {"hidden": 64},
        "the state decays over dt",
        "doi 10.1038/s41598-018-24271-9",
    ),
    "tcn": CoreKind(
        f"{HERE}.tcn:TCN",
        {"channels": 9, "blocks": 3, "kernel": 2},
        {"channels": 32, "blocks": 4, "kernel": 3},
        INPUT,
        "arXiv 1803.01271",
    ),
    "transformer": CoreKind(
        f"{HERE}.transformer:Transformer",
        {"width": 12, "heads": 2, "layers": 1, "window": 16},
        {"width": 64, "heads": 4, "layers": 2, "window": 32},
        "attention decays over the time between two steps; log1p(dt) is a feature",
        "arXiv 1706.03762, 2205.09921",
    ),
    "ssm": CoreKind(
        f"{HERE}.ssm:SSM",
        {"width": 10, "modes": 4, "layers": 1},
        {"width": 32, "modes": 16, "layers": 2},
        "the step of the discretisation is a multiple of dt",
        "arXiv 2312.00752",
    ),
    "rwkv": CoreKind(
        f"{HERE}.rwkv:RWKV",
        {"width": 10, "layers": 1},
        {"width": 64, "layers": 2},
        "sums decay over dt",
        "arXiv 2305.13048",
    ),
    "hyena": CoreKind(
        f"{HERE}.hyena:Hyena",
        {"width": 12, "layers": 1, "filter_length": 16, "filter_width": 8},
        {"width": 64, "layers": 2, "filter_length": 64, "filter_width": 32},
        INPUT,
        "arXiv 2302.10866",
    ),
}


def make_core(
    name: str,
    input_size: int,
    output_size: int,
    *,
    size: Size = "small",
    seed: int = 0,
    **options: Any,
) -> Core:
    """Return a core with random initial weights.

    Args:
        name: a key of `CORES`.
        input_size: number of features.
        output_size: number of outputs.
        size: "small" for about as many parameters as 19 liquid neurons have, or "base" for the
            size that the literature uses.
        seed: of the initial weights.
        **options: keyword arguments of the core; they override those of the size.

    Raises:
        ConfigError: no core or size has this name; the message lists the choices.
        CellError: a number of features, outputs or of the options is not an integer >= 1.
    """
    if name not in CORES:
        raise ConfigError(f"no core named {name!r}; choose one of {', '.join(CORES)}")
    sizes = {"small": CORES[name].small, "base": CORES[name].base}
    if size not in sizes:
        raise ConfigError(f"no size {size!r}; choose one of {', '.join(sizes)}")
    check_sizes(input_size=input_size, output_size=output_size)
    options = {"seed": seed, **sizes[size], **options}
    return CORES[name].build(int(input_size), int(output_size), **options)
