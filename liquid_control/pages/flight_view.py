"""What the page of a flight shows: plots, map, pictures, neurons, wiring, markers.

These are plain data, so that flights in simulation, replays of bags and inspections have one page.
Times are seconds since the beginning of the flight.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import ObservationError
from liquid_control.liquid.wiring import Wiring
from liquid_control.pages.picture_track import PictureTrack
from liquid_control.types import Floats

COLOURS = ("blue", "orange", "green", "red", "purple", "muted", "ink")
SCALES = ("diverging", "linear", "log")
KINDS = ("event", "guard", "difference")
COMMAND_AXES = (
    ("forward, m/s", (0.0, 2.0)),
    ("left, m/s", (-0.5, 0.5)),
    ("up, m/s", (-0.5, 0.5)),
    ("yaw rate, rad/s", (-0.5, 0.5)),
)
"""Name of each value of a command, and the least range of its axis."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One line of a plot.

    Attributes:
        label: name of the line.
        seconds: float64 [T], ascending.
        values: float64 [T]; not finite where there is no value.
        colour: one of `COLOURS`.
        steps: whether each value holds until the next.
    """

    label: str
    seconds: Floats
    values: Floats
    colour: str = "blue"
    steps: bool = False

    def __post_init__(self) -> None:
        if self.seconds.shape != self.values.shape or self.seconds.ndim != 1:
            raise ObservationError(
                f"{self.label}: expected one value for each time, got {list(self.values.shape)} "
                f"for {list(self.seconds.shape)}"
            )
        if self.colour not in COLOURS:
            raise ObservationError(f"expected a colour of {', '.join(COLOURS)}, got {self.colour}")


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over time; the axis covers at least `span`, which keeps noise small."""

    title: str
    span: tuple[float, float]
    traces: tuple[Trace, ...]


@dataclass(frozen=True, slots=True)
class PlotGroup:
    """Plots below one heading, which take one column.

    Attributes:
        title: the heading.
        plots: from top to bottom.
        caption: below the plots.
        guarded: whether the times at which the guard acted are shaded.
    """

    title: str
    plots: tuple[Plot, ...]
    caption: str = ""
    guarded: bool = False


@dataclass(frozen=True, slots=True)
class Marker:
    """An instant to jump to.

    Attributes:
        seconds: of the instant.
        text: what happened, a few words.
        kind: one of `KINDS`.
        end_s: end of what lasts; None for an instant.
    """

    seconds: float
    text: str
    kind: str = "event"
    end_s: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class MapPath:
    """A path on the map.

    Attributes:
        label: name of the path.
        seconds: float64 [T], ascending.
        position: float64 [T, 2], x and y, m, map.
        heading_rad: float64 [T], map; None if it is not known.
        colour: one of `COLOURS`.
    """

    label: str
    seconds: Floats
    position: Floats
    heading_rad: Floats | None = None
    colour: str = "blue"


@dataclass(frozen=True, slots=True, eq=False)
class MapView:
    """Top view. Empty arrays are not drawn.

    Attributes:
        paths: the first one is that of the vehicle.
        trail: float64 [P, 2], centre line of the trail, or the course, m, map.
        corridor_m: half width of the corridor of a trail; None for a course.
        trail_width_m: of the trail in its corridor.
        trunks: float64 [N, 3], x, y, radius, m.
        bars: float64 [B, 5], both ends (x, y) and radius, m.
        targets: float64 [K, 3], x, y, radius, m.
        wind: float64 [T, 2] at the times of the first path, m/s, map; None if it is not known.
    """

    paths: tuple[MapPath, ...]
    trail: Floats = field(default_factory=lambda: np.empty((0, 2)))
    corridor_m: float | None = None
    trail_width_m: float = 1.0
    trunks: Floats = field(default_factory=lambda: np.empty((0, 3)))
    bars: Floats = field(default_factory=lambda: np.empty((0, 5)))
    targets: Floats = field(default_factory=lambda: np.empty((0, 3)))
    wind: Floats | None = None


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """One quantity of every neuron.

    Attributes:
        title: of the map.
        values: float64 [F, N].
        scale: `diverging` about zero, `linear`, or `log` for positive values.
        unit: of the values; empty without one.
    """

    title: str
    values: Floats
    scale: str = "diverging"
    unit: str = ""

    def limits(self) -> tuple[float, float]:
        """Return the values of the first and the last colour."""
        finite = self.values[np.isfinite(self.values)]
        if not finite.size:
            return 0.0, 1.0
        if self.scale == "diverging":
            reach = float(np.abs(finite).max()) or 1.0
            return -reach, reach
        low, high = (float(value) for value in np.percentile(finite, (1, 99)))
        least = 1e-6 if self.scale == "linear" else 1e-3 * max(low, 1e-9)
        return low, max(high, low + least)


@dataclass(frozen=True, slots=True, eq=False)
class NeuronView:
    """Neurons over time.

    Attributes:
        names: N names, motor neurons last.
        seconds: of the frames, float64 [F], ascending.
        maps: the first one has the states.
    """

    names: tuple[str, ...]
    seconds: Floats
    maps: tuple[HeatMap, ...]

    def __post_init__(self) -> None:
        for one in self.maps:
            expected = (len(self.seconds), len(self.names))
            if one.values.shape != expected or one.scale not in SCALES:
                raise ObservationError(
                    f"{one.title}: expected values {list(expected)} with a scale of "
                    f"{', '.join(SCALES)}, got {list(one.values.shape)} and {one.scale!r}"
                )


@dataclass(frozen=True, slots=True, eq=False)
class WiringView:
    """A wiring with its activity.

    Attributes:
        wiring: neurons in the order of the states.
        features: [F, I] at the times of the neurons; None if they are not known.
    """

    wiring: Wiring
    features: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FlightView:
    """Everything that a page shows of one flight.

    Attributes:
        title: of the flight.
        subtitle: model, seed and the like.
        outcome: how it ended; empty if that is not known.
        succeeded: None if that is not known.
        facts: (name, value) pairs.
        end_s: length of the flight.
        groups: of plots.
        markers: in any order.
        map: None where no position is known.
        pictures: None if they were not kept.
        saliency: maps of the pictures' regions that mattered; None if they were not computed.
        neurons: None for a pilot without a state.
        wiring: None for a core without a wiring.
        links: label and address, relative to the page.
    """

    title: str
    end_s: float
    subtitle: str = ""
    outcome: str = ""
    succeeded: bool | None = None
    facts: tuple[tuple[str, str], ...] = ()
    groups: tuple[PlotGroup, ...] = ()
    markers: tuple[Marker, ...] = ()
    map: MapView | None = None
    pictures: PictureTrack | None = None
    saliency: PictureTrack | None = None
    neurons: NeuronView | None = None
    wiring: WiringView | None = None
    links: tuple[tuple[str, str], ...] = ()


def neuron_maps(state: Floats, gate: Floats, constants_s: Floats | None) -> tuple[HeatMap, ...]:
    """Return the heat maps of a core's neurons.

    Args:
        state: float64 [F, N].
        gate: float64 [F, N], or [F, 0] for a core without time gates.
        constants_s: effective time constants, float64 [F, N]; None where there are none.
    """
    maps = [HeatMap("state", state, "diverging")]
    if gate.size:
        maps.append(HeatMap("time gate: 0 keeps the state, 1 settles it", gate, "linear"))
    if constants_s is not None:
        maps.append(HeatMap("time constant", constants_s, "log", "s"))
    return tuple(maps)
