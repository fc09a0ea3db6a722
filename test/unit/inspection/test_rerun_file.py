"""The recording of Rerun, read back with Rerun's own reader."""

import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from liquid_control.errors import ConfigError, DependencyError
from liquid_control.inspection import inspect
from liquid_control.inspection.flight import AXES
from liquid_control.inspection.rerun_file import SALIENCY_SCALE, check_rerun_file, write_rerun
from liquid_control.pages.picture_track import saliency_overlay

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def found(policy, flight):
    poses = np.column_stack([np.arange(len(flight)) * 0.1, flight.commands])[:, :4]
    poses[:3] = np.nan
    recorded = flight.commands + 0.5
    quantities = {"brightness": np.linspace(0.0, 1.0, len(flight))}
    whole = replace(flight, poses=poses, recorded=recorded, quantities=quantities)
    return inspect(policy, whole, every_contribution=False)


@pytest.fixture(scope="module")
def written(found, tmp_path_factory):
    """Return values and times by entity, as Rerun's reader has them."""
    pytest.importorskip("rerun", reason="rerun-sdk is not installed (extra rerun)")
    from rerun.chunk import RrdReader

    path = write_rerun(tmp_path_factory.mktemp("rerun") / "flight.rrd", found)
    entities: dict[str, dict[str, list]] = {}
    for chunk in RrdReader(str(path)).stream().to_chunks():
        batch = chunk.to_record_batch()
        columns = entities.setdefault(str(chunk.entity_path), {})
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            whole = str(column.type).startswith("duration")
            values = column.cast("int64") if whole else column
            columns.setdefault(name, []).extend(values.to_pylist())
    return entities


def rows(columns, component) -> list:
    """Return the rows of the component whose name ends so."""
    (name,) = (one for one in columns if one.endswith(component))
    return columns[name]


def test_series_are_those_of_the_inspection(written, found):
    flight = found.flight
    for index, axis in enumerate(AXES):
        values = rows(written[f"/commands/{axis}/policy"], "scalars")
        values = [one for one in values if one is not None]
        np.testing.assert_array_equal(np.ravel(values), flight.commands[:, index])
        values = rows(written[f"/commands/{axis}/recorded"], "scalars")
        values = [one for one in values if one is not None]
        np.testing.assert_array_equal(np.ravel(values), flight.recorded[:, index])
    for name, expected in (
        ("neurons/state", flight.states),
        ("neurons/gate", flight.gates),
        ("neurons/time_constant_s", found.time_constants),
        ("quantities/brightness", found.flight.quantities["brightness"][:, None]),
    ):
        values = [one for one in rows(written[f"/{name}"], "scalars") if one is not None]
        np.testing.assert_array_equal(np.array(values), np.asarray(expected, np.float64))
    names = [one for one in rows(written["/neurons/state"], "names") if one is not None]
    assert names == [list(flight.state_names)]


def test_times_are_those_since_the_first_frame(written, found):
    columns = written["/commands/yaw/policy"]
    stamps_ns = np.array([one for one in columns["flight"] if one is not None])
    first_ns = found.flight.stamp_ns[0]
    np.testing.assert_allclose(stamps_ns, found.flight.stamp_ns - first_ns, atol=1.0)
    assert [one for one in columns["frame"] if one is not None] == list(range(len(found.flight)))


def test_pictures_are_lossless_and_maps_lie_over_them(written, found):
    flight = found.flight
    for entity, expected in (
        ("/camera", flight.pictures),
        (
            "/saliency",
            [
                saliency_overlay(picture, values, SALIENCY_SCALE)
                for picture, values in zip(flight.pictures, found.maps, strict=True)
            ],
        ),
    ):
        files = [one for one in rows(written[entity], "blob") if one is not None]
        assert len(files) == len(flight)
        for (file,), picture in zip(files, expected, strict=True):
            shown = cv2.imdecode(np.frombuffer(bytes(file), np.uint8), cv2.IMREAD_COLOR)
            np.testing.assert_array_equal(shown[:, :, ::-1], picture)


def test_the_path_is_that_of_the_known_poses(written, found):
    poses = found.flight.poses[3:].astype(np.float32)
    ((strip,),) = (one for one in rows(written["/map/path"], "strips") if one is not None)
    np.testing.assert_array_equal(np.array(strip), poses[:, :3])
    moves = [one[0] for one in rows(written["/map/vehicle"], "translation") if one is not None]
    np.testing.assert_array_equal(np.array(moves), poses[:, :3])
    turns = [one[0] for one in rows(written["/map/vehicle"], "quaternion") if one is not None]
    np.testing.assert_allclose(2.0 * np.arctan2(*np.array(turns)[:, 2:].T), poses[:, 3], atol=1e-6)


def test_another_suffix_and_a_missing_package_are_one_line(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"--rerun: expected a file \*\.rrd, got"):
        check_rerun_file(tmp_path / "flight.mcap")
    monkeypatch.setitem(sys.modules, "rerun", None)
    with pytest.raises(DependencyError, match=r"rerun is not installed.*\[rerun\]"):
        check_rerun_file(tmp_path / "flight.rrd")
