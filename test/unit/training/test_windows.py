import numpy as np
import pytest

from liquid_control.training.auxiliary import AUXILIARY_SIZE
from liquid_control.training.dataset import Dataset
from liquid_control.training.network_settings import LearnerSettings
from liquid_control.training.windows import Windows, cut, draw_windows, split_flights

pytestmark = pytest.mark.unit

SETTINGS = LearnerSettings(windows=8, window_steps=6, burn_in_steps=2)


def dataset(lengths=(30, 4, 50), dts=(0.05, 0.05, 0.05)):
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    frames = int(starts[-1])
    rng = np.random.default_rng(0)
    return Dataset(
        inputs=np.zeros((frames, 6), np.float32),
        auxiliary=np.zeros((frames, AUXILIARY_SIZE), np.float32),
        features=np.zeros((2, frames, 0), np.float32),
        images=rng.integers(0, 255, (frames, 2, 4, 3), dtype=np.uint8),
        means=np.arange(frames, dtype=np.float32),
        scales=np.ones(frames, np.float32),
        imu=rng.normal(size=(frames, 6)).astype(np.float32),
        labels=rng.normal(size=(frames, 4)).astype(np.float32),
        elapsed_s=np.repeat(np.float32(dts), lengths),
        starts=starts,
        origins=np.arange(len(starts) - 1),
        sha256="",
    )


def windows(first, end, mirrored):
    return Windows(np.array(first), np.array(end), np.array(mirrored))


def test_without_mirror_no_window_is_mirrored_and_the_rows_are_the_same():
    data, plain = dataset(), SETTINGS.model_copy(update={"mirror": False})
    drawn = [draw_windows(data, np.arange(3), SETTINGS, 0, step) for step in range(50)]
    kept = [draw_windows(data, np.arange(3), plain, 0, step) for step in range(50)]
    assert sum(windows.mirrored.sum() for windows in drawn) > 0
    assert not any(windows.mirrored.any() for windows in kept)
    for one, other in zip(drawn, kept, strict=True):
        np.testing.assert_array_equal(one.first, other.first)


def test_windows_are_a_function_of_seed_and_step():
    data, flights = dataset(), np.arange(3)
    one, same = (draw_windows(data, flights, SETTINGS, 1, 9) for _ in range(2))
    np.testing.assert_array_equal(one.first, same.first)
    np.testing.assert_array_equal(one.mirrored, same.mirrored)
    for other in (draw_windows(data, flights, SETTINGS, *key) for key in ((1, 10), (2, 9))):
        assert one.first.tolist() != other.first.tolist()


def test_windows_stay_within_the_given_flights():
    data = dataset()
    for step in range(50):
        drawn = draw_windows(data, np.array([0, 2]), SETTINGS, 0, step)
        batch = cut(data, drawn, 6, 2)
        assert set(drawn.end.tolist()) <= {30, 84}
        assert batch.valid.all()
        assert np.all((drawn.first + 6) <= drawn.end)


def test_flights_count_by_duration_not_by_frames():
    data = dataset(lengths=(40, 10, 40), dts=(0.025, 0.1, 0.025))
    drawn = np.concatenate(
        [draw_windows(data, np.arange(3), SETTINGS, 0, step).end for step in range(300)]
    )
    # 2400 draws of a third: beyond 4.5 standard deviations with probability 7e-6.
    assert abs((drawn == 50).mean() - 1 / 3) < 4.5 * np.sqrt(2 / 9 / 2400)


def test_short_flight_is_masked_after_its_end():
    batch = cut(dataset(), windows([30], [34], [False]), 6, 2)
    assert batch.valid.tolist() == [[True] * 4 + [False] * 2]
    assert batch.counted.tolist() == batch.valid.tolist()


def test_burn_in_does_not_count_except_where_a_flight_begins():
    batch = cut(dataset(), windows([3, 34], [30, 84], [False, False]), 6, 2)
    assert batch.counted[0].tolist() == [False, False, True, True, True, True]
    assert batch.counted[1].all()


def test_burn_in_lasts_as_long_at_every_frame_rate():
    data = dataset(lengths=(30, 30), dts=(0.0625, 0.25))
    batch = cut(data, windows([3, 33], [30, 60], [False, False]), 8, 1, burn_in_s=0.375)
    assert batch.counted[0].tolist() == [False] * 6 + [True] * 2
    assert batch.counted[1].tolist() == [False] * 2 + [True] * 6


def test_burn_in_in_seconds_does_not_shorten_that_in_steps_nor_touch_the_start_of_a_flight():
    data = dataset(lengths=(30, 30), dts=(0.0625, 0.25))
    batch = cut(data, windows([33, 30], [60, 60], [False, False]), 8, 4, burn_in_s=0.25)
    assert batch.counted[0].tolist() == [False] * 4 + [True] * 4
    assert batch.counted[1].all()


def test_windows_hold_consecutive_rows():
    data = dataset()
    batch = cut(data, windows([7], [30], [False]), 6, 2)
    assert batch.means[0].tolist() == [7, 8, 9, 10, 11, 12]
    np.testing.assert_array_equal(batch.images[0], data.images[7:13])
    np.testing.assert_array_equal(batch.labels[0], data.labels[7:13])


def test_mirroring_swaps_left_and_right_everywhere():
    data = dataset()
    plain = cut(data, windows([7, 40], [30, 84], [False, False]), 6, 0)
    mirrored = cut(data, windows([7, 40], [30, 84], [True, False]), 6, 0)
    np.testing.assert_array_equal(mirrored.images[0], plain.images[0][:, :, ::-1])
    np.testing.assert_array_equal(mirrored.labels[0], plain.labels[0] * [1, -1, 1, -1])
    np.testing.assert_array_equal(mirrored.imu[0], plain.imu[0] * [-1, 1, -1, 1, -1, 1])
    np.testing.assert_array_equal(mirrored.images[1], plain.images[1])
    np.testing.assert_array_equal(data.images[7:13], plain.images[0])


def test_parts_hold_all_windows_once():
    drawn = draw_windows(dataset(), np.arange(3), SETTINGS, 0, 0)
    parts = drawn.parts(3)
    assert [len(part.first) for part in parts] == [3, 3, 2]
    np.testing.assert_array_equal(np.concatenate([part.first for part in parts]), drawn.first)
    assert len(drawn.parts(99)) == 8


def test_every_nth_flight_is_held_out():
    split = split_flights(np.arange(9), 4)
    assert split.validation.tolist() == [3, 7]
    assert split.train.tolist() == [0, 1, 2, 4, 5, 6, 8]
    assert split_flights(np.arange(2), 4).validation.tolist() == [1]
    assert split_flights(np.arange(1), 4).train.tolist() == [0]
