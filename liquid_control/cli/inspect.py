"""`liquid-control inspect`: why a policy did that."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from liquid_control.cli.completion import complete_model, complete_scenario
from liquid_control.cli.options import Settings, at_least, whole_number
from liquid_control.cli.topic_options import Topic, Topics, rules_of

RESULTS = ("inspection.json", "neurons.json", "lesions.json", "measures.json", "flight.html")

inspect = typer.Typer(
    name="inspect", help="Look inside: why did it do that?", no_args_is_help=True
)

Recording = Annotated[
    Path,
    typer.Argument(
        metavar="BAG",
        help="A bag, or the folder of a fly or evaluate --record with one bag.",
        show_default=False,
    ),
]
Recordings = Annotated[list[Path], typer.Argument(metavar="BAG...", help="One flight each.")]
ModelOption = Annotated[
    Path | None,
    typer.Option(
        help="Model folder.",
        show_default="the shipped model that the bag was recorded with, or models/trail_cfc19",
        autocompletion=complete_model,
    ),
]
Method = Annotated[str, typer.Option(help="visual_backprop, integrated_gradients or occlusion.")]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder of the results.", show_default="runs/<UTC time>-inspect"),
]


@inspect.command()
def flight(
    bag: Recording,
    model: ModelOption = None,
    at: Annotated[
        float | None,
        typer.Option(
            parser=at_least(0.0), metavar="S", help="Explain the command at this moment, s."
        ),
    ] = None,
    axis: Annotated[
        str, typer.Option(help="Axis that --at explains: forward, left, up or yaw.")
    ] = "yaw",
    clamp: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=VALUE]",
            help="With --at: what if this neuron or feature had been held, at 0 or a value, from "
            "the start? Repeatable; every single one is tried in any case.",
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DISTURBANCE",
            help="Render the flight again from its seed without this disturbance, such as fog, or "
            "wind@12 to end the wind at 12 s, and fly it again. Repeatable.",
        ),
    ] = None,
    method: Method = "visual_backprop",
    target: Annotated[
        str, typer.Option(help="What the maps explain: features, forward, left, up or yaw.")
    ] = "features",
    every_map: Annotated[
        bool | None,
        typer.Option(
            "--all-maps/--few-maps",
            help="A map for every frame, or for eight.",
            show_default="all for visual_backprop",
        ),
    ] = None,
    video: Annotated[bool, typer.Option("--video", help="Write saliency.mp4 too.")] = False,
    rerun: Annotated[
        Path | None, typer.Option(metavar="FILE.rrd", help="Write a recording of Rerun too.")
    ] = None,
    topics: Topics = None,
    topic: Topic = None,
    out: Out = None,
) -> None:
    """Show where a policy looked, what its neurons did, and why it gave a command.

    Example: liquid-control inspect flight runs/flight --at 12.4 --clamp inter_7

    Writes flight.html, inspection.json and .npz, overlay.png and neurons.png; with --at also
    moment.png and wiring.png. A clamp runs the policy again over the recorded pictures; the
    vehicle does not answer to it (`inspect lesions` flies).
    """
    from liquid_control.cli.output import note, output_folder
    from liquid_control.cli.pilots import simulator
    from liquid_control.dependencies import require_report
    from liquid_control.inspection import Clamp, moment_of, open_flight, write_inspection
    from liquid_control.inspection import inspect as inspect_flight
    from liquid_control.inspection.flight import AXES
    from liquid_control.inspection.moment import check_options
    from liquid_control.inspection.page import write_flight_page
    from liquid_control.inspection.rerun_file import check_rerun_file, write_rerun
    from liquid_control.inspection.saliency import VISUAL_BACKPROP, map_maker
    from liquid_control.inspection.tables import print_inspection, without_disturbances
    from liquid_control.process_pool import limit_threads

    limit_threads()
    require_report()
    whole = every_map if every_map is not None else method == VISUAL_BACKPROP
    check_options(axis, at, clamp, video and not whole)
    check_rerun_file(rerun)
    rules = rules_of(topics, topic)
    policy, recorded = open_flight(bag, model, rules=rules)
    map_maker(policy.model, method, target)
    if at is not None:
        recorded.frame_at(at)
    clamps = [Clamp.parse([word], policy.model) for word in clamp or ()]
    with output_folder(out, "inspect", RESULTS) as folder:
        extra = without_disturbances(simulator(), policy, recorded, without, at) if without else {}
        found = inspect_flight(policy, recorded, method=method, target=target, every_map=whole)
        moment = None if at is None else moment_of(policy, recorded, at, clamps)
        options: dict[str, Any] = {"moment": moment, "axis": AXES.index(axis)}
        written = write_inspection(folder, found, **options, extra=extra, video=video)
        written.append(write_flight_page(folder / "flight.html", found, bag, rules, at))
        written += [] if rerun is None else [write_rerun(rerun, found)]
    for line in found.missing:
        note(line)
    print_inspection(found, moment, AXES.index(axis), extra)
    print(*written, sep="\n")


@inspect.command()
def neurons(bags: Recordings, model: ModelOption = None, out: Out = None) -> None:
    """Find what each neuron means: correlations and decision trees on flights not fitted on.

    Example: liquid-control inspect neurons runs/evaluate/bags/*.mcap

    Flights whose seed is recorded are flown again with the recorded commands, which gives the
    curvature of the trail, wind and clearance; of others only brightness and the flown path are
    known. Writes neurons.json. The chance score is that of quantities shifted in time.
    """
    from liquid_control.cli.output import console, note, output_folder
    from liquid_control.cli.pilots import simulator
    from liquid_control.inspection.decoders import check_number, decode, load_trees
    from liquid_control.inspection.retrace import open_flights
    from liquid_control.inspection.tables import decoding_table, neurons_document, write_json

    load_trees()
    check_number(len(bags))
    policy, flights = open_flights(bags, model, flyer=simulator(), note=note)
    with output_folder(out, "inspect", RESULTS) as folder:
        found = decode(flights)
        path = write_json(folder / "neurons.json", neurons_document(policy, flights, found))
    console().print(decoding_table(found))
    print(path)


@inspect.command()
def lesions(
    model: Annotated[
        Path, typer.Option(help="Model folder.", autocompletion=complete_model)
    ] = Path("models/trail_cfc19"),
    scenario: Annotated[
        str, typer.Option(help="Name or YAML file.", autocompletion=complete_scenario)
    ] = "trail",
    campaign: Annotated[Path | None, typer.Option(help="YAML file, not --scenario.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Forests; by default 10000:10020.")] = None,
    settings: Settings = None,
    of: Annotated[
        list[str] | None,
        typer.Option(
            help="neurons, features, inputs, or single names. Repeatable.",
            show_default="neurons and features",
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option(parser=whole_number(1), metavar="INT", help="Flights at a time.")
    ] = 2,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the study in --out.")
    ] = False,
    out: Out = None,
) -> None:
    """Fly the same forests without each neuron, feature or input; print paired differences.

    Example: liquid-control inspect lesions --model trail_cfc19 --seeds 10000:10010 --of neurons

    Neurons and features are held at 0; inputs (cruise_speed, attitude, mount, imu) at a neutral
    reading. Writes lesions.json with a row a flight, rates with Wilson's 95 % intervals, and exact
    paired tests against the intact model. Rows are written to rows.jsonl as they are flown;
    --resume flies the rest. An interrupted study writes lesions.json of its whole forests.
    """
    from liquid_control.cli.output import command_line, console, output_folder
    from liquid_control.cli.pilots import prepare_simulator, simulator
    from liquid_control.config import parse_settings
    from liquid_control.inspection import lesion_study
    from liquid_control.inspection.lesions import FEATURES, NEURONS, flights_of, parts_of
    from liquid_control.inspection.tables import lesion_table, write_lesions
    from liquid_control.journal import JOURNAL_FILE
    from liquid_control.policy import load_model

    loaded, parts = load_model(model), of or [NEURONS, FEATURES]
    parts_of(loaded, parts)
    flights = flights_of(scenario, parse_settings(settings or []), campaign, seeds)
    flyer = simulator()
    prepare_simulator()
    with output_folder(out, "inspect", (*RESULTS, JOURNAL_FILE), resume=resume) as folder:
        path = folder / "lesions.json"
        options: dict[str, Any] = {"parts": parts, "workers": jobs, "resume": resume}
        options |= {"keep": partial(write_lesions, path, loaded.name), "command": command_line()}
        result = lesion_study(flyer, loaded, flights, folder, **options)
    console().print(lesion_table(result))
    print(path)


@inspect.command()
def measure(
    bags: Recordings,
    model: Annotated[
        list[Path],
        typer.Option(help="Model folder. Repeatable.", autocompletion=complete_model),
    ],
    results: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="results.json of these models, for the correlation."),
    ] = None,
    method: Method = "visual_backprop",
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep what --out has; measure the other models.")
    ] = False,
    out: Out = None,
) -> None:
    """Write the numbers of record of several models on the same flights.

    Example: liquid-control inspect measure runs/a/bags/*.mcap --model trail_cfc19
    --model trail_gru

    Saliency: SSIM under noise, deletion and insertion, and whether the maps depend on the weights.
    Neurons: first principal component, largest Lipschitz constant under noise, correlation with
    the path. Writes measures.json and measures.md; with --results also the rank correlation of
    every number with success. Models are kept in rows.jsonl as they are measured; --resume goes
    on, with further models or with results that came later.
    """
    from liquid_control.cli.output import command_line, note, output_folder
    from liquid_control.files import atomic_write
    from liquid_control.inspection import measure_models, measures_table
    from liquid_control.inspection.model_measures import measures_document
    from liquid_control.inspection.predictions import load_statistics, missing_rates, success_rates
    from liquid_control.inspection.saliency import map_maker
    from liquid_control.inspection.tables import write_json
    from liquid_control.journal import JOURNAL_FILE
    from liquid_control.policy import Policy, load_model

    load_statistics()
    rates = {} if results is None else success_rates(results)
    policies = [Policy(load_model(folder)) for folder in model]
    for policy in policies:
        map_maker(policy.model, method)
    missing = results and missing_rates(results, rates, [one.model for one in policies])
    if missing:
        note(missing)
    with output_folder(out, "inspect", (*RESULTS, JOURNAL_FILE), resume=resume) as folder:
        measured = measure_models(
            policies,
            bags,
            method,
            folder,
            rates=rates,
            resume=resume,
            command=command_line(),
        )
        table = measures_table(measured)
        written = [
            write_json(folder / "measures.json", measures_document(measured)),
            atomic_write(folder / "measures.md", table),
        ]
    print(table)
    print(*written, sep="\n")
