import cv2
import numpy as np
import pytest

from liquid_control.errors import ObservationError
from liquid_control.pages.picture_track import PictureEncoder, picture_track, saliency_track

pytestmark = pytest.mark.unit


def decoded(track, index):
    begin = track.ends[index - 1] if index else 0
    return cv2.imdecode(track.jpeg[begin : track.ends[index]], cv2.IMREAD_COLOR)[..., ::-1]


def noise(height=54, width=96, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_frames_come_back_in_their_order_and_colour():
    colours = ([200, 30, 30], [30, 200, 30], [30, 30, 200])
    pictures = [np.full((54, 96, 3), colour, np.uint8) for colour in colours]
    track = picture_track(np.array([0.0, 0.1, 0.2]), pictures)
    assert (track.size, track.stride) == ((96, 54), 1)
    for index, colour in enumerate(colours):
        np.testing.assert_allclose(decoded(track, index).mean(axis=(0, 1)), colour, atol=4)


def test_frames_of_a_clock_that_stepped_back_are_ordered():
    pictures = [np.full((54, 96, 3), value, np.uint8) for value in (50, 100, 150)]
    track = picture_track(np.array([0.2, 0.0, 0.1]), pictures)
    assert track.seconds.tolist() == [0.0, 0.1, 0.2]
    means = [round(float(decoded(track, index).mean())) for index in range(3)]
    assert means == [100, 150, 50]


def test_the_worst_pictures_stay_within_the_budget():
    encoder = PictureEncoder(60, budget=200_000)
    for index in range(60):
        encoder.add(index / 20, noise(480, 640, index))
    track = encoder.track()
    assert len(track.jpeg) <= 200_000
    assert len(track.ends) == 60
    assert track.size[0] == 640


def test_of_a_long_flight_every_nth_frame_is_kept():
    encoder = PictureEncoder(1000, budget=300_000)
    for index in range(1000):
        encoder.add(index / 20, noise())
    track = encoder.track()
    assert track.stride == 5
    assert track.seconds[:3].tolist() == [0.0, 0.25, 0.5]
    assert len(track.ends) == 200


def test_no_frames_are_no_track():
    assert picture_track(np.array([]), []) is None


def test_saliency_is_scaled_to_its_largest_value():
    maps = np.zeros((2, 18, 32))
    maps[0, 4:10, 8:20] = 0.01
    track = saliency_track(np.array([0.0, 0.1]), maps)
    first = decoded(track, 0)[..., 0]
    assert first[6, 12] >= 245
    assert first[15, 28] <= 10
    assert decoded(track, 1).max() == 0


def test_saliency_that_does_not_fit_is_refused():
    with pytest.raises(ObservationError, match=r"each of 3 frames, \[F, H, W\], got shape \[2"):
        saliency_track(np.zeros(3), np.zeros((2, 5, 5)))
    with pytest.raises(ObservationError, match="finite and not negative"):
        saliency_track(np.zeros(1), np.full((1, 5, 5), -1.0))
