"""Flights against the tubes of the shipped certificate, resumed after an interruption."""

import json

import pytest

from liquid_control.certification import CLOSED_LOOP, falsified_lines, falsify, fly_held_out
from liquid_control.config import project_file
from liquid_control.errors import CertificateError, OutputError
from liquid_control.policy import load_model
from liquid_control_sim import fly

pytestmark = pytest.mark.sim
SEEDS = (640_001, 640_002)


@pytest.fixture(scope="module")
def model():
    return load_model(project_file("models/trail_cfc19"))


@pytest.fixture(scope="module")
def content(model):
    return json.loads((model.path / CLOSED_LOOP).read_text(encoding="utf-8"))


def refuse(*_args, **_options):
    raise AssertionError("a flight that is there was flown again")


@pytest.mark.slow
def test_flights_are_kept_resumed_and_compared(model, content, tmp_path):
    folder = tmp_path / "flights"
    fly_held_out(fly, model, content, SEEDS[:1], folder)
    with pytest.raises(AssertionError, match="flown again"):
        fly_held_out(refuse, model, content, SEEDS, folder)
    files = fly_held_out(fly, model, content, SEEDS, folder)
    assert [file.name for file in files] == [f"flight-{seed}.npz" for seed in SEEDS]
    assert fly_held_out(refuse, model, content, SEEDS, folder) == files
    found = falsify(model, content, files)
    assert found["flights"] == 2
    for part in found["tubes"].values():
        assert part["windows"] > 20
        assert part["frames_within"] > 100
        assert part["left_within"] == 0
    # A tube of a tenth of the width holds none of these windows, so flights can refute a claim.
    narrow = json.loads(json.dumps(content))
    for claim in narrow["claims"]["tubes"]:
        claim["lower"] = [[0.1 * value for value in row] for row in claim["lower"]]
        claim["upper"] = [[0.1 * value for value in row] for row in claim["upper"]]
    parts = falsify(model, narrow, files)["tubes"].values()
    assert all(part["left_within"] > 0 for part in parts)
    lines = list(falsified_lines(model, refuse, SEEDS, folder))
    assert lines[0].startswith("  2 flights that were not fitted on")
    (folder / "flights.json").write_text("{}")
    with pytest.raises(OutputError, match="other weights or of another domain"):
        fly_held_out(refuse, model, content, SEEDS, folder)


def test_seeds_that_were_fitted_on_are_refused(model, content, tmp_path):
    with pytest.raises(CertificateError, match="not fitted on, got 630000"):
        fly_held_out(refuse, model, content, range(629_999, 630_002), tmp_path)
    assert not list(tmp_path.iterdir())
