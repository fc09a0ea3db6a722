import importlib
import sys

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrowPatch

from liquid_control.errors import DependencyError
from liquid_control.liquid import Wiring, auto_ncp
from liquid_control.liquid.wiring_generators import fully_connected
from liquid_control.liquid.wiring_layout import EXCITATORY, INHIBITORY
from liquid_control.liquid.wiring_plot import wiring_figure

pytestmark = pytest.mark.unit


def content_of(figure):
    """Return colours of synapses, sizes of groups of dots, and texts."""
    axes = figure.axes[0]
    arrows = [to_hex(p.get_edgecolor()) for p in axes.patches if isinstance(p, FancyArrowPatch)]
    dots = [len(dots.get_offsets()) for dots in axes.collections]
    return arrows, dots, [text.get_text() for text in axes.texts]


def test_every_synapse_is_drawn_with_its_polarity():
    wiring = auto_ncp(34, 19, 4)
    arrows, dots, texts = content_of(wiring_figure(wiring))
    loops = int((wiring.recurrent.diagonal() != 0).sum())
    assert loops > 0
    assert len(arrows) == wiring.sensory_synapse_count + wiring.synapse_count - loops
    between = wiring.recurrent - np.diag(wiring.recurrent.diagonal())
    signs = [*wiring.sensory.flat, *between.flat]
    assert arrows.count(EXCITATORY) == signs.count(1)
    assert arrows.count(INHIBITORY) == signs.count(-1)
    assert sorted(dots) == sorted([34, 9, 6, 4] + [1] * loops)
    assert texts == ["34 inputs", "9 inter", "6 command", "4 motor"]


def test_titles_and_files(tmp_path):
    figure = wiring_figure(fully_connected(3, 5))
    assert figure.axes[0].get_title() == "5 neurons, 15 synapses from inputs, 25 between neurons"
    assert wiring_figure(fully_connected(1, 1), title="one").axes[0].get_title() == "one"
    figure.savefig(tmp_path / "wiring.png")
    assert (tmp_path / "wiring.png").stat().st_size > 5_000


def test_a_wiring_without_synapses_is_drawn():
    content = {"layers": [{"role": "motor", "size": 2}], "sensory": [".."]}
    wiring = Wiring.from_dict({**content, "recurrent": ["..", ".."]})
    assert content_of(wiring_figure(wiring)) == ([], [1, 2], ["1 inputs", "2 motor"])


def test_error_when_matplotlib_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "liquid_control.liquid.wiring_plot")
    with pytest.raises(DependencyError, match="drawing a wiring needs matplotlib"):
        importlib.import_module("liquid_control.liquid.wiring_plot")
