"""Benchmark of replay: the recording it writes, its pictures and its table."""

import numpy as np
import pytest

from benchmarks.replay import ReplayRow, natural_pictures, replay_table, write_load
from liquid_control.bags import FrameEvent, Losses, load_rules, open_bag, read_flight, resolve

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("pictures", ["raw", "jpeg"])
def test_load_has_a_camera_at_30_hz_and_an_imu_at_400_hz(tmp_path, pictures):
    bag, losses = open_bag(write_load(tmp_path / "load.mcap", pictures, seconds=1.0)), Losses()
    events = [
        e
        for e in read_flight(bag, resolve(bag, load_rules()), losses)
        if isinstance(e, FrameEvent)
    ]
    assert len(events) == 30
    assert {event.observation.image.shape for event in events} == {(480, 640, 3)}
    assert sum(len(event.observation.imu.stamps_ns) for event in events) == pytest.approx(
        388, abs=2
    )
    assert losses.counts == {}
    first = next(natural_pictures(1)).astype(int)
    assert np.abs(events[0].observation.image - first).mean() < (
        1e-9 if pictures == "raw" else 4.0
    )


def test_pictures_have_the_spectrum_of_natural_images():
    grey = next(natural_pictures(1)).mean(axis=2)
    spectrum = np.abs(np.fft.fft2(grey))
    near, far = spectrum[0, 4:8].mean(), spectrum[0, 64:128].mean()
    assert 8.0 < near / far < 80.0


def test_table_shows_the_measured_pictures():
    row = ReplayRow("raw", 1659.0, 2.5, 24.0, 23.0, 25.0, 26.0, 4.0, 218.0, 20.0)
    columns = [column.header for column in replay_table([row]).columns]
    assert columns[:5] == ["pictures", "cores", "bag", "x real time", "least"]
    assert list(replay_table([row]).columns[3].cells) == ["24.0"]
