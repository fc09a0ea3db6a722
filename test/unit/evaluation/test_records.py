from dataclasses import fields, replace

import numpy as np
import pytest
from toy_evaluation import toy_record

from liquid_control.errors import OutputError
from liquid_control.evaluation import load_record, save_record

pytestmark = pytest.mark.unit


def test_a_record_is_read_as_it_was_written(tmp_path):
    record = toy_record()
    read = load_record(save_record(tmp_path / "a" / "flight.npz", record))
    assert read.result == record.result
    for field in fields(record):
        if field.name != "result":
            kept, got = getattr(record, field.name), getattr(read, field.name)
            np.testing.assert_array_equal(got, kept)
            assert got.dtype == kept.dtype
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["flight.npz"]


def test_an_infinite_clearance_survives(tmp_path):
    result = replace(toy_record().result, min_clearance_m=float("inf"))
    path = save_record(tmp_path / "r.npz", replace(toy_record(), result=result))
    assert load_record(path).result == result


def test_missing_file(tmp_path):
    with pytest.raises(OutputError, match=r"none\.npz: cannot be read \(No such file"):
        load_record(tmp_path / "none.npz")


def test_not_a_record(tmp_path):
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(OutputError, match="is not a flight record"):
        load_record(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", stamp_ns=np.arange(3))
    with pytest.raises(OutputError, match="it lacks clearance_m, command"):
        load_record(tmp_path / "other.npz")


def test_truncated(tmp_path):
    path = save_record(tmp_path / "r.npz", toy_record())
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(OutputError, match="is not a flight record"):
        load_record(path)


def test_arrays_of_wrong_shape_are_refused(tmp_path):
    path = save_record(tmp_path / "r.npz", replace(toy_record(), wind=np.zeros((80, 2))))
    with pytest.raises(
        OutputError, match=r"wind must be float64 \[80, 3\], got float64 \[80, 2\]"
    ):
        load_record(path)


def test_stamps_that_do_not_advance_are_refused(tmp_path):
    record = replace(toy_record(), stamp_ns=np.zeros(80, np.int64))
    with pytest.raises(OutputError, match=r"stamp_ns must .* advance"):
        load_record(save_record(tmp_path / "r.npz", record))


def test_a_parent_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        save_record(tmp_path / "file" / "r.npz", toy_record())
