"""A disturbance applied to a recorded flight equals the recording of the disturbed flight."""

from collections.abc import Mapping

import numpy as np
import pytest

from liquid_control.config import Scenario, apply_overrides
from liquid_control.config.disturbances import disturbance_overrides
from liquid_control.config.recorded_pictures import overlaid_disturbances
from liquid_control.errors import ConfigError, ObservationError
from liquid_control.seeding import stream
from liquid_control.types import Command, Pixels
from liquid_control_sim.flight import Flight
from liquid_control_sim.picture.overlay import overlay

pytestmark = pytest.mark.sim

SEED = 3
CLEAN = {
    "trail.length_m": 8.0,
    "forest.trees": 15,
    "time_limit_s": 1.3,
    # Without clipping and noise; the docstring of `overlay` lists the losses of a recording.
    "light.gain": 0.6,
    "camera.shot_noise": 0.0,
}
FRAMES = 27


def made(overrides: Mapping[str, object]) -> Scenario:
    return Scenario.model_validate(apply_overrides({}, overrides))


def recorded(overrides: Mapping[str, object]) -> dict[int, Pixels]:
    """Fly straight ahead and return the frames that arrived, by stamp."""
    frames = {}
    with Flight(made({**CLEAN, **overrides}), SEED) as flight:
        while (tick := flight.advance()) is not None:
            if tick.image is not None:
                frames[tick.stamp_ns] = tick.image
            flight.apply_command(Command(1.0, 0.2, 0.0, 0.4))
    return frames


def overlaid(frames: Mapping[int, Pixels], overrides: Mapping[str, object], seed=SEED):
    change = overlay(made(overrides), seed, 96, 54, 90.0)
    changed = {
        stamp: change(image, stamp, index) for index, (stamp, image) in enumerate(frames.items())
    }
    return {stamp: image for stamp, image in changed.items() if image is not None}


@pytest.fixture(scope="module")
def clean() -> dict[int, Pixels]:
    frames = recorded({})
    assert len(frames) == FRAMES
    assert max(int(image.max()) for image in frames.values()) < 255
    return frames


# A recorded value has an error of up to half a level, which a step multiplies by its gain.
# Rounding the result adds another half. Steps that only select frames or act on eight bits are
# exact.
LEVELS = {
    "drops": 1.0,
    "dirt": 1.0,
    "defocus": 1.0,
    "vignetting": 1.0,
    "colour_warm": 1.3,
    "colour_cold": 1.3,
    "flicker": 1.4,
    "underexposure": 1.0,
    "overexposure": 2.1,
    "noise": 1.0,
    "jpeg": 0.0,
    "frame_loss": 0.0,
    "freeze": 0.0,
    "latency": 0.0,
    "rate_low": 0.0,
    "blackout": 0.0,
    "delta_brightness": 0.0,
    "delta_darkness": 0.0,
    "delta_contrast": 0.0,
    "delta_saturation": 0.0,
    "delta_noise": 0.0,
}
"""Largest difference of a value at the tested severities."""
SEVERITIES = {"latency": 3, "rate_low": 3}
"""Severities whose frames coincide with recorded frames at 20 Hz; 5 for the others."""
EXTRA = {"blackout": {"camera.blackout_from_s": 0.4}}


@pytest.mark.parametrize("name", LEVELS)
def test_overlaid_frames_equal_those_of_the_disturbed_flight(clean, name):
    keys = {**disturbance_overrides(name, SEVERITIES.get(name, 5)), **EXTRA.get(name, {})}
    expected = recorded({**keys, "light.gain": 0.6 * keys.get("light.gain", 1.0)})
    got = overlaid(clean, keys)
    assert got.keys() == expected.keys()
    wanted, taken = (np.array(list(one.values())).astype(int) for one in (expected, got))
    assert np.abs(taken - wanted).max() <= LEVELS[name]
    before = np.array([clean[stamp] for stamp in got])
    assert len(got) < FRAMES or (taken != before).any()


def test_automatic_exposure_meters_the_recorded_frames(clean):
    keys = disturbance_overrides("exposure_lag", 2)
    expected, got = recorded(keys), overlaid(clean, keys)
    wanted, taken = (np.array(list(one.values())).astype(int) for one in (expected, got))
    assert np.abs(taken - wanted).max() <= 2
    steady = overlaid(clean, {**keys, "light.exposure_lag_s": 0.0})
    assert np.abs(np.array(list(steady.values())).astype(int) - taken).max() > 10


@pytest.mark.parametrize("level", [0.3, 0.01])
def test_darkness_adds_the_missing_shot_noise(clean, level):
    lacking = 0.01 * (1.0 / level - 1.0) ** 0.5
    expected = recorded({"camera.shot_noise": lacking})
    got = overlaid(clean, {"light.level": level})
    for stamp, image in got.items():
        assert np.abs(image.astype(int) - expected[stamp]).max() <= 1


def test_darkness_is_as_noisy_as_in_flight(clean):
    # The recorded flight has the noise of the default camera, the dark one more. With 15,552
    # values per frame, the deviation over a flight has a standard error of 0.2 %.
    noisy, dark = recorded({"camera.shot_noise": 0.01}), disturbance_overrides("darkness", 3)
    quiet = np.array(list(clean.values())).astype(float)
    middling = (quiet > 60) & (quiet < 120)
    wanted = np.array(list(recorded({"camera.shot_noise": 0.01, **dark}).values()))
    taken = np.array(list(overlaid(noisy, dark, seed=SEED + 1).values()))
    assert (taken - quiet)[middling].std() == pytest.approx(
        (wanted - quiet)[middling].std(), rel=0.02
    )


def test_clipped_light_is_not_restored():
    bright = recorded({"light.gain": 2.5})
    darker = overlaid(bright, {"light.gain": 0.5})
    expected = recorded({"light.gain": 1.25})
    stamp = next(iter(bright))
    clipped = bright[stamp] == 255
    assert clipped.any()
    assert darker[stamp][clipped].max() == 128
    assert (darker[stamp][clipped].astype(int) <= expected[stamp][clipped].astype(int) + 1).all()
    assert np.median(expected[stamp][clipped]) > 140


def test_undisturbed_pictures_are_unchanged_bit_for_bit(clean):
    for stamp, image in overlaid(clean, {}).items():
        assert image is clean[stamp]


def test_every_disturbance_at_its_defaults_is_a_round_trip(clean):
    # Flicker of depth zero is omitted; a frequency alone changes nothing.
    for stamp, image in overlaid(clean, {"light.flicker_hz": 9.0}).items():
        assert np.array_equal(image, clean[stamp])


def test_seed_selects_the_drops_and_input_is_not_modified(clean):
    keys = disturbance_overrides("drops", 3)
    stamp, image = next(iter(clean.items()))
    kept = image.copy()
    first, same, other = (overlaid({stamp: image}, keys, seed)[stamp] for seed in (1, 1, 2))
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)
    assert np.array_equal(image, kept)


def test_drop_positions_do_not_depend_on_the_picture_size(clean):
    rows, columns = np.indices((270, 480))
    large = np.repeat((40 + 160 * ((rows // 15 + columns // 15) % 2))[..., None], 3, axis=2)
    large = large.astype(np.uint8)
    small = large.reshape(54, 5, 96, 5, 3).mean(axis=(1, 3)).astype(np.uint8)
    keys = disturbance_overrides("drops", 2)
    wide = overlay(made(keys), 5, 480, 270, 90.0)(large, 0, 0).astype(float)
    narrow = overlay(made(keys), 5, 96, 54, 90.0)(small, 0, 0).astype(float)
    shrunk = wide.reshape(54, 5, 96, 5, 3).mean(axis=(1, 3))
    touched = np.abs(narrow - small) > 12
    assert touched.mean() > 0.01
    assert np.abs(shrunk - narrow)[touched].mean() < 0.5 * np.abs(narrow - small)[touched].mean()


def test_blackout_ends_within_a_short_recording():
    begins = {}
    for duration_s in (None, 40.0, 6.0):
        change = overlay(made({"camera.blackout_s": 1.0}), 8, 96, 54, 90.0, duration_s)
        bright = np.full((54, 96, 3), 200, np.uint8)
        black = [i for i in range(500) if not change(bright, i * 50_000_000, i).any()]
        begins[duration_s] = black[0] * 0.05
        assert len(black) == 20
    drawn = stream(8, "camera.blackout").uniform(0.0, 20.0)
    assert begins[None] == begins[40.0] == pytest.approx(drawn, abs=0.05)
    assert begins[6.0] == pytest.approx(drawn * 5.0 / 20.0, abs=0.05)


def test_latency_shows_the_closest_recorded_frame():
    change = overlay(made({"camera.latency_s": 0.07}), 1, 32, 32)
    pictures = [np.full((32, 32, 3), 10 * i, np.uint8) for i in range(8)]
    shown = [
        change(picture, i * 50_000_000, i)[0, 0, 0] // 10 for i, picture in enumerate(pictures)
    ]
    assert shown == [0, 0, 1, 2, 3, 4, 5, 6]


def test_camera_below_the_requested_rate_keeps_all_frames():
    change = overlay(made({"camera.rate_hz": 15.0}), 1, 32, 32)
    picture = np.zeros((32, 32, 3), np.uint8)
    assert all(change(picture, i * 100_000_000, i) is not None for i in range(20))


def test_three_of_four_frames_arrive_at_15_of_20_hz():
    change = overlay(made({"camera.rate_hz": 15.0}), 1, 32, 32)
    picture = np.zeros((32, 32, 3), np.uint8)
    arrived = [change(picture, i * 50_000_000, i) is not None for i in range(41)]
    assert sum(arrived) == 31
    assert all(any(arrived[i : i + 2]) for i in range(40))


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"fog.extinction_per_m": 0.1}, r"fog.extinction_per_m needs distances"),
        ({"rain.rate_mmph": 5.0}, "rain.rate_mmph needs distances"),
        ({"light.glare": 0.4}, "light.glare needs the sun's direction"),
        ({"light.sun_elevation_deg": 5.0}, "light.sun_elevation_deg needs another scene"),
        (
            {"camera.exposure_s": 0.02},
            "camera.exposure_s needs distances and the vehicle's motion",
        ),
        ({"camera.rate_hz": 40.0}, "camera.rate_hz above 20 needs frames between"),
        ({"imu.gyro_noise": 0.1}, "imu.gyro_noise acts on the IMU"),
    ],
)
def test_keys_without_meaning_for_recorded_pictures_are_refused_in_one_line(keys, why):
    with pytest.raises(ConfigError, match=why) as refused:
        overlay(made(keys), 1, 96, 54)
    assert "these disturbances can: colour_warm, " in str(refused.value)
    assert "\n" not in str(refused.value)


def test_names_of_the_disturbances_for_recorded_pictures():
    tested = {*LEVELS, "exposure_lag", "darkness"}
    assert set(overlaid_disturbances()) == tested


@pytest.mark.parametrize("picture", [np.zeros((54, 95, 3), np.uint8), np.zeros((54, 96, 3))])
def test_pictures_of_other_size_or_type_are_rejected(picture):
    with pytest.raises(ObservationError, match=r"expected pictures of uint8 \(54, 96, 3\), got"):
        overlay(made({}), 1, 96, 54)(picture, 0, 0)
