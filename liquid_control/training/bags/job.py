"""Reading of one bag as a job: writes its pieces as flight files, then its summary.

The summary is written last and marks the bag as read. It is named by the hash of the bag's
content: a resumed run does not read a bag again, even if the bag has moved.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.bags import Losses
from liquid_control.bags.bag import Bag, open_bag
from liquid_control.bags.flight_events import read_flight
from liquid_control.bags.survey import metadata_records
from liquid_control.bags.topics import Role, TopicMap, load_rules, resolve
from liquid_control.command.motors import MotorScaling
from liquid_control.errors import BagError, OutputError
from liquid_control.files import atomic_write
from liquid_control.perception import CameraView
from liquid_control.training.bags.label_clock import LabelClock
from liquid_control.training.bags.pieces import Drop, pieces_of
from liquid_control.training.bags.recorded_flights import RecordedFlight, recorded_flights
from liquid_control.training.bags.sources import BagData, BagSource
from liquid_control.training.dataset import TrainingFlight, write_flight
from liquid_control.training.training_settings import BagLabel, BagSettings
from liquid_control.types import NANOSECONDS

KEPT_RECORDS = ("liquid_control", "model", "flight", "result", "parameters/simulator_node")
"""Metadata records of a bag that are kept in a model's provenance."""
LONGEST_VALUE = 500
"""Characters; longer values are left out."""


@dataclass(frozen=True, slots=True)
class BagSummary:
    """Summary of a bag that was read.

    Attributes:
        name: of the file or folder.
        sha256: of the content.
        topics: topic by role.
        duration_s: total duration of the pieces, s.
        frames: number of frames to learn from.
        pieces: number of frames of each piece.
        dropped: number of frames left out, by reason.
        beyond_motors: number of labels outside the range of the motor neurons; they are clipped.
        losses: data that the reader could not use, a line per kind.
        recorder: metadata of the bag, the records in `KEPT_RECORDS`.
        error: reason why the bag could not be read; empty if it could.
    """

    name: str
    sha256: str
    topics: Mapping[str, str] = field(default_factory=dict)
    duration_s: float = 0.0
    frames: int = 0
    pieces: tuple[int, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    beyond_motors: int = 0
    losses: tuple[str, ...] = ()
    recorder: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class BagJob:
    """One bag, as a job that writes its pieces and its summary.

    Attributes:
        source: the bag.
        data: rules for its topics.
        settings: of labels and filters.
        view: camera view of the model.
        motors: range of the motor neurons.
        path: of the summary; pieces go into a folder of the same name next to it.
    """

    source: BagSource
    data: BagData
    settings: BagSettings
    view: CameraView
    motors: MotorScaling
    path: Path

    def run(self) -> None:
        """Write the pieces, then the summary; an unreadable bag has its error in the summary."""
        try:
            summary = self._read()
        except BagError as error:
            summary = BagSummary(self.source.name, self.source.sha256, error=str(error))
        atomic_write(self.path, json.dumps(asdict(summary), indent=1), parents=True)

    def _read(self) -> BagSummary:
        if self.source.episode is not None:
            return self._read_episode(self.source.episode)
        bag = open_bag(Path(self.source.path))
        topics = resolve(bag, load_rules(self.data.presets, self.data.flags or {}))
        check_label(topics, self.settings.label, self.source.name)
        losses = Losses()
        clock = LabelClock(self.settings.label)
        events = clock.observe(read_flight(bag, topics, losses))
        flights = recorded_flights(events, self.view, self.settings.label, losses)
        summary = self._write_pieces(flights, losses)
        label = topics.sources[Role(self.settings.label.value)]
        if problem := clock.problem(label, self.settings.max_label_age_s):
            raise BagError(f"{self.source.name}: {problem}")
        names = {role.value: source.name for role, source in topics.sources.items()}
        return replace(summary, topics=names, recorder=recorder_records(bag))

    def _read_episode(self, number: int) -> BagSummary:
        from liquid_control.training.bags.lerobot_reader import LerobotEpisode

        losses = Losses()
        episode = LerobotEpisode.load(Path(self.source.path), number)
        flight = episode.flight(self.view, self.settings.label, losses)
        summary = self._write_pieces([flight], losses)
        topics, recorder = (episode.source.get(key, {}) for key in ("topics", "recorder"))
        return replace(summary, topics=topics, recorder=recorder)

    def _write_pieces(self, flights: Iterable[RecordedFlight], losses: Losses) -> BagSummary:
        drops = Counter[Drop]()
        lengths: list[int] = []
        duration_s, beyond = 0.0, 0
        for flight in flights:
            for piece in pieces_of(flight, self.settings, drops):
                write_flight(piece_path(self.path, len(lengths)), piece)
                lengths.append(len(piece.stamps_ns))
                duration_s += float(piece.stamps_ns[-1] - piece.stamps_ns[0]) / NANOSECONDS
                beyond += self._beyond(piece)
        return BagSummary(
            name=self.source.name,
            sha256=self.source.sha256,
            duration_s=round(duration_s, 3),
            frames=sum(lengths),
            pieces=tuple(lengths),
            dropped={drop.value: count for drop, count in sorted(drops.items()) if count},
            beyond_motors=beyond,
            losses=tuple(losses.lines()),
        )

    def _beyond(self, piece: TrainingFlight) -> int:
        states = self.motors.motors(piece.labels, np.inf)
        return int((np.abs(states) > 1.0).any(axis=1).sum())


def piece_path(summary: Path, index: int) -> Path:
    """Return the file of a piece of a bag."""
    return summary.with_suffix("") / f"piece_{index:04d}.npz"


def check_label(topics: TopicMap, label: BagLabel, name: str) -> None:
    """Check that a bag holds the label.

    Raises:
        BagError: it does not; the message names the labels it holds and the option to use.
    """
    if label.value in topics:
        return
    others = [other.value for other in BagLabel if other.value in topics]
    has = f"it has {', '.join(others)}: set bags.label to it, or" if others else "it has none;"
    raise BagError(
        f"{name}: bags.label is {label.value}, which the bag lacks; {has} name its topic with "
        f"--topic {label.value}=/name"
    )


def read_summary(path: Path) -> BagSummary:
    """Read the summary of a bag.

    Raises:
        OutputError: the file is damaged.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        content |= {name: tuple(content[name]) for name in ("pieces", "losses")}
        return BagSummary(**content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{path}: is not what training wrote ({error!r}); delete it and pass --resume"
        ) from error


def recorder_records(bag: Bag) -> dict[str, dict[str, str]]:
    """Return the metadata records of a bag that are kept in a model's provenance."""
    kept = {
        record: {key: value for key, value in values.items() if len(value) <= LONGEST_VALUE}
        for record, values in metadata_records(bag).items()
        if record in KEPT_RECORDS
    }
    return {record: values for record, values in kept.items() if values}
