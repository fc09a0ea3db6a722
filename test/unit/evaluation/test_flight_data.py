import numpy as np
import pytest
from toy_evaluation import PERIOD_NS, ToyPilot, ToyTarget, ToyWorld, toy_fly, toy_record

from liquid_control.config import Scenario
from liquid_control.errors import ObservationError
from liquid_control.evaluation.flight_data import (
    ForestMap,
    FrameTrack,
    NeuronTrack,
    fly_and_capture,
)

pytestmark = pytest.mark.unit


def test_fly_and_capture_keeps_frames_map_and_record():
    flight = fly_and_capture(toy_fly, Scenario(), 5, ToyPilot(), "calm")
    assert flight.record.result == toy_fly(Scenario(), 5, ToyPilot()).result
    assert list(flight.frames.stamp_ns) == [0, 2 * PERIOD_NS]
    assert [int(image[0, 0, 0]) for image in flight.frames.images] == [0, 2]
    assert flight.neurons is None
    np.testing.assert_array_equal(flight.map.trunks, [[3.0, 2.0, 0.2]])
    assert (flight.title, flight.model, flight.seed) == ("calm", "hover", 5)


def test_a_flyer_that_starts_no_pilot_is_refused():
    def careless(scenario, seed, pilot, watch=None):
        return toy_record(3)

    with pytest.raises(ObservationError, match="expected the flyer to start the pilot"):
        fly_and_capture(careless, Scenario(), 5, ToyPilot(), "calm")


def test_the_map_samples_the_trail_end_to_end():
    world = ToyWorld(Scenario())
    drawn = ForestMap.of(world, world.scenario, spacing_m=2.5)
    np.testing.assert_allclose(drawn.trail[:, 0], [0.0, 2.5, 5.0, 7.5, 10.0])
    assert ForestMap.of(world, world.scenario).trail.shape == (21, 2)
    assert drawn.length_m == 10.0
    assert drawn.lateral_limit_m == Scenario().trail.lateral_limit_m
    np.testing.assert_allclose(drawn.bars, [[3.0, 2.0, 3.0, 0.5, 0.05]])


def test_the_map_of_a_hike_has_its_targets_and_no_corridor():
    hike = Scenario.model_validate({"task": {"kind": "hike"}})
    targets = (ToyTarget((4.0, 1.0, 1.5), 0.4), ToyTarget((10.0, 0.0, 1.5), 0.5))
    drawn = ForestMap.of(ToyWorld(hike, targets), hike)
    np.testing.assert_allclose(drawn.targets, [[4.0, 1.0, 0.4], [10.0, 0.0, 0.5]])
    assert drawn.lateral_limit_m is None


def test_the_latest_frame_at_an_instant():
    frames = FrameTrack(np.array([10, 20, 30]), (np.zeros((2, 2, 3), np.uint8),) * 3)
    assert [frames.latest(stamp) for stamp in (5, 10, 19, 20, 99)] == [0, 0, 0, 1, 2]


def test_tracks_that_do_not_fit_their_stamps():
    with pytest.raises(ObservationError, match="got 1 for 2"):
        FrameTrack(np.arange(2), (np.zeros((2, 2, 3), np.uint8),))
    with pytest.raises(ObservationError, match=r"gate must be \(2, 1\), got \(2, 2\)"):
        NeuronTrack(("a",), np.arange(2), np.zeros((2, 1)), np.zeros((2, 2)))
