"""The perception network in fixed point and by events: exactness, counts, bound, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liquid_control.errors import CellError, ConfigError, ObservationError
from liquid_control.perception import Convolution, Encoder, PerceptionSpec, standardise
from liquid_control.perception.event_encoder import EventEncoder, standardised_table
from liquid_control.policy import load_model

pytestmark = pytest.mark.unit

SPEC = PerceptionSpec(
    height=12,
    width=16,
    convolutions=(
        Convolution(channels=4, kernel=4, stride=2, padding=1),
        Convolution(channels=5, kernel=3, stride=1, padding=1),
    ),
    hidden=6,
    mount=True,
    features=3,
)
MOUNT = np.array([0.3, -0.2], np.float32)


def random_arrays(spec, scale=0.1):
    rng = np.random.default_rng(11)
    return {
        name: (scale * rng.standard_normal(shape)).astype(np.float32)
        for name, shape in spec.array_shapes().items()
    }


ARRAYS = random_arrays(SPEC)


def pictures(seed, count, changed=0.05, spec=SPEC):
    """Yield pictures in which a few pixel values change from one to the next."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (spec.height, spec.width, 3))
    for _ in range(count):
        step = rng.integers(-60, 61, picture.shape) * (rng.random(picture.shape) < changed)
        picture = np.clip(picture + step, 0, 255)
        yield picture.astype(np.uint8)


def dense_features(encoder, picture):
    state, _ = encoder.encode(picture, encoder.init_state(), MOUNT)
    return state.features


def test_threshold_0_is_the_dense_form_bit_for_bit():
    encoder = EventEncoder(SPEC, ARRAYS, 0.0)
    state = encoder.init_state()
    for picture in pictures(1, 300):
        state, _ = encoder.encode(picture, state, MOUNT)
        assert state.features.tolist() == dense_features(encoder, picture).tolist()


def test_sums_never_drift_from_the_values_sent():
    encoder = EventEncoder(SPEC, ARRAYS, 0.2)
    state = encoder.init_state()
    for picture in pictures(2, 300):
        state, _ = encoder.encode(picture, state, MOUNT)
    fresh = EventEncoder(SPEC, ARRAYS, 0.0)
    for layer, sent, sums in zip(fresh.layers, state.sent, state.sums, strict=True):
        padding = layer.shape.padding
        padded = np.pad(sent, [(padding, padding)] * 2 + [(0, 0)])
        for pixel, got in enumerate(sums):
            row, column = np.unravel_index(pixel, (layer.shape.out_rows, layer.shape.out_columns))
            y, x, k = row * layer.shape.stride, column * layer.shape.stride, layer.shape.kernel
            patch = padded[y : y + k, x : x + k].reshape(-1)
            assert got.tolist() == (patch @ layer.weight).tolist()


def test_trail_cfc19_in_fixed_point_stays_near_its_float_network():
    """Measured over a flight: 0.0003 root mean square."""
    model = load_model("trail_cfc19")
    spec, arrays = model.settings.perception, model.arrays
    fixed, floats = EventEncoder(spec, arrays, 0.0), Encoder(model.perception)
    state = fixed.init_state()
    for picture in pictures(3, 4, spec=spec):
        smooth = np.repeat(np.repeat(picture[::8, ::8], 8, 0), 8, 1)
        state, _ = fixed.encode(np.ascontiguousarray(smooth), state, MOUNT)
        expected = floats.encode(standardise(smooth), MOUNT)
        np.testing.assert_allclose(state.features / 2**13, expected, atol=0.02)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    thresholds=st.lists(st.floats(0.0, 0.3), min_size=2, max_size=2).map(sorted),
)
def test_features_stay_within_a_bound_that_grows_with_the_threshold(seed, thresholds):
    arrays = random_arrays(SPEC, scale=0.03)
    low, high = (EventEncoder(SPEC, arrays, t).feature_bound() for t in thresholds)
    assert (low <= high).all()
    encoder, dense = EventEncoder(SPEC, arrays, thresholds[1]), EventEncoder(SPEC, arrays, 0.0)
    state = encoder.init_state()
    for picture in pictures(seed, 5):
        state, _ = encoder.encode(picture, state, MOUNT)
        error = np.abs(state.features - dense_features(dense, picture)) / 2**13
        assert (error <= high).all()


def test_operations_counted_by_hand():
    """4 x 4 pixels, one convolution of 2 channels with kernel 2 and stride 2: no pixel is shared.

    An input reaches one output pixel, 2 multiply-accumulates; an output of the convolution reaches
    3 features. 48 inputs are tested in each picture; outputs where they are computed.
    """
    spec = PerceptionSpec.model_construct(
        height=4,
        width=4,
        convolutions=(Convolution(channels=2, kernel=2, stride=2, padding=0),),
        hidden=0,
        mount=False,
        features=3,
    )
    arrays = random_arrays(spec, 0.5)
    arrays["perception.conv0.bias"][:] = 8.0
    encoder = EventEncoder(spec, arrays, 0.0)
    assert encoder.dense.macs == 48 * 2 + 8 * 3
    assert encoder.dense.additions == 8 + 3
    picture = np.repeat([0, 100, 150, 254], 12).reshape(4, 4, 3).astype(np.uint8)
    state, first = encoder.encode(picture, encoder.init_state())
    assert (first.macs, first.sent, first.sources) == (48 * 2 + 8 * 3, 48 + 8, 48 + 8)
    assert first.additions == (48 + 8) + (8 + 3)
    assert (first.computed, first.neurons) == (8 + 3, 8 + 3)
    # Swap two values of one row: mean and deviation stay, the first and the last patch change.
    moved = picture.copy()
    moved[0, 0, 0], moved[3, 3, 2] = 254, 0
    after, second = encoder.encode(moved, state)
    active = int(np.count_nonzero(after.sent[1] - state.sent[1]))
    assert 0 < active <= 4
    assert second.macs == 2 * 2 + 3 * active
    assert second.computed == 2 * 2 + 3
    assert second.additions == (48 + 4) + (4 + 3)
    _, third = encoder.encode(moved, after)
    assert (third.macs, third.computed, third.additions) == (0, 0, 48)
    assert third.nonzero_macs == 2 * np.count_nonzero(after.sent[0]) + 3 * 8


def test_the_table_of_pixel_values_is_the_standardisation():
    for picture in pictures(5, 20):
        expected = standardise(picture).transpose(1, 2, 0)
        np.testing.assert_allclose(
            standardised_table(picture)[picture] / 2**9, expected, atol=2**-9
        )
    flat = np.full((12, 16, 3), 77, np.uint8)
    assert not standardised_table(flat)[flat].any()


def test_memory_of_the_state():
    encoder = EventEncoder(SPEC, ARRAYS, 0.0)
    inputs, sums = 12 * 16 * 3 + 6 * 8 * 4 + (6 * 8 * 5 + 2) + 6, 6 * 8 * 9 + 6 + 3
    assert encoder.state_bytes == -(-(8 * sums + 2 * inputs + 2 * 3 + 98 + 1) // 8) * 8


def test_refusals():
    for threshold in (-1.0, 64.0, float("nan")):
        with pytest.raises(ConfigError, match="threshold of the encoder in"):
            EventEncoder(SPEC, ARRAYS, threshold)
    encoder = EventEncoder(SPEC, ARRAYS, 0.0)
    picture = next(pictures(0, 1))
    with pytest.raises(ObservationError, match="expected the camera's mount, got none"):
        encoder.encode(picture, encoder.init_state())
    with pytest.raises(ObservationError, match="expected a picture uint8"):
        encoder.encode(picture[1:], encoder.init_state(), MOUNT)
    wide = {**ARRAYS, "perception.linear.weight": np.full((3, 6), 1e6, np.float32)}
    with pytest.raises(CellError, match=r"perception.linear: expected weights below"):
        EventEncoder(SPEC, wide, 0.0)
