"""`train`, the entry point: beginning, resuming and refusing runs."""

import io
import subprocess
import sys

import pytest
from rich.console import Console
from toy_bags import MS, write_bag
from toy_flight import ToyExpert, fly
from toy_run import toy_settings

from liquid_control.errors import ConfigError, LiquidControlError, OutputError
from liquid_control.export import model_graphs
from liquid_control.policy import load_model
from liquid_control.progress import Reporter
from liquid_control.training import Actors, bag_data, train

pytestmark = [pytest.mark.unit, pytest.mark.timeout(300)]

LEARNER = {"cloning_steps": 2, "windows": 2, "window_steps": 8, "burn_in_steps": 2}
FROM_BAGS = {
    "flights": {"cloning": 0, "rounds": 0},
    "validation": {"flights": 0, "final_flights": 0},
    "learner": LEARNER,
}
FLYING = {
    "flights": {"cloning": 1, "rounds": 0},
    "validation": {"flights": 0, "final_flights": 1},
    "learner": LEARNER,
}


@pytest.fixture
def reporter():
    return Reporter(Console(file=io.StringIO()))


@pytest.fixture
def data(tmp_path):
    return bag_data([write_bag(tmp_path / "a.mcap", [50 * MS * n for n in range(20)])])[0]


def test_a_run_that_flies_needs_actors_only_when_it_begins(tmp_path, reporter):
    settings = toy_settings(**FLYING)
    with pytest.raises(ConfigError, match="toy: the run flies: expected actors, got none"):
        train(settings, tmp_path / "run", model_graphs)
    assert not (tmp_path / "run").exists()
    path = train(
        settings, tmp_path / "run", model_graphs, Actors(fly, ToyExpert), reporter=reporter
    )
    assert path == tmp_path / "run" / "toy"
    assert load_model(path).settings.provenance["command"] == "liquid_control.training.train"
    with pytest.raises(OutputError, match="already holds a training run"):
        train(settings, tmp_path / "run", model_graphs, lambda: pytest.fail("not needed yet"))


def test_a_resumed_run_finds_its_bags_and_ends_with_the_same_model(tmp_path, data, reporter):
    settings, out = toy_settings(**FROM_BAGS), str(tmp_path / "run")
    path = train(settings, out, model_graphs, data=data, command="notebook", reporter=reporter)
    weights = (path / "weights.npz").read_bytes()
    assert load_model(path).settings.provenance["command"] == "notebook"
    assert train(settings, out, model_graphs, resume=True, reporter=reporter) == path
    assert (path / "weights.npz").read_bytes() == weights
    other = toy_settings(**FROM_BAGS, seed=9)
    with pytest.raises(ConfigError, match="begun with seed=3"):
        train(other, out, model_graphs, resume=True)


def test_there_must_be_data_and_a_run_to_resume(tmp_path):
    settings = toy_settings(**FROM_BAGS)
    with pytest.raises(ConfigError, match=r"flights\.cloning is 0"):
        train(settings, tmp_path / "run", model_graphs)
    with pytest.raises(OutputError, match=r"progress\.json: cannot be read"):
        train(settings, tmp_path / "run", model_graphs, resume=True)
    assert not (tmp_path / "run").exists()


def test_importing_training_does_not_import_torch():
    script = "import sys, liquid_control.training; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"core": {"kind": "lstmm"}}, "unknown core 'lstmm'"),
        ({"encoder": "nowhere"}, "nowhere: expected an encoder or a model"),
        ({"encoder": "trail_cfc19"}, "at least 128x72 of that shape, got a smaller image, 32x18"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused_before_the_first_flight(
    tmp_path, network, message
):
    settings = toy_settings(network=network)
    with pytest.raises(LiquidControlError, match=message):
        train(settings, tmp_path / "run", model_graphs, lambda: pytest.fail("not needed yet"))
    assert not (tmp_path / "run").exists()
