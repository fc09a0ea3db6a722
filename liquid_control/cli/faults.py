"""`liquid-control faults`: inject faults into the running graph and see how each flight ends."""

from pathlib import Path
from typing import Annotated

import typer

from liquid_control.cli.completion import complete_model, complete_scenario
from liquid_control.cli.options import Settings


def faults(
    kinds: Annotated[
        list[str] | None, typer.Argument(help="Kinds of faults; all of them by default.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="Folder of a model.", autocompletion=complete_model)
    ] = "models/trail_cfc19",
    scenario: Annotated[
        str, typer.Option(help="Name or YAML file.", autocompletion=complete_scenario)
    ] = "trail",
    settings: Settings = None,
    autopilot: Annotated[
        str, typer.Option(help="Firmware to fly: px4, with more kinds of faults.")
    ] = "",
    firmware: Annotated[Path | None, typer.Option(help="Program of that firmware.")] = None,
    seeds: Annotated[str, typer.Option(help="A flight of each kind for each.")] = "20000:20010",
    rules: Annotated[
        bool,
        typer.Option(help="Watch sensors, pictures and the computer, as docs/guard.md lists."),
    ] = True,
    resume: Annotated[bool, typer.Option(help="Continue the campaign in --out.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Output folder.", show_default="runs/<UTC time>-faults")
    ] = None,
) -> None:
    """Inject faults into the running graph, in real time, and see how each flight ends.

    Example: liquid-control faults perception_killed camera_silent --seeds 20000:20003

    Ends with status 1 if the vehicle collided, left the corridor, or never came to an end.
    """
    from liquid_control.cli.output import command_line, output_folder
    from liquid_control.cli.pilots import prepare_simulator
    from liquid_control.command import GuardRules
    from liquid_control.evaluation.campaign import parse_seeds
    from liquid_control.graph.fault_campaign import RULES, FaultCampaign, run_faults, write_faults
    from liquid_control.graph.fault_flight import FaultOutcome
    from liquid_control.graph.fault_kinds import choose_kinds
    from liquid_control.graph.firmware_faults import firmware_program, with_firmware
    from liquid_control.journal import JOURNAL_FILE
    from liquid_control.policy import load_model

    program = firmware_program(autopilot, firmware)
    chosen = choose_kinds(kinds or [], program is not None)
    watched = RULES if rules else GuardRules()
    campaign = FaultCampaign(
        chosen,
        parse_seeds(seeds),
        load_model(model).path,
        scenario,
        ("trail.length_m=30", *(settings or [])),
        with_firmware(watched) if rules and program else watched,
        program,
    )
    prepare_simulator()
    with output_folder(out, "faults", (JOURNAL_FILE,), resume=resume) as folder:
        rows = run_faults(campaign, folder, resume, command_line())
        print(write_faults(folder, rows, chosen, command_line(), program is not None))
    unsafe = [row for row in rows if row.outcome == FaultOutcome.UNSAFE.value]
    for row in unsafe:
        print(f"unsafe: {row.kind}, seed {row.seed}: {row.reason}")
    raise typer.Exit(1 if unsafe else 0)
