"""Application of all sub-commands; a `LiquidControlError` becomes one line and status 2."""

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import typer

from liquid_control.cli.adapt import adapt
from liquid_control.cli.bench import bench
from liquid_control.cli.calibrate import calibrate
from liquid_control.cli.certify import certify
from liquid_control.cli.compare import compare
from liquid_control.cli.doctor import doctor
from liquid_control.cli.evaluate import evaluate
from liquid_control.cli.events import events
from liquid_control.cli.exchange import bag, models
from liquid_control.cli.export import export
from liquid_control.cli.faults import faults
from liquid_control.cli.fly import fly
from liquid_control.cli.inspect import inspect
from liquid_control.cli.probe import probe
from liquid_control.cli.replay import replay
from liquid_control.cli.search import search
from liquid_control.cli.train import train
from liquid_control.cli.worlds import worlds
from liquid_control.errors import LiquidControlError
from liquid_control.files import full_disk_error
from liquid_control.interrupts import interrupts_remembered

INTERRUPTED = 130

app = typer.Typer(
    name="liquid-control",
    help="Drone autonomy on ROS 2, flown by a 19-neuron liquid network.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    fly,
    evaluate,
    compare,
    replay,
    probe,
    calibrate,
    adapt,
    certify,
    events,
    faults,
    worlds,
    train,
    search,
    export,
    bench,
    doctor,
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(bag)
app.add_typer(inspect)
app.add_typer(models)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        arguments: the arguments after the program name; those of the process if None.

    Returns:
        Exit status: 0 on success, 2 after a `LiquidControlError` or a usage error, 130 after an
        interrupt, and otherwise the status of the command.
    """
    line = list(sys.argv[1:] if arguments is None else arguments)
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        with interrupts_remembered():
            status = typer.main.get_command(app).main(
                line, prog_name="liquid-control", standalone_mode=False
            )
    except LiquidControlError as error:
        return _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except Exception as error:
        # Typer contains a private copy of click whose exceptions have no public name.
        if (full := full_disk_error(error)) is not None:
            return _fail(str(full))
        if not hasattr(error, "format_message"):
            raise
        return _fail(f"{error.format_message()} (see --help)")
    finally:
        signal.signal(signal.SIGTERM, previous)
    if status == INTERRUPTED:
        print("liquid-control: interrupted", file=sys.stderr)
    return status if isinstance(status, int) else 0


def _terminate(number: int, _: FrameType | None) -> NoReturn:
    """Unwind as after Ctrl-C, which stops child processes and removes partial files."""
    raise SystemExit(128 + number)


def _fail(message: str) -> int:
    print(f"liquid-control: error: {' '.join(message.split())}", file=sys.stderr)
    return 2
