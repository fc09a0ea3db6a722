import numpy as np
import pytest

from liquid_control.errors import ObservationError, OutputError
from liquid_control.liquid.wiring import Layer, Wiring
from liquid_control.pages.data_block import decode_block
from liquid_control.pages.flight_block import FRAMES, MAX_ROWS, flight_block, surroundings, thinned
from liquid_control.pages.flight_view import (
    FlightView,
    HeatMap,
    MapPath,
    MapView,
    Marker,
    NeuronView,
    Plot,
    PlotGroup,
    Trace,
    WiringView,
)

pytestmark = pytest.mark.unit

CLOCK = np.arange(10) / 20


def test_a_block_has_everything_of_a_view():
    wiring = Wiring(
        (Layer("inter", 1), Layer("motor", 1)),
        np.array([[1, 0], [-1, 0]], np.int8),
        np.array([[0, 1], [0, 0]], np.int8),
    )
    trace = Trace("wind", CLOCK, np.where(CLOCK > 0.2, np.inf, CLOCK), "orange")
    neurons = NeuronView(("inter_0", "motor_0"), CLOCK, (HeatMap("state", np.eye(10, 2)),))
    view = FlightView(
        title="calm",
        end_s=0.5,
        facts=(("distance", "3 m"),),
        groups=(PlotGroup("Wind", (Plot("wind, m/s", (0.0, 1.0), (trace,)),)),),
        markers=(Marker(0.4, "late"), Marker(0.1, "early", "guard", 0.2)),
        map=MapView((MapPath("flown", CLOCK, np.zeros((10, 2))),), trunks=np.ones((3, 3))),
        neurons=neurons,
        wiring=WiringView(wiring, np.ones((10, 2))),
    )
    content, arrays = decode_block(flight_block(view))
    assert [marker["text"] for marker in content["markers"]] == ["early", "late"]
    assert content["pictures"] is None
    values = arrays[content["groups"][0]["plots"][0]["traces"][0]["values"]]
    np.testing.assert_array_equal(values, trace.values.astype(np.float32))
    assert arrays[content["map"]["trunks"]].shape == (3, 3)
    assert content["neurons"]["maps"][0]["limits"] == [-1.0, 1.0]
    np.testing.assert_array_equal(arrays[content["wiring"]["sensory"]], wiring.sensory)
    assert content["wiring"]["layers"] == [["inter", 1], ["motor", 1]]


def test_trail_and_obstacles_of_a_block_are_read_again():
    path = MapPath("flown", CLOCK, np.zeros((10, 2)))
    trail, trunks = np.array([[0.0, 0.5], [8.0, 1.0]]), np.array([[1.0, 2.0, 0.25]])
    bars, targets = np.array([[1.0, 2.0, 3.0, 4.0, 0.5]]), np.array([[9.0, 9.0, 0.5]])
    shown = MapView((path,), trail, 2.5, 1.25, trunks, bars, targets)
    around = surroundings(flight_block(FlightView("calm", 0.5, map=shown)))
    assert (around.paths, around.corridor_m, around.trail_width_m) == ((), 2.5, 1.25)
    for name in ("trail", "trunks", "bars", "targets"):
        np.testing.assert_array_equal(getattr(around, name), getattr(shown, name))
    assert surroundings(flight_block(FlightView("no map", 0.5))) is None
    with pytest.raises(OutputError, match="damaged"):
        surroundings(flight_block(FlightView("calm", 0.5, map=shown)).replace("A", "B", 5))


def test_of_a_long_state_some_rows_are_shown():
    names = tuple(f"window_{n}" for n in range(200))
    neurons = NeuronView(names, CLOCK, (HeatMap("state", np.tile(np.arange(200.0), (10, 1))),))
    content, arrays = decode_block(flight_block(FlightView("tcn", 0.5, neurons=neurons)))
    assert len(content["neurons"]["names"]) == MAX_ROWS
    assert content["neurons"]["total"] == 200
    rows = arrays[content["neurons"]["maps"][0]["values"]][0]
    assert (rows[0], rows[-1]) == (0.0, 199.0)


def test_of_a_long_flight_every_nth_frame_of_the_neurons_is_kept():
    frames = 2 * FRAMES + 1
    clock = np.arange(frames) / 20
    wiring = Wiring((Layer("motor", 1),), np.ones((1, 1), np.int8), np.zeros((1, 1), np.int8))
    neurons = NeuronView(("motor_0",), clock, (HeatMap("state", clock[:, None]),))
    view = FlightView(
        "long", clock[-1], neurons=neurons, wiring=WiringView(wiring, clock[:, None])
    )
    content, arrays = decode_block(flight_block(view))
    kept = clock[::3]
    np.testing.assert_array_equal(arrays[content["neurons"]["seconds"]], kept)
    for index in (content["neurons"]["maps"][0]["values"], content["wiring"]["features"]):
        np.testing.assert_array_equal(arrays[index][:, 0], kept.astype(np.float32))


def test_limits_of_the_colours():
    values = np.linspace(0.0, 1.0, 101)[:, None]
    assert HeatMap("state", values - 0.25).limits() == (-0.75, 0.75)
    low, high = HeatMap("gate", values, "linear").limits()
    assert (low, high) == pytest.approx((0.01, 0.99))
    assert HeatMap("time constant", values * np.nan, "log").limits() == (0.0, 1.0)
    low, high = HeatMap("gate", 0 * values, "linear").limits()
    assert low < high


def test_shapes_and_names_are_checked():
    with pytest.raises(ObservationError, match=r"wind: expected one value for each time, got \[9"):
        Trace("wind", CLOCK, np.zeros(9))
    with pytest.raises(ObservationError, match=r"expected a colour of blue, .* got pink"):
        Trace("wind", CLOCK, CLOCK, "pink")
    with pytest.raises(ObservationError, match=r"state: expected values \[10, 1\]"):
        NeuronView(("a",), CLOCK, (HeatMap("state", np.zeros((10, 2))),))


def test_a_spike_of_one_frame_is_drawn():
    values = np.zeros(18_000)
    values[7_777] = -3.0
    kept = thinned(values, 2_000)
    assert 7_777 in kept
    assert {0, 17_999} <= set(kept.tolist())
    assert len(kept) < 2_100
