"""Every encoding against pixels computed by hand, on a picture of two colours."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from liquid_control.errors import ObservationError
from liquid_control.perception.decoding import ENCODINGS, MAX_PIXELS, picture_of

pytestmark = pytest.mark.unit

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED = "sensor_msgs/msg/CompressedImage"
HEIGHT, WIDTH = 6, 8
ORANGE, TEAL = (250, 130, 20), (10, 120, 140)


def two_colours():
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    picture[:, : WIDTH // 2], picture[:, WIDTH // 2 :] = ORANGE, TEAL
    return picture


def image(data, encoding, padding=0, big=0, height=HEIGHT, width=WIDTH):
    rows = np.asarray(data).view(np.uint8).reshape(height, -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return SimpleNamespace(
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=big,
        step=padded.shape[1],
        data=padded.reshape(-1),
    )


def alpha(picture):
    return np.concatenate([picture, np.full((*picture.shape[:2], 1), 9, np.uint8)], axis=2)


LAYOUTS = {
    "rgb8": lambda picture: picture,
    "bgr8": lambda picture: picture[..., ::-1].copy(),
    "rgba8": alpha,
    "bgra8": lambda picture: alpha(picture[..., ::-1]),
}


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", LAYOUTS)
def test_colours_come_out_as_they_are(encoding, padding):
    picture = two_colours()
    got = picture_of(IMAGE, image(LAYOUTS[encoding](picture), encoding, padding))
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, picture)


def test_rgb8_is_not_copied():
    message = image(two_colours(), "rgb8", padding=3)
    assert np.shares_memory(picture_of(IMAGE, message), message.data)


@pytest.mark.parametrize("padding", [0, 3])
def test_grey_is_equal_in_all_channels(padding):
    grey = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH)
    got = picture_of(IMAGE, image(grey, "mono8", padding))
    np.testing.assert_array_equal(got, np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize("order", ["<u2", ">u2"])
@pytest.mark.parametrize("padding", [0, 6])
def test_sixteen_bits_become_eight_by_their_share_of_white(order, padding):
    values = np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    message = image(values.astype(order), "mono16", padding, big=int(order == ">u2"))
    expected = np.rint(values.astype(np.float64) * 255 / 65535).astype(np.uint8)
    got = picture_of(IMAGE, message)
    assert got[0, 0, 0] == 0
    assert got[-1, -1, 0] == 255
    np.testing.assert_array_equal(got, np.repeat(expected[..., None], 3, axis=2))


def yuv(colour):
    """ITU-R BT.601, studio range."""
    r, g, b = colour
    return (
        16 + (65.738 * r + 129.057 * g + 25.064 * b) / 256,
        128 + (-37.945 * r - 74.494 * g + 112.439 * b) / 256,
        128 + (112.439 * r - 94.154 * g - 18.285 * b) / 256,
    )


@pytest.mark.parametrize(
    ("encoding", "order"),
    [("yuv422", "uyvy"), ("uyvy", "uyvy"), ("yuv422_yuy2", "yuyv"), ("yuyv", "yuyv")],
)
@pytest.mark.parametrize("padding", [0, 4])
def test_yuv_pairs_become_the_colours_that_they_were_made_of(encoding, order, padding):
    data = np.empty((HEIGHT, WIDTH, 2), np.uint8)
    for columns, colour in ((slice(0, WIDTH // 2), ORANGE), (slice(WIDTH // 2, WIDTH), TEAL)):
        y, u, v = (round(value) for value in yuv(colour))
        pair = {"uyvy": [[u, y], [v, y]], "yuyv": [[y, u], [y, v]]}[order]
        data[:, columns] = np.tile(pair, (WIDTH // 4, 1))
    got = picture_of(IMAGE, image(data, encoding, padding)).astype(int)
    assert np.abs(got - two_colours()).max() <= 3


PATTERNS = {
    "bayer_rggb8": ("rg", "gb"),
    "bayer_bggr8": ("bg", "gr"),
    "bayer_gbrg8": ("gb", "rg"),
    "bayer_grbg8": ("gr", "bg"),
}


@pytest.mark.parametrize("colour", [ORANGE, TEAL, (255, 0, 0), (0, 0, 255)])
@pytest.mark.parametrize("encoding", PATTERNS)
def test_a_mosaic_of_one_colour_is_that_colour(encoding, colour):
    mosaic = np.empty((HEIGHT, WIDTH), np.uint8)
    for row, letters in enumerate(PATTERNS[encoding]):
        for column, letter in enumerate(letters):
            mosaic[row::2, column::2] = colour["rgb".index(letter)]
    got = picture_of(IMAGE, image(mosaic, encoding, padding=3))
    np.testing.assert_array_equal(got, np.broadcast_to(colour, (HEIGHT, WIDTH, 3)))


@pytest.mark.parametrize("encoding", [*LAYOUTS, "mono8", "mono16"])
def test_a_single_pixel_is_a_picture(encoding):
    size = ENCODINGS[encoding].channels * ENCODINGS[encoding].bytes_each
    got = picture_of(IMAGE, image(np.zeros(size, np.uint8), encoding, height=1, width=1))
    assert got.tolist() == [[[0, 0, 0]]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoding": "16UC1"}, "expected one of the encodings rgb8, .* got '16UC1'"),
        ({"data": np.empty(0, np.uint8)}, "expected 6 rows of 24 bytes for 8x6 rgb8, got 0 bytes"),
        ({"height": 0}, "expected 0 rows"),
        ({"width": 0}, "for 0x6 rgb8"),
        ({"step": 23}, "rows of 23 bytes"),
        ({"height": 2**32 - 1}, "expected 4294967295 rows"),
        ({"width": 2**32 - 1}, "for 4294967295x6"),
    ],
)
def test_what_does_not_fill_its_picture_is_refused(change, message):
    told = vars(image(two_colours(), "rgb8")) | change
    with pytest.raises(ObservationError, match=message):
        picture_of(IMAGE, SimpleNamespace(**told))


def test_yuv_of_an_odd_width_is_refused():
    with pytest.raises(ObservationError, match="even width for yuv422, got 7"):
        picture_of(IMAGE, image(np.zeros((HEIGHT, 7, 2), np.uint8), "yuv422", width=7))


def compressed(layout, data):
    return SimpleNamespace(format=layout, data=np.frombuffer(bytes(data), np.uint8))


def png(channels):
    """A PNG file whose red channel is the last of `channels`, as OpenCV has it."""
    return cv2.imencode(".png", channels)[1].tobytes()


@pytest.mark.parametrize(
    "layout", ["png", "rgb8; png compressed bgr8", "bgr8; png compressed bgr8", "rgb8; png", ""]
)
def test_a_png_file_names_its_channels(layout):
    picture = two_colours()
    got = picture_of(COMPRESSED, compressed(layout, png(picture[..., ::-1])))
    np.testing.assert_array_equal(got, picture)


def test_rgb_that_was_encoded_as_bgr_comes_out_right():
    picture = two_colours()
    got = picture_of(COMPRESSED, compressed("rgb8; png compressed rgb8", png(picture)))
    np.testing.assert_array_equal(got, picture)


@pytest.mark.parametrize("layout", ["jpeg", "rgb8; jpeg compressed bgr8", "jpg"])
def test_a_jpeg_picture_has_its_colours(layout):
    picture = np.repeat(np.repeat(two_colours(), 8, axis=0), 8, axis=1)
    data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    got = picture_of(COMPRESSED, compressed(layout, data + b"\0\0\0")).astype(int)
    assert got.shape == picture.shape
    assert np.abs(got - picture).mean() < 2.0


def test_grey_files_have_three_channels():
    grey = np.full((4, 4), 100, np.uint8)
    got = picture_of(COMPRESSED, compressed("mono8; png compressed ", png(grey)))
    np.testing.assert_array_equal(got, np.full((4, 4, 3), 100))


def a_jpeg():
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()


@pytest.mark.parametrize(
    ("layout", "data", "message"),
    [
        ("jpeg", b"", "got 0 bytes"),
        ("jpeg", b"not a picture at all", "beginning with 6e 6f 74 20"),
        ("jpeg", a_jpeg()[:-40], "ends in the middle"),
        ("jpeg", a_jpeg()[:20] + b"\xff\xd9", "has no size|is damaged"),
        ("jpeg", b"\xff\xd8\xff\xff\xff\xff\xff\xff\xff\xff\xff\xd9", "has no size"),
        ("png", png(np.zeros((8, 8, 3), np.uint8))[:-20], "ends in the middle"),
        ("png", b"\x89PNG\r\n\x1a\n", "ends in the middle"),
        ("16UC1; compressedDepth png", png(np.zeros((2, 2), np.uint8)), "got depth"),
    ],
)
def test_damaged_files_are_refused_in_one_line(layout, data, message):
    with pytest.raises(ObservationError, match=message) as error:
        picture_of(COMPRESSED, compressed(layout, data))
    assert "\n" not in str(error.value)


def test_a_file_that_claims_to_be_huge_is_refused_before_memory_is_taken():
    data = bytearray(a_jpeg())
    size = data.index(b"\xff\xc0") + 5
    data[size : size + 4] = b"\xff\xf0\xff\xf0"
    assert 0xFFF0**2 > MAX_PIXELS
    with pytest.raises(ObservationError, match="claims 65520x65520 pixels"):
        picture_of(COMPRESSED, compressed("jpeg", bytes(data)))


def test_a_chunk_that_claims_to_be_huge_is_refused_before_memory_is_taken():
    data = bytearray(png(two_colours()))
    at = data.index(b"IDAT") - 4
    data[at : at + 4] = b"\xff\xff\xff\xf0"
    with pytest.raises(ObservationError, match="a chunk's length, 4294967280, is damaged"):
        picture_of(COMPRESSED, compressed("png", bytes(data)))


def test_a_png_with_a_wrong_checksum_is_refused():
    data = bytearray(png(two_colours()))
    data[data.index(b"IDAT") + 6] ^= 1
    with pytest.raises(ObservationError, match="has a wrong checksum"):
        picture_of(COMPRESSED, compressed("png", bytes(data)))


def test_mutated_files_raise_nothing_else():
    rng = np.random.default_rng(7)
    whole = [np.frombuffer(a_jpeg(), np.uint8), np.frombuffer(png(two_colours()), np.uint8)]
    refused = 0
    for index in range(400):
        data = whole[index % 2].copy()
        data[rng.integers(0, len(data), 4)] = rng.integers(0, 256, 4)
        try:
            picture_of(COMPRESSED, compressed("jpeg", data.tobytes()))
        except ObservationError:
            refused += 1
    assert refused > 20
