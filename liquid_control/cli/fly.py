"""`liquid-control fly`: flights through the ROS 2 graph, with report, videos and bags."""

import re
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from liquid_control.cli.completion import complete_campaign, complete_model, complete_scenario
from liquid_control.cli.next_steps import Open
from liquid_control.cli.options import Disturb, OnlineAdaptation, Settings, factor, whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from liquid_control.evaluation import CampaignEntry, FlightJob, FlightRow
    from liquid_control.evaluation.flight_data import FlightData
    from liquid_control.graph import GraphFlight


class ImageStorage(str, Enum):
    """Format of pictures in a bag."""

    RAW = "raw"
    PNG = "png"
    JPEG = "jpeg"


class Compression(str, Enum):
    """Compression of a bag's chunks."""

    NONE = "none"
    LZ4 = "lz4"
    ZSTD = "zstd"


def fly(
    model: Annotated[
        Path,
        typer.Option(
            help="Model folder, or the name of a shipped model.", autocompletion=complete_model
        ),
    ] = Path("models/trail_cfc19"),
    scenario: Annotated[
        str,
        typer.Option(help="Name or YAML file of a scenario.", autocompletion=complete_scenario),
    ] = "trail",
    seed: Annotated[
        int | None,
        typer.Option(
            parser=whole_number(0),
            metavar="INT",
            help="Of every random stream: forest, wind, sensors.",
        ),
    ] = None,
    campaign: Annotated[
        Path | None,
        typer.Option(
            help="YAML file of flights, instead of --scenario.", autocompletion=complete_campaign
        ),
    ] = None,
    settings: Settings = None,
    disturb: Disturb = None,
    online_adaptation: OnlineAdaptation = "",
    wind: Annotated[str, typer.Option(help="Preset: calm, breeze, gusty or strong.")] = "",
    lighting: Annotated[
        str, typer.Option(help="Preset: noon, overcast, dusk, dark or glare.")
    ] = "",
    fog: Annotated[str, typer.Option(help="Preset: clear, haze, fog or dense.")] = "",
    autopilot: Annotated[
        str, typer.Option(help="Firmware to fly: ardupilot, px4 or betaflight; no ROS then.")
    ] = "",
    firmware: Annotated[Path | None, typer.Option(help="Program of that firmware.")] = None,
    guard: Annotated[
        Path | None,
        typer.Option(
            help="ROS parameter file with rules of the guard, such as config/guard_outdoor.yaml."
        ),
    ] = None,
    gui: Annotated[bool, typer.Option("--gui", help="Show PyBullet's window.")] = False,
    realtime: Annotated[
        bool, typer.Option("--realtime", help="Pace by the wall clock instead of in lockstep.")
    ] = False,
    rate: Annotated[
        float | None,
        typer.Option(
            parser=factor,
            metavar="FACTOR",
            help="Simulated seconds in a second, with --realtime.",
            show_default="1.0",
        ),
    ] = None,
    record: Annotated[
        bool, typer.Option("--record/--no-record", help="Write bag and video.")
    ] = True,
    image: Annotated[
        ImageStorage, typer.Option(help="Pictures in the bag; png is lossless.")
    ] = ImageStorage.RAW,
    compression: Annotated[
        Compression, typer.Option(help="Of the bag's chunks.")
    ] = Compression.NONE,
    gif: Annotated[
        bool, typer.Option("--gif", help="Also write flight.gif: the first eight seconds.")
    ] = False,
    show: Open = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the results.", show_default="runs/<UTC time>-fly"),
    ] = None,
) -> None:
    """Fly through the ROS 2 graph, one process a node, and report.

    Example: liquid-control fly --scenario trail --seed 3 --set wind.gust_mps=6

    Writes results.json and report.html, and for each flight a folder with flight.html,
    flight.mcap, flight.mp4 and flight.npz. flight.html shows pictures, map, commands, wind and
    neurons under one time cursor; `liquid-control compare` puts two of them side by side.

    The status is 0 when every flight was flown, whether or not it succeeded. An interruption or
    `kill -9` keeps the flights before it: results.json has `complete: false`.
    """
    from liquid_control.cli.output import output_folder
    from liquid_control.cli.pilots import guard_rules, prepare_simulator
    from liquid_control.config import parse_settings
    from liquid_control.config.disturbances import parse_disturbances
    from liquid_control.config.overrides import preset_overrides
    from liquid_control.dependencies import check_installed, require_report
    from liquid_control.errors import ConfigError
    from liquid_control.evaluation import check_cameras, check_scenes, plan_flights
    from liquid_control.policy import certified_box, load_model

    _check_options(realtime, rate, record, gif, autopilot, firmware)
    if guard and autopilot:
        raise ConfigError("--guard: expected no --autopilot; such flights have the envelope only")
    rules = guard_rules(guard)
    overrides = preset_overrides(wind, lighting, fog) | parse_settings(settings or [])
    disturbed = parse_disturbances(disturb or [])
    entries, title = _entries(campaign, scenario, seed)
    loaded = load_model(model)
    jobs = plan_flights(entries, [loaded.name], overrides, disturbed)
    require_report()
    check_installed("pybullet", "sim", "fly in simulation")
    check_installed("numba", "sim", "fly in simulation")
    if not autopilot:
        check_installed("rclpy", "ros", "fly through the ROS 2 graph")
    check_cameras(loaded, jobs)
    options = {
        "model": loaded.path,
        "mode": "realtime" if realtime else "lockstep",
        "rate": 1.0 if rate is None else rate,
        "record": record,
        "gui": gui,
        "image": image.value,
        "compression": compression.value,
        "autopilot": autopilot,
        "firmware": firmware,
        "rules": rules,
        "online_adaptation": online_adaptation,
    }
    if online_adaptation:
        if autopilot:
            raise ConfigError("--online-adaptation: expected no --autopilot")
        certified_box(loaded, online_adaptation)
    with output_folder(out, "fly", ("results.json",)) as folder:
        from liquid_control.interrupts import check_interrupt
        from liquid_control_sim.preflight import check_flight

        check_scenes(jobs, check_flight)
        prepare_simulator()
        flown: list[tuple[FlightData, GraphFlight]] = []
        try:
            for job in jobs:
                check_interrupt()
                flown.append(_fly_one(job, folder, options, gif))
                _write_results(folder, jobs, flown, options)
        finally:
            if flown:
                document = _write_results(folder, jobs, flown, options)
                _conclude(folder, title, jobs, flown, document)
    _offer(folder, flown[0][1], len(flown) == 1, show)


def _offer(folder: Path, flight: "GraphFlight", alone: bool, show: bool) -> None:
    """Open the report, or the page of the only flight, or print how to; print how to replay it."""
    from liquid_control.cli.next_steps import command_of, offer_report, suggest

    offer_report(flight.page if alone else folder / "report.html", show)
    if flight.bag is not None:
        suggest(command_of("liquid-control", "replay", flight.bag))


def _check_options(
    realtime: bool,
    rate: float | None,
    record: bool,
    gif: bool,
    autopilot: str,
    firmware: Path | None,
) -> None:
    """Check that no option is given that would have no effect, and that a firmware exists."""
    from liquid_control.errors import ConfigError

    if autopilot:
        from liquid_control.graph.firmware_flight import firmware_setup

        firmware_setup(autopilot, firmware)
        if realtime:
            raise ConfigError("--realtime: flights with a firmware have its clock")
    elif firmware is not None:
        raise ConfigError(f"--firmware {firmware}: expected --autopilot NAME too")
    if rate is not None and not realtime:
        raise ConfigError(
            f"--rate {rate:g}: expected --realtime too; in lockstep there is no rate"
        )
    if gif and not record:
        raise ConfigError(
            "--gif: expected no --no-record; the pictures are those of the recording"
        )


def _entries(
    campaign: Path | None, scenario: str, seed: int | None
) -> "tuple[list[CampaignEntry], str]":
    """Return the campaign's entries, or one for a scenario, and their title."""
    from liquid_control.config import load_scenario, shipped
    from liquid_control.evaluation import CampaignEntry, load_campaign

    if campaign is None:
        load_scenario(scenario)
        name, seeds = Path(scenario).stem, str(10_000 if seed is None else seed)
        return [CampaignEntry(name=name, scenario=scenario, seeds=seeds)], name
    loaded = load_campaign(shipped(campaign))
    changed = {} if seed is None else {"seeds": str(seed)}
    return [entry.model_copy(update=changed) for entry in loaded.entries], loaded.name


def _fly_one(
    job: "FlightJob", folder: Path, options: dict[str, Any], gif: bool
) -> "tuple[FlightData, GraphFlight]":
    """Fly one job and write its video."""
    from liquid_control.config import format_settings
    from liquid_control.evaluation.flight_video import write_gif, write_video
    from liquid_control.graph import (
        GraphPlan,
        flight_progress_text,
        fly_through_graph,
        load_graph_flight,
    )
    from liquid_control.policy import load_model
    from liquid_control.progress import StatusLine

    plan = GraphPlan(
        scenario=job.scenario_name,
        seed=job.seed,
        out_dir=folder / f"{_slug(job.entry)}-{job.seed}",
        overrides=format_settings(job.overrides),
        **options,
    )
    with StatusLine(job.entry, flight_progress_text) as line:
        flight = fly_through_graph(plan, line)
        line.show("writing the video")
        data = load_graph_flight(job, flight, folder, load_model(plan.model))
        if data.frames is not None:
            write_video(flight.video, data)
            if gif:
                write_gif(flight.video.with_suffix(".gif"), data)
    return data, flight


def _slug(name: str) -> str:
    """Return a name as part of a path: letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "flight"


def _write_results(
    folder: Path,
    jobs: "Sequence[FlightJob]",
    flown: "Sequence[tuple[FlightData, GraphFlight]]",
    options: dict[str, Any],
) -> dict[str, Any]:
    """Write results.json of the flights so far; return its content."""
    from liquid_control.cli.output import write_document
    from liquid_control.evaluation import summarise

    rows = _rows(jobs, flown)
    measured = [
        asdict(row) | {"graph": flight.statistics}
        for row, (_, flight) in zip(rows, flown, strict=True)
    ]
    rules = options["rules"].model_dump(exclude_defaults=True)
    config = {"flights": [job.scenario for job in jobs], **options, "rules": rules}
    return write_document(folder, config, measured, summarise(rows), len(flown) == len(jobs))


def _rows(
    jobs: "Sequence[FlightJob]", flown: "Sequence[tuple[FlightData, GraphFlight]]"
) -> "list[FlightRow]":
    from liquid_control.evaluation import FlightRow

    flights = zip(jobs, flown, strict=False)
    return [FlightRow.of(job, data.record.result) for job, (data, _) in flights]


def _conclude(
    folder: Path,
    title: str,
    jobs: "Sequence[FlightJob]",
    flown: "Sequence[tuple[FlightData, GraphFlight]]",
    document: dict[str, Any],
) -> None:
    """Print the table; write report.html and print its path; name the flights that are missing."""
    from liquid_control.cli.output import console, note
    from liquid_control.evaluation.flight_report import write_report
    from liquid_control.evaluation.result_tables import flights_table

    latencies = [flight.latency_ms for _, flight in flown]
    console().print(flights_table(_rows(jobs, flown), latencies, title))
    report = write_report(folder / "report.html", title, [data for data, _ in flown], document)
    print(f"report: {report}")
    if missing := [f"{job.entry}, seed {job.seed}" for job in jobs[len(flown) :]]:
        note(f"{folder} holds {len(flown)} of {len(jobs)} flights; missing: {'; '.join(missing)}")
