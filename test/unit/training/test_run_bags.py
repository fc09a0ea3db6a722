"""Whole runs from bags: without flights, with simulated flights, and resumed."""

import json

import numpy as np
import pytest
from toy_bags import MS, write_bag
from toy_run import begin, toy_settings

from liquid_control.errors import BagError, ConfigError
from liquid_control.perception import PictureDistribution, picture_statistics
from liquid_control.policy import load_model
from liquid_control.training.bags.sources import bag_data
from liquid_control.training.run_folder import load_progress
from liquid_control.training.windows import split_flights

pytestmark = [pytest.mark.unit, pytest.mark.timeout(300)]

LEARNER = {
    "cloning_steps": 4,
    "windows": 2,
    "window_steps": 8,
    "burn_in_steps": 2,
    "held_out": 2,
}
NEVER_FLOWN = {"flights": 0, "final_flights": 0}


def settings(cloning=0, validation=NEVER_FLOWN, **more):
    flights = {"cloning": cloning, "dagger": 0, "rounds": 0}
    return toy_settings(flights=flights, learner=LEARNER, validation=validation, **more)


def write_bags(folder):
    """Write two flights; the first has two pieces and frames that are left out."""
    gap = [*range(0, 2000, 50), *range(5000, 6500, 50), *range(9000, 9200, 50)]
    metadata = {"flight": {"scenario": "trail", "seed": "5"}, "model": {"name": "expert:pushed"}}
    first = [stamp * MS for stamp in gap]
    second = [stamp * MS for stamp in range(0, 3000, 60)]
    return [
        write_bag(folder / "a.mcap", first, metadata=metadata),
        write_bag(folder / "b.mcap", second),
    ]


@pytest.fixture
def bags(tmp_path):
    return write_bags(tmp_path / "bags")


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """Return data and folder of a run that learned from the bags only."""
    folder = tmp_path_factory.mktemp("learned")
    data, _ = bag_data(write_bags(folder / "bags"))
    training = begin(folder / "run", settings(), resume=False, data=data)
    assert training.actors is None
    training.run()
    return data, folder / "run"


def test_bags_alone_make_a_model_whose_card_states_that_it_never_flew(learned):
    data, run = learned
    model = load_model(run / "toy")
    made = model.settings.provenance
    assert made["dataset"]["flights"] == 2
    assert made["dataset"]["frames"] == 40 + 30 + 50
    assert [bag["name"] for bag in made["bags"]] == ["a.mcap", "b.mcap"]
    assert [bag["sha256"] for bag in made["bags"]] == [source.sha256 for source in data.sources]
    assert [bag["pieces"] for bag in made["bags"]] == [[40, 30], [50]]
    assert made["bags"][0]["dropped"] == {"in too short a piece": 4}
    assert made["bags"][0]["recorder"]["flight"]["seed"] == "5"
    card = (run / "toy" / "README.md").read_text()
    assert "**This model has never flown.**" in card
    assert "120 frames, 0.1 min, of 2 bags; labels are the commands of the recorded pilot" in card
    assert "Left out: 4 frames in too short a piece." in card
    assert "| a.mcap | expert:pushed | trail, seed 5 | 70 | 4 |" in card
    assert "| b.mcap | unknown | unknown | 50 | 0 |" in card
    assert "simulated flights" not in card


def test_picture_statistics_of_the_model_are_those_of_its_dataset(learned):
    _, run = learned
    known = PictureDistribution.load(run / "toy")
    assert known is not None
    assert known.frames == 120
    files = sorted((run / "dataset").rglob("*.npz"))
    images = np.concatenate([np.load(path)["images"] for path in files])
    values = np.array([picture_statistics(image) for image in images])
    np.testing.assert_allclose(known.mean, values.mean(axis=0), rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(known.quantiles[50], np.median(values, axis=0), rtol=1e-5)


def test_bags_mix_with_simulated_flights(bags, tmp_path):
    flown = {"flights": 1, "final_flights": 1, "conditions": {"calm": {}}}
    data, _ = bag_data(bags)
    begin(tmp_path / "run", settings(2, flown), resume=False, data=data).run()
    progress = load_progress(tmp_path / "run")
    assert list(progress.done) == ["read", "fly 0", "learn 0", "validate 0", "publish"]
    assert progress.datasets[0].flights == 4
    assert progress.datasets[0].frames > 120
    card = (tmp_path / "run" / "toy" / "README.md").read_text()
    frames = f"{progress.datasets[0].frames:,} frames of 4 flights in all"
    assert f"With simulated flights {frames}, scenario `trail`: 2 flown by" in card
    assert "never flown" not in card


def test_a_resumed_run_reads_missing_bags_only(bags, tmp_path):
    data, _ = bag_data(bags)
    run = tmp_path / "run"
    training = begin(run, settings(), resume=False, data=data)
    training._read(data)
    summaries = sorted((run / "dataset" / "bags").glob("*.json"))
    kept, lost = summaries
    lost.unlink()
    before = kept.stat().st_mtime_ns
    for bag in bags:
        if bag.name == json.loads(kept.read_text())["name"]:
            bag.unlink()
    begin(run, settings(), resume=True, data=data).run()
    assert kept.stat().st_mtime_ns == before
    assert load_progress(run).datasets[0].frames == 120


def test_a_bad_bag_is_reported_and_the_others_are_used(bags, tmp_path):
    bad = tmp_path / "bags" / "bad.mcap"
    bad.write_bytes(b"rubbish")
    begin(tmp_path / "run", settings(), resume=False, data=bag_data([*bags, bad])[0]).run()
    made = load_model(tmp_path / "run" / "toy").settings.provenance
    assert made["dataset"]["flights"] == 2
    assert "bad.mcap" in made["bags"][2]["error"]
    assert made["bags"][2]["frames"] == 0


def test_nothing_to_learn_from_is_one_line(bags, tmp_path):
    data, _ = bag_data(bags)
    strict = settings(bags={"min_frames": 1000})
    with pytest.raises(BagError, match=r"nothing to learn from in 2 bag\(s\): 124 frames in too"):
        begin(tmp_path / "a", strict, resume=False, data=data).run()
    other = settings(bags={"label": "odometry"})
    with pytest.raises(BagError, match=r"a\.mcap: bags\.label is odometry, which the bag lacks"):
        begin(tmp_path / "b", other, resume=False, data=data).run()
    with pytest.raises(ConfigError, match=r"flights\.cloning is 0.*pass --data"):
        settings().check_data(0)


def test_pieces_of_a_flight_are_kept_together():
    origins = np.array([0, 0, 0, 1, 2, 2, 3])
    split = split_flights(origins, 2)
    assert split.validation.tolist() == [3, 6]
    assert split.train.tolist() == [0, 1, 2, 4, 5]
    alone = split_flights(np.array([4, 4]), 2)
    assert alone.train.tolist() == alone.validation.tolist() == [0, 1]
    assert split_flights(np.array([0, 5, 5]), 20).validation.tolist() == [1, 2]
