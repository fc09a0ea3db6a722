import pytest
from toy_bags import MS, write_bag

from liquid_control.errors import BagError, ConfigError, OutputError
from liquid_control.training.bags.sources import (
    SOURCES_FILE,
    bag_data,
    content_hash,
    find_bags,
    load_data,
)

pytestmark = pytest.mark.unit


@pytest.fixture
def bags(tmp_path):
    stamps = [0, 50 * MS]
    return [write_bag(tmp_path / "bags" / f"{n}.mcap", [s + n for s in stamps]) for n in range(3)]


def test_files_folders_and_patterns_name_the_same_bags(bags):
    folder = bags[0].parent
    assert find_bags(bags) == bags
    assert find_bags([folder]) == bags
    assert find_bags([folder / "*.mcap"]) == bags
    recording = folder / "recording"
    recording.mkdir()
    (recording / "metadata.yaml").write_text("")
    assert find_bags([recording]) == [recording]
    assert find_bags([folder]) == [*bags, recording]


@pytest.mark.parametrize("name", ["none.mcap", "*.mcap", "empty"])
def test_paths_without_bags_are_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BagError, match=r"expected \.mcap or \.db3 files.*found none there"):
        find_bags([tmp_path / name])


def test_a_bag_given_twice_is_used_once(bags):
    copy = bags[0].with_name("copy.mcap")
    copy.write_bytes(bags[0].read_bytes())
    data, lines = bag_data([*bags, copy])
    assert [source.name for source in data.sources] == ["0.mcap", "1.mcap", "2.mcap"]
    assert lines == [f"{copy}: is the same as {bags[0]}, and is used once"]


def test_a_folder_is_its_files_names_and_contents(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
        (folder / "metadata.yaml").write_text("a")
        (folder / "part_0.db3").write_bytes(b"b")
    assert content_hash(one) == content_hash(two)
    (two / "part_0.db3").write_bytes(b"c")
    assert content_hash(one) != content_hash(two)


def test_a_resumed_run_needs_the_same_bags(bags, tmp_path):
    begun, _ = bag_data(bags, ["px4"], {"camera": "/cam"})
    assert load_data(tmp_path) is None
    begun.save(tmp_path)
    assert load_data(tmp_path) == begun
    begun.check_same(begun)
    moved = bags[0].rename(bags[0].with_name("moved.mcap"))
    bag_data([moved, *bags[1:]], ["px4"], {"camera": "/cam"})[0].check_same(begun)
    with pytest.raises(ConfigError, match=r"begun with 3 bag\(s\) of other content or order"):
        bag_data(bags[1:])[0].check_same(begun)
    with pytest.raises(ConfigError, match="begun with other --topics or --topic"):
        bag_data([moved, *bags[1:]])[0].check_same(begun)
    (tmp_path / SOURCES_FILE).write_text("{}")
    with pytest.raises(OutputError, match="is not what training wrote"):
        load_data(tmp_path)
