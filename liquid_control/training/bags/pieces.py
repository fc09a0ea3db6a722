"""Cuts recorded flights into pieces to learn from and counts the frames left out.

Single frames are left out if they show nothing, repeat the one before, or have no label. The time
step to the next frame is then longer, as after a lost frame in flight. Hovering and gaps cut the
flight into pieces.
"""

from collections import Counter
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from liquid_control.perception import imu_features, moments
from liquid_control.training.bags.recorded_flights import Frame, RecordedFlight, TimedValues
from liquid_control.training.dataset import TrainingFlight
from liquid_control.training.training_settings import BagSettings
from liquid_control.types import NANOSECONDS, Floats, ImuWindow

SPEED_AGE_NS = NANOSECONDS // 2


class Drop(str, Enum):
    """Reason why a frame was left out; the values appear in model cards."""

    UNIFORM = "of almost one value"
    FROZEN = "equal to the one before"
    BETWEEN = "between two periods"
    UNLABELLED = "without a label"
    UNMEASURED = "without a measured state"
    HOVERING = "while hovering"
    SHORT = "in too short a piece"


@dataclass(frozen=True, slots=True)
class Labelled:
    """Frames with labels.

    Attributes:
        frames: T frames.
        labels: float64 [T, 4], as `Command.values`.
        speeds: float64 [T], m/s.
    """

    frames: list[Frame]
    labels: Floats
    speeds: Floats


def pieces_of(
    flight: RecordedFlight, settings: BagSettings, drops: Counter[Drop]
) -> list[TrainingFlight]:
    """Return the pieces of a flight to learn from.

    Args:
        flight: recorded flight.
        settings: of the filters.
        drops: counts the frames left out, by reason.
    """
    frames = _usable(flight.frames, settings, drops)
    if settings.rate_hz is not None:
        frames = _resampled(frames, settings.rate_hz, drops)
    labelled = _labelled(frames, flight, settings, drops)
    flying = _flying(labelled, settings)
    drops[Drop.HOVERING] += int((~flying).sum())
    pieces = []
    for rows in _runs(labelled.frames, flying, settings.max_gap_s):
        if len(rows) < settings.min_frames:
            drops[Drop.SHORT] += len(rows)
        else:
            pieces.append(_piece(labelled, rows))
    return pieces


def _usable(frames: list[Frame], settings: BagSettings, drops: Counter[Drop]) -> list[Frame]:
    """Leave out uniform and repeated pictures."""
    kept: list[Frame] = []
    waiting: list[ImuWindow] = []
    last: Frame | None = None
    for frame in frames:
        reason = _fault(frame, last, settings)
        last = frame
        if reason is not None:
            drops[reason] += 1
            waiting.append(frame.imu)
            continue
        kept.append(_joined(frame, frame.stamp_ns, waiting))
    return kept


def _fault(frame: Frame, before: Frame | None, settings: BagSettings) -> Drop | None:
    if moments(frame.image)[1] < settings.min_contrast:
        return Drop.UNIFORM
    if settings.keep_frozen or before is None or not np.array_equal(frame.image, before.image):
        return None
    return Drop.FROZEN


def _resampled(frames: list[Frame], rate_hz: float, drops: Counter[Drop]) -> list[Frame]:
    """Keep the frame nearest to the time of each period, stamped with that time."""
    if not frames:
        return []
    stamps = np.array([frame.stamp_ns for frame in frames], np.int64)
    period = NANOSECONDS / rate_hz
    periods = np.rint((stamps - stamps[0]) / period).astype(np.int64)
    times = stamps[0] + np.rint(periods * period).astype(np.int64)
    nearest: dict[int, int] = {}
    for index, number in enumerate(periods.tolist()):
        best = nearest.setdefault(number, index)
        if abs(stamps[index] - times[index]) < abs(stamps[best] - times[best]):
            nearest[number] = index
    kept: list[Frame] = []
    waiting: list[ImuWindow] = []
    for index, frame in enumerate(frames):
        if nearest[int(periods[index])] == index:
            kept.append(_joined(frame, int(times[index]), waiting))
        else:
            drops[Drop.BETWEEN] += 1
            waiting.append(frame.imu)
    return kept


def _labelled(
    frames: list[Frame], flight: RecordedFlight, settings: BagSettings, drops: Counter[Drop]
) -> Labelled:
    stamps = np.array([frame.stamp_ns for frame in frames], np.int64)
    ahead = stamps + round(settings.lookahead_s * NANOSECONDS)
    age_ns = round(settings.max_label_age_s * NANOSECONDS)
    labels = TimedValues.of(flight.labels, 4).at(ahead, age_ns)
    speeds = TimedValues.of(flight.speeds, 1).at(stamps, SPEED_AGE_NS)[:, 0]
    kept: list[Frame] = []
    waiting: list[ImuWindow] = []
    has = ~np.isnan(labels[:, 0])
    for frame, is_labelled in zip(frames, has.tolist(), strict=True):
        if is_labelled:
            kept.append(_joined(frame, frame.stamp_ns, waiting))
        else:
            waiting.append(frame.imu)
    drops[Drop.UNLABELLED] += len(frames) - len(kept)
    labels, speeds = labels[has], speeds[has]
    commanded = np.linalg.norm(labels[:, :3], axis=1)
    return Labelled(kept, labels, np.where(np.isfinite(speeds), speeds, commanded))


def _joined(frame: Frame, stamp_ns: int, waiting: list[ImuWindow]) -> Frame:
    """Return a frame with the IMU samples of the left-out frames before it added."""
    window = ImuWindow.joined([*waiting, frame.imu]) if waiting else frame.imu
    waiting.clear()
    return Frame(stamp_ns, frame.image, window)


def _flying(labelled: Labelled, settings: BagSettings) -> NDArray[np.bool_]:
    """Return the frames that are not in a long period of hovering, bool [T]."""
    slow = labelled.speeds < settings.min_speed_mps
    edges = np.flatnonzero(np.diff(np.concatenate([[False], slow, [False]]).astype(np.int8)))
    flying = np.ones(len(slow), np.bool_)
    for first, end in edges.reshape(-1, 2).tolist():
        lasted_ns = labelled.frames[end - 1].stamp_ns - labelled.frames[first].stamp_ns
        if lasted_ns > settings.hover_s * NANOSECONDS:
            flying[first:end] = False
    return flying


def _runs(
    frames: list[Frame], flying: NDArray[np.bool_], max_gap_s: float
) -> list[NDArray[np.int64]]:
    """Return the rows of each run of frames without a gap, int64 [P] each."""
    rows = np.flatnonzero(flying)
    if not len(rows):
        return []
    stamps = np.array([frames[row].stamp_ns for row in rows.tolist()], np.int64)
    cut = (np.diff(rows) > 1) | (np.diff(stamps) > max_gap_s * NANOSECONDS)
    return np.split(rows, np.flatnonzero(cut) + 1)


def _piece(labelled: Labelled, rows: NDArray[np.int64]) -> TrainingFlight:
    frames = [labelled.frames[row] for row in rows.tolist()]
    return TrainingFlight(
        stamps_ns=np.array([frame.stamp_ns for frame in frames], np.int64),
        images=np.stack([frame.image for frame in frames]),
        imu=np.stack([imu_features(frame.imu) for frame in frames]).astype(np.float32),
        labels=labelled.labels[rows].astype(np.float32),
        by_expert=np.ones(len(rows), np.bool_),
        result=None,
    )
