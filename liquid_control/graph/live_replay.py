"""`replay --live`: replay through the ROS 2 graph too, and compare with the offline replay."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from liquid_control.graph import GraphReplay
    from liquid_control.replay import ReplayRequest, ReplayResult


def check_live(bags: Sequence[Path]) -> None:
    """Check the requirements of `--live`.

    Raises:
        ConfigError: the recording has several parts.
        DependencyError: rclpy is not installed.
    """
    from liquid_control.dependencies import check_installed
    from liquid_control.errors import ConfigError

    if len(bags) > 1:
        raise ConfigError("--live: expected one bag, got the parts of a recording")
    check_installed("rclpy", "ros", "replay through the ROS 2 graph")


def check_constant_inputs(request: "ReplayRequest") -> None:
    """Check that one value of each parameter of perception_node holds for the whole bag.

    Raises:
        ConfigError: the cruise speed was changed in flight, and no option replaces it; or a value
            is recorded with the frames only, which a live replay does not read.
    """
    from liquid_control.errors import ConfigError
    from liquid_control.replay.given_inputs import CRUISE, OPTION, PITCH, changes_in_flight

    settings = request.choice.model.settings
    needed = "cruise_speed" in settings.features.inputs
    mount = settings.perception.mount or "mount" in settings.features.inputs
    for name in [*([CRUISE] if needed else []), *([PITCH] if mount else [])]:
        if name not in request.given.parameters:
            raise ConfigError(
                f"--live: {name} is not among the recorded parameters of perception_node; add "
                f"{OPTION} {name}=NUMBER"
            )
    if needed and changes_in_flight(request.bag.metadata) and CRUISE not in request.given.wins:
        raise ConfigError(
            f"--live: the cruise speed changes in this flight, and a live replay has one; add "
            f"{OPTION} {CRUISE}=NUMBER"
        )


def replay_live(
    request: "ReplayRequest",
    options: Mapping[str, Sequence[str]],
    rate: float | None,
    folder: Path,
) -> "GraphReplay":
    """Replay through the graph, with the guard's recorded parameters, into `live/` of a folder.

    Args:
        request: the offline replay.
        options: values of `--topics` and of `--topic`, by the option's name.
        rate: recorded seconds per second; None for lockstep.
        folder: of the results.

    Raises:
        GraphError: a process did not start, died, or stopped answering.
    """
    from liquid_control.graph import ReplayPlan, replay_through_graph
    from liquid_control.progress import StatusLine
    from liquid_control.replay.replay_evaluation import recorded_guard

    guard = recorded_guard(request.bag.metadata)
    rules = guard.rules.model_dump(exclude_defaults=True)
    health: dict[str, object] = {"picture_health": True} if guard.rules.checks_pictures else {}
    plan = ReplayPlan(
        bag=request.bag.path,
        model=request.choice.model.path,
        out_dir=folder / "live",
        mode="lockstep" if rate is None else "realtime",
        rate=1.0 if rate is None else rate,
        start_s=request.span.start_s or 0.0,
        duration_s=request.span.duration_s or 0.0,
        presets=options["topics"],
        flags=dict(pair.split("=", 1) for pair in options["topic"]),
        envelope=guard.envelope.model_dump() | rules,
        perception={**request.given.parameters, **health},
    )
    with StatusLine("live", _position) as line:
        return replay_through_graph(plan, line)


def _position(event: Mapping[str, Any]) -> str:
    return f"{event['position_s']:.1f} of {event['duration_s']:.1f} s"


def live_lines(result: "ReplayResult", live: "GraphReplay") -> list[str]:
    """Return the result of the live replay as text: losses, comparison with offline, bag."""
    from liquid_control.graph import compare_with_offline

    statistics, same = live.statistics, compare_with_offline(live, result.replayed.track)
    equal = f"are those of the offline replay, bit for bit ({', '.join(same.compared)})"
    comparison = equal if same.identical else f"differ from the offline replay's: {same.first}"
    return [
        f"live, {statistics['mode']}: {statistics['frames']} frames, {statistics['frames_lost']} "
        f"without an answer, {statistics['wall_s']:.1f} s",
        f"live answers {comparison}",
        str(live.bag),
    ]
