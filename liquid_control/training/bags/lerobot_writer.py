"""Conversion of bags into a LeRobotDataset: `liquid-control bag convert --to lerobot`.

A bag is read twice: once for stamps, labels and states, from which the rows follow, and once for
the pictures of these rows. Memory holds no pictures. Rows have a fixed rate; a frame is repeated
until the next one, and `stamp_ns` holds its recorded stamp.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control import __version__
from liquid_control.bags import Losses
from liquid_control.bags.bag import Bag, open_bag
from liquid_control.bags.events import CameraInfoEvent, Event, FrameEvent
from liquid_control.bags.flight_events import read_flight
from liquid_control.bags.topics import Role, TopicMap, load_rules, resolve
from liquid_control.dependencies import require
from liquid_control.errors import BagError, ConfigError, OutputError
from liquid_control.files import unwritable
from liquid_control.perception import CameraView
from liquid_control.progress import Reporter
from liquid_control.training.bags import lerobot_format as layout
from liquid_control.training.bags.job import check_label, recorder_records
from liquid_control.training.bags.label_clock import LabelClock
from liquid_control.training.bags.lerobot_files import DatasetFiles
from liquid_control.training.bags.lerobot_format import DatasetFormat
from liquid_control.training.bags.pieces import SPEED_AGE_NS, Drop, pieces_of
from liquid_control.training.bags.recorded_flights import TimedValues, recorded_flights
from liquid_control.training.bags.sources import BagData, BagSource
from liquid_control.training.dataset import TrainingFlight
from liquid_control.training.training_settings import BagLabel, BagSettings
from liquid_control.types import NANOSECONDS, Pixels

MAX_FPS = 240
SURVEYED_FRAMES = 100
"""Frames at the start of a bag from which its rate follows."""
WITHOUT_PICTURES = CameraView(1, 1, 90.0)
"""View of the first reading, in which a picture is one pixel."""
KEPT_FRAMES = BagSettings(min_speed_mps=0.0, min_contrast=0.0, keep_frozen=True, min_frames=2)
"""Filters of a conversion: frames are left out only if they have no label."""


@dataclass(frozen=True, slots=True)
class SurveyedBag:
    """A bag as its start shows it.

    Attributes:
        source: the bag.
        bag: the opened bag.
        topics: topic of each role.
        rate_hz: median rate of its frames, Hz.
        size: width and height of its pictures.
        fov_deg: horizontal field of view, degrees; None if unknown.
        task: what is flown, in words.
    """

    source: BagSource
    bag: Bag
    topics: TopicMap
    rate_hz: float
    size: tuple[int, int]
    fov_deg: float | None
    task: str


@dataclass(frozen=True, slots=True)
class Episode:
    """Rows of one period of a flight without a gap.

    Attributes:
        frames: int64 [T], number of each row's frame in the bag, counted from zero.
        columns: arrays [T] or [T, C] by feature.
    """

    frames: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]


@dataclass
class Conversion:
    """A conversion and its result.

    Attributes:
        path: the dataset.
        fmt: format of all episodes.
        episodes: number of episodes.
        rows: number of rows.
        repeated: number of rows that repeat the frame before, since none was delivered.
        drops: number of frames left out, by reason.
        losses: data that could not be used, a line per kind and bag.
    """

    path: Path
    fmt: DatasetFormat
    episodes: int = 0
    rows: int = 0
    repeated: int = 0
    drops: Counter[Drop] = field(default_factory=Counter)
    losses: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the result in words."""
        fps = self.fmt.fps
        lines = [
            f"{self.path}: {self.rows} rows of {self.episodes} episodes at {fps} Hz, "
            f"{self.rows / fps / 60:.1f} min"
        ]
        if self.repeated:
            lines.append(f"  {self.repeated} rows repeat the frame before: none was recorded")
        drops = sorted(self.drops.items())
        lines += [f"  left out: {count} frames {drop.value}" for drop, count in drops if count]
        return lines + [f"  {line}" for line in self.losses]


def label_of(name: str) -> BagLabel:
    """Return the label of a name.

    Raises:
        ConfigError: the name is unknown.
    """
    names = [label.value for label in BagLabel]
    if name not in names:
        raise ConfigError(f"--label: expected one of {', '.join(names)}, got {name!r}")
    return BagLabel(name)


def convert_to_lerobot(
    data: BagData,
    out: Path,
    *,
    label: BagLabel = BagLabel.POLICY_COMMAND,
    fps: int | None = None,
    task: str | None = None,
    reporter: Reporter | None = None,
) -> Conversion:
    """Write the flights of bags as a LeRobotDataset of version 3.0, without `lerobot`.

    The dataset is written next to `out` and renamed when it is complete.

    Args:
        data: the bags, from `bag_data`.
        out: folder to write; it must not exist.
        label: quantity that becomes `action`.
        fps: rows a second; the highest median rate of the bags, rounded, if None.
        task: task of all flights in words; that of each bag's scenario if None.
        reporter: shows the progress; on stderr by default.

    Raises:
        DependencyError: pyarrow or PyAV is not installed.
        ConfigError: `fps` is out of range.
        OutputError: `out` exists or cannot be written.
        BagError: a bag cannot be read or lacks the label, pictures differ in size, or nothing is
            left.
    """
    for module in ("pyarrow", "av"):
        require(module, "lerobot", "write a LeRobotDataset")
    if fps is not None and not 1 <= fps <= MAX_FPS:
        raise ConfigError(f"--fps: expected a whole number from 1 to {MAX_FPS}, got {fps}")
    if os.path.lexists(out):
        raise OutputError(f"{out}: exists already; give a folder that does not")
    bags = [_survey(source, data, label, task) for source in data.sources]
    made = Conversion(out, _format_of(bags, fps))
    partial = out.with_name(f".{out.name}.partial-{os.getpid()}")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _write(bags, partial, made, label, reporter or Reporter())
        partial.rename(out)
    except OSError as error:
        raise unwritable(out, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return made


def _survey(source: BagSource, data: BagData, label: BagLabel, task: str | None) -> SurveyedBag:
    """Read the start of a bag.

    Raises:
        BagError: the bag has no label, no frames, or frames at one time only.
    """
    if source.episode is not None:
        raise BagError(f"{source.path}: is a LeRobotDataset already")
    bag = open_bag(Path(source.path))
    topics = resolve(bag, load_rules(data.presets, data.flags or {}))
    check_label(topics, label, source.name)
    stamps: list[int] = []
    size, fov_deg = (0, 0), None
    for event in read_flight(bag, topics, Losses()):
        if isinstance(event, CameraInfoEvent):
            fov_deg = event.horizontal_fov_deg if isfinite(event.horizontal_fov_deg) else None
        elif isinstance(event, FrameEvent):
            stamps.append(event.observation.stamp_ns)
            height, width = event.observation.image.shape[:2]
            size = size if len(stamps) > 1 else (width, height)
            if len(stamps) == SURVEYED_FRAMES:
                break
    steps = np.diff(stamps)
    if not (steps > 0).any():
        raise BagError(f"{source.name}: expected frames of several times, got {len(stamps)}")
    rate_hz = NANOSECONDS / float(np.median(steps[steps > 0]))
    return SurveyedBag(source, bag, topics, rate_hz, size, fov_deg, task or _task_of(bag))


def _task_of(bag: Bag) -> str:
    records = recorder_records(bag)
    flight = records.get("flight") or records.get("parameters/simulator_node", {})
    scenario = flight.get("scenario", "")
    return f"Fly the scenario {Path(scenario).stem}." if scenario else "Fly as recorded."


def _format_of(bags: Sequence[SurveyedBag], fps: int | None) -> DatasetFormat:
    """Return the format that holds what all bags have.

    Raises:
        BagError: pictures of two bags differ in size.
    """
    first = bags[0]
    for other in bags[1:]:
        if other.size != first.size:
            sizes = [f"{bag.size[0]}x{bag.size[1]} in {bag.source.name}" for bag in (first, other)]
            raise BagError(f"expected pictures of one size, got {' and '.join(sizes)}")
    state: tuple[str, ...] = ()
    for role, names in ((Role.ODOMETRY, layout.VELOCITY_NAMES), (Role.IMU, layout.IMU_NAMES)):
        if all(role in bag.topics for bag in bags):
            state += names
    rate_hz = max(bag.rate_hz for bag in bags)
    return DatasetFormat(fps or min(max(1, round(rate_hz)), MAX_FPS), *first.size, state)


def _write(
    bags: Sequence[SurveyedBag], root: Path, made: Conversion, label: BagLabel, reporter: Reporter
) -> None:
    settings = KEPT_FRAMES.model_copy(update={"label": label})
    sources: list[dict[str, Any]] = []
    origins: list[dict[str, Any]] = []
    with DatasetFiles(root, made.fmt) as files, reporter.phase("converting", len(bags)) as bar:
        for recorded in bags:
            losses = Losses()
            episodes = _episodes(recorded, made, settings, losses)
            pictures = _pictures(recorded)
            for episode in episodes:
                files.add(episode.columns, _shown(episode, pictures), recorded.task)
                stamp_ns = int(episode.columns[layout.STAMP][0])
                origins.append({"source": len(sources), "first_stamp_ns": stamp_ns})
            sources.append(_origin(recorded))
            made.losses += [f"{recorded.source.name}: {line}" for line in losses.lines()]
            bar.advance(recorded.source.name)
        made.episodes, made.rows = len(files.episodes), files.rows
        if not made.episodes:
            reasons = [f"{count} frames {drop.value}" for drop, count in made.drops.items()]
            raise BagError(f"nothing to convert: {'; '.join(reasons) or 'no frame'}")
        files.finish(
            {
                "liquid_control": __version__,
                "label": label.value,
                "sources": sources,
                "episodes": origins,
            }
        )


def _origin(recorded: SurveyedBag) -> dict[str, Any]:
    return {
        "name": recorded.source.name,
        "sha256": recorded.source.sha256,
        "topics": {role.value: found.name for role, found in recorded.topics.sources.items()},
        "horizontal_fov_deg": recorded.fov_deg,
        "recorder": recorder_records(recorded.bag),
    }


def _episodes(
    recorded: SurveyedBag, made: Conversion, settings: BagSettings, losses: Losses
) -> list[Episode]:
    """Return the episodes of a bag; count the frames left out.

    Raises:
        BagError: the labels do not belong to the frames.
    """
    clock = LabelClock(settings.label)
    events = clock.observe(read_flight(recorded.bag, recorded.topics, losses))
    small = (_without_picture(e) for e in events if not isinstance(e, CameraInfoEvent))
    found: list[Episode] = []
    begin = 0
    for flight in recorded_flights(small, WITHOUT_PICTURES, settings.label, losses):
        stamps = np.array([frame.stamp_ns for frame in flight.frames], np.int64)
        velocities = TimedValues.of(flight.velocities, len(layout.VELOCITY_NAMES))
        for piece in pieces_of(flight, settings, made.drops):
            columns = _columns(piece, velocities, made.fmt)
            numbers = begin + np.searchsorted(stamps, piece.stamps_ns)
            found += _at_rate(columns, numbers, settings.min_frames, made)
        begin += len(stamps)
    source = recorded.topics.sources[Role(settings.label.value)]
    if problem := clock.problem(source, settings.max_label_age_s):
        raise BagError(f"{recorded.source.name}: {problem}")
    return found


def _without_picture(event: Event) -> Event:
    if not isinstance(event, FrameEvent):
        return event
    pixel = np.zeros((1, 1, 3), np.uint8)
    return replace(event, observation=replace(event.observation, image=pixel))


def _columns(
    piece: TrainingFlight, velocities: TimedValues, fmt: DatasetFormat
) -> dict[str, NDArray[Any]]:
    """Return the columns of a piece at its frames."""
    state = []
    if set(layout.VELOCITY_NAMES) <= set(fmt.state):
        state.append(velocities.at(piece.stamps_ns, SPEED_AGE_NS).astype(np.float32))
    if set(layout.IMU_NAMES) <= set(fmt.state):
        state.append(piece.imu)
    columns: dict[str, NDArray[Any]] = {"action": piece.labels, layout.STAMP: piece.stamps_ns}
    return columns | ({layout.STATE: np.concatenate(state, axis=1)} if state else {})


def _at_rate(
    columns: Mapping[str, NDArray[Any]],
    numbers: NDArray[np.int64],
    min_frames: int,
    made: Conversion,
) -> Iterator[Episode]:
    """Yield the episodes of a piece: an unknown state ends an episode."""
    known = np.isfinite(columns.get(layout.STATE, columns["action"])).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    for first, end in edges.reshape(-1, 2).tolist():
        if end - first < min_frames:
            made.drops[Drop.SHORT] += end - first
            continue
        rows = first + rows_at_rate(columns[layout.STAMP][first:end], made.fmt.fps)
        shown = len(np.unique(rows))
        made.drops[Drop.BETWEEN] += end - first - shown
        made.repeated += len(rows) - shown
        yield Episode(numbers[rows], {key: values[rows] for key, values in columns.items()})
    made.drops[Drop.UNMEASURED] += int((~known).sum())


def rows_at_rate(stamps_ns: NDArray[np.int64], fps: int) -> NDArray[np.int64]:
    """Return the frame of each row at a fixed rate.

    A frame belongs to the nearest period; of several in one period the nearest to its time is
    kept. A period without a frame repeats the one before.

    Args:
        stamps_ns: int64 [N], increasing.
        fps: rows a second.

    Returns:
        int64 [T], index of the frame of each row.
    """
    periods = (stamps_ns - stamps_ns[0]) * (fps / NANOSECONDS)
    nearest = np.rint(periods).astype(np.int64)
    order = np.lexsort((np.abs(periods - nearest), nearest))
    filled, first = np.unique(nearest[order], return_index=True)
    rows = np.searchsorted(filled, np.arange(filled[-1] + 1), side="right") - 1
    kept: NDArray[np.int64] = order[first][rows]
    return kept


def _pictures(recorded: SurveyedBag) -> Iterator[tuple[int, Pixels]]:
    """Yield number and picture of each frame of a bag."""
    events = read_flight(recorded.bag, recorded.topics, Losses())
    frames = (event for event in events if isinstance(event, FrameEvent))
    for number, frame in enumerate(frames):
        yield number, frame.observation.image


def _shown(episode: Episode, pictures: Iterator[tuple[int, Pixels]]) -> Iterator[Pixels]:
    """Yield the picture of each row of an episode."""
    number, image = next(pictures)
    for wanted in episode.frames.tolist():
        while number < wanted:
            number, image = next(pictures)
        yield image
