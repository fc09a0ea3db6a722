from dataclasses import replace

import numpy as np
import pytest

from liquid_control.errors import OutputError
from liquid_control.perception import standardise
from liquid_control.training.dataset import (
    TrainingFlight,
    frame_count,
    load_dataset,
    read_flight,
    write_flight,
)
from liquid_control.types import FlightResult

pytestmark = pytest.mark.unit

RESULT = FlightResult(True, "completed", 12.0, 0.1, float("inf"), 6.0)


def flight(frames=5, seed=0, shape=(6, 8, 3)):
    rng = np.random.default_rng(seed)
    return TrainingFlight(
        stamps_ns=np.cumsum(rng.integers(25_000_000, 100_000_000, frames)),
        images=rng.integers(0, 255, (frames, *shape), dtype=np.uint8),
        imu=rng.normal(size=(frames, 6)).astype(np.float32),
        labels=rng.normal(size=(frames, 4)).astype(np.float32),
        by_expert=rng.uniform(size=frames) < 0.5,
        result=RESULT,
    )


def test_flight_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "round_00" / "flight_0001.npz"
    written = flight()
    write_flight(path, written)
    read, digest = read_flight(path)
    for name in ("stamps_ns", "images", "imu", "labels", "by_expert"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
    assert read.result == RESULT
    assert digest == written.digest
    assert frame_count(path) == 5
    assert [file.name for file in path.parent.iterdir()] == ["flight_0001.npz"]


@pytest.mark.parametrize("name", ["inputs", "auxiliary"])
def test_flights_of_another_version_are_refused(name):
    with pytest.raises(OutputError, match=rf"{name} must have \d+ columns, got 3"):
        replace(flight(), **{name: np.zeros((5, 3), np.float32)})


@pytest.mark.parametrize("name", ["images", "labels", "stamps_ns"])
def test_digest_changes_with_one_value(name):
    changed = flight()
    getattr(changed, name)[2] = getattr(changed, name)[2] + 1
    assert changed.digest != flight().digest


def test_damaged_flight_is_named(tmp_path):
    path = tmp_path / "flight_0001.npz"
    write_flight(path, flight())
    content = bytearray(path.read_bytes())
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(OutputError, match=r"flight_0001\.npz: is not a flight .*delete it"):
        load_dataset([path], 0.05)
    with pytest.raises(OutputError, match=r"missing\.npz"):
        frame_count(tmp_path / "missing.npz")


def test_flight_refuses_unusable_data():
    with pytest.raises(OutputError, match="at least one frame, got none"):
        flight(frames=0)
    good = flight()
    labels = good.labels.copy()
    labels[1, 2] = np.nan
    with pytest.raises(OutputError, match="not finite"):
        TrainingFlight(good.stamps_ns, good.images, good.imu, labels, good.by_expert, RESULT)
    with pytest.raises(OutputError, match="imu must have 5 rows, got 4"):
        TrainingFlight(good.stamps_ns, good.images, good.imu[1:], labels, good.by_expert, RESULT)


def test_dataset_concatenates_flights(tmp_path):
    flights = [flight(5, 1), flight(3, 2)]
    paths = [tmp_path / f"{index}.npz" for index in range(2)]
    for path, data in zip(paths, flights, strict=True):
        write_flight(path, data)
    dataset = load_dataset(paths, 0.04)
    assert dataset.starts.tolist() == [0, 5, 8]
    assert (dataset.flights, dataset.frames) == (2, 8)
    assert dataset.elapsed_s[[0, 5]].tolist() == pytest.approx([0.04, 0.04])
    expected = np.diff(flights[1].stamps_ns) / 1e9
    np.testing.assert_allclose(dataset.elapsed_s[6:], expected, rtol=1e-6)
    np.testing.assert_array_equal(dataset.images[5:], flights[1].images)
    np.testing.assert_allclose(
        dataset.durations_s, [0.04 + np.ptp(f.stamps_ns) / 1e9 for f in flights], rtol=1e-6
    )


def test_moments_are_those_of_flight(tmp_path):
    write_flight(tmp_path / "0.npz", flight())
    dataset = load_dataset([tmp_path / "0.npz"], 0.05)
    image = dataset.images[3]
    found = (image.astype(np.float32) - dataset.means[3]) * dataset.scales[3]
    np.testing.assert_allclose(found.transpose(2, 0, 1), standardise(image), atol=1e-6)


def test_hash_depends_on_flights_and_their_order_only(tmp_path):
    paths = [tmp_path / f"{index}.npz" for index in range(2)]
    for index, path in enumerate(paths):
        write_flight(path, flight(4, index))
    first = load_dataset(paths, 0.05).sha256
    write_flight(paths[0], flight(4, 0))
    assert load_dataset(paths, 0.05).sha256 == first
    assert load_dataset(paths[::-1], 0.05).sha256 != first


def test_images_of_another_size_are_refused(tmp_path):
    write_flight(tmp_path / "0.npz", flight())
    write_flight(tmp_path / "1.npz", flight(shape=(5, 8, 3)))
    with pytest.raises(OutputError, match=r"1\.npz: images must have shape \(6, 8, 3\)"):
        load_dataset([tmp_path / "0.npz", tmp_path / "1.npz"], 0.05)
