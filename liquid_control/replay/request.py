"""One replay, from an opened bag to a judgement: what the command line asks for, done."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liquid_control.errors import BagError, ConfigError, ModelError
from liquid_control.types import NANOSECONDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from liquid_control.bags import Losses
    from liquid_control.bags.bag import Bag
    from liquid_control.bags.events import Event
    from liquid_control.bags.topics import TopicMap
    from liquid_control.command import Guard
    from liquid_control.policy import Model
    from liquid_control.replay.output_files import About
    from liquid_control.replay.player import EventConsumer
    from liquid_control.replay.result import ReplayResult


DEFAULT_MODEL = Path("models/trail_cfc19")
RECORDED, NONE = "recorded", "none"


@dataclass(frozen=True, slots=True)
class Choice:
    """The model of a replay.

    Attributes:
        model: it.
        recorded: name and hash of the weights as the bag tells them; None where it does not.
        why: how it was chosen, in words.
    """

    model: "Model"
    recorded: dict[str, str] | None
    why: str

    @property
    def warning(self) -> str:
        """A line for where another model flew; empty otherwise."""
        if self.recorded is None or self.recorded["sha256"] == weights_hash(self.model):
            return ""
        return (
            f"the bag was recorded with {self.recorded['name']} "
            f"(weights {self.recorded['sha256'][:12]}…), not with {self.model.name} "
            f"({weights_hash(self.model)[:12]}…)"
        )


def weights_hash(model: "Model") -> str:
    """Return the SHA-256 of a model's weights."""
    from liquid_control.policy.model import WEIGHTS

    return model.settings.sha256[WEIGHTS]


def choose_model(told: Path | None, metadata: Mapping[str, Mapping[str, str]]) -> Choice:
    """Return the model named, else the shipped one that flew, else the default.

    Args:
        told: the model's folder; None to choose.
        metadata: of the bag.

    Raises:
        ModelError: the model is missing or damaged.
    """
    from liquid_control.config.locations import shipped
    from liquid_control.policy import load_model

    recorded = _recorded(metadata)
    if told is not None:
        return Choice(load_model(shipped(told)), recorded, "as asked")
    for folder in _shipped_models() if recorded else ():
        try:
            model = load_model(folder)
        except ModelError:
            continue
        if recorded is not None and weights_hash(model) == recorded["sha256"]:
            return Choice(model, recorded, "which the bag was recorded with")
    return Choice(load_model(shipped(DEFAULT_MODEL)), recorded, "the default")


def _recorded(metadata: Mapping[str, Mapping[str, str]]) -> dict[str, str] | None:
    mark = metadata.get("model", {})
    found = mark.get("sha256 weights.npz")
    return {"name": mark.get("name", "a model"), "sha256": found} if found else None


def _shipped_models() -> list[Path]:
    from liquid_control.config import project_file

    return sorted(path.parent for path in project_file("models").glob("*/model.yaml"))


def parse_limits(words: str | None) -> dict[str, float]:
    """Return limits by axis from `forward=0.1,yaw=0.1`.

    Raises:
        ConfigError: an axis is unknown, or a limit is not a number of at least 0.
    """
    from liquid_control.replay.comparison import AXES

    accepted = f"accepted are {', '.join(f'{axis}=NUMBER' for axis in AXES)}, joined by commas"
    limits: dict[str, float] = {}
    for word in (words or "").split(","):
        if words is None:
            break
        axis, _, number = (part.strip() for part in word.partition("="))
        if axis not in AXES:
            raise ConfigError(f"--max-rmse: unknown axis {axis!r}; {accepted}")
        if not re.fullmatch(r"[0-9.]+([eE][-+]?[0-9]+)?", number) or not _is_number(number):
            raise ConfigError(
                f"--max-rmse {axis}: expected a number of at least 0, got {number!r}; {accepted}"
            )
        limits[axis] = float(number)
    return limits


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def check_backend(name: str, option: str) -> str:
    """Return the name of a backend.

    Raises:
        ConfigError: there is none of that name.
    """
    from liquid_control.replay import BACKENDS

    if name not in BACKENDS:
        raise ConfigError(f"{option}: unknown backend {name!r}; there are {_listed(BACKENDS)}")
    return name


def check_against(word: str | None, has_commands: bool) -> str:
    """Return what to compare with: `recorded`, `none`, a backend's name, or a model's folder.

    Raises:
        ConfigError: it is none of these, or commands are wanted that the bag does not have.
    """
    from liquid_control.config.locations import shipped
    from liquid_control.replay import BACKENDS

    if word is None:
        return RECORDED if has_commands else NONE
    if word == RECORDED and not has_commands:
        raise ConfigError(
            "--against recorded: the bag has no command; --topic command=/NAME or "
            "--topic policy_command=/NAME names its topic (see `liquid-control bag info`)"
        )
    named = word in (RECORDED, NONE, *BACKENDS)
    if not named and not shipped(Path(word)).is_dir():
        raise ConfigError(
            f"--against: expected {_listed((RECORDED, NONE, *BACKENDS))} or a model's folder, "
            f"got {word!r}"
        )
    return word


def _listed(names: "Sequence[str] | Mapping[str, object]") -> str:
    return ", ".join(names)


GUARD_PARAMETERS = "parameters/guard_node"
VERSIONS = ("liquid_control", "numpy", "opencv-python-headless", "onnxruntime", "rosbags")
_BLOCK = 1 << 22
FRAMES_A_STEP = 30
"""Frames from one step of the progress bar to the next."""


@dataclass(frozen=True, slots=True)
class TimeSpan:
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
    span: TimeSpan


def run_replay(
    asked: Asked, losses: "Losses", further: "Sequence[EventConsumer]" = ()
) -> "ReplayResult":
    """Replay a bag in one pass and judge it.

    Args:
        asked: what to replay.
        losses: takes what of the bag cannot be used.
        further: who else hears the bag's events.

    Raises:
        BagError: the bag has no frame that can be used, or nothing to compare with.
    """
    from liquid_control.bags.bag import Excerpt
    from liquid_control.bags.flight_events import read_flight
    from liquid_control.perception.picture_statistics import PictureDistribution
    from liquid_control.policy import Policy
    from liquid_control.replay import (
        BACKENDS,
        FeatureExtractor,
        Player,
        RecordingCollector,
        replay,
    )
    from liquid_control.replay.distribution_shift import PictureStatisticsCollector, picture_shift
    from liquid_control.replay.result import judge

    model = asked.choice.model
    policy = Policy(model)
    extractor = FeatureExtractor(policy)
    how: dict[str, Any] = {
        "guard": guard_of(asked.bag.metadata),
        "lockstep": lockstep_of(asked.bag.metadata),
    }
    player = Player(extractor, BACKENDS[asked.backend](policy), **how)
    tape, other = RecordingCollector(), _other(asked, extractor, how)
    learned = PictureDistribution.load(model.path)
    pictures = None if learned is None else PictureStatisticsCollector(extractor)
    consumers = [one for one in (player, tape, other, pictures) if one is not None]
    end_ns = asked.span.end_ns(asked.bag)
    excerpt = asked.bag if end_ns is None else Excerpt(asked.bag, end_ns)
    events = read_flight(excerpt, asked.topics, losses, asked.span.begin_ns(asked.bag))
    events = _with_progress(events, asked.bag)
    replay(events, [*consumers, *further])
    replayed, recorded = player.replayed(), tape.recorded()
    _check_frames(asked, len(recorded.frames), len(replayed.track.states), replayed.refused)
    seen, shift = None if pictures is None else pictures.series(), None
    if learned is not None and seen is not None and len(seen):
        shift = picture_shift(seen.values, learned)
    track = recorded.track if asked.against == RECORDED else None
    track = track if other is None else other.replayed().track
    scales = tuple(model.settings.motors.scales.tolist())
    return judge(replayed, recorded, track, scales, shift, seen)


def _with_progress(events: "Iterable[Event]", bag: "Bag") -> "Iterator[Event]":
    """Yield the events, and show on stderr how much of the recording they cover."""
    from liquid_control.bags.events import FrameEvent
    from liquid_control.progress import progress_bar

    start_ns, end_ns = bag.start_ns or 0, bag.end_ns or 0
    frames = 0
    with progress_bar(
        "replaying", max(end_ns - start_ns, 1), unit="percent", transient=True
    ) as bar:
        for event in events:
            if isinstance(event, FrameEvent):
                frames += 1
                if frames % FRAMES_A_STEP == 0:
                    bar.move_to(event.log_ns - start_ns, f"{frames} frames")
            yield event


def _other(asked: Asked, extractor: Any, how: dict[str, Any]) -> Any:
    """Return the player that is compared with; None where that is none."""
    from liquid_control.config.locations import shipped
    from liquid_control.policy import Policy, load_model
    from liquid_control.replay import BACKENDS, FeatureExtractor, Player

    if asked.against in (RECORDED, NONE):
        return None
    if asked.against in BACKENDS:
        controller = BACKENDS[asked.against](extractor.policy)
        return Player(extractor, controller, **how, label=asked.against)
    policy = Policy(load_model(shipped(Path(asked.against))))
    label = policy.model.name
    if label == asked.choice.model.name:
        label = f"{label} in {Path(asked.against).resolve().name}"
    return Player(FeatureExtractor(policy), BACKENDS[asked.backend](policy), **how, label=label)


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
    from liquid_control.replay.output_files import About

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
