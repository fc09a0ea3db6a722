"""`liquid-control replay`: replay a recorded flight through a policy and compare the commands."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liquid_control.cli.completion import complete_model
from liquid_control.cli.next_steps import Open
from liquid_control.cli.options import at_least, factor, fraction
from liquid_control.cli.topic_options import Topic, Topics
from liquid_control.errors import ConfigError

if TYPE_CHECKING:
    from liquid_control.replay import ReplayRequest, ReplayResult
    from liquid_control.replay.checkpoint import Checkpoint

REPLAY_FILES = ("replay.json", "disturbed.partial.json")
EXCEEDED = 2
"""Exit status when `--max-rmse` is exceeded."""
UNJUDGED = 3
"""Exit status when too few frames were answered or compared for a verdict."""


def replay(
    bag: Annotated[
        list[Path],
        typer.Argument(
            help="An .mcap or .db3 file, a ROS 2 bag's folder, or the parts of one recording.",
            show_default=False,
        ),
    ],
    model: Annotated[
        list[Path] | None,
        typer.Option(
            help="Model folder. With --disturb it may be given several times: further models are "
            "disturbed in addition to the first.",
            autocompletion=complete_model,
            show_default="the shipped model that the bag was recorded with, or models/trail_cfc19",
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="recorded|none|BACKEND|DIR",
            help="What to compare with: recorded commands, another model, or the same model's "
            "controller by another backend (flight, reference, onnx).",
            show_default="recorded where the bag has commands, else none",
        ),
    ] = None,
    backend: Annotated[
        str, typer.Option(help="Backend of the controller: flight, reference or onnx.")
    ] = "flight",
    topics: Topics = None,
    topic: Topic = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="NAME=NUMBER",
            help="An input of the model that the bag lacks, or another value of it: "
            "cruise_speed_mps or camera_pitch_down_deg. Repeatable.",
            show_default="as recorded",
        ),
    ] = None,
    max_rmse: Annotated[
        str | None,
        typer.Option(
            metavar="AXIS=NUMBER,...",
            help="Exit status 2 where the RMSE of an axis is above: forward, left, up in m/s, yaw "
            "in rad/s, such as forward=0.1,yaw=0.1.",
        ),
    ] = None,
    min_coverage: Annotated[
        float,
        typer.Option(
            parser=fraction,
            metavar="FRACTION",
            help="Exit status 3 where a smaller fraction of the frames was answered, or compared "
            "with commands: there is no verdict.",
        ),
    ] = 0.8,
    start: Annotated[
        float | None,
        typer.Option(
            parser=at_least(0.0), metavar="S", help="Begin so many seconds into the bag."
        ),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(parser=at_least(0.0), metavar="S", help="Replay so many seconds."),
    ] = None,
    disturb: Annotated[
        list[str] | None,
        typer.Option(
            help="Measure how far a camera disturbance moves the commands: a name such as noise "
            "(all its severities) or noise=3, or a group: camera, light, published or all. May be "
            "given several times.",
        ),
    ] = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Replay through the ROS 2 graph too, each frame waiting for its answer, and "
            "compare; leaves live/replay.mcap.",
        ),
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(
            parser=factor,
            metavar="FACTOR",
            help="With --live: recorded seconds in a second, without waiting for answers.",
        ),
    ] = None,
    video: Annotated[bool, typer.Option("--video", help="Write replay.mp4 too.")] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with an interrupted run of the same command with --disturb: the newest, "
            "or the one in --out.",
        ),
    ] = False,
    show: Open = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the results.", show_default="runs/<UTC time>-replay"),
    ] = None,
) -> None:
    """Replay a recorded flight through a policy, with the dt of its stamps; compare the commands.

    Example: liquid-control replay flight.mcap --max-rmse forward=0.1,yaw=0.1

    Writes replay.json and report.html, the same bytes each time, replay.npz with every frame, and
    timing.json. The status is 2 where --max-rmse is exceeded, and 3 where fewer frames than
    --min-coverage were answered or compared; the files are written all the same.

    With --disturb, disturbed.partial.json holds the rows so far while the command runs. After an
    interruption, the same command with --resume goes on.
    """
    from liquid_control.process_pool import limit_threads

    limit_threads()
    from liquid_control.cli.next_steps import offer_report
    from liquid_control.cli.output import RUNS, note, output_folder
    from liquid_control.cli.topic_options import rules_of
    from liquid_control.dependencies import require_report
    from liquid_control.graph.live_replay import (
        check_constant_inputs,
        check_live,
        live_lines,
        replay_live,
    )
    from liquid_control.replay import (
        ReplayRequest,
        evaluate_replay,
        exceeded,
        parse_limits,
        verdict,
        write_replay_files,
    )
    from liquid_control.replay.checkpoint import Checkpoint, newest_checkpoint, replay_plan

    require_report()
    if live:
        check_live(bag)
    elif rate is not None:
        raise ConfigError("--rate: is for --live")
    limits = parse_limits(max_rmse)
    request = ReplayRequest.for_bag(
        bag,
        model[0] if model else None,
        against=against,
        backend=backend,
        rules=rules_of(topics, topic),
        start_s=start,
        duration_s=duration,
        disturb=disturb or (),
        further_models=(model or [])[1:],
        min_coverage=min_coverage,
        inputs=given or (),
    )
    if live:
        check_constant_inputs(request)
    if limits and request.against == "none":
        raise ConfigError("--max-rmse: there is nothing to compare with")
    if resume and not disturb:
        raise ConfigError("--resume: expected --disturb too; other replays take seconds")
    plan = replay_plan(request) if disturb else {}
    if resume and out is None:
        out = newest_checkpoint(RUNS.glob("*-replay"), plan)
    _print_model(request)
    resumable = resume if disturb else None
    with _unjudged(), output_folder(out, "replay", REPLAY_FILES, resume=resumable) as folder:
        checkpoint = Checkpoint(folder, plan)
        if resume:
            checkpoint.load()
            note(f"--resume: {checkpoint.frames} frames are in {folder}")
        with _resumable(checkpoint, folder):
            result = evaluate_replay(request, show_progress=True, checkpoint=checkpoint)
            command = request.command_line(max_rmse)
            write_replay_files(folder, request, result, video=video, command=command)
        checkpoint.remove()
        _print_result(result, folder)
        if live:
            options = {"topics": topics or [], "topic": topic or []}
            outcome = replay_live(request, options, rate, folder)
            print("\n".join(live_lines(result, outcome)))
    over = exceeded(result, limits)
    if over:
        print(f"liquid-control: --max-rmse exceeded: {', '.join(over)}", file=sys.stderr)
    if result.coverage.problem:
        print(f"liquid-control: {verdict(result)}", file=sys.stderr)
        raise typer.Exit(UNJUDGED)
    if over:
        raise typer.Exit(EXCEEDED)
    offer_report(folder / "report.html", show)


@contextmanager
def _resumable(checkpoint: "Checkpoint", folder: Path) -> Iterator[None]:
    """If the block fails or is interrupted, report how the replay goes on."""
    from liquid_control.cli.output import note

    try:
        yield
    except BaseException:
        if checkpoint.frames:
            note(
                f"{checkpoint.frames} frames are in {folder}; the same command with --resume "
                f"--out {folder} goes on"
            )
        raise


@contextmanager
def _unjudged() -> Iterator[None]:
    """Print a `CoverageError` as one line and exit with `UNJUDGED`."""
    from liquid_control.replay import CoverageError

    try:
        yield
    except CoverageError as error:
        print(f"liquid-control: cannot judge: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(UNJUDGED) from None


def _print_model(request: "ReplayRequest") -> None:
    choice = request.choice
    print(f"model: {choice.model.name}, {choice.why}")
    if choice.warning:
        print(f"liquid-control: warning: {choice.warning}", file=sys.stderr)


def _print_result(result: "ReplayResult", folder: Path) -> None:
    from liquid_control.bags.losses import labelled
    from liquid_control.cli.output import console
    from liquid_control.replay import verdict
    from liquid_control.replay.result import axes_table

    if result.main is not None:
        console().print(axes_table(result))
    for line in result.losses:
        print(labelled(line))
    print(verdict(result))
    print(result.coverage.summary)
    wall_s = float("nan") if result.timing is None else result.timing.wall_s
    print(
        f"{result.length_s:.1f} s, replayed in {wall_s:.1f} s, "
        f"{result.length_s / wall_s:.0f} x real time"
    )
    for name in ("replay.json", "report.html", "replay.mp4"):
        if (folder / name).is_file():
            print(folder / name)
    if result.disturbed is not None:
        print(result.disturbed.summary())
