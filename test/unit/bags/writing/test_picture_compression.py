"""Compression of pictures before they are written to a bag."""

import cv2
import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from liquid_control import message_types
from liquid_control.bags import Losses, open_bag
from liquid_control.bags.writing import PictureCompressor, messages, open_sink
from liquid_control.bags.writing.picture_compression import compressor

pytestmark = pytest.mark.unit

STORE = get_typestore(Stores.ROS2_JAZZY)
HEIGHT, WIDTH = 12, 16
STAMP_NS = 5_000_000_007
PICTURE = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def image(encoding: str, rows: np.ndarray, width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Serialise rows of bytes, uint8 [H, step], as an image with the given encoding."""
    time = STORE.types["builtin_interfaces/msg/Time"](5, 7)
    header = STORE.types["std_msgs/msg/Header"](time, "left_camera")
    data = np.ascontiguousarray(rows).reshape(-1)
    step = rows.shape[1] if rows.ndim == 2 else 0
    message = STORE.types[message_types.IMAGE](header, height, width, encoding, 0, step, data)
    return bytes(STORE.serialize_cdr(message, message_types.IMAGE))


def opened(cdr: bytes):
    message = STORE.deserialize_cdr(cdr, message_types.COMPRESSED_IMAGE)
    return message, cv2.imdecode(message.data, cv2.IMREAD_UNCHANGED)


@pytest.mark.parametrize(
    ("encoding", "pixels", "bgr", "image_format"),
    [
        ("rgb8", PICTURE, PICTURE[..., ::-1], "rgb8; png compressed bgr8"),
        ("bgr8", PICTURE, PICTURE, "bgr8; png compressed bgr8"),
        ("mono8", PICTURE[..., :1], PICTURE[..., 0], "mono8; png compressed mono8"),
    ],
)
@pytest.mark.parametrize("padding", [0, 5])
def test_png_keeps_every_pixel(encoding, pixels, bgr, image_format, padding):
    rows = np.pad(pixels.reshape(HEIGHT, -1), ((0, 0), (0, padding)))
    message, decoded = opened(compressor("png")(image(encoding, rows)))
    np.testing.assert_array_equal(decoded, bgr)
    assert message.format == image_format
    stamp = message.header.stamp
    assert (stamp.sec, stamp.nanosec, message.header.frame_id) == (5, 7, "left_camera")


def test_jpeg_is_close_to_the_picture():
    """JPEG at quality 95 changes a gradient by at most a few of 255."""
    ramp = np.linspace(0, 255, WIDTH).astype(np.uint8)
    picture = np.repeat(np.tile(ramp, (HEIGHT, 1))[..., None], 3, axis=2)
    cdr = compressor("jpeg")(image("rgb8", picture.reshape(HEIGHT, -1)))
    message, decoded = opened(cdr)
    assert message.format == "rgb8; jpeg compressed bgr8"
    assert bytes(message.data[:2]) == b"\xff\xd8"
    assert np.abs(decoded.astype(int) - picture).max() <= 4


@pytest.mark.parametrize(
    "cdr",
    [
        image("bayer_rggb8", PICTURE[..., 0]),
        image("rgb8", PICTURE.reshape(HEIGHT, -1)[:, :-1]),
        image("rgb8", PICTURE.reshape(HEIGHT, -1)[:-1]),
        image("rgb8", np.zeros((0, 0), np.uint8), 0, 0),
        image("rgb8", PICTURE.reshape(HEIGHT, -1))[:40],
        b"",
    ],
    ids=["bayer", "narrow", "short", "empty", "truncated", "no-bytes"],
)
def test_other_messages_stay_unchanged(tmp_path, cdr):
    assert compressor("png")(cdr) is None
    sink = open_sink(tmp_path / "flight.mcap", {})
    prepare = PictureCompressor(sink, "camera/image_raw", "png")
    assert prepare("camera/image_raw", cdr) == ("camera/image_raw", cdr)
    assert prepare.kept == 1
    sink.close()


def test_only_pictures_move_to_the_compressed_topic(tmp_path):
    path = tmp_path / "flight.mcap"
    sink = open_sink(path, {"cmd_vel": message_types.TWIST_STAMPED})
    prepare = PictureCompressor(sink, "camera/image_raw", "png")
    assert prepare("cmd_vel", b"abc") == ("cmd_vel", b"abc")
    sink.write(*prepare("camera/image_raw", messages.image_cdr(PICTURE, STAMP_NS)), 3)
    sink.close()
    bag = open_bag(path)
    (raw,) = bag.messages({"/camera/image_raw/compressed"}, Losses())
    assert raw.type == message_types.COMPRESSED_IMAGE
    np.testing.assert_array_equal(opened(raw.data)[1], PICTURE[..., ::-1])
    assert "/camera/image_raw" not in bag.topics
