"""Reading one bag for training, as a job: its pieces become flight files, then its summary.

The summary is written last, so that it stands for the bag being read; its name is the bag's
content, so that a resumed run reads no bag twice, wherever it lies by then.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from liquid_control.bags import Losses
from liquid_control.bags.bag import Bag, open_bag
from liquid_control.bags.flight_events import read_flight
from liquid_control.bags.survey import metadata_records
from liquid_control.bags.topics import TopicMap, load_rules, resolve
from liquid_control.command.motors import MotorScaling
from liquid_control.errors import BagError, OutputError
from liquid_control.files import write_text
from liquid_control.perception.camera_view import CameraView
from liquid_control.training.bags.pieces import Drop, pieces_of
from liquid_control.training.bags.recorded_flights import recorded_flights
from liquid_control.training.bags.sources import BagData, BagSource
from liquid_control.training.dataset import TrainingFlight, write_flight
from liquid_control.training.training_settings import BagLabel, BagSettings
from liquid_control.types import NANOSECONDS

KEPT_RECORDS = ("liquid_control", "model", "flight", "result", "parameters/simulator_node")
"""A bag's metadata that goes into a model's provenance: who recorded what, flown by whom."""
LONGEST_VALUE = 500
"""Characters of a value; longer ones stay out."""


@dataclass(frozen=True, slots=True)
class BagSummary:
    """What became of a bag.

    Attributes:
        name: of the file or folder.
        sha256: of its content.
        topics: which topic played which role.
        duration_s: from its first picture that was kept to the last, gaps left out.
        frames: that are learned from.
        pieces: frames of each piece.
        dropped: frames that were left out, by reason.
        beyond_motors: labels outside of what the motor neurons can reach; they are held to it.
        losses: what the reader could not use, a line a kind.
        recorder: the bag's own metadata, as far as it says who recorded what.
        error: why nothing could be read; empty where something could.
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
    """One bag to read.

    Attributes:
        source: which.
        data: how its topics are found.
        settings: of labels and filters.
        view: of the model that is to learn.
        motors: what the motor neurons can reach.
        path: of the summary; pieces go into a folder of the same name beside it.
    """

    source: BagSource
    data: BagData
    settings: BagSettings
    view: CameraView
    motors: MotorScaling
    path: Path

    def run(self) -> None:
        """Read the bag, write its pieces, then its summary; a bag that is none is told there."""
        try:
            summary = self._read()
        except BagError as error:
            summary = BagSummary(self.source.name, self.source.sha256, error=str(error))
        write_text(self.path, json.dumps(asdict(summary), indent=1))

    def _read(self) -> BagSummary:
        bag = open_bag(Path(self.source.path))
        topics = resolve(bag, load_rules(self.data.presets, self.data.flags or {}))
        check_label(topics, self.settings.label, self.source.name)
        losses, drops = Losses(), Counter[Drop]()
        events = read_flight(bag, topics, losses)
        lengths: list[int] = []
        duration_s, beyond = 0.0, 0
        for flight in recorded_flights(events, self.view, self.settings.label, losses):
            for piece in pieces_of(flight, self.settings, drops):
                write_flight(piece_path(self.path, len(lengths)), piece)
                lengths.append(len(piece.stamps_ns))
                duration_s += float(piece.stamps_ns[-1] - piece.stamps_ns[0]) / NANOSECONDS
                beyond += self._beyond(piece)
        return BagSummary(
            name=self.source.name,
            sha256=self.source.sha256,
            topics={role.value: source.topic for role, source in topics.sources.items()},
            duration_s=round(duration_s, 3),
            frames=sum(lengths),
            pieces=tuple(lengths),
            dropped={drop.value: count for drop, count in sorted(drops.items()) if count},
            beyond_motors=beyond,
            losses=tuple(losses.lines()),
            recorder=_recorder(bag),
        )

    def _beyond(self, piece: TrainingFlight) -> int:
        states = self.motors.motors(piece.labels, np.inf)
        return int((np.abs(states) > 1.0).any(axis=1).sum())


def piece_path(summary: Path, index: int) -> Path:
    """Return the file of a bag's piece."""
    return summary.with_suffix("") / f"piece_{index:04d}.npz"


def check_label(topics: TopicMap, label: BagLabel, name: str) -> None:
    """Check that a bag holds what is to be learned.

    Raises:
        BagError: it does not; what it holds, and what to say, are named.
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
    """Read what a job left.

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


def _recorder(bag: Bag) -> dict[str, dict[str, str]]:
    kept = {
        record: {key: value for key, value in values.items() if len(value) <= LONGEST_VALUE}
        for record, values in metadata_records(bag).items()
        if record in KEPT_RECORDS
    }
    return {record: values for record, values in kept.items() if values}
