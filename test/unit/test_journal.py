"""Journal of a run: torn lines, other plans, full disks, the newest run."""

import json
import os
from dataclasses import dataclass
from math import inf, isnan, nan

import numpy as np
import pytest

from liquid_control.errors import ConfigError, OutputError
from liquid_control.journal import (
    JOURNAL_FILE,
    Journal,
    newest_journal,
    plain,
    plan_hash,
    restored,
)

pytestmark = pytest.mark.unit

PLAN = {"model m": {"sha256": "abc"}, "entry 'calm'": {"seeds": "0:5"}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / JOURNAL_FILE


def begun(path, rows=2):
    with Journal.begin(path, PLAN, {"title": "t"}, "liquid-control evaluate") as journal:
        for number in range(rows):
            journal.append({"flight": number, "value": 0.1 * number})
    return path


def test_the_first_line_is_a_header_with_schema_plan_and_configuration(path):
    lines = [json.loads(line) for line in begun(path).read_text().splitlines()]
    header = lines[0]
    assert (header["schema"], header["plan_sha256"]) == (1, plan_hash(PLAN))
    assert header["config"] == {"title": "t"}
    assert header["command"] == "liquid-control evaluate"
    assert lines[1:] == [{"flight": 0, "value": 0.0}, {"flight": 1, "value": 0.1}]


@pytest.mark.parametrize("tail", [b'{"flight": 2, "val', b"\x00" * 40, b'{"flight": 2}'])
def test_a_torn_last_line_is_removed_and_rows_go_on(path, tail):
    whole = begun(path).read_bytes()
    path.write_bytes(whole + tail)
    with Journal.resume(path, PLAN) as journal:
        assert [row["flight"] for row in journal.rows] == [0, 1]
        journal.append({"flight": 2})
    assert path.read_bytes() == whole + b'{"flight": 2}\n'


@pytest.mark.parametrize("damage", [b"not JSON\n", b"[1]\n", b"\xff\xfe\n"])
def test_a_damaged_line_is_named(path, damage):
    path.write_bytes(begun(path).read_bytes() + damage + b'{"flight": 2}\n')
    with pytest.raises(OutputError, match=r"rows\.jsonl: line 4: expected a JSON object, got b"):
        Journal.resume(path, PLAN)


@pytest.mark.parametrize("content", [b"", b'{"schema": 2, "plan": {}}\n', b'{"schema": 1}\n'])
def test_a_file_without_a_header_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(OutputError, match="line 1: expected the header of a run, schema 1"):
        Journal.resume(path, PLAN)


@pytest.mark.parametrize(
    ("plan", "difference"),
    [
        ({**PLAN, "model m": {"sha256": "abd"}}, "model m sha256: abc, this command has abd"),
        ({**PLAN, "entry 'calm'": {"seeds": "0:6"}}, "entry 'calm' seeds: 0:5, .* has 0:6"),
        ({"model m": {"sha256": "abc"}}, "entry 'calm' seeds: 0:5, this command has none"),
        ({**PLAN, "--record": "all"}, "--record: none, this command has all"),
    ],
)
def test_another_plan_is_refused_and_the_difference_named(path, plan, difference):
    before = begun(path).read_bytes()
    with pytest.raises(ConfigError, match=f"--resume: the run in .* begun with {difference}"):
        Journal.resume(path, plan)
    assert path.read_bytes() == before


def test_an_existing_file_is_never_begun_again(path):
    before = begun(path).read_bytes()
    with pytest.raises(OutputError, match=r"rows\.jsonl: exists already; pass --resume"):
        Journal.begin(path, PLAN, {}, "x")
    assert path.read_bytes() == before


def test_a_row_that_does_not_fit_on_the_disk_leaves_whole_lines(path, monkeypatch):
    begun(path)
    write = os.write

    def half(file, data):
        if len(data) > 20:
            return write(file, data[:20])
        raise OSError(28, "No space left on device")

    with Journal.resume(path, PLAN) as journal:
        before = path.read_bytes()
        monkeypatch.setattr(os, "write", half)
        with pytest.raises(OutputError, match=r"rows\.jsonl: cannot be written \(No space left"):
            journal.append({"flight": 2, "text": "x" * 10})
        assert path.read_bytes() == before
        assert len(journal.rows) == 2


def test_a_failure_before_the_first_row_leaves_nothing(path):
    with pytest.raises(KeyboardInterrupt), Journal.begin(path, PLAN, {}, "x"):
        raise KeyboardInterrupt
    assert not path.exists()
    journal = Journal.begin(path, PLAN, {}, "x")
    journal.append({"flight": 0})
    with pytest.raises(KeyboardInterrupt), journal:
        raise KeyboardInterrupt
    assert len(path.read_text().splitlines()) == 2


def test_the_newest_run_of_a_plan_is_found(tmp_path):
    for name, plan in (("2026-01-01", PLAN), ("2026-01-02", PLAN), ("2026-01-03", {"other": 1})):
        Journal.begin(tmp_path / name / JOURNAL_FILE, plan, {}, "x").close()
    (tmp_path / "2026-01-04").mkdir()
    assert newest_journal(tmp_path.glob("*"), PLAN).name == "2026-01-02"
    with pytest.raises(OutputError, match="expected an earlier run of this command"):
        newest_journal(tmp_path.glob("*"), {"third": 1})


def test_other_versions_are_known(path):
    begun(path)
    assert Journal.resume(path, PLAN).begun_with == {}
    lines = path.read_text().splitlines(keepends=True)
    header = {**json.loads(lines[0]), "git_revision": "f00"}
    path.write_text("".join([json.dumps(header) + "\n", *lines[1:]]))
    assert Journal.resume(path, PLAN).begun_with == {"git_revision": "f00"}


@dataclass(frozen=True)
class Measurement:
    name: str
    value: float
    missing: float | None


def test_plain_data_becomes_the_dataclass_again():
    row = Measurement("a", 0.1 + 0.2, None)
    assert restored(Measurement, json.loads(json.dumps(plain(row)))) == row
    again = restored(Measurement, plain(Measurement("a", nan, 1.0)))
    assert isnan(again.value)
    assert plain([inf, np.float32(0.5), np.int64(3)]) == [None, 0.5, 3]
