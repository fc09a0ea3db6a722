"""What runs inside one worker process: a batch of flights, each answered through a pipe."""

from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import TypeAlias

from liquid_control.errors import LiquidControlError
from liquid_control.evaluation.campaign import FlightJob
from liquid_control.evaluation.recording import Recording
from liquid_control.evaluation.rows import FlightRow
from liquid_control.evaluation.signals import let_terminate
from liquid_control.interfaces import Flyer, Pilot

FlyerFactory: TypeAlias = Callable[[], Flyer]
"""Makes the flyer inside the worker; must be picklable, so that a simulator need not be."""

PilotFactory: TypeAlias = Callable[[], Pilot]
"""Makes a pilot inside the worker; must be picklable."""

Answer: TypeAlias = "tuple[int, FlightRow] | str"
"""The index of a job and its row, or one line that says why the worker gave up."""


def fly_batch(
    batch: Sequence[tuple[int, FlightJob]],
    flyer: FlyerFactory,
    pilots: Mapping[str, PilotFactory],
    pipe: "Connection[Answer, None]",
    recording: Recording | None = None,
) -> None:
    """Fly the batch and send each row as it comes; an error of ours is sent as its line."""
    let_terminate()
    try:
        fly = flyer()
        made: dict[str, Pilot] = {}
        for index, job in batch:
            if job.model not in made:
                made[job.model] = pilots[job.model]()
            pipe.send((index, _flown(fly, job, made[job.model], recording)))
    except LiquidControlError as error:
        pipe.send(str(error))
    finally:
        pipe.close()


def _flown(fly: Flyer, job: FlightJob, pilot: Pilot, recording: Recording | None) -> FlightRow:
    """Fly a job; what failed is flown again for its bag: the same seed gives the same flight."""
    if recording is None or recording.failures_only:
        result = fly(job.scenario, job.seed, pilot).result
        if recording is None or result.success:
            return FlightRow.of(job, result)
    from liquid_control.evaluation.bag_tape import fly_on_bag

    record = fly_on_bag(fly, job, pilot, recording.path(job), recording.image)
    return FlightRow.of(job, record.result, recording.name(job))
