"""Write deltas.npz: results of TensorFlow for an image under the published stress tests.

Run once with TensorFlow 2.21 (`pip install tensorflow-cpu`) from the root of the repository:
`python test/golden/make_deltas.py`. The image holds random colours, greys, black, white and fully
saturated pixels.
"""

import numpy as np
import tensorflow as tf

from liquid_control.perception.deltas import PUBLISHED


def main() -> None:
    """Write the image and the results of TensorFlow by name and strength."""
    rng = np.random.default_rng(2023)
    image = rng.integers(0, 256, (27, 48, 3)).astype(np.uint8)
    image[0] = np.arange(48, dtype=np.uint8)[:, None] * 5
    image[1, :2] = [[0, 0, 0], [255, 255, 255]]
    image[1, 2:4] = [[255, 0, 0], [0, 7, 250]]
    changes = {
        "brightness": tf.image.adjust_brightness,
        "darkness": lambda image, delta: tf.image.adjust_brightness(image, -delta),
        "contrast": tf.image.adjust_contrast,
        "saturation": tf.image.adjust_saturation,
    }
    results = {
        f"{name}_{strength}": change(image[None], strength).numpy()[0]
        for name, change in changes.items()
        for strength in PUBLISHED[name]
    }
    np.savez_compressed("test/golden/deltas.npz", image=image, **results)


if __name__ == "__main__":
    main()
