"""JPEG, frozen frames, blackouts and the published changes on the way of a finished picture."""

import cv2
import numpy as np
import pytest

from liquid_control.config.scenario import CameraSettings, DeltaSettings
from liquid_control.perception import deltas
from liquid_control.perception.deltas import published_changes
from liquid_control.seeding import stream
from liquid_control_sim.picture.transport import Blackout, Freezer, Jpeg, compression

pytestmark = pytest.mark.sim


@pytest.fixture
def pixels(pattern) -> np.ndarray:
    return (255.0 * cv2.GaussianBlur(pattern, (0, 0), 2.0)).astype(np.uint8)


@pytest.mark.parametrize("quality", [5, 20, 60])
def test_jpeg_is_opencvs(pixels, quality):
    arrived = Jpeg(quality)(pixels, 0)
    _, coded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert np.array_equal(arrived, cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])


def test_jpeg_loses_more_at_lower_quality(pixels):
    lost = [np.abs(Jpeg(q)(pixels, 0).astype(int) - pixels).mean() for q in (90, 40, 5)]
    assert lost[0] < lost[1] < lost[2]
    assert compression(CameraSettings()) == ()


def test_frames_freeze_at_their_rate_by_seed():
    freezer = Freezer(0.3, 4)
    frozen = [freezer.freezes(index) for index in range(4000)]
    assert not frozen[0]
    # 4,000 draws: the standard error is 0.72 %; five of them fail with 6e-7.
    assert np.mean(frozen) == pytest.approx(0.3, abs=0.036)
    assert frozen[:50] == [Freezer(0.3, 4).freezes(index) for index in range(50)]
    assert frozen[:50] != [Freezer(0.3, 5).freezes(index) for index in range(50)]
    # A higher rate freezes the same frames and more.
    assert all(Freezer(0.6, 4).freezes(i) for i in range(4000) if frozen[i])


def test_a_blackout_covers_its_window():
    blackout = Blackout(2.0, 0.5, 0)
    assert [blackout.covers(t) for t in (1.999, 2.0, 2.499, 2.5)] == [False, True, True, False]


def test_a_blackout_without_a_time_is_drawn_from_the_first_20_s():
    begins = [Blackout(None, 1.0, seed).from_s for seed in range(300)]
    assert begins[7] == Blackout(None, 4.0, 7).from_s
    assert 0.0 <= min(begins) < 2.0
    assert 18.0 < max(begins) <= 20.0


def test_published_changes_are_applied_in_order_and_only_those_set(pixels):
    assert published_changes(DeltaSettings(), 1) == ()
    steps = published_changes(DeltaSettings(contrast=1.75, brightness=-0.2, saturation=2.5), 1)
    changed = pixels
    for step in steps:
        changed = step(changed, 0)
    expected = deltas.brightness(pixels, -0.2)
    expected = deltas.saturation(deltas.contrast(expected, 1.75), 2.5)
    assert np.array_equal(changed, expected)


def test_published_noise_has_a_stream_of_its_own(pixels):
    (step,) = published_changes(DeltaSettings(noise=30.0), 6)
    expected = deltas.noisy_pixels(pixels, 30.0, stream(6, "delta.noise.9"))
    assert np.array_equal(step(pixels, 9), expected)
    assert not np.array_equal(step(pixels, 10), expected)
