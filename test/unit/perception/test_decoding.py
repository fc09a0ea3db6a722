"""Decoding of every encoding against pixels computed by hand, on a picture of two colours."""

import cv2
import numpy as np
import pytest

from liquid_control.errors import ObservationError
from liquid_control.perception.decoding import ENCODINGS, MAX_PIXELS, decode_picture

pytestmark = pytest.mark.unit

HEIGHT, WIDTH = 6, 8
ORANGE, TEAL = (250, 130, 20), (10, 120, 140)


def two_colours():
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    picture[:, : WIDTH // 2], picture[:, WIDTH // 2 :] = ORANGE, TEAL
    return picture


def raw(data, encoding, padding=0, big=0, height=HEIGHT, width=WIDTH):
    rows = np.asarray(data).view(np.uint8).reshape(height, -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return {
        "height": height,
        "width": width,
        "encoding": encoding,
        "is_bigendian": bool(big),
        "step": padded.shape[1],
        "data": padded.reshape(-1),
    }


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
def test_colours_are_unchanged(encoding, padding):
    picture = two_colours()
    got = decode_picture(**raw(LAYOUTS[encoding](picture), encoding, padding))
    assert got.dtype == np.uint8
    np.testing.assert_array_equal(got, picture)


def test_rgb8_is_not_copied():
    message = raw(two_colours(), "rgb8", padding=3)
    assert np.shares_memory(decode_picture(**message), message["data"])


@pytest.mark.parametrize("padding", [0, 3])
def test_grey_is_equal_in_all_channels(padding):
    grey = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH)
    got = decode_picture(**raw(grey, "mono8", padding))
    np.testing.assert_array_equal(got, np.repeat(grey[..., None], 3, axis=2))


@pytest.mark.parametrize("order", ["<u2", ">u2"])
@pytest.mark.parametrize("padding", [0, 6])
def test_sixteen_bits_are_scaled_to_eight(order, padding):
    values = np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    message = raw(values.astype(order), "mono16", padding, big=int(order == ">u2"))
    expected = np.rint(values.astype(np.float64) * 255 / 65535).astype(np.uint8)
    got = decode_picture(**message)
    assert got[0, 0, 0] == 0
    assert got[-1, -1, 0] == 255
    np.testing.assert_array_equal(got, np.repeat(expected[..., None], 3, axis=2))


def yuv(colour):
    """Convert to Y, U, V by ITU-R BT.601, studio range."""
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
def test_yuv_pairs_become_their_colours(encoding, order, padding):
    data = np.empty((HEIGHT, WIDTH, 2), np.uint8)
    for columns, colour in ((slice(0, WIDTH // 2), ORANGE), (slice(WIDTH // 2, WIDTH), TEAL)):
        y, u, v = (round(value) for value in yuv(colour))
        pair = {"uyvy": [[u, y], [v, y]], "yuyv": [[y, u], [y, v]]}[order]
        data[:, columns] = np.tile(pair, (WIDTH // 4, 1))
    got = decode_picture(**raw(data, encoding, padding)).astype(int)
    assert np.abs(got - two_colours()).max() <= 3


PATTERNS = {
    "bayer_rggb8": ("rg", "gb"),
    "bayer_bggr8": ("bg", "gr"),
    "bayer_gbrg8": ("gb", "rg"),
    "bayer_grbg8": ("gr", "bg"),
}


@pytest.mark.parametrize("colour", [ORANGE, TEAL, (255, 0, 0), (0, 0, 255)])
@pytest.mark.parametrize("encoding", PATTERNS)
def test_mosaic_of_one_colour_has_that_colour(encoding, colour):
    mosaic = np.empty((HEIGHT, WIDTH), np.uint8)
    for row, letters in enumerate(PATTERNS[encoding]):
        for column, letter in enumerate(letters):
            mosaic[row::2, column::2] = colour["rgb".index(letter)]
    got = decode_picture(**raw(mosaic, encoding, padding=3))
    np.testing.assert_array_equal(got, np.broadcast_to(colour, (HEIGHT, WIDTH, 3)))


@pytest.mark.parametrize("encoding", [*LAYOUTS, "mono8", "mono16"])
def test_single_pixel_is_a_picture(encoding):
    size = ENCODINGS[encoding].channels * ENCODINGS[encoding].bytes_each
    got = decode_picture(**raw(np.zeros(size, np.uint8), encoding, height=1, width=1))
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
def test_data_of_the_wrong_size_is_rejected(change, message):
    fields = raw(two_colours(), "rgb8") | change
    with pytest.raises(ObservationError, match=message):
        decode_picture(**fields)


def test_yuv_of_an_odd_width_is_rejected():
    with pytest.raises(ObservationError, match="even width for yuv422, got 7"):
        decode_picture(**raw(np.zeros((HEIGHT, 7, 2), np.uint8), "yuv422", width=7))


def compressed(image_format, data):
    return image_format, np.frombuffer(bytes(data), np.uint8)


def png(channels):
    """Return a PNG file whose red channel is the last of `channels`, as in OpenCV."""
    return cv2.imencode(".png", channels)[1].tobytes()


@pytest.mark.parametrize(
    "image_format",
    ["png", "rgb8; png compressed bgr8", "bgr8; png compressed bgr8", "rgb8; png", ""],
)
def test_png_channel_order_does_not_depend_on_the_format(image_format):
    picture = two_colours()
    got = decode_picture(*compressed(image_format, png(picture[..., ::-1])))
    np.testing.assert_array_equal(got, picture)


def test_rgb_encoded_as_bgr_is_decoded_correctly():
    picture = two_colours()
    got = decode_picture(*compressed("rgb8; png compressed rgb8", png(picture)))
    np.testing.assert_array_equal(got, picture)


@pytest.mark.parametrize("image_format", ["jpeg", "rgb8; jpeg compressed bgr8", "jpg"])
def test_jpeg_picture_has_its_colours(image_format):
    picture = np.repeat(np.repeat(two_colours(), 8, axis=0), 8, axis=1)
    data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    got = decode_picture(*compressed(image_format, data + b"\0\0\0")).astype(int)
    assert got.shape == picture.shape
    assert np.abs(got - picture).mean() < 2.0


def test_grey_files_have_three_channels():
    grey = np.full((4, 4), 100, np.uint8)
    got = decode_picture(*compressed("mono8; png compressed ", png(grey)))
    np.testing.assert_array_equal(got, np.full((4, 4, 3), 100))


def a_jpeg():
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    return cv2.imencode(".jpg", noise)[1].tobytes()


@pytest.mark.parametrize(
    ("image_format", "data", "message"),
    [
        ("jpeg", b"", "got 0 bytes"),
        ("jpeg", b"not a picture at all", "beginning with 6e 6f 74 20"),
        ("jpeg", a_jpeg()[:-40], "is truncated"),
        ("jpeg", a_jpeg()[:20] + b"\xff\xd9", "has no size|is damaged"),
        ("jpeg", b"\xff\xd8\xff\xff\xff\xff\xff\xff\xff\xff\xff\xd9", "has no size"),
        ("png", png(np.zeros((8, 8, 3), np.uint8))[:-20], "is truncated"),
        ("png", b"\x89PNG\r\n\x1a\n", "is truncated"),
        ("16UC1; compressedDepth png", png(np.zeros((2, 2), np.uint8)), "got depth"),
    ],
)
def test_damaged_files_raise_one_line_errors(image_format, data, message):
    with pytest.raises(ObservationError, match=message) as error:
        decode_picture(*compressed(image_format, data))
    assert "\n" not in str(error.value)


def test_file_that_declares_a_huge_size_is_rejected_before_allocation():
    data = bytearray(a_jpeg())
    size = data.index(b"\xff\xc0") + 5
    data[size : size + 4] = b"\xff\xf0\xff\xf0"
    assert 0xFFF0**2 > MAX_PIXELS
    with pytest.raises(ObservationError, match="declares 65520x65520 pixels"):
        decode_picture(*compressed("jpeg", bytes(data)))


def test_chunk_that_declares_a_huge_length_is_rejected_before_allocation():
    data = bytearray(png(two_colours()))
    at = data.index(b"IDAT") - 4
    data[at : at + 4] = b"\xff\xff\xff\xf0"
    with pytest.raises(ObservationError, match="the length of a chunk, 4294967280, is damaged"):
        decode_picture(*compressed("png", bytes(data)))


def test_png_with_a_wrong_checksum_is_rejected():
    data = bytearray(png(two_colours()))
    data[data.index(b"IDAT") + 6] ^= 1
    with pytest.raises(ObservationError, match="has a wrong checksum"):
        decode_picture(*compressed("png", bytes(data)))


def test_mutated_files_raise_nothing_else():
    rng = np.random.default_rng(7)
    whole = [np.frombuffer(a_jpeg(), np.uint8), np.frombuffer(png(two_colours()), np.uint8)]
    refused = 0
    for index in range(400):
        data = whole[index % 2].copy()
        data[rng.integers(0, len(data), 4)] = rng.integers(0, 256, 4)
        try:
            decode_picture(*compressed("jpeg", data.tobytes()))
        except ObservationError:
            refused += 1
    assert refused > 20
