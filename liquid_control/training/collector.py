"""Data flights as jobs: fly a plan with a `DataPilot`, write the frames."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from liquid_control.errors import OutputError
from liquid_control.interfaces import Flyer, Pilot
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control.training.flight_file import FlightData, write_flight
from liquid_control.training.pilots import DataPilot, Disturbance, FrameLog
from liquid_control.training.plan import FlightPlan
from liquid_control.training.settings import FlightSettings
from liquid_control.types import FlightResult


@dataclass(frozen=True, slots=True)
class Crew:
    """Who flies where, as the command line puts it together; all of it can be pickled.

    Attributes:
        flyer: flies a scenario.
        expert: makes the privileged pilot.
    """

    flyer: Flyer
    expert: Callable[[], Pilot]


@dataclass(frozen=True, slots=True)
class DataJob:
    """One flight to fly and to write.

    Attributes:
        plan: what to fly.
        crew: who flies.
        settings: of the segments and the disturbance.
        learner: model folder of the learner; None in the cloning round.
        path: where the flight goes.
    """

    plan: FlightPlan
    crew: Crew
    settings: FlightSettings
    learner: Path | None
    path: Path

    def run(self) -> None:
        """Fly and write."""
        plan, flights = self.plan, self.settings
        pilot = DataPilot(
            expert=self.crew.expert(),
            learner=None
            if self.learner is None
            else PolicyPilot(Policy(load_model(self.learner))),
            expert_share=plan.expert_share,
            segment_s=flights.segment_s,
            disturbance=Disturbance(flights.disturbance, plan.seed) if plan.disturbed else None,
            seed=plan.seed,
        )
        record = self.crew.flyer(plan.scenario, plan.seed, pilot)
        write_flight(self.path, flight_data(pilot.log, record.result, self.plan.name))


def flight_data(log: FrameLog, result: FlightResult, name: str) -> FlightData:
    """Return a log as arrays.

    Raises:
        OutputError: the flight had no frame.
    """
    if not log.stamps_ns:
        raise OutputError(f"{name}: the flight ended ({result.reason}) before its first frame")
    return FlightData(
        stamps_ns=np.array(log.stamps_ns, np.int64),
        images=np.stack(log.images),
        imu=np.stack(log.imu).astype(np.float32),
        labels=np.array(log.labels, np.float32),
        by_expert=np.array(log.by_expert, np.bool_),
        result=result,
    )
