"""One replay, from an opened bag to a judgement: what the command line asks for, done."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liquid_control.cli.replay_model import NONE, RECORDED, Choice, weights_hash
from liquid_control.errors import BagError
from liquid_control.types import NANOSECONDS

if TYPE_CHECKING:
    from liquid_control.bags import Losses
    from liquid_control.bags.bag import Bag
    from liquid_control.bags.topics import TopicMap
    from liquid_control.command import Guard
    from liquid_control.replay.document import About
    from liquid_control.replay.judgement import Judgement
    from liquid_control.replay.player import Listener

GUARD_PARAMETERS = "parameters/guard_node"
VERSIONS = ("liquid_control", "numpy", "opencv-python-headless", "onnxruntime", "rosbags")
_BLOCK = 1 << 22


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a bag that is replayed, s from its beginning; None for all."""

    start_s: float | None = None
    duration_s: float | None = None

    def begin_ns(self, bag: "Bag") -> int | None:
        """Return the log time to begin at."""
        if self.start_s is None or bag.start_ns is None:
            return None
        return bag.start_ns + round(self.start_s * NANOSECONDS)

    def end_ns(self, bag: "Bag") -> int | None:
        """Return the log time after which nothing is heard."""
        if self.duration_s is None or bag.start_ns is None:
            return None
        return bag.start_ns + round(((self.start_s or 0.0) + self.duration_s) * NANOSECONDS)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What is to be replayed, and how.

    Attributes:
        bag: the recording.
        topics: which topic plays which role.
        choice: the model.
        backend: of its controller.
        against: what to compare with, as `check_against` returns it.
        span: the part that is replayed.
    """

    bag: "Bag"
    topics: "TopicMap"
    choice: Choice
    backend: str
    against: str
    span: Span


def run_replay(asked: Asked, losses: "Losses", further: "Sequence[Listener]" = ()) -> "Judgement":
    """Replay a bag in one pass and judge it.

    Args:
        asked: what to replay.
        losses: takes what of the bag cannot be used.
        further: who else hears the bag's events.

    Raises:
        BagError: the bag has no frame that can be used, or nothing to compare with.
    """
    from liquid_control.bags.flight import read_flight
    from liquid_control.bags.recording import Excerpt
    from liquid_control.cli.reading_progress import shown_progress
    from liquid_control.perception.picture_statistics import PictureDistribution
    from liquid_control.policy import Policy
    from liquid_control.replay import BACKENDS, Perceiver, Player, RecordedTape, replay
    from liquid_control.replay.judgement import judge
    from liquid_control.replay.shift import PictureTape, picture_shift

    model = asked.choice.model
    policy = Policy(model)
    perceiver = Perceiver(policy)
    how: dict[str, Any] = {
        "guard": guard_of(asked.bag.metadata),
        "lockstep": lockstep_of(asked.bag.metadata),
    }
    player = Player(perceiver, BACKENDS[asked.backend](policy), **how)
    tape, other = RecordedTape(), _other(asked, perceiver, how)
    learned = PictureDistribution.load(model.path)
    pictures = None if learned is None else PictureTape(perceiver)
    listeners = [one for one in (player, tape, other, pictures) if one is not None]
    end_ns = asked.span.end_ns(asked.bag)
    excerpt = asked.bag if end_ns is None else Excerpt(asked.bag, end_ns)
    events = read_flight(excerpt, asked.topics, losses, asked.span.begin_ns(asked.bag))
    events = shown_progress(events, asked.bag, "replaying")
    replay(events, [*listeners, *further])
    replayed, recorded = player.replayed(), tape.recorded()
    _check_frames(asked, len(recorded.frames), len(replayed.track.states), replayed.refused)
    seen, shift = None if pictures is None else pictures.series(), None
    if learned is not None and seen is not None and len(seen):
        shift = picture_shift(seen.values, learned)
    track = recorded.track if asked.against == RECORDED else None
    track = track if other is None else other.replayed().track
    scales = tuple(model.settings.motors.scales.tolist())
    return judge(replayed, recorded, track, scales, shift, seen)


def _other(asked: Asked, perceiver: Any, how: dict[str, Any]) -> Any:
    """Return the player that is compared with; None where that is none."""
    from liquid_control.cli.shipped import shipped
    from liquid_control.policy import Policy, load_model
    from liquid_control.replay import BACKENDS, Perceiver, Player

    if asked.against in (RECORDED, NONE):
        return None
    if asked.against in BACKENDS:
        controller = BACKENDS[asked.against](perceiver.policy)
        return Player(perceiver, controller, **how, label=asked.against)
    policy = Policy(load_model(shipped(Path(asked.against))))
    label = policy.model.name
    if label == asked.choice.model.name:
        label = f"{label} in {Path(asked.against).resolve().name}"
    return Player(Perceiver(policy), BACKENDS[asked.backend](policy), **how, label=label)


def _check_frames(asked: Asked, frames: int, answered: int, refused: "Mapping[str, int]") -> None:
    camera = asked.topics.topic("camera")
    if not frames:
        raise BagError(f"{asked.bag.path}: holds no frame on {camera} that can be read")
    if not answered:
        reason = next(iter(refused), "none was delivered")
        raise BagError(f"{asked.bag.path}: none of {frames} frames on {camera} fits: {reason}")


def guard_of(metadata: "Mapping[str, Mapping[str, str]]") -> "Guard":
    """Return the guard with the envelope that the bag tells, or the default one."""
    from liquid_control.command import Envelope, Guard

    told = metadata.get(GUARD_PARAMETERS, {})
    values = {name: told[name] for name in Envelope.model_fields if name in told}
    try:
        return Guard(Envelope.model_validate({k: float(v) for k, v in values.items()}))
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise BagError(f"the bag's parameters of guard_node are no envelope ({reason})") from error


def lockstep_of(metadata: "Mapping[str, Mapping[str, str]]") -> bool | None:
    """Return whether the bag tells that it was recorded in lockstep; None where it does not."""
    mode = metadata.get("liquid_control", {}).get("mode")
    return None if mode not in ("lockstep", "realtime") else mode == "lockstep"


def about(asked: Asked, losses: "Losses", command: str) -> "About":
    """Return what was replayed with what: names and hashes, no paths and no times."""
    from liquid_control.provenance import package_versions
    from liquid_control.replay.document import About

    model, versions = asked.choice.model, package_versions()
    against = asked.against
    return About(
        command=command,
        bag={"files": [_file(path) for path in _files(asked.bag.parts)]},
        topics={role.value: source.topic for role, source in asked.topics.sources.items()},
        model={"name": model.name, "sha256": weights_hash(model)},
        recorded_model=asked.choice.recorded,
        backend=asked.backend,
        against=Path(against).name,
        span={"start_s": asked.span.start_s, "duration_s": asked.span.duration_s},
        versions={name: versions[name] for name in VERSIONS if name in versions},
        losses=losses.lines(),
    )


def _files(parts: "Sequence[Path]") -> list[Path]:
    return [
        file
        for part in parts
        for file in (sorted(p for p in part.iterdir() if p.is_file()) if part.is_dir() else [part])
    ]


def _file(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return {"name": path.name, "size_bytes": path.stat().st_size, "sha256": digest.hexdigest()}
