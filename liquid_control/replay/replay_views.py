"""The page of a replay: plots, paths, pictures, neurons and markers from `ReplayResult`."""

import numpy as np

from liquid_control.liquid.time_constants import time_constants
from liquid_control.liquid.weights import CfCWeights, Mode
from liquid_control.pages.flight_view import (
    COMMAND_AXES,
    FlightView,
    HeatMap,
    MapPath,
    MapView,
    Marker,
    NeuronView,
    Plot,
    PlotGroup,
    Trace,
    WiringView,
    neuron_maps,
)
from liquid_control.pages.guard_markers import CommandChanges, guard_markers, guard_periods
from liquid_control.pages.picture_track import PictureTrack
from liquid_control.policy import BACKENDS
from liquid_control.replay.comparison import AXES, UNITS, Comparison, pair
from liquid_control.replay.request import RECORDED
from liquid_control.replay.result import ReplayResult
from liquid_control.replay.tracks import Series, Stamps, Track
from liquid_control.types import Floats

_GAPS_MARKED = 40
_LEAST_S = 1e-3


def replay_view(
    title: str,
    subtitle: str,
    result: ReplayResult,
    pictures: PictureTrack | None,
    weights: CfCWeights | None,
) -> FlightView:
    """Return what the page of a replay shows.

    Args:
        title: of the recording.
        subtitle: model and comparison.
        result: the replay.
        pictures: of the frames; None where they cannot be read.
        weights: of the replayed model's wired CfC; None for another core.
    """
    track, main = result.replayed.track, result.main
    groups = [_commands(result)]
    if main is not None and main.difference.any():
        groups.append(_differences(result, main))
    clock = result.seconds(result.recorded.frames.stamp_ns)
    apart = result.path.replayed_from_other
    facts = [("frames", str(result.replayed.frames))]
    if result.coverage.covered is not None:
        facts.append(("compared", str(result.coverage.covered)))
    if refused := result.replayed.refused.total():
        facts.append(("refused", str(refused)))
    if result.intervals.rate_hz:
        facts.append(("frame rate", f"{result.intervals.rate_hz:.2f} Hz"))
    facts.append(("open-loop path", f"{result.path.length_m:.1f} m"))
    if apart is not None:
        facts.append(("final distance, L1", f"{apart.final_l1_m:.3g} m"))
        facts.append(("mean distance of paths", f"{apart.mean_l2_m:.3g} m"))
    features = _features(track, weights)
    return FlightView(
        title=title,
        subtitle=subtitle,
        facts=tuple(facts),
        end_s=max(float(clock.max()), _LEAST_S),
        groups=tuple(groups),
        markers=tuple(_markers(result)),
        map=_map(result),
        pictures=pictures,
        neurons=_neurons(result, weights, features),
        wiring=None
        if weights is None or not track.states.values.size
        else WiringView(weights.wiring, features),
    )


def _ordered(seconds: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Return rows by time; a recording's clock may have stepped back."""
    order = np.argsort(seconds, kind="stable")
    return seconds[order], np.asarray(values, np.float64)[order]


def _commands(result: ReplayResult) -> PlotGroup:
    main, track = result.main, result.replayed.track
    stamps = track.policy.stamp_ns if main is None else main.stamp_ns
    replayed = track.policy.values if main is None else main.replayed
    seconds, replayed = _ordered(result.seconds(stamps), replayed)
    other = None if main is None else _ordered(result.seconds(stamps), main.other)[1]
    plots = []
    for column, (name, span) in enumerate(COMMAND_AXES):
        traces = [Trace("replayed", seconds, replayed[:, column], "blue", steps=True)]
        if other is not None and result.other is not None:
            label = result.other.label
            traces.insert(0, Trace(label, seconds, other[:, column], "orange", steps=True))
        plots.append(Plot(name, span, tuple(traces)))
    caption = "Heading frame. Red: a rule of the replayed or of the recorded guard acted."
    return PlotGroup("Commands", tuple(plots), caption, guarded=True)


def _differences(result: ReplayResult, main: Comparison) -> PlotGroup:
    seconds, difference = _ordered(result.seconds(main.stamp_ns), main.difference)
    plots = []
    for column, (name, unit) in enumerate(zip(AXES, UNITS, strict=True)):
        reach = max(float(np.abs(difference[:, column]).max()), 1e-9)
        trace = Trace(name, seconds, difference[:, column], "purple", steps=True)
        plots.append(Plot(f"{name}, {unit}", (-reach, reach), (trace,)))
    label = "the other" if result.other is None else result.other.label
    return PlotGroup(f"Difference, replayed minus {label}", tuple(plots))


def _map(result: ReplayResult) -> MapView | None:
    path = result.path
    if not len(path.stamp_ns):
        return None
    seconds = result.seconds(path.stamp_ns)
    drawn = [("replayed", path.replayed, "blue")]
    if path.other is not None and result.other is not None:
        drawn.append((result.other.label, path.other, "orange"))
    if path.odometry is not None:
        drawn.insert(0, ("odometry", path.odometry, "ink"))
    paths = []
    for label, points, colour in drawn:
        clock, ordered = _ordered(seconds, points)
        paths.append(MapPath(label, clock, ordered[:, :2], ordered[:, 3], colour))
    return MapView(tuple(paths))


def _markers(result: ReplayResult) -> list[Marker]:
    """Return the largest differences, gaps and jumps of the clock, and actions of the guard."""

    def at(stamp_ns: int) -> float:
        return float(result.seconds(np.array(stamp_ns)))

    markers = [
        Marker(
            at(frame.stamp_ns),
            f"{frame.axis} {frame.difference:+.3g} {UNITS[AXES.index(frame.axis)]}",
            "difference",
        )
        for frame in result.worst_frames
        if frame.axis is not None
    ]
    intervals = result.intervals
    markers += [
        Marker(at(jump.stamp_ns), f"the clock jumps by {jump.seconds:+.2f} s")
        for jump in intervals.jumps[:_GAPS_MARKED]
    ]
    markers += [
        Marker(at(gap.stamp_ns), f"no frame for {gap.seconds:.2f} s")
        for gap in intervals.gaps[:_GAPS_MARKED]
    ]
    return markers + _guard_markers(result)


def _guard_markers(result: ReplayResult) -> list[Marker]:
    """Return the actions of the replayed guard, and those in which the recorded one differs."""
    policy, guarded = result.replayed.track.policy, result.replayed.track.guarded
    stamps, one, two = np.intersect1d(policy.stamp_ns, guarded.stamp_ns, return_indices=True)
    seconds, rows = _ordered(
        result.seconds(stamps), np.hstack([policy.values[one], guarded.values[two]])
    )
    commands = CommandChanges(seconds, rows[:, :4], rows[:, 4:])
    end_s = float(result.seconds(result.recorded.frames.stamp_ns).max())
    replayed, recorded = (
        guard_periods(one.guard, lambda stamp_ns: float(result.seconds(np.array(stamp_ns))))
        for one in (result.replayed, result.recorded)
    )
    markers = guard_markers(replayed, commands, end_s)
    apart = [one for one in recorded if one not in replayed]
    return markers + guard_markers(apart, None, end_s, "recorded guard")


def _features(track: Track, weights: CfCWeights | None) -> Floats | None:
    """Return the features at the stamps of the states; None where they do not fit."""
    features, states = track.features, track.states
    if weights is None or not np.array_equal(features.stamp_ns, states.stamp_ns):
        return None
    return features.values if features.values.shape[1:] == (weights.wiring.inputs,) else None


def _neurons(
    result: ReplayResult, weights: CfCWeights | None, features: Floats | None
) -> NeuronView | None:
    track = result.replayed.track
    if not track.states.values.size:
        return None
    states = track.states.values.astype(np.float64)
    constants = None
    if weights is not None and features is not None and weights.mode is not Mode.PURE:
        constants = time_constants(weights, features, track.states.values)
    maps = [*neuron_maps(states, track.gates.values.astype(np.float64), constants)]
    difference = _state_difference(result)
    if difference is not None and np.any(difference):
        maps.append(HeatMap("state, replayed minus other", difference, "diverging"))
    seconds = result.seconds(track.states.stamp_ns)
    order = np.argsort(seconds, kind="stable")
    maps = [HeatMap(one.title, one.values[order], one.scale, one.unit) for one in maps]
    return NeuronView(track.neuron_names, seconds[order], tuple(maps))


def _state_difference(result: ReplayResult) -> Floats | None:
    """Return the difference of the states, float64 [F, N], zero where the other track has none.

    None where the other track is another model's: its neurons share only their names.
    """
    replayed, other = result.replayed.track.states, result.other
    if other is None or other.label not in (RECORDED, *BACKENDS):
        return None
    states = other.states
    if not len(states) or states.values.shape[1] != replayed.values.shape[1]:
        return None
    return _paired_difference(replayed, states)


def _paired_difference(replayed: Series, other: Series) -> Floats:
    pairs = pair(replayed.stamp_ns, other.stamp_ns)
    difference = np.zeros(replayed.values.shape)
    difference[pairs.replayed] = replayed.values[pairs.replayed] - other.values[pairs.other]
    return difference


def frame_seconds(result: ReplayResult) -> dict[int, float]:
    """Return the time of each frame in the page, s, by its log time in ns."""
    frames: Series = result.recorded.frames
    stamps: Stamps = frames.stamp_ns
    seconds = result.seconds(stamps).tolist()
    return dict(zip(frames.log_ns.tolist(), seconds, strict=True))
