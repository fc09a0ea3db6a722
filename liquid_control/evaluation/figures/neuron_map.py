"""The neurons over time: state and time gate as heat maps, motor neurons on top."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from liquid_control.evaluation.story import FlightStory, NeuronTrack
from liquid_control.pages import ink
from liquid_control.types import Floats

_ROW_IN = 0.17
_COLUMNS = 600
_MOTORS = ("forward", "left", "up", "yaw rate")
"""What the motor neurons command, in the order of `Command.values`."""

STATE_COLOURS = LinearSegmentedColormap.from_list(
    "state", ["#174ea6ff", "#4d8bf0bf", "#88888800", "#f0884dbf", "#b3381fff"]
)
"""Nothing at zero, so that the page shows through in either theme."""

GATE_COLOURS = LinearSegmentedColormap.from_list("gate", ["#7a4fc000", "#7a4fc08c", "#5b2ea6ff"])


def neuron_map(story: FlightStory, neurons: NeuronTrack) -> str:
    """Return both heat maps as SVG; rows from the motor neurons down to the inter neurons."""
    seconds = story.seconds(neurons.stamp_ns)
    order = np.arange(len(neurons.names))[::-1]
    names = [neurons.names[index] for index in order]
    with ink.drawing():
        height = _ROW_IN * len(names)
        size = (ink.WIDTH_IN, 2 * height + 1.5)
        figure = Figure(figsize=size)
        upper, lower = figure.subplots(2, 1, sharex=True)
        figure.subplots_adjust(
            0.085, 0.5 / size[1], 0.93, 1 - 0.32 / size[1], hspace=0.62 / height
        )
        reach = float(np.abs(neurons.state).max()) or 1.0
        low, high = (float(v) for v in np.percentile(neurons.gate, (1, 99)))
        _heat(upper, seconds, neurons.state[:, order], names, STATE_COLOURS, (-reach, reach))
        _heat(
            lower,
            seconds,
            neurons.gate[:, order],
            names,
            GATE_COLOURS,
            (low, max(high, low + 1e-6)),
        )
        upper.set_title("state")
        lower.set_title("time gate: 0 where a neuron stays, 1 where it has settled")
        lower.set_xlabel("time, s", loc="right")
        return ink.svg(figure, "The neurons over time")


def _heat(
    axes: Axes,
    seconds: Floats,
    values: Floats,
    names: list[str],
    colours: LinearSegmentedColormap,
    limits: tuple[float, float],
) -> None:
    """Draw [F, N] values on an even clock; frames hold until the next."""
    end = float(seconds[-1]) + (float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.05)
    clock = np.linspace(float(seconds[0]), end, min(_COLUMNS, 4 * len(seconds)), endpoint=False)
    held = np.searchsorted(seconds, clock, side="right") - 1
    picture = axes.imshow(
        values[held].T,
        aspect="auto",
        interpolation="nearest",
        cmap=colours,
        vmin=limits[0],
        vmax=limits[1],
        extent=(float(seconds[0]), end, len(names) - 0.5, -0.5),
    )
    axes.set_yticks(range(len(names)), [_label(name) for name in names], fontsize=8)
    for edge in _group_edges(names):
        axes.axhline(edge - 0.5, color=ink.MUTED, linewidth=0.8)
    axes.spines["bottom"].set_visible(False)
    bar = axes.figure.colorbar(picture, ax=axes, pad=0.012, fraction=0.018, aspect=24)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)


def _label(name: str) -> str:
    """Return a motor neuron's command, and any other neuron's name."""
    kind, _, number = name.partition("_")
    return _MOTORS[int(number)] if kind == "motor" and number in "0123" else name


def _group_edges(names: list[str]) -> list[int]:
    """Return the rows at which a new kind of neuron begins, by the letters before the number."""
    kinds = [name.rstrip("0123456789").rstrip("_") for name in names]
    return [
        row
        for row in range(1, len(kinds))
        if kinds[row] != kinds[row - 1] and kinds.count(kinds[row]) > 1
    ]
