import pytest

from liquid_control.errors import BagError
from liquid_control.inspection.flight import recording_of

pytestmark = pytest.mark.unit


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
