"""Keeps what a flight in process shows, so that it can be told afterwards."""

from dataclasses import dataclass

import numpy as np

from liquid_control.config import Scenario
from liquid_control.errors import ObservationError
from liquid_control.evaluation.story import FlightStory, ForestMap, FrameTrack, NeuronTrack
from liquid_control.interfaces import Flyer, Pilot, Progress, World
from liquid_control.types import Command, Floats, Observation, Pixels, VehicleState


class TapedPilot:
    """Flies as the pilot inside it does, and remembers the world and the neurons.

    A pilot whose last decision can be read as `decision` (with `state` and `gates`, float64 [N])
    and whose neurons have names as `neuron_names` is taped with them; others without.
    """

    def __init__(self, pilot: Pilot) -> None:
        self.name = pilot.name
        self.map: ForestMap | None = None
        self._pilot = pilot
        self._stamps: list[int] = []
        self._states: list[Floats] = []
        self._gates: list[Floats] = []

    def start(self, world: World) -> None:
        """Start the pilot inside, and a new tape."""
        self.map = ForestMap.of(world)
        for kept in (self._stamps, self._states, self._gates):
            kept.clear()
        self._pilot.start(world)

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Answer as the pilot inside does."""
        answer = self._pilot.command(observation, truth)
        decision = getattr(self._pilot, "decision", None)
        if decision is not None:
            self._stamps.append(observation.stamp_ns)
            self._states.append(np.array(decision.state, dtype=np.float64).ravel())
            self._gates.append(np.array(decision.gates, dtype=np.float64).ravel())
        return answer

    def neurons(self) -> NeuronTrack | None:
        """Return what the cell did, or None for a pilot without neurons."""
        if not self._stamps:
            return None
        count = self._states[0].size
        names = tuple(getattr(self._pilot, "neuron_names", ())) or tuple(map(str, range(count)))
        return NeuronTrack(
            names, np.array(self._stamps), np.stack(self._states), np.stack(self._gates)
        )


@dataclass(slots=True)
class _Film:
    stamps: list[int]
    images: list[Pixels]

    def __call__(self, progress: Progress) -> None:
        if progress.image is not None:
            self.stamps.append(progress.stamp_ns)
            self.images.append(progress.image.copy())


def fly_on_tape(
    flyer: Flyer, scenario: Scenario, seed: int, pilot: Pilot, title: str
) -> FlightStory:
    """Fly once in this process and return the whole story.

    Raises:
        ObservationError: the flyer never started the pilot.
    """
    taped, film = TapedPilot(pilot), _Film([], [])
    record = flyer(scenario, seed, taped, film)
    if taped.map is None:
        raise ObservationError("expected the flyer to start the pilot with its world, it did not")
    frames = FrameTrack(np.array(film.stamps, dtype=np.int64), tuple(film.images))
    return FlightStory(
        title=title,
        model=pilot.name,
        seed=seed,
        scenario=scenario,
        record=record,
        map=taped.map,
        frames=frames if film.stamps else None,
        neurons=taped.neurons(),
    )
