"""Evaluation of a replay request: one pass over the bag, then the comparison."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypedDict

from liquid_control.bags import Bag, Event, Excerpt, FrameEvent, Losses, read_flight
from liquid_control.bags.flight_result import GUARD_PARAMETERS
from liquid_control.command import Envelope, Guard, GuardRules
from liquid_control.config import shipped
from liquid_control.errors import BagError
from liquid_control.perception import PictureDistribution
from liquid_control.policy import BACKENDS, Policy, load_model
from liquid_control.progress import progress_bar
from liquid_control.replay.checkpoint import Checkpoint, CheckpointedReplay
from liquid_control.replay.coverage import CoverageError
from liquid_control.replay.distribution_shift import PictureStatisticsCollector, picture_shift
from liquid_control.replay.disturbed import DisturbedReplay
from liquid_control.replay.feature_extractor import FeatureExtractor
from liquid_control.replay.given_inputs import check_inputs
from liquid_control.replay.player import EventConsumer, Player, replay
from liquid_control.replay.request import NONE, RECORDED, ReplayRequest
from liquid_control.replay.result import ReplayResult, compare_tracks
from liquid_control.replay.tracks import RecordingCollector
from liquid_control.stopwatch import Stopwatch

NOT_SET = "null"
"""Value of a recorded parameter that was never set."""
NOT_REPLAYED = frozenset(
    {
        *("imu_max_age_s", "min_forward_m", "stall_s"),
        *("link_timeout_s", "min_battery", "mode_action"),
    }
)
"""Rules of the guard whose readings a replay does not have."""
_FRAMES_A_STEP = 30
"""Frames between two updates of the progress bar."""


class _GuardOptions(TypedDict):
    guard: Guard
    lockstep: bool | None


def evaluate_replay(
    request: ReplayRequest, *, show_progress: bool = False, checkpoint: Checkpoint | None = None
) -> ReplayResult:
    """Replay a bag in one pass and compare the commands.

    Args:
        request: the replay.
        show_progress: whether to show a progress bar on stderr.
        checkpoint: of the disturbed part, which begins where the checkpoint ends and writes
            further ones; None to begin at the first frame and write none.

    Raises:
        BagError: the bag has no frame that can be read.
        CoverageError: no frame was answered, or no command can be compared.
        OutputError: a checkpoint cannot be written.
        ModelError: a model's graphs do not load.
    """
    stopwatch, losses = Stopwatch(), Losses()
    model = request.choice.model
    policy = Policy(model)
    extractor = FeatureExtractor(policy, given=request.given)
    options: _GuardOptions = {
        "guard": recorded_guard(request.bag.metadata),
        "lockstep": recorded_lockstep(request.bag.metadata),
    }
    player = Player(extractor, BACKENDS[request.backend](policy.model), **options)
    recording, other = RecordingCollector(), _other_player(request, extractor, options)
    learned = PictureDistribution.load(model.path)
    pictures = None if learned is None else PictureStatisticsCollector(extractor)
    disturbed = _disturbed_replay(request, extractor)
    kept = None
    if disturbed is not None and checkpoint is not None:
        kept = CheckpointedReplay(disturbed, checkpoint)
    consumers: tuple[EventConsumer | None, ...] = (
        player,
        recording,
        other,
        pictures,
        kept or disturbed,
    )
    events = _events(request, losses)
    if show_progress:
        events = _with_progress(events, request.bag)
    replay(events, [consumer for consumer in consumers if consumer is not None])
    if kept is not None:
        kept.save()
    replayed, recorded = player.replayed(), recording.recorded()
    _check_frames(request, len(recorded.frames), len(replayed.track.states), replayed.refused)
    statistics, shift = None if pictures is None else pictures.series(), None
    if learned is not None and statistics is not None and len(statistics):
        shift = picture_shift(statistics.values, learned)
    track = recorded.track if request.against == RECORDED else None
    others = None if other is None else other.replayed()
    return compare_tracks(
        replayed,
        recorded,
        track if others is None else others.track,
        tuple(model.settings.motors.scales.tolist()),
        shift=shift,
        statistics=statistics,
        disturbed=None if disturbed is None else disturbed.result(),
        losses=tuple(losses.lines()),
        timing=stopwatch.read(),
        other_answered=None if others is None else len(others.track.states),
        min_coverage=request.min_coverage,
    )


def _events(request: ReplayRequest, losses: Losses) -> Iterator[Event]:
    end_ns = request.span.end_ns(request.bag)
    excerpt = request.bag if end_ns is None else Excerpt(request.bag, end_ns)
    return read_flight(excerpt, request.topics, losses, request.span.begin_ns(request.bag))


def _with_progress(events: Iterable[Event], bag: Bag) -> Iterator[Event]:
    """Yield the events and show the covered part of the recording."""
    start_ns, end_ns = bag.start_ns or 0, bag.end_ns or 0
    frames = 0
    with progress_bar(
        "replaying", max(end_ns - start_ns, 1), unit="percent", transient=True
    ) as bar:
        for event in events:
            if isinstance(event, FrameEvent):
                frames += 1
                if frames % _FRAMES_A_STEP == 0:
                    bar.move_to(event.log_ns - start_ns, f"{frames} frames")
            yield event


def _other_player(
    request: ReplayRequest, extractor: FeatureExtractor, options: _GuardOptions
) -> Player | None:
    """Return the player to compare with; None where the comparison is not with a replay."""
    if request.against in (RECORDED, NONE):
        return None
    if request.against in BACKENDS:
        controller = BACKENDS[request.against](extractor.policy.model)
        return Player(extractor, controller, **options, label=request.against)
    against = load_model(shipped(Path(request.against)))
    check_inputs(against, request.bag, request.topics, request.given)
    policy = Policy(against)
    label = policy.model.name
    if label == request.choice.model.name:
        label = f"{label} in {Path(request.against).resolve().name}"
    controller = BACKENDS[request.backend](policy.model)
    extractor = FeatureExtractor(policy, given=request.given)
    return Player(extractor, controller, **options, label=label)


def _disturbed_replay(
    request: ReplayRequest, extractor: FeatureExtractor
) -> DisturbedReplay | None:
    disturbances = request.disturbances
    if disturbances is None:
        return None
    extractors = {request.choice.model.name: extractor}
    for model in disturbances.further_models:
        extractors[model.name] = FeatureExtractor(Policy(model), given=request.given)
    return DisturbedReplay(extractors, disturbances.variants, disturbances.left_out)


def _check_frames(
    request: ReplayRequest, frames: int, answered: int, refused: Counter[str]
) -> None:
    path, camera = request.bag.path, request.topics.topic("camera")
    if not frames:
        raise BagError(f"{path}: holds no frame on {camera} that can be read")
    if not answered:
        reason = next(iter(refused), "none was delivered")
        raise CoverageError(f"{path}: none of {frames} frames on {camera} fits: {reason}")


def recorded_guard(metadata: Mapping[str, Mapping[str, str]]) -> Guard:
    """Return the guard with the recorded envelope and rules, or with the default ones.

    Rules whose readings a replay does not have are off.
    """
    parameters = metadata.get(GUARD_PARAMETERS, {})
    values = {name: parameters[name] for name in Envelope.model_fields if name in parameters}
    texts = {
        name: parameters[name]
        for name in GuardRules.model_fields
        if parameters.get(name, NOT_SET) != NOT_SET
    }
    off = {name: GuardRules.model_fields[name].default for name in NOT_REPLAYED}
    try:
        rules = GuardRules.model_validate({name: _value(text) for name, text in texts.items()})
        rules = rules.model_copy(update=off)
        return Guard(Envelope.model_validate({k: float(v) for k, v in values.items()}), rules)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise BagError(
            f"the bag's parameters of guard_node are not an envelope ({reason})"
        ) from error


def _value(text: str) -> object:
    """Return a recorded parameter: JSON, or a string as it is."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def recorded_lockstep(metadata: Mapping[str, Mapping[str, str]]) -> bool | None:
    """Return whether the bag was recorded in lockstep; None where its metadata do not state it."""
    mode = metadata.get("liquid_control", {}).get("mode")
    return None if mode not in ("lockstep", "realtime") else mode == "lockstep"
