"""Time constants and wiring of a live flight: put together from its messages, or left out."""

import cv2
import numpy as np
import pytest

from liquid_control import message_types, topics
from liquid_control.bags.decoding.sensors import compressed_image_of, neurons_of
from liquid_control.bags.decoding.stamps import own_stamp
from liquid_control.bags.decoding.typestore import Types
from liquid_control.bags.writing import messages
from liquid_control.command import MOTORS
from liquid_control.inspection.flight import FrameCollector
from liquid_control.inspection.flight import time_constants as inspected
from liquid_control.liquid.activity import step_activity
from liquid_control.policy import Policy, load_model
from liquid_control.types import ImuWindow, Observation
from liquid_control.viewers import feed as feeds
from liquid_control.viewers.feed import FeedRates, ViewerFeed
from liquid_control.viewers.network_steps import LONGEST_S, TOLERANCE
from liquid_control.viewers.wiring_picture import WiringPicture
from test.unit.viewers.conftest import Clock, Sent

pytestmark = pytest.mark.unit

FRAMES = 30
FAST = FeedRates(numbers=1e6, wiring=1e6)


@pytest.fixture(scope="module")
def policy():
    return Policy(load_model("trail_cfc19"))


@pytest.fixture(scope="module")
def flight(policy):
    """Return the frames of a flight with irregular elapsed times."""
    rng = np.random.default_rng(7)
    collector = FrameCollector(policy)
    view = policy.model.settings.camera.view
    picture = np.zeros((view.height, view.width, 3), np.uint8)
    features = np.zeros(policy.model.settings.features.total, np.float32)
    stamp_ns = 5_000_000_000
    for _ in range(FRAMES):
        features = (0.9 * features + rng.normal(0.0, 0.3, features.shape)).astype(np.float32)
        observation = Observation(
            stamp_ns, picture, ImuWindow.empty(), mount=(view.horizontal_fov_deg, 0.0)
        )
        collector.add(observation, picture, features)
        stamp_ns += int(rng.integers(20_000_000, 60_000_000))
    return collector.flight("drawn")


def features_at(flight, frame):
    return messages.features_cdr(flight.features[frame], int(flight.stamp_ns[frame]))


def neurons_at(flight, frame):
    values = flight.states[frame], flight.gates[frame]
    return messages.neurons_cdr(flight.state_names, *values, int(flight.stamp_ns[frame]))


def fly(made, flight, frames, lost=(), first=topics.FEATURES):
    """Give the messages of frames to a feed, without the neurons of some."""
    for frame in frames:
        pair = {topics.FEATURES: features_at(flight, frame)}
        if frame not in lost:
            pair[topics.NEURONS] = neurons_at(flight, frame)
        for topic in sorted(pair, key=lambda topic: topic != first):
            made.receive(topic, pair[topic], 9)


def shown(sent):
    """Return time constants and rates by frame's stamp."""
    found = {}
    for topic, message, _ in sent.messages:
        assert topic == feeds.TIME_CONSTANTS
        content = Types({}).decode(message_types.JOINT_STATE, message)
        names, constants_s, rates = neurons_of(content)
        found[own_stamp(message_types.JOINT_STATE, message)] = names, constants_s, rates
    return found


@pytest.mark.parametrize("first", [topics.FEATURES, topics.NEURONS])
def test_time_constants_are_those_of_an_inspection(policy, flight, first):
    sent = Sent(feeds.TIME_CONSTANTS)
    made = ViewerFeed(sent, policy.model, FAST)
    assert list(made.sources()) == [topics.FEATURES, topics.NEURONS]
    fly(made, flight, range(FRAMES), first=first)
    found = shown(sent)
    assert list(found) == flight.stamp_ns.tolist()
    expected = inspected(policy, flight)
    assert (expected > LONGEST_S).any()
    assert (expected < 0.1).any()
    for row, (names, constants_s, rates) in zip(expected, found.values(), strict=True):
        assert names == policy.model.weights.wiring.names
        np.testing.assert_allclose(constants_s, np.minimum(row, LONGEST_S), rtol=1e-12)
        np.testing.assert_allclose(1.0 / np.abs(rates), row, rtol=1e-12)
    assert not made.counts


def test_the_wiring_shows_the_activity_of_the_step_and_changes_with_it(policy, flight):
    sent = Sent(feeds.WIRING)
    made = ViewerFeed(sent, policy.model, FAST, jpeg_quality=95)
    fly(made, flight, range(FRAMES))
    assert sent.topics() == [feeds.WIRING] * FRAMES
    drawn = WiringPicture(policy.model.weights.wiring, MOTORS)
    pictures = []
    for frame, (_, message, stamp_ns) in enumerate(sent.messages):
        assert stamp_ns == 9
        assert own_stamp(message_types.COMPRESSED_IMAGE, message) == flight.stamp_ns[frame]
        image_format, file = compressed_image_of(message)
        assert image_format == "jpeg"
        values = flight.features[frame], flight.before[frame]
        activity = step_activity(policy.model.weights, *values, flight.elapsed_s[frame])
        np.testing.assert_allclose(activity.states, flight.states[frame], atol=1e-6)
        pictures.append(drawn.draw(activity, flight.features[frame]))
        bgr = cv2.cvtColor(pictures[-1], cv2.COLOR_RGB2BGR)
        _, expected = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 95])
        np.testing.assert_array_equal(file, expected)
    assert np.abs(pictures[-1].astype(int) - pictures[0]).mean() > 2.0


def test_nothing_is_computed_that_no_viewer_looks_at(policy, flight):
    sent = Sent()
    made = ViewerFeed(sent, policy.model, FAST)
    assert made.sources() == {}
    made.receive(topics.FEATURES, b"damaged", 1)
    made.receive(topics.NEURONS, b"damaged", 1)
    sent.looked_at = {feeds.SALIENCY, "/policy/neurons"}
    made.receive(topics.FEATURES, b"damaged", 1)
    assert not made.counts
    sent.looked_at = {feeds.TIME_CONSTANTS}
    made.receive(topics.FEATURES, b"damaged", 1)
    assert made.counts == {"message_refused": 1}
    assert made.problem.startswith("perception/features: expected")


def test_pictures_of_the_wiring_have_a_largest_rate(policy, flight):
    sent, clock = Sent(feeds.WIRING), Clock()
    made = ViewerFeed(sent, policy.model, FeedRates(wiring=4.0), clock=clock)
    for frame in range(FRAMES):
        clock.now_s = 100.0 + frame / 30.0 + 1e-6
        fly(made, flight, [frame])
    stamps = [own_stamp(message_types.COMPRESSED_IMAGE, one) for _, one, _ in sent.messages]
    assert stamps == flight.stamp_ns[[0, 6, 14, 21, 29]].tolist()


def test_the_step_after_a_missed_message_is_left_out(policy, flight):
    sent = Sent(feeds.TIME_CONSTANTS)
    made = ViewerFeed(sent, policy.model, FAST)
    fly(made, flight, range(FRAMES), lost=(6, 7, 20))
    missing = [6, 7, 8, 20, 21]
    assert list(shown(sent)) == np.delete(flight.stamp_ns, missing).tolist()
    assert made.counts == {"step_left_out": 2}


def test_the_step_of_missed_features_is_left_out_and_the_next_one_is_shown(policy, flight):
    sent = Sent(feeds.TIME_CONSTANTS)
    made = ViewerFeed(sent, policy.model, FAST)
    for frame in range(FRAMES):
        if frame != 11:
            made.receive(topics.FEATURES, features_at(flight, frame), 9)
        made.receive(topics.NEURONS, neurons_at(flight, frame), 9)
    assert list(shown(sent)) == np.delete(flight.stamp_ns, 11).tolist()
    assert made.counts == {"step_left_out": 1}


def test_a_viewer_that_comes_in_the_middle_gets_the_second_step(policy, flight):
    sent = Sent(feeds.TIME_CONSTANTS)
    made = ViewerFeed(sent, policy.model, FAST)
    fly(made, flight, range(10, FRAMES))
    assert list(shown(sent)) == flight.stamp_ns[11:].tolist()
    # Another one, after a pause in which nobody looked.
    sent.messages.clear()
    fly(made, flight, range(3, 6))
    assert list(shown(sent)) == flight.stamp_ns[4:6].tolist()
    assert made.counts == {"step_left_out": 2}


def test_after_a_jump_of_the_stamps_a_step_begins_at_a_fresh_state(policy, flight):
    rng = np.random.default_rng(8)
    state, stamp_ns = flight.states[-1], int(flight.stamp_ns[-1])
    fresh, nominal_s = policy.init_state(), policy.model.settings.nominal_dt_s
    sent = Sent(feeds.TIME_CONSTANTS)
    made = ViewerFeed(sent, policy.model, FAST)
    fly(made, flight, range(FRAMES))
    sent.messages.clear()
    features = rng.normal(0.0, 0.5, flight.features.shape[1]).astype(np.float32)
    decision = policy.act(features, fresh, nominal_s)
    for gap_ns in (2_000_000_000, -3_000_000_000):
        stamp_ns += gap_ns
        made.receive(topics.FEATURES, messages.features_cdr(features, stamp_ns), 9)
        values = decision.state, decision.gates
        message = messages.neurons_cdr(flight.state_names, *values, stamp_ns)
        made.receive(topics.NEURONS, message, 9)
        assert list(shown(sent))[-1] == stamp_ns
    wrong = policy.act(features, state, nominal_s)
    assert np.abs(wrong.state - decision.state).max() > TOLERANCE
    assert not made.counts


def test_neurons_of_another_network_are_refused(policy, flight):
    sent = Sent(feeds.TIME_CONSTANTS)
    made = ViewerFeed(sent, policy.model, FAST)
    message = messages.neurons_cdr(["state_0"], np.zeros(1), np.zeros(0), 1)
    made.receive(topics.NEURONS, message, 9)
    assert made.counts == {"message_refused": 1}
    assert made.problem == (
        "policy/neurons: expected the 19 neurons of trail_cfc19, got 1 of another network"
    )
    fly(made, flight, range(3))
    assert list(shown(sent)) == flight.stamp_ns[:3].tolist()


def test_another_model_of_as_many_neurons_is_left_out(flight):
    sent = Sent(feeds.TIME_CONSTANTS)
    model = load_model("trail_contracting")
    assert model.weights.wiring.names == flight.state_names
    made = ViewerFeed(sent, model, FAST)
    fly(made, flight, range(FRAMES))
    assert not sent.messages
    assert made.counts == {"step_left_out": FRAMES}


@pytest.mark.parametrize("name", [None, "trail_gru"])
def test_without_a_wired_core_neither_is_offered(name, flight):
    model = None if name is None else load_model(name)
    made = ViewerFeed(Sent(feeds.POSE, "/policy/neurons"), model, FAST)
    fly(made, flight, range(2))
    assert not made.counts
    pytest.importorskip("foxglove", reason="foxglove-sdk is not installed (extra foxglove)")
    assert not feeds.channels(model).keys() & {feeds.TIME_CONSTANTS, feeds.WIRING}
