"""The parameter `encoding` of perception_node replaces the encoding that pictures state."""

import numpy as np
import pytest

from liquid_control import topics
from liquid_control.nodes import conversions
from liquid_control.policy import Policy, load_model
from liquid_control.types import ImuWindow, Observation

from .conftest import failed_starts
from .test_policy_nodes import MODE, PERIOD_S, Sensors, advertise

pytestmark = pytest.mark.ros


def test_pictures_are_read_with_the_encoding_of_the_parameter(probe, launch, model):
    advertise(probe)
    sensors = Sensors(probe)
    sensors.encoding = "8UC3"
    received = probe.listen(topics.FEATURES, MODE)
    launch("perception_node", mode=MODE, model=str(model), autostart=True, encoding="bgr8")

    def publish() -> bool:
        sensors.publish()
        probe.spin(PERIOD_S)
        return bool(received)

    probe.until(publish, "features")
    observation = Observation(0, sensors.image[:, :, ::-1].copy(), ImuWindow.empty())
    expected = Policy(load_model(model)).features(observation)[:28]
    np.testing.assert_array_equal(conversions.features_from(received[-1][1])[:28], expected)


def test_an_unknown_encoding_is_refused_at_the_start():
    ((status, errors),) = failed_starts("perception_node", [{"encoding": "cmyk"}])
    assert (status, len(errors)) == (2, 1)
    assert "encoding" in errors[0]
    assert "expected one of " in errors[0]
    assert "'cmyk'" in errors[0]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_replaced_encoding_swaps_red_and_blue(compressed):
    import cv2
    from sensor_msgs.msg import CompressedImage

    image = np.random.default_rng(1).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    if compressed:
        _, png = cv2.imencode(".png", image[:, :, ::-1])
        message = CompressedImage(format="rgb8; png compressed bgr8", data=png.tobytes())
        read_as = "rgb8"
    else:
        message, read_as = conversions.image_message(image, 0), "bgr8"
    np.testing.assert_array_equal(conversions.picture_from(message), image)
    swapped = conversions.picture_from(message, read_as)
    np.testing.assert_array_equal(swapped, image[:, :, ::-1])
