"""Recurrent cores in PyTorch behind one interface: liquid networks and other architectures.

`CORES` lists the cores and `make_core` builds one. `docs/cores.md` compares them,
`docs/add_a_core.md` shows how to add one. Each module states the equations of its papers.
"""

from liquid_control.cores.base import (
    Core,
    ElapsedInput,
    SequenceCore,
    StateLayout,
    check_time_unit,
    scan,
    seeded_init,
)
from liquid_control.cores.cfc import DenseCfC, MixedMemory
from liquid_control.cores.from_ncps import cfc_from_ncps, ltc_from_ncps
from liquid_control.cores.kinds import CORES, CoreKind, make_core
from liquid_control.cores.ltc import LTC, Positivity
from liquid_control.cores.sequence_ops import linear_scan, slide, valid_steps
from liquid_control.cores.solvers import RK4, SOLVERS, Dopri5, Euler, Fused, make_solver
from liquid_control.cores.step_graph import step_graph
from liquid_control.cores.wired_cfc import WiredCfC
from liquid_control.liquid.checks import check_sizes

__all__ = [
    "CORES",
    "LTC",
    "RK4",
    "SOLVERS",
    "Core",
    "CoreKind",
    "DenseCfC",
    "Dopri5",
    "ElapsedInput",
    "Euler",
    "Fused",
    "MixedMemory",
    "Positivity",
    "SequenceCore",
    "StateLayout",
    "WiredCfC",
    "cfc_from_ncps",
    "check_sizes",
    "check_time_unit",
    "linear_scan",
    "ltc_from_ncps",
    "make_core",
    "make_solver",
    "scan",
    "seeded_init",
    "slide",
    "step_graph",
    "valid_steps",
]
