"""Images at their places in the bytes against rosbags' own decoding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import STORE, T, cdr, header, image

from liquid_control.bags.decoding.sensors import image_of
from liquid_control.errors import BagError
from liquid_control.message_types import IMAGE

pytestmark = pytest.mark.unit

texts = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=20)
numbers = st.integers(0, 2**32 - 1)


@given(texts, texts, numbers, numbers, numbers, st.integers(0, 255), st.binary(), st.booleans())
def test_fields_are_those_that_rosbags_decodes(
    frame, encoding, height, width, step, big, data, little
):
    pixels = np.frombuffer(data, np.uint8)
    message = T[IMAGE](header(1, frame), height, width, encoding, big, step, pixels)
    raw = bytes(STORE.serialize_cdr(message, IMAGE, little_endian=little))
    got, decoded = image_of(raw), STORE.deserialize_cdr(raw, IMAGE)
    for name in ("height", "width", "encoding", "is_bigendian", "step"):
        assert getattr(got, name) == getattr(decoded, name)
    np.testing.assert_array_equal(got.data, decoded.data)


def test_pixels_are_not_copied():
    raw = cdr(image(0))
    assert np.shares_memory(image_of(raw).data, np.frombuffer(raw, np.uint8))


WHOLE = cdr(image(0))


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_messages_that_are_cut_off_are_refused(cut):
    with pytest.raises(BagError, match="expected"):
        image_of(WHOLE[:cut])


def test_mutated_messages_raise_nothing_else():
    rng = np.random.default_rng(3)
    refused = 0
    for _ in range(2000):
        data = np.frombuffer(WHOLE, np.uint8).copy()
        data[rng.integers(0, 50, 3)] = rng.integers(0, 256, 3)
        try:
            image_of(data.tobytes())
        except BagError:
            refused += 1
    assert 0 < refused < 2000
