"""Features of recorded frames: each frame is fitted and encoded once a replay."""

from dataclasses import replace

import numpy as np
import pytest

from liquid_control.bags import CameraInfoEvent
from liquid_control.perception import Encoder, camera_view
from liquid_control.policy import policy as policy_module
from liquid_control.replay import BACKENDS, FeatureExtractor, Player, feature_extractor, replay
from liquid_control.replay.distribution_shift import PictureStatisticsCollector
from liquid_control.replay.disturbed import DisturbedReplay, Variant
from liquid_control.types import ImuWindow

pytestmark = pytest.mark.unit

FRAMES = 7


@pytest.fixture
def calls(monkeypatch):
    """Count the calls of `fit` and of the perception network."""
    numbers = {"fit": 0, "encode": 0}
    fit, encode = camera_view.fit, Encoder.encode

    def counting_fit(image, view):
        numbers["fit"] += 1
        return fit(image, view)

    def counting_encode(self, picture, mount=None):
        numbers["encode"] += 1
        return encode(self, picture, mount)

    monkeypatch.setattr(feature_extractor, "fit", counting_fit)
    monkeypatch.setattr(policy_module, "fit", counting_fit)
    monkeypatch.setattr(Encoder, "encode", counting_encode)
    return numbers


@pytest.mark.parametrize("size", [(72, 128), (480, 640)])
def test_a_frame_is_fitted_once_for_all_consumers(policy, frames, calls, size):
    extractor = FeatureExtractor(policy)
    players = [Player(extractor, BACKENDS[name](policy.model)) for name in BACKENDS]
    variants = [
        Variant("darker", severity, {}, lambda view: lambda image, stamp_ns, index: image // 2)
        for severity in (1, 2)
    ]
    statistics = PictureStatisticsCollector(extractor)
    disturbed = DisturbedReplay({"demo": extractor}, variants)
    camera = CameraInfoEvent(size[1], size[0], 90.0, np.empty(0))
    replay([camera, *frames(FRAMES, size=size)], [*players, statistics, disturbed])
    assert calls == {"fit": FRAMES, "encode": FRAMES * (1 + len(variants))}
    assert len(statistics.series()) == FRAMES
    assert [row.frames for row in disturbed.result().rows] == [FRAMES] * len(variants)
    for player in players:
        assert player.replayed().refused == {}


@pytest.mark.parametrize("size", [(72, 128), (360, 640), (270, 480)])
def test_features_equal_those_of_the_policy_bit_for_bit(policy, frames, size):
    extractor = FeatureExtractor(policy)
    for frame in frames(5, seed=9, size=size):
        found = extractor.extract(frame)
        np.testing.assert_array_equal(found.features, policy.features(frame.observation))
        assert found.picture.shape == (72, 128, 3)
        again = FeatureExtractor(policy).extract_fitted(found.picture, frame.observation)
        np.testing.assert_array_equal(again.features, found.features)


def test_a_refused_picture_is_fitted_once_and_counts_as_a_frame(policy, frames, altered, calls):
    numbers = []
    extractor = FeatureExtractor(
        policy, lambda image, stamp, index: numbers.append(index) or image
    )
    events = frames(3)
    events[1] = altered(events[1], image=np.zeros((20, 20, 3), np.uint8))
    found = [extractor.extract(frame) for frame in events]
    assert numbers == [0, 2]
    assert calls["fit"] <= 3
    assert "20x20" in str(found[1].error)
    assert found[1].features is None


def test_a_change_that_returns_another_size_is_refused(policy, frames):
    extractor = FeatureExtractor(policy, lambda image, stamp_ns, index: image[1:])
    found = extractor.extract(frames(1)[0])
    assert "expected a fitted picture" in str(found.error)


def test_imu_samples_of_undelivered_frames_are_in_the_next_window(policy, frames):
    first, second = frames(2)
    extractor = FeatureExtractor(policy, lambda image, stamp, index: image if index else None)
    assert extractor.extract(first) is None
    joined = ImuWindow.joined([first.observation.imu, second.observation.imu])
    whole = replace(second.observation, imu=joined)
    expected = policy.features_of_fitted(whole.image, whole)
    np.testing.assert_array_equal(extractor.extract(second).features, expected)
