"""Published image-space changes against values of TensorFlow and values computed by hand."""

from pathlib import Path

import numpy as np
import pytest

from liquid_control.perception import deltas

pytestmark = pytest.mark.unit

GOLDEN = np.load(Path(__file__).parents[2] / "golden" / "deltas.npz")
CHANGES = {
    "brightness": deltas.brightness,
    "darkness": lambda image, delta: deltas.brightness(image, -delta),
    "contrast": deltas.contrast,
    "saturation": deltas.saturation,
}


def pixel(*colour: int) -> np.ndarray:
    return np.array([[colour]], dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "strength"), [(name, s) for name in CHANGES for s in deltas.PUBLISHED[name]]
)
def test_published_strengths_equal_tensorflow(name, strength):
    changed = CHANGES[name](GOLDEN["image"], strength)
    assert changed.dtype == np.uint8
    assert np.array_equal(changed, GOLDEN[f"{name}_{strength}"])


def test_changes_of_zero_strength_keep_the_image():
    image = GOLDEN["image"]
    assert np.array_equal(deltas.brightness(image, 0.0), image)
    assert np.array_equal(deltas.saturation(image, 1.0), image)
    assert np.array_equal(deltas.noisy_pixels(image, 0.0, np.random.default_rng(0)), image)


def test_brightness_by_hand():
    # 100 / 255 + 0.1 = 0.492157, times 255.5 is 125.75, truncated.
    assert deltas.brightness(pixel(100, 250, 0), 0.1).tolist() == [[[125, 255, 25]]]
    assert deltas.brightness(pixel(100, 250, 0), -0.1).tolist() == [[[74, 224, 0]]]


def test_contrast_by_hand_is_about_each_channels_mean():
    image = np.array([[[100, 0, 50], [200, 0, 70]]], dtype=np.uint8)
    # Red: mean 150, +- 50 becomes +- 112.5; blue: mean 60, +- 10 becomes +- 22.5.
    assert deltas.contrast(image, 2.25).tolist() == [[[37, 0, 37], [255, 0, 82]]]


def test_saturation_by_hand_keeps_value_and_greys():
    # value 200, chroma 100: half the saturation halves the distance from the value.
    assert deltas.saturation(pixel(200, 100, 150), 0.5).tolist() == [[[200, 150, 175]]]
    # Saturation 0.5 times 3.25 is clipped to 1: the smallest channel reaches 0.
    assert deltas.saturation(pixel(200, 100, 150), 3.25).tolist() == [[[200, 0, 100]]]
    assert deltas.saturation(pixel(90, 90, 90), 3.25).tolist() == [[[90, 90, 90]]]


def test_noise_has_its_sigma_and_is_neither_clipped_nor_rounded():
    image = np.full((100, 100, 3), 250, np.uint8)
    noisy = deltas.noise(image, 60.0, np.random.default_rng(5))
    # 30,000 normals: the standard error of sigma is 0.41 %; five of them fail with 6e-7.
    assert noisy.std() == pytest.approx(60.0, rel=0.021)
    assert noisy.max() > 255.0
    pixels = deltas.noisy_pixels(image, 60.0, np.random.default_rng(5))
    assert np.array_equal(pixels, np.clip(np.rint(noisy), 0, 255))
