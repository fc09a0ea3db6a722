"""From recorded flights of the simulator to a model that loads and flies."""

import json

import numpy as np
import pytest
import yaml

from liquid_control.bags import Losses
from liquid_control.bags.bag import open_bag
from liquid_control.bags.events import CommandEvent, CommandSource, FrameEvent
from liquid_control.bags.flight_events import read_flight
from liquid_control.bags.topics import load_rules, resolve
from liquid_control.cli.main import main
from liquid_control.command.motors import MotorScaling
from liquid_control.config import load_scenario
from liquid_control.perception import CameraView, PictureDistribution
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control.training.bags.job import BagJob, piece_path, read_summary
from liquid_control.training.bags.sources import bag_data
from liquid_control.training.data_pilots import Actors, DataJob, FlightPlan
from liquid_control.training.dataset import read_flight as read_flight_file
from liquid_control.training.training_settings import (
    BagSettings,
    DisturbanceSettings,
    FlightSettings,
)
from liquid_control_sim import Expert, fly

pytestmark = [pytest.mark.sim, pytest.mark.timeout(600)]

SHORT = ["--set", "trail.length_m=6", "--set", "forest.trees=20"]
CONFIG = {
    "name": "from_two",
    "scenario": "trail",
    "overrides": {"trail.length_m": 6.0, "forest.trees": 20},
    "flights": {"cloning": 0, "rounds": 0},
    "learner": {
        "cloning_steps": 10,
        "windows": 2,
        "window_steps": 16,
        "burn_in_steps": 4,
        "threads": 1,
    },
    "validation": {"flights": 0, "final_flights": 1},
    "jobs": 1,
}


@pytest.fixture(scope="module")
def flown(tmp_path_factory):
    """Two short flights of the pushed expert, as bags."""
    out = tmp_path_factory.mktemp("flown")
    words = ["evaluate", "--model", "expert:pushed", "--scenario", "trail", "--seeds", "5,6"]
    assert main([*words, *SHORT, "--record", "all", "--image", "png", "--out", str(out)]) == 0
    return out


def test_rows_name_bags_that_hold_the_clean_and_the_pushed_commands(flown):
    rows = json.loads((flown / "results.json").read_text())["rows"]
    assert [row["bag"] for row in rows] == [f"bags/trail-expert-pushed-{s}.mcap" for s in (5, 6)]
    bag = open_bag(flown / rows[0]["bag"])
    assert bag.metadata["result"]["reason"] == rows[0]["reason"]
    losses = Losses()
    events = list(read_flight(bag, resolve(bag, load_rules()), losses))
    assert not losses.counts
    clean, pushed = (
        {
            e.stamp_ns: e.command.values
            for e in events
            if isinstance(e, CommandEvent) and e.source is s
        }
        for s in (CommandSource.POLICY, CommandSource.GUARD)
    )
    seen = [event.observation for event in events if isinstance(event, FrameEvent)]
    assert set(clean) == {observation.stamp_ns for observation in seen}
    gaps = np.array([np.subtract(pushed[stamp], clean[stamp]) for stamp in clean])
    assert np.abs(gaps).max() > 0.3

    # Unpushed, the expert flies elsewhere from the same start, and sees the same first frame.
    calm = load_scenario("trail", {"trail.length_m": 6, "forest.trees": 20})
    first = []
    fly(calm, 5, Expert(), lambda p: first.append(p.image) if p.image is not None else None)
    np.testing.assert_array_equal(seen[0].image, first[0])


def test_a_bag_gives_the_data_that_training_itself_would_have_flown(flown, tmp_path):
    """The same pushes of the same seed, once logged in process and once through the bag."""
    settings = FlightSettings(disturbance=DisturbanceSettings())
    scenario = load_scenario("trail", {"trail.length_m": 6, "forest.trees": 20})
    plan = FlightPlan(0, 0, 5, scenario, 1.0, disturbed=True)
    DataJob(plan, Actors(fly, Expert), settings, None, tmp_path / "own.npz").run()
    own, _ = read_flight_file(tmp_path / "own.npz")

    data, _ = bag_data([flown / "bags" / "trail-expert-pushed-5.mcap"])
    job = BagJob(
        source=data.sources[0],
        data=data,
        settings=BagSettings(),
        view=CameraView(
            scenario.camera.width, scenario.camera.height, scenario.camera.horizontal_fov_deg
        ),
        motors=MotorScaling(),
        path=tmp_path / "bag.json",
    )
    job.run()
    read, _ = read_flight_file(piece_path(job.path, 0))
    for name in ("stamps_ns", "images", "imu", "labels"):
        np.testing.assert_array_equal(getattr(read, name), getattr(own, name), err_msg=name)


@pytest.mark.slow
def test_two_bags_train_a_model_that_flies(flown, tmp_path, capsys):
    config, out = tmp_path / "from_two.yaml", tmp_path / "run"
    config.write_text(yaml.safe_dump(CONFIG))
    assert main(["train", str(config), "--data", str(flown / "bags"), "--out", str(out)]) == 0
    flown_next = f"--model {out / 'from_two'} --scenario trail"
    errors = capsys.readouterr().err
    for command in ("fly", "evaluate"):
        assert f"next: liquid-control {command} {flown_next}\n" in errors
    summaries = [read_summary(path) for path in (out / "dataset" / "bags").glob("*.json")]
    assert {summary.recorder["model"]["name"] for summary in summaries} == {"expert:pushed"}
    assert all(len(summary.pieces) == 1 and not summary.dropped for summary in summaries)
    model = load_model(out / "from_two")
    facts = model.settings.provenance["dataset"]
    assert (facts["flights"], facts["frames"]) == (2, sum(s.frames for s in summaries))
    known = PictureDistribution.load(out / "from_two")
    assert known is not None
    assert known.frames == facts["frames"]
    record = fly(load_scenario("trail", {"trail.length_m": 6}), 7, PolicyPilot(Policy(model)))
    assert record.framed.sum() > 5
