"""Pictures of a flight: late intrinsics, formats, bytes after the end, decoding ahead."""

import os

import cv2
import numpy as np
import pytest
from recordings import MS, SECOND, START, RecordingBuilder, camera_info, compressed, image, imu

from liquid_control.bags import (
    CameraInfoEvent,
    FrameEvent,
    Losses,
    load_rules,
    open_bag,
    read_flight,
    resolve,
    survey_bag,
)
from liquid_control.bags.decoding import pictures
from liquid_control.perception import CameraView

pytestmark = pytest.mark.unit

COMPRESSED = "/camera/image_raw/compressed"
INFO = "/camera/camera_info"
PERIOD = 50 * MS


def picture(index, width=40, height=24):
    coarse = np.random.default_rng(index).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((height // 3, width // 5, 1), np.uint8))


def file(index, suffix=".png"):
    return cv2.imencode(suffix, picture(index)[..., ::-1])[1].tobytes()


def recording(count=12, info_at=None, **info):
    """Return a flight with compressed pictures, and one camera_info after a number of pictures."""
    flight = RecordingBuilder()
    for index in range(count):
        at_ns = START + index * PERIOD
        if index == info_at:
            flight.add(INFO, camera_info(at_ns, 40, 24, 20.0, **info), at_ns)
        flight.add("/imu/data", imu(at_ns), at_ns)
        flight.add(COMPRESSED, compressed(at_ns, "jpeg", file(index)), at_ns)
    return flight


def read(path, start_ns=None, flags=None):
    bag, losses = open_bag(path), Losses()
    events = list(read_flight(bag, resolve(bag, load_rules((), flags or {})), losses, start_ns))
    return events, losses


def kinds(events):
    return [type(event) for event in events if isinstance(event, CameraInfoEvent | FrameEvent)]


@pytest.mark.parametrize("count", [12, 200])
def test_first_pictures_have_the_intrinsics_that_come_after_them(tmp_path, count):
    """The prefix that is read first holds two seconds; the intrinsics may come later."""
    path = recording(count, info_at=count - 2).write(tmp_path / "bag")
    events, losses = read(path)
    assert kinds(events) == [CameraInfoEvent, *[FrameEvent] * count]
    assert events[0].horizontal_fov_deg == pytest.approx(90.0, abs=0.03)
    assert not losses.counts


def test_a_part_of_a_flight_has_the_intrinsics_sent_before_it(tmp_path):
    path = recording(200, info_at=0).write(tmp_path / "bag")
    events, losses = read(path, START + 5 * SECOND)
    assert kinds(events) == [CameraInfoEvent, *[FrameEvent] * 100]
    assert not losses.counts


def test_intrinsics_that_change_are_used_from_there_on(tmp_path):
    flight = recording(4, info_at=1)
    flight.add(INFO, camera_info(START, 40, 24, 40.0), START + 3 * PERIOD + 1)
    flight.messages.sort(key=lambda entry: entry[0])
    events, _ = read(flight.write(tmp_path / "bag"))
    found = [e.horizontal_fov_deg for e in events if isinstance(e, CameraInfoEvent)]
    assert found == pytest.approx([90.0, 53.13], abs=0.03)


def test_a_survey_counts_the_messages_once_when_it_searches_the_intrinsics(tmp_path):
    bag = open_bag(recording(200, info_at=150).write(tmp_path / "bag"))
    found = survey_bag(bag, load_rules())
    assert {name: traffic.count for name, traffic in found.traffic.items()} == {
        COMPRESSED: 200,
        INFO: 1,
        "/imu/data": 200,
    }
    assert found.content.fov_deg == pytest.approx(90.0, abs=0.03)


def with_fields(message, model=None, d=None, roi=None, binning=1):
    message.distortion_model = model or message.distortion_model
    message.d = np.array(d if d is not None else message.d, np.float64)
    if roi is not None:
        for name, value in zip(("x_offset", "y_offset", "width", "height"), roi, strict=True):
            setattr(message.roi, name, value)
    message.binning_x = message.binning_y = binning
    return message


@pytest.mark.parametrize(
    ("fields", "size", "fov_deg"),
    [
        ({"model": "equidistant", "d": [0.0] * 4}, (640, 480), 114.59),
        ({"roi": (160, 120, 320, 240)}, (320, 240), 53.13),
        ({"binning": 2}, (320, 240), 90.0),
        ({"model": "plumb_bob", "d": [-0.1, 0, 0, 0, 0]}, (640, 480), 98.15),
    ],
)
def test_intrinsics_follow_distortion_region_and_binning(tmp_path, fields, size, fov_deg):
    flight = recording(3)
    flight.add(INFO, with_fields(camera_info(START), **fields), START)
    events, losses = read(flight.write(tmp_path / "bag"))
    (event,) = (event for event in events if isinstance(event, CameraInfoEvent))
    assert (event.width, event.height) == size
    assert event.horizontal_fov_deg == pytest.approx(fov_deg, abs=0.05)
    assert not losses.counts
    curved = [line for line in losses.warnings if "a fisheye (equidistant)" in line]
    assert len(curved) == len(losses.warnings) == (fields.get("model") == "equidistant")


def test_unknown_distortion_refuses_the_pictures_with_advice_that_works(tmp_path):
    """The picture has the model's shape: without the calibration it would be taken as it is."""
    flight = RecordingBuilder()
    flight.add(INFO, with_fields(camera_info(START, 96, 54, 48.0), "omni", [0.1] * 4), START)
    data = np.zeros((54, 96, 3), np.uint8)
    flight.add("/camera/image_raw", image(START, height=54, width=96, data=data), START)
    bag, view = open_bag(flight.write(tmp_path / "bag")), CameraView(96, 54, 90.0)
    found = survey_bag(bag, load_rules(), view=view, min_coverage=0.8)
    assert "got 'omni' with 4" in found.obstacle
    assert "camera=/name,DEGREES" in found.obstacle
    assert found.content.fov_deg is None
    rules = load_rules((), {"camera": "/camera/image_raw,90"})
    assert survey_bag(bag, rules, view=view, min_coverage=0.8).obstacle == ""


def test_bytes_after_the_end_are_counted_and_the_pictures_used(tmp_path):
    flight = RecordingBuilder()
    for index in range(3):
        data = file(index, ".jpg") + b"\r\n"
        flight.add(COMPRESSED, compressed(START + index, "jpeg", data), START + index)
    events, losses = read(flight.write(tmp_path / "bag"))
    assert kinds(events) == [FrameEvent] * 3
    assert losses.lines() == [
        "3 pictures with bytes after their end, which were ignored "
        f"({COMPRESSED}: 2 bytes after the end of a picture)"
    ]


def test_pictures_are_read_as_the_flag_says(tmp_path):
    pixels = picture(0)
    flight = RecordingBuilder()
    flight.add("/camera/image_raw", image(START, "8UC3", 24, 40, pixels[..., ::-1]), START)
    path = flight.write(tmp_path / "raw")
    events, losses = read(path)
    assert kinds(events) == []
    assert "--topic camera=/name,bgr8" in losses.lines()[0]
    for flag in ("bgr8", "69.4,bgr8", "BGR8,69.4"):
        events, losses = read(path, flags={"camera": f"/camera/image_raw,{flag}"})
        (frame,) = (event for event in events if isinstance(event, FrameEvent))
        np.testing.assert_array_equal(frame.observation.image, pixels)
        assert not losses.counts
    swapped = RecordingBuilder()
    data = cv2.imencode(".png", pixels)[1].tobytes()
    swapped.add(COMPRESSED, compressed(START, "rgb8; png compressed rgb8", data), START)
    events, _ = read(swapped.write(tmp_path / "png"), flags={"camera": f"{COMPRESSED},rgb8"})
    np.testing.assert_array_equal(events[0].observation.image, pixels)


@pytest.mark.parametrize("cores", [1, 2, 8])
def test_decoding_ahead_changes_neither_order_nor_losses(tmp_path, monkeypatch, cores):
    flight = recording(60, info_at=30)
    for index in (3, 4, 17, 59):
        at_ns = START + index * PERIOD + 1
        broken = compressed(at_ns, "jpeg", file(index, ".jpg")[: 40 + index])
        flight.add(COMPRESSED, broken, at_ns)
    flight.messages.sort(key=lambda entry: entry[0])
    path = flight.write(tmp_path / "bag")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)))
    events, losses = read(path)
    frames = [event.observation for event in events if isinstance(event, FrameEvent)]
    assert [frame.stamp_ns for frame in frames] == [START + i * PERIOD for i in range(60)]
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.image, picture(index))
    assert losses.lines() == [
        "4 pictures that cannot be used (/camera/image_raw/compressed: a JPEG picture of 43 bytes "
        "is truncated)"
    ]


def test_few_pictures_among_many_messages_are_read_ahead_within_bounds(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "AHEAD_MESSAGES", 20)
    flight = recording(2)
    for index in range(200):
        flight.add("/imu/data", imu(START + SECOND + index * MS), START + SECOND + index * MS)
    bag = open_bag(flight.write(tmp_path / "bag"))
    reader = pictures.PictureReader(resolve(bag, load_rules()).sources["camera"], Losses())
    taken = []

    def counted():
        for message in bag.messages(tuple(bag.topics), Losses()):
            taken.append(message)
            yield message

    for number, _ in enumerate(reader.ahead(counted())):
        assert len(taken) - number <= 22
    assert len(taken) == 204


def test_large_pictures_are_not_decoded_ahead(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "AHEAD_BYTES", 2 * picture(0).nbytes)
    path = recording(20).write(tmp_path / "bag")
    bag = open_bag(path)
    topics = resolve(bag, load_rules())
    reader = pictures.PictureReader(topics.sources["camera"], Losses())
    ahead = 0
    seen = read_ahead = 0
    messages = list(bag.messages([COMPRESSED], Losses()))

    def counted():
        nonlocal read_ahead
        for message in messages:
            read_ahead += 1
            yield message

    for message in reader.ahead(counted()):
        reader.read(message, topics.sources["camera"])
        seen += 1
        ahead = max(ahead, read_ahead - seen)
    assert seen == 20
    assert 1 <= ahead <= 2
