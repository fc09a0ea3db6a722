"""`liquid-control replay`: a recorded flight through the policy again, and how commands differ."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from liquid_control.cli.disturb import DisturbOption, disturbing, replayed_s
from liquid_control.cli.options import Topic, Topics, at_least, factor
from liquid_control.stopwatch import Stopwatch, Timing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from liquid_control.replay.output_files import About
    from liquid_control.replay.request import Asked
    from liquid_control.replay.result import ReplayResult

EXCEEDED = 2
"""Exit status when `--max-rmse` is exceeded."""


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
            "disturbed beside the first.",
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
        str, typer.Option(help="What computes the controller: flight, reference or onnx.")
    ] = "flight",
    topics: Topics = None,
    topic: Topic = None,
    max_rmse: Annotated[
        str | None,
        typer.Option(
            metavar="AXIS=NUMBER,...",
            help="Exit status 2 where the RMSE of an axis is above: forward, left, up in m/s, yaw "
            "in rad/s, such as forward=0.1,yaw=0.1.",
        ),
    ] = None,
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
    disturb: DisturbOption = None,
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
            help="With --live: recorded seconds in a second, nobody waiting.",
        ),
    ] = None,
    video: Annotated[bool, typer.Option("--video", help="Write replay.mp4 too.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the results.", show_default="runs/<UTC time>-replay"),
    ] = None,
) -> None:
    """Run a recorded flight through a policy, with the stamps' own dt, and compare the commands.

    Example: liquid-control replay flight.mcap --max-rmse forward=0.1,yaw=0.1

    Writes replay.json and report.html, the same bytes each time, replay.npz with every frame, and
    timing.json. The status is 2 where --max-rmse is exceeded; the files are written all the same.
    """
    from liquid_control.bags import Losses
    from liquid_control.bags.bag import open_bag
    from liquid_control.bags.topics import resolve
    from liquid_control.cli.live_replay import check_live, live_lines, replay_live
    from liquid_control.cli.options import rules_of
    from liquid_control.cli.output import output_folder
    from liquid_control.dependencies import require_report
    from liquid_control.errors import ConfigError
    from liquid_control.replay.output_files import write_files
    from liquid_control.replay.request import (
        Asked,
        TimeSpan,
        about,
        check_against,
        check_backend,
        choose_model,
        parse_limits,
        run_replay,
    )
    from liquid_control.replay.result import exceeded

    require_report()
    if live:
        check_live(bag)
    elif rate is not None:
        raise ConfigError("--rate: is for --live")
    limits = parse_limits(max_rmse)
    check_backend(backend, "--backend")
    opened = open_bag(bag[0] if len(bag) == 1 else bag)
    found = resolve(opened, rules_of(topics, topic))
    asked = Asked(
        opened,
        found,
        choose_model(model[0] if model else None, opened.metadata),
        backend,
        check_against(against, found.has_commands),
        TimeSpan(start, duration),
    )
    if limits and asked.against == "none":
        raise ConfigError("--max-rmse: there is nothing to compare with")
    further = (model or [])[1:]
    disturbed = disturbing(disturb or [], asked.choice.model, further, replayed_s(asked))
    _tell_model(asked)
    losses = Losses()
    watch = Stopwatch()
    with output_folder(out, "replay") as folder:
        judgement = run_replay(asked, losses, [disturbed.replay] if disturbed else [])
        timing = watch.read()
        told = about(asked, losses, _command(asked, max_rmse, further, disturb or []))
        write_files(folder, asked, told, judgement, timing, video, disturbed)
        _print_result(judgement, told, timing, folder)
        if disturbed is not None:
            print(disturbed.line())
        if live:
            words = {"topics": topics or [], "topic": topic or []}
            outcome = replay_live(asked, words, rate, folder)
            print("\n".join(live_lines(judgement, outcome)))
    if over := exceeded(judgement, limits):
        print(f"liquid-control: --max-rmse exceeded: {', '.join(over)}", file=sys.stderr)
        raise typer.Exit(EXCEEDED)


def _tell_model(asked: "Asked") -> None:
    choice = asked.choice
    print(f"model: {choice.model.name}, {choice.why}")
    if choice.warning:
        print(f"liquid-control: warning: {choice.warning}", file=sys.stderr)


def _command(
    asked: "Asked", max_rmse: str | None, further: "Sequence[Path]", disturb: "Sequence[str]"
) -> str:
    """Return the words of an equal command line: names instead of paths, defaults told."""
    words = ["liquid-control", "replay", *(path.name for path in asked.bag.parts)]
    words += ["--model", asked.choice.model.name, "--against", Path(asked.against).name]
    words += ["--backend", asked.backend]
    for name, value in (
        ("--max-rmse", max_rmse),
        ("--start", asked.span.start_s),
        ("--duration", asked.span.duration_s),
    ):
        words += [] if value is None else [name, f"{value}"]
    for name, values in (("--model", [path.name for path in further]), ("--disturb", disturb)):
        words += [part for value in values for part in (name, value)]
    return " ".join(words)


def _print_result(
    judgement: "ReplayResult", told: "About", timing: Timing, folder: Path
) -> None:
    from liquid_control.cli.output import console
    from liquid_control.cli.tables import axes_table
    from liquid_control.replay.output_files import recorded_s
    from liquid_control.replay.result import verdict

    if judgement.main is not None:
        console().print(axes_table(judgement))
    for line in told.losses:
        print(f"lost: {line}")
    print(verdict(judgement))
    length_s = recorded_s(judgement)
    print(
        f"{judgement.replayed.frames} frames, {length_s:.1f} s, replayed in {timing.wall_s:.1f} s, "
        f"{length_s / timing.wall_s:.0f} x real time"
    )
    for name in ("replay.json", "report.html", "replay.mp4"):
        if (folder / name).is_file():
            print(folder / name)
