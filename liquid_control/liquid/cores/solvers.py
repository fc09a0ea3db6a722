"""Every solver by name, for configurations; in code, pass the solver itself."""

from typing import Any

from liquid_control.errors import ConfigError
from liquid_control.liquid.cores.dopri5 import Dopri5
from liquid_control.liquid.cores.fixed_step import RK4, Euler, Fused
from liquid_control.liquid.cores.solver import Solver

SOLVERS: dict[str, type[Solver]] = {
    "fused": Fused,
    "euler": Euler,
    "rk4": RK4,
    "dopri5": Dopri5,
}


def make_solver(name: str, **options: Any) -> Solver:
    """Return a solver.

    Args:
        name: a key of `SOLVERS`.
        **options: keyword arguments of the solver, such as `unfolds` or `rtol`.

    Raises:
        ConfigError: no solver of this name, or it takes no such option.
    """
    if name not in SOLVERS:
        raise ConfigError(f"no solver named {name!r}; choose one of {', '.join(SOLVERS)}")
    try:
        return SOLVERS[name](**options)
    except TypeError as error:
        raise ConfigError(f"the {name} solver does not take {', '.join(options)}") from error
