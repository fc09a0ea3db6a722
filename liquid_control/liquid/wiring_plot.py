"""Plot of a wiring: inputs on the left, then the layers, synapses by polarity.

No other module imports this one: flight does not need matplotlib.
"""

from collections.abc import Iterator

import numpy as np

from liquid_control.errors import DependencyError
from liquid_control.liquid.activity import Activity
from liquid_control.liquid.wiring import Synapses, Wiring
from liquid_control.liquid.wiring_layout import (
    BEND,
    EXCITATORY,
    INHIBITORY,
    INPUT,
    NEURON,
    Group,
    layout,
    outward,
)
from liquid_control.types import Floats

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import FancyArrowPatch
except ImportError as error:
    raise DependencyError("drawing a wiring needs matplotlib: pip install matplotlib") from error

ARROWS = {1: "-|>,head_width=1.6,head_length=3", -1: "|-|,widthA=0,widthB=2.4"}
"""An inhibitory synapse ends in a bar: polarity is readable without colour."""


def wiring_figure(
    wiring: Wiring, *, title: str | None = None, activity: Activity | None = None
) -> Figure:
    """Return a figure of a wiring.

    Neurons of a layer form a column, or a ring if they are connected with each other. Excitatory
    synapses end in an arrow, inhibitory ones in a bar; a circle at a neuron is a synapse with
    itself.

    With an activity, the width of a synapse is what passes through it, blue where it adds and red
    where it subtracts, and the colour of a neuron is its state.

    Args:
        wiring: the wiring to draw.
        title: None for the numbers of neurons and synapses.
        activity: None for the synapses alone.
    """
    groups = layout(wiring)
    width = groups[-1].places[:, 0].max() + 0.7
    figure = Figure(figsize=(3.4 * width + 0.6, 5.6), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_aspect("equal")
    axes.set_xlim(-0.35, width - 0.3)
    axes.set_ylim(-0.8, 0.72)
    neurons = np.concatenate([group.places for group in groups[1:]])
    sensory, recurrent = (None, None) if activity is None else activity.passed
    _draw_synapses(axes, groups[0].places, neurons, wiring.sensory, sensory)
    _draw_synapses(axes, neurons, neurons, wiring.recurrent, recurrent)
    if activity is None:
        _draw_loops(axes, groups[1:], np.diag(wiring.recurrent))
    for index, group in enumerate(groups):
        x, y = group.places.T
        colour = NEURON if index else INPUT
        if activity is None or index == 0:
            axes.scatter(x, y, s=_dot(len(x)), color=colour, zorder=3)
        else:
            own = wiring.slices[index - 1]
            axes.scatter(
                x,
                y,
                s=2.0 * _dot(len(x)),
                c=activity.states[own],
                cmap="RdBu",
                vmin=-1.0,
                vmax=1.0,
                edgecolors=NEURON,
                linewidths=0.8,
                zorder=3,
            )
        axes.text(
            (x.min() + x.max()) / 2,
            -0.69,
            f"{len(x)} {group.name}",
            ha="center",
            va="top",
            fontsize=10,
        )
    axes.set_title(title or _summary(wiring), fontsize=11)
    axes.legend(handles=_legend(activity), loc="upper right", frameon=False, fontsize=9)
    return figure


def _draw_synapses(
    axes: Axes,
    sources: Floats,
    targets: Floats,
    polarity: Synapses,
    passed: Floats | None = None,
) -> None:
    count = int(np.count_nonzero(polarity))
    alpha = float(np.clip(9.0 / np.sqrt(max(count, 1)), 0.25, 0.85))
    radius = np.sqrt(_dot(max(len(sources), len(targets)))) / 2
    largest = 1.0 if passed is None else float(np.abs(passed).max()) or 1.0
    for source, target in _pairs(polarity):
        sign, width = int(polarity[source, target]), 0.9
        if sources is targets and source == target:
            continue
        if passed is not None:
            part = float(passed[source, target]) / largest
            sign, width, alpha = (1 if part >= 0.0 else -1), 0.2 + 3.5 * abs(part), 0.08
            alpha += 0.9 * abs(part) ** 0.5
        axes.add_patch(
            FancyArrowPatch(
                tuple(sources[source]),
                tuple(targets[target]),
                arrowstyle=ARROWS[sign],
                connectionstyle=f"arc3,rad={BEND}",
                shrinkA=radius,
                shrinkB=radius + 1.5,
                color=EXCITATORY if sign > 0 else INHIBITORY,
                alpha=alpha,
                linewidth=width,
            )
        )


def _pairs(polarity: Synapses) -> Iterator[tuple[int, int]]:
    for source, target in np.argwhere(polarity):
        yield int(source), int(target)


def _draw_loops(axes: Axes, groups: list[Group], polarity: Synapses) -> None:
    """Draw synapses of neurons with themselves as circles on the outside of their group."""
    places = np.concatenate([group.places for group in groups])
    side = outward(groups)
    for at in np.flatnonzero(polarity):
        x, y = places[at] + 0.038 * side[at]
        axes.scatter(
            x,
            y,
            s=70,
            facecolors="none",
            edgecolors=EXCITATORY if polarity[at] > 0 else INHIBITORY,
            linewidths=1.1,
            zorder=2,
        )


def _dot(count: int) -> float:
    """Return the area of a neuron's dot in square points; dots of a column must not overlap."""
    return float(np.clip(1700.0 / max(count, 1), 14.0, 130.0))


def _summary(wiring: Wiring) -> str:
    return (
        f"{wiring.neurons} neurons, {wiring.sensory_synapse_count} synapses from inputs, "
        f"{wiring.synapse_count} between neurons"
    )


def _legend(activity: Activity | None) -> list[Line2D]:
    if activity is not None:
        return [
            Line2D([], [], color=EXCITATORY, label="adds"),
            Line2D([], [], color=INHIBITORY, label="subtracts"),
        ]
    return [
        Line2D([], [], color=EXCITATORY, marker=">", markersize=4, label="excitatory"),
        Line2D([], [], color=INHIBITORY, marker="|", markersize=7, label="inhibitory"),
    ]
