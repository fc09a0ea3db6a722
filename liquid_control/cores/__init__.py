"""Recurrent cores in PyTorch: liquid networks and their rivals behind one interface.

`CORES` lists them, `make_core` builds one; `docs/cores.md` compares them, `docs/add_a_core.md`
tells how to add another. Each is in the file of its name, with its paper's equations.
"""

from liquid_control.cores.base import Core, scan
from liquid_control.cores.kinds import CORES, CoreKind, make_core

__all__ = ["CORES", "Core", "CoreKind", "make_core", "scan"]
