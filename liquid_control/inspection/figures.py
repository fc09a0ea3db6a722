"""Figures of an inspected flight: neurons over time, contributions at a moment, the wiring."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure

from liquid_control.inspection.contributions import Contributions
from liquid_control.inspection.flight import AXES, UNITS, InspectedFlight
from liquid_control.inspection.moment import Explanation
from liquid_control.liquid.activity import Activity
from liquid_control.liquid.wiring import Wiring
from liquid_control.liquid.wiring_layout import EXCITATORY, INHIBITORY
from liquid_control.liquid.wiring_plot import wiring_figure
from liquid_control.types import Floats

DPI = 110
TAU_LIMITS_S = (0.03, 3.0)
"""Effective time constants of the first and the last colour, s."""
ROWS = 48
"""Most rows of a heat map; of a larger state, evenly spaced numbers are shown."""


def neurons_figure(
    flight: InspectedFlight, time_constants: Floats | None, at_s: float | None = None
) -> Figure:
    """Return heat maps over time: states, gates and effective time constants, and the commands.

    Args:
        flight: the flight.
        time_constants: float64 [T, S], s; None for a core without them.
        at_s: a moment to mark, s.
    """
    maps: list[tuple[str, Floats, str, Normalize]] = [
        ("state", flight.states.astype(np.float64), "RdBu", Normalize(-1.0, 1.0))
    ]
    if flight.gates is not None:
        maps.append(("time gate", flight.gates.astype(np.float64), "Purples", Normalize(0.0, 1.0)))
    if time_constants is not None:
        shown = np.clip(time_constants, *TAU_LIMITS_S)
        maps.append(("effective time constant, s", shown, "viridis", LogNorm(*TAU_LIMITS_S)))
    rows = np.linspace(0, len(flight.state_names) - 1, min(ROWS, len(flight.state_names)))
    rows = rows.round().astype(int)
    height = 1.6 + len(maps) * (0.5 + 0.14 * len(rows))
    figure = Figure(figsize=(11.0, height), layout="constrained")
    ratios = [1.6, *([0.5 + 0.14 * len(rows)] * len(maps))]
    first, *others = figure.subplots(
        len(ratios), 1, sharex=True, height_ratios=ratios, squeeze=False
    )[:, 0]
    for axis, name in enumerate(AXES):
        first.plot(flight.seconds, flight.commands[:, axis], label=name, linewidth=1.0)
    first.legend(loc="lower right", bbox_to_anchor=(1.0, 0.96), ncols=4, frameon=False, fontsize=8)
    first.set_title("command, m/s and rad/s", loc="left", fontsize=9)
    end = float(flight.seconds[-1])
    for axes, (title, values, colours, norm) in zip(others, maps, strict=True):
        picture = axes.imshow(
            values[:, rows].T,
            aspect="auto",
            interpolation="nearest",
            cmap=colours,
            norm=norm,
            extent=(0.0, end, len(rows) - 0.5, -0.5),
        )
        axes.set_yticks(range(len(rows)), [flight.state_names[row] for row in rows], fontsize=6)
        axes.set_title(title, loc="left", fontsize=9)
        figure.colorbar(picture, ax=axes, pad=0.01, fraction=0.02)
    if at_s is not None:
        for axes in (first, *others):
            axes.axvline(at_s, color="#222222", linewidth=1.0, linestyle="--")
    others[-1].set_xlabel("time, s")
    return figure


def moment_figure(moment: Explanation, flight: InspectedFlight, axis: int) -> Figure:
    """Return why one axis of a command changed over the last second.

    The bars are the frames, the strongest features, and every neuron by layer; for a core other
    than the wired CfC, the strongest single clamps only.
    """
    found = moment.second
    figure = Figure(figsize=(11.0, 6.4), layout="constrained")
    title = f"{AXES[axis]} at {moment.seconds:.2f} s: {moment.command[axis]:+.3f} {UNITS[axis]}"
    if found is None:
        axes = figure.subplots()
        _what_ifs(axes, moment, axis)
        figure.suptitle(title, fontsize=11)
        return figure
    (upper, right), (lower, last) = figure.subplots(2, 2)
    change = f"{title}, changed by {found.change[axis]:+.3f} in {found.steps} frames"
    figure.suptitle(f"{change}: memory {found.memory[axis]:+.3f}, inputs the rest", fontsize=11)
    window = flight.seconds[found.frame - found.steps + 1 : found.frame + 1]
    by_frame = found.features[axis].sum(axis=1)
    upper.bar(
        window, by_frame, width=0.8 * float(np.median(flight.elapsed_s)), color=_colours(by_frame)
    )
    upper.set_title("by frame", loc="left", fontsize=9)
    upper.set_xlabel("time, s", fontsize=8)
    by_feature = found.features[axis].sum(axis=0)
    order = np.argsort(-np.abs(by_feature), kind="stable")[:12]
    _bars(right, [flight.feature_names[i] for i in order], by_feature[order], "by feature")
    neurons = found.neurons[axis][: -len(AXES)]
    names = list(flight.state_names[: len(neurons)])
    _bars(lower, names, neurons, "through each neuron; every layer sums to the same")
    _what_ifs(last, moment, axis)
    for axes in (upper, right, lower, last):
        axes.tick_params(labelsize=7)
    return figure


def activity_figure(
    wiring: Wiring, found: Contributions, states: Floats, axis: int, title: str
) -> Figure:
    """Return the wiring with what passed through every synapse over the frames of a change.

    Args:
        wiring: of the model.
        found: the contributions.
        states: of the neurons at the moment, [N].
        axis: of the command.
        title: above the figure.
    """
    sensory = np.zeros(wiring.sensory.shape)
    recurrent = np.zeros(wiring.recurrent.shape)
    sensory[:, wiring.slices[0]] = found.flows[0][axis]
    pairs = pairwise(wiring.slices)
    for flow, (source, target) in zip(found.flows[1:], pairs, strict=True):
        recurrent[source, target] = flow[axis]
    return wiring_figure(wiring, title=title, activity=Activity(states, sensory, recurrent))


def save(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG; equal figures give equal bytes."""
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
    return path


def _what_ifs(axes: Axes, moment: Explanation, axis: int) -> None:
    requested = {one.label: one for one in moment.what_ifs[: moment.requested]}
    strongest = [
        *requested.values(),
        *(o for o in moment.strongest(axis) if o.label not in requested),
    ]
    values = np.array([one.command[axis] - moment.command[axis] for one in strongest])
    _bars(axes, [one.label for one in strongest], values, "change of the command if instead")


def _bars(axes: Axes, names: Sequence[str], values: Floats, title: str) -> None:
    axes.barh(range(len(names)), values, color=_colours(values))
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.axvline(0.0, color="#888888", linewidth=0.8)
    axes.set_title(title, loc="left", fontsize=9)


def _colours(values: Floats) -> list[str]:
    return [EXCITATORY if value >= 0.0 else INHIBITORY for value in values]
