"""Puts the sub-commands together, and turns every error of ours into one line and status 2."""

import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import typer

from liquid_control.cli.bag import bag
from liquid_control.cli.bench import bench
from liquid_control.cli.doctor import doctor
from liquid_control.cli.evaluate import evaluate
from liquid_control.cli.export import export
from liquid_control.cli.fly import fly
from liquid_control.cli.replay import replay
from liquid_control.cli.train import train
from liquid_control.cli.worlds import worlds
from liquid_control.errors import LiquidControlError

INTERRUPTED = 130

app = typer.Typer(
    name="liquid-control",
    help="Drone autonomy on ROS 2, flown by a 19-neuron liquid network.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (fly, evaluate, replay, worlds, train, export, bench, doctor):
    app.command()(command)
app.add_typer(bag)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; return 0 when done, 2 after an error of ours, 130 when interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        status = typer.main.get_command(app).main(
            words, prog_name="liquid-control", standalone_mode=False
        )
    except LiquidControlError as error:
        return _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except Exception as error:
        # Typer carries its own copy of click, whose exceptions have no public name.
        if not hasattr(error, "format_message"):
            raise
        return _fail(f"{error.format_message()} (see --help)")
    finally:
        signal.signal(signal.SIGTERM, before)
    if status == INTERRUPTED:
        print("liquid-control: interrupted", file=sys.stderr)
    return status if isinstance(status, int) else 0


def _terminate(number: int, _: FrameType | None) -> NoReturn:
    """End as after Ctrl-C: child processes ended, nothing half-written."""
    raise SystemExit(128 + number)


def _fail(message: str) -> int:
    print(f"liquid-control: error: {' '.join(message.split())}", file=sys.stderr)
    return 2
