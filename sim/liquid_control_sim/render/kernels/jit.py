"""How the rasteriser's kernels are compiled.

Division by zero gives infinity, as in NumPy. Kernels make no arrays and get their scratch space as
arguments; in return no references to arrays are counted, which would cost more than drawing a
triangle does.
"""

from pathlib import Path

from liquid_control_sim.compiling import Compiler

compiled = Compiler("render", Path(__file__).parent, error_model="numpy", _nrt=False)
inlined = compiled.inlined
