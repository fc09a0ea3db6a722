"""Decoding of every encoding against pixels computed by hand, on a picture of two colours."""

import cv2
import numpy as np
import pytest

from liquid_control.errors import ObservationError
from liquid_control.perception.decoding import ENCODINGS, MAX_PIXELS, decode_file, decode_picture

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


@pytest.mark.parametrize("order", ["<u2", ">u2"])
@pytest.mark.parametrize("encoding", ["rgb16", "bgr16", "rgba16", "bgra16"])
def test_colours_of_sixteen_bits_are_scaled_to_eight(encoding, order):
    rng = np.random.default_rng(2)
    picture = rng.integers(0, 65536, (HEIGHT, WIDTH, 3)).astype(np.uint16)
    stored = picture[..., ::-1] if encoding.startswith("bgr") else picture
    if "a" in encoding:
        stored = np.concatenate([stored, np.full((HEIGHT, WIDTH, 1), 9, np.uint16)], axis=2)
    data = np.ascontiguousarray(stored).astype(order)
    got = decode_picture(**raw(data, encoding, padding=4, big=int(order == ">u2")))
    np.testing.assert_array_equal(got, np.rint(picture * (255 / 65535)).astype(np.uint8))


@pytest.mark.parametrize("order", ["<u2", ">u2"])
@pytest.mark.parametrize("encoding", PATTERNS)
def test_mosaic_of_sixteen_bits_has_its_colour(encoding, order):
    wide = mosaic(encoding, [value * 257 for value in TEAL], np.uint16).astype(order)
    name = encoding.replace("8", "16")
    got = decode_picture(**raw(wide, name, padding=2, big=int(order == ">u2")))
    np.testing.assert_array_equal(got, np.broadcast_to(TEAL, (HEIGHT, WIDTH, 3)))


def planes(encoding, padding=0):
    """Return a picture of two colours in an encoding with separate planes, row by row."""
    y = np.empty((HEIGHT, WIDTH), np.uint8)
    u, v = np.empty((2, HEIGHT // 2, WIDTH // 2), np.uint8)
    for half, colour in ((slice(0, WIDTH // 2), ORANGE), (slice(WIDTH // 2, WIDTH), TEAL)):
        quarter = slice(half.start // 2, half.stop // 2)
        y[:, half], u[:, quarter], v[:, quarter] = (round(value) for value in yuv(colour))
    if encoding in ("nv12", "nv21"):
        pairs = (u, v) if encoding == "nv12" else (v, u)
        colours = [np.stack(pairs, axis=2).reshape(HEIGHT // 2, WIDTH)]
    else:
        colours = [u, v]
    widths = [padding, *(padding * plane.shape[1] // WIDTH for plane in colours)]
    padded = (
        np.pad(plane, ((0, 0), (0, width)), constant_values=77)
        for plane, width in zip([y, *colours], widths, strict=True)
    )
    return np.concatenate([plane.reshape(-1) for plane in padded])


PLANES = ["nv12", "nv21", "yuv420", "i420", "NV12"]


@pytest.mark.parametrize("padding", [0, 4])
@pytest.mark.parametrize("encoding", PLANES)
def test_planes_become_their_colours(encoding, padding):
    data, step = planes(encoding.lower(), padding), WIDTH + padding
    got = decode_picture(encoding, data, HEIGHT, WIDTH, step).astype(int)
    assert np.abs(got - two_colours()).max() <= 3


@pytest.mark.parametrize(
    ("size", "cut", "message"),
    [
        ((HEIGHT, WIDTH, WIDTH), 1, "expected 6 rows of 8 bytes for 8x6 nv12, got 71 bytes"),
        ((HEIGHT, WIDTH - 1, WIDTH), 0, "even size for nv12, got 7x6"),
        ((HEIGHT - 1, WIDTH, WIDTH), 0, "even size for nv12, got 8x5"),
        ((HEIGHT, WIDTH, WIDTH - 2), 0, "rows of 6 bytes for 8x6 nv12"),
        ((0, WIDTH, WIDTH), 72, "expected 0 rows"),
    ],
)
def test_planes_of_the_wrong_size_are_rejected(size, cut, message):
    data = planes("nv12")
    with pytest.raises(ObservationError, match=message):
        decode_picture("nv12", data[: len(data) - cut], *size)


@pytest.mark.parametrize(
    ("declared", "read_as", "layout"),
    [
        ("8UC3", "bgr8", lambda p: p[..., ::-1].copy()),
        ("8UC3", "rgb8", lambda p: p),
        ("8UC4", "rgba8", alpha),
        ("mono8", "bayer_gbrg8", lambda p: mosaic("bayer_gbrg8", ORANGE)),
        ("8UC1", "mono8", lambda p: p[..., 1].copy()),
    ],
)
def test_pixels_are_read_as_requested(declared, read_as, layout):
    picture = two_colours()
    expected = {
        "bayer_gbrg8": np.broadcast_to(ORANGE, picture.shape),
        "mono8": np.repeat(picture[..., 1:2], 3, axis=2),
    }.get(read_as, picture)
    message = raw(layout(picture), declared)
    np.testing.assert_array_equal(decode_picture(**message, read_as=read_as), expected)
    if declared != "mono8":
        with pytest.raises(ObservationError, match=r"does not state its colours.*camera=/name,"):
            decode_picture(**message)


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


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("kind", ["rgb8; {0} compressed rgb8", "rgb8; {0}", "{0}", "bgr8; {0}"])
def test_an_ordinary_file_is_not_swapped_whatever_its_format_says(kind, suffix):
    """Publishers that pass RGB to an encoder for RGB write `compressed rgb8` too."""
    picture = np.repeat(np.repeat(two_colours(), 8, axis=0), 8, axis=1)
    data = cv2.imencode(suffix, picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    image_format = kind.format({".png": "png", ".jpg": "jpeg"}[suffix])
    got = decode_picture(*compressed(image_format, data)).astype(int)
    assert np.abs(got - picture).mean() < 2.0


@pytest.mark.parametrize("image_format", ["rgb8; png compressed rgb8", "png"])
def test_rgb_encoded_as_bgr_is_decoded_by_option(image_format):
    picture = two_colours()
    got = decode_picture(*compressed(image_format, png(picture)), read_as="rgb8")
    np.testing.assert_array_equal(got, picture)
    with pytest.raises(ObservationError, match=r"expected a picture of one channel .* as mono8"):
        decode_picture(*compressed(image_format, png(picture)), read_as="mono8")


def mosaic(encoding, colour, dtype=np.uint8):
    letters = PATTERNS[f"{encoding.rstrip('0123456789')}8"]
    picture = np.empty((HEIGHT, WIDTH), dtype)
    for row, pair in enumerate(letters):
        for column, letter in enumerate(pair):
            picture[row::2, column::2] = colour["rgb".index(letter)]
    return picture


@pytest.mark.parametrize("encoding", PATTERNS)
def test_compressed_mosaic_has_its_colours(encoding):
    """Its file is grey; only the format says that it is a mosaic."""
    file = png(mosaic(encoding, ORANGE))
    expected = np.broadcast_to(ORANGE, (HEIGHT, WIDTH, 3))
    got = decode_picture(*compressed(f"{encoding}; png compressed ", file))
    np.testing.assert_array_equal(got, expected)
    got = decode_picture(*compressed("mono8; png compressed ", file), read_as=encoding)
    np.testing.assert_array_equal(got, expected)
    jpeg = cv2.imencode(".jpg", mosaic(encoding, (90, 90, 90)))[1].tobytes()
    got = decode_picture(*compressed(f"{encoding}; jpeg compressed ", jpeg))
    assert np.abs(got.astype(int) - 90).max() <= 2


def test_colours_of_a_mosaic_that_were_interpolated_before_are_not_interpolated_again():
    picture = two_colours()
    file = png(picture[..., ::-1])
    got = decode_picture(*compressed("bayer_rggb8; png compressed bgr8", file))
    np.testing.assert_array_equal(got, picture)


def test_compressed_pictures_of_sixteen_bits_are_scaled_as_raw_ones():
    values = np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    grey = decode_picture(**raw(values, "mono16"))
    got = decode_picture(*compressed("mono16; png compressed ", png(values)))
    np.testing.assert_array_equal(got, grey)
    colours = np.stack([values, values[::-1], values[:, ::-1]], axis=2)
    got = decode_picture(*compressed("rgb16; png compressed bgr16", png(colours[..., ::-1])))
    np.testing.assert_array_equal(got, decode_picture(**raw(colours, "rgb16")))
    wide = mosaic("bayer_grbg16", [value * 257 for value in ORANGE], np.uint16)
    got = decode_picture(*compressed("bayer_grbg16; png compressed ", png(wide)))
    np.testing.assert_array_equal(got, np.broadcast_to(ORANGE, (HEIGHT, WIDTH, 3)))


def test_depth_is_a_picture_by_option_only():
    values = np.full((4, 4), 32896, np.uint16)
    with pytest.raises(ObservationError, match=r"got depth .*--topic camera=/name,mono16\)"):
        decode_picture(*compressed("16UC1; png compressed ", png(values)))
    got = decode_picture(*compressed("16UC1; png compressed ", png(values)), read_as="mono16")
    np.testing.assert_array_equal(got, np.full((4, 4, 3), 128))


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


TAILS = [b"\r\n", b"\0\0\1", b"trailer " * 9, b"\xff\xd8\xff", b"\xff\xff"]


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("progressive", [0, 1])
def test_bytes_after_the_end_of_a_picture_are_ignored_and_counted(tail, progressive):
    noise = np.random.default_rng(1).integers(0, 256, (64, 48, 3), np.uint8)
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_RST_INTERVAL, 2]
    jpeg = cv2.imencode(".jpg", noise, options)[1].tobytes()
    whole = decode_file(*compressed("jpeg", jpeg))
    assert whole.surplus == 0
    for file in (jpeg, png(noise)):
        longer = decode_file(*compressed("jpeg", file + tail))
        assert longer.surplus == len(tail)
        np.testing.assert_array_equal(longer.pixels, decode_file(*compressed("jpeg", file)).pixels)


def test_zeros_after_the_end_are_padding():
    assert decode_file(*compressed("jpeg", a_jpeg() + bytes(5))).surplus == 0


def test_the_end_of_a_thumbnail_is_not_the_end_of_its_picture():
    """The thumbnail of an Exif segment is a whole JPEG within a truncated one."""
    jpeg, small = a_jpeg(), a_jpeg()
    exif = b"\xff\xe1" + (len(small) + 8).to_bytes(2, "big") + b"Exif\0\0" + small
    whole = jpeg[:2] + exif + jpeg[2:]
    assert decode_file(*compressed("jpeg", whole + b"\r\n")).surplus == 2
    with pytest.raises(ObservationError, match="is truncated"):
        decode_file(*compressed("jpeg", whole[:-40]))


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
