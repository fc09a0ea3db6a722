"""Which flights a training run makes, as data: round, seed, scenario and who flies.

Everything is a function of the settings, so that a run that was killed asks for the same flights.
Flights of training, validation and the final figures take their seeds from ranges of their own,
from 100,000,000 on: far from those of campaigns, so that no forest is both learned and measured.
"""

from dataclasses import dataclass

from liquid_control.config import Scenario, load_scenario
from liquid_control.config.spread import draw_overrides
from liquid_control.training.settings import TrainingSettings

TRAINING_SEEDS = 100_000_000
VALIDATION_SEEDS = 300_000_000
FINAL_SEEDS = 500_000_000
_SEEDS_A_RUN = 200_000
_SEEDS_A_ROUND = 2_000
_RUNS = 1_000


@dataclass(frozen=True, slots=True)
class FlightPlan:
    """One flight to be flown for data.

    Attributes:
        round: 0 for cloning, then the DAgger round.
        index: within the round.
        seed: of the flight.
        scenario: what it takes place in.
        expert_share: share of the time that the expert flies.
        disturbed: whether the expert's commands are pushed.
    """

    round: int
    index: int
    seed: int
    scenario: Scenario
    expert_share: float
    disturbed: bool

    @property
    def name(self) -> str:
        """What the flight's file is called, without suffix."""
        return f"round_{self.round:02d}/flight_{self.index:04d}"


def round_plans(settings: TrainingSettings, round_: int) -> list[FlightPlan]:
    """Return the flights of one round, 0 being the cloning flights."""
    flights = settings.flights
    count = flights.dagger if round_ else flights.cloning
    return [
        _flight_plan(settings, round_, index, _expert_share(flights.expert_share, round_))
        for index in range(count)
    ]


def _flight_plan(
    settings: TrainingSettings, round_: int, index: int, expert_share: float
) -> FlightPlan:
    offset = round_ * _SEEDS_A_ROUND + index
    seed = TRAINING_SEEDS + (settings.seed % _RUNS) * _SEEDS_A_RUN + offset
    drawn = draw_overrides(settings.randomise, seed)
    return FlightPlan(
        round=round_,
        index=index,
        seed=seed,
        scenario=load_scenario(settings.scenario, {**settings.overrides, **drawn}),
        expert_share=expert_share,
        disturbed=round_ == 0,
    )


def _expert_share(shares: tuple[float, ...], round_: int) -> float:
    return 1.0 if round_ == 0 else shares[min(round_, len(shares)) - 1]


def validation_seed(settings: TrainingSettings, index: int, final: bool) -> int:
    """Return the seed of a validation flight; all rounds fly the same ones, `final` others."""
    start = FINAL_SEEDS if final else VALIDATION_SEEDS
    return start + (settings.seed % _RUNS) * _SEEDS_A_RUN + index
