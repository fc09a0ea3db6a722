"""`replay --live`: the bag through the real nodes too, and whether they answer as offline."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liquid_control.replay.request import GUARD_PARAMETERS

if TYPE_CHECKING:
    from liquid_control.replay.request import Asked
    from liquid_control.replay.result import ReplayResult

LOCKSTEP = "lockstep"


def check_live(bags: Sequence[Path]) -> None:
    """Check that what `--live` needs is there.

    Raises:
        ConfigError: the recording has several parts.
        DependencyError: rclpy is not installed.
    """
    from liquid_control.dependencies import check_installed
    from liquid_control.errors import ConfigError

    if len(bags) > 1:
        raise ConfigError("--live: expected one bag, got the parts of a recording")
    check_installed("rclpy", "ros", "replay through the ROS 2 graph")


def replay_live(
    asked: "Asked", words: Mapping[str, Sequence[str]], rate: float | None, folder: Path
) -> dict[str, Any]:
    """Replay through the graph into `live/` of a folder; return what `replay_through_graph` does.

    Args:
        asked: what is replayed.
        words: the values of `--topics` and of `--topic`.
        rate: recorded seconds in a second; None for lockstep.
        folder: of the results.

    Raises:
        GraphError: a process did not start, died, or stopped answering.
    """
    from liquid_control.command import Envelope
    from liquid_control.graph.replay_graph import ReplayPlan, replay_through_graph
    from liquid_control.progress import StatusLine

    told = asked.bag.metadata.get(GUARD_PARAMETERS, {})
    plan = ReplayPlan(
        bag=asked.bag.path,
        model=asked.choice.model.path,
        out_dir=folder / "live",
        mode=LOCKSTEP if rate is None else "realtime",
        rate=1.0 if rate is None else rate,
        start_s=asked.span.start_s or 0.0,
        duration_s=asked.span.duration_s or 0.0,
        presets=words["topics"],
        flags=dict(pair.split("=", 1) for pair in words["topic"]),
        envelope={name: float(told[name]) for name in Envelope.model_fields if name in told},
    )
    with StatusLine("live", _position) as line:
        return replay_through_graph(plan, line)


def _position(event: Mapping[str, Any]) -> str:
    return f"{event['position_s']:.1f} of {event['duration_s']:.1f} s"


def live_lines(judgement: "ReplayResult", outcome: Mapping[str, Any]) -> list[str]:
    """Return how the live replay went, and whether its commands are those of the offline one."""
    from liquid_control.bags.bag import open_bag
    from liquid_control.bags.flight_events import read_flight
    from liquid_control.bags.losses import Losses
    from liquid_control.bags.topics import load_rules, resolve
    from liquid_control.replay import RecordingCollector, replay
    from liquid_control.replay.comparison import identity

    statistics, bag = outcome["statistics"], open_bag(outcome["bag"])
    tape = RecordingCollector()
    replay(read_flight(bag, resolve(bag, load_rules()), Losses()), [tape])
    live, offline = tape.recorded().track, judgement.replayed.track
    if statistics["mode"] != LOCKSTEP:  # the guard then goes by its own timer
        live, offline = (replace(track, guarded=track.guarded.none()) for track in (live, offline))
    found = identity(offline, live)
    same = f"are those of the offline replay, bit for bit ({', '.join(found.compared)})"
    verdict = same if found.identical else f"differ from the offline replay's: {found.first}"
    return [
        f"live, {statistics['mode']}: {statistics['frames']} frames, {statistics['frames_lost']} "
        f"without an answer, {statistics['wall_s']:.1f} s",
        f"live answers {verdict}",
        str(outcome["bag"]),
    ]
