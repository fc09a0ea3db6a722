from pathlib import Path

import pytest

from liquid_control.cli.main import main
from liquid_control.errors import BagError, ConfigError
from liquid_control.inspection.flight import recording_of
from liquid_control.inspection.retrace import open_flights

pytestmark = pytest.mark.unit

GOLDEN = Path("test/golden/flight.mcap")


@pytest.mark.parametrize("name", ["flight.mcap", "bags/trail-3.mcap", "trail-3/flight.mcap"])
def test_the_only_bag_of_a_folder_is_found(tmp_path, name):
    bag = tmp_path / name
    bag.parent.mkdir(exist_ok=True)
    bag.touch()
    assert recording_of(tmp_path) == bag
    assert recording_of(bag) == bag


def test_of_several_bags_one_must_be_named(tmp_path):
    for name in ("trail-3", "trail-4"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "flight.mcap").touch()
    with pytest.raises(BagError, match=r"expected one bag, got 2: trail-3/flight.mcap, trail-4"):
        recording_of(tmp_path)


def test_a_flight_that_is_given_twice_is_refused(policy, tmp_path):
    copy = tmp_path / "copy.mcap"
    copy.write_bytes(GOLDEN.read_bytes())
    with pytest.raises(ConfigError, match=r"copy\.mcap: expected different flights, got that of"):
        open_flights([GOLDEN, copy], policy=policy)


def test_all_recordings_are_read_before_one_is_flown_again(policy, tmp_path):
    flown, notes = [], []
    missing = tmp_path / "missing.mcap"
    with pytest.raises(BagError, match=r"missing\.mcap: expected a bag, found nothing"):
        open_flights([GOLDEN, missing], policy=policy, flyer=flown.append, note=notes.append)
    assert (flown, notes) == ([], [])


def test_one_recording_is_refused_before_it_is_read(tmp_path, capsys):
    assert main(["inspect", "neurons", str(tmp_path / "missing.mcap")]) == 2
    assert "expected at least two flights" in capsys.readouterr().err
