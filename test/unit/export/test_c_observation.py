"""What a policy in C reads at a frame: bits of the Python features, refusals."""

import ctypes
import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.compiled_policy import frame_in_c
from liquid_control.export.c_observation import observation_c
from liquid_control.perception import imu_features, input_values
from liquid_control.types import ImuWindow, Observation

from .conftest import EVERY_INPUT, EVERYTHING, SIZE, compiled, need, random_model

pytestmark = pytest.mark.unit

BAD_IMU, BAD_INPUT = 5, 6
PICTURE = np.zeros((*SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def model():
    return random_model(EVERYTHING, EVERY_INPUT)


@pytest.fixture(scope="module")
def library(model, tmp_path_factory):
    need("cc")
    folder = tmp_path_factory.mktemp("observation")
    for name, text in observation_c(model).items():
        (folder / name).write_text(text)
    options = ("-O2", "-ffp-contract=off", "-shared", "-fPIC")
    return ctypes.CDLL(str(compiled("cc", folder, ["observation.c"], folder / "o.so", *options)))


def observation(rng):
    """Draw samples and readings, some of them beyond the clipping."""
    samples, scale = int(rng.integers(0, 400)), 10 ** rng.uniform(-1, 2)
    orientation = rng.normal(0.0, 1.0, 4)
    return Observation(
        0,
        PICTURE,
        ImuWindow(
            np.arange(samples),
            rng.normal(0, scale, (samples, 3)),
            rng.normal(3, scale, (samples, 3)),
        ),
        range_m=rng.uniform(0, 8),
        orientation=orientation / np.linalg.norm(orientation),
        cruise_mps=rng.uniform(0, 14),
        mount=(rng.uniform(60, 120), rng.uniform(-10, 40)),
    )


def read(library, model, given):
    """Return the code, the features and the mount of an observation in C."""
    features, mount = np.full(12, np.nan, np.float32), np.full(2, np.nan, np.float32)
    frame = frame_in_c(library, model, given, PICTURE)
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (features, mount)]
    return library.lc_read(ctypes.byref(frame), *pointers), features, mount


def test_features_have_the_bits_of_python(library, model):
    rng = np.random.default_rng(11)
    for _ in range(2000):
        given = observation(rng)
        code, features, mount = read(library, model, given)
        expected = [imu_features(given.imu), input_values(EVERY_INPUT, given)]
        assert code == 0
        np.testing.assert_array_equal(features, np.concatenate(expected))
        np.testing.assert_array_equal(mount, input_values(("mount",), given))


def test_what_is_not_finite_is_refused(library, model):
    given = observation(np.random.default_rng(12))
    for value in (math.nan, math.inf, -math.inf):
        rates, forces = np.ones((3, 3)), np.ones((3, 3))
        rates[1, 2] = value
        for pair in ((rates, forces), (forces, rates)):
            bad = replace(given, imu=ImuWindow(np.arange(3), *pair))
            assert read(library, model, bad)[0] == BAD_IMU
        for change in (
            {"range_m": value},
            {"cruise_mps": value},
            {"mount": (90.0, value)},
            {"mount": None},
        ):
            assert read(library, model, replace(given, **change))[0] == BAD_INPUT
    assert read(library, model, given)[0] == 0
