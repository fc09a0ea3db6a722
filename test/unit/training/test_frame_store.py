"""Rows of a store of frames: drawn evenly over flights."""

import numpy as np

from liquid_control.training.frame_store import RowsByFlight


def test_each_flight_is_drawn_as_often_whatever_its_rate() -> None:
    # Flights of 10, 600 and 90 frames; the rows begin at 5, as after a flight that is held out.
    rows = np.arange(5, 705)
    flights = RowsByFlight(rows, np.array([0, 10, 610, 700]))
    drawn = flights.draw(np.random.default_rng(1), 30_000)
    assert (np.diff(drawn) >= 0).all()
    counts = np.histogram(drawn, bins=[5, 15, 615, 705])[0]
    # A count of 30,000 at 1/3 is within 5 standard deviations of 82, but in 6e-7 of runs.
    assert np.abs(counts - 10_000).max() < 5 * 82
    assert set(np.unique(drawn)) <= set(rows.tolist())
    # Within a flight, rows are even: each of 10 has 1,000 +- 5 * 31.
    single = np.bincount(drawn - 5, minlength=700)[:10]
    assert np.abs(single - 1_000).max() < 5 * 31
