"""Every example runs and returns a checked result."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.sim
EXAMPLES = Path(__file__).parents[2] / "examples"


def example(number: str) -> ModuleType:
    (path,) = EXAMPLES.glob(f"{number}_*.py")
    spec = importlib.util.spec_from_file_location(f"example_{number}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_example_01_completes_its_trail():
    result = example("01").main(seed=7, length_m=12.0)
    assert result.success
    assert result.distance_m == 12.0


def test_example_02_shows_activity_of_every_neuron():
    spread = example("02").main(seed=7, length_m=12.0)
    assert len(spread) == 19
    assert all(value > 0.0 for value in spread.values())


def test_example_03_depends_on_the_elapsed_time():
    same, apart = example("03").main()
    assert same == 0.0
    assert apart > 0.01


@pytest.fixture
def single_threaded():
    """Run PyTorch in one thread; threads of such small networks only wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("single_threaded")
def test_example_05_trains_reproducibly():
    ppo = example("05")
    models = []
    for steps in (32, 32, 0):
        models.append(ppo.untrained(rollout=8))
        ppo.train(models[-1], steps)
    first, again, before = (model.policy.action_net.weight for model in models)
    assert first.equal(again)
    assert not first.equal(before)
    assert ppo.success_rate(models[-1], range(10_000, 10_001)) in (0.0, 1.0)


def test_example_09_finds_the_cruise_speed_held():
    flown = example("09").main(seeds=range(7, 8), length_m=16.0)
    assert list(flown) == [1.0, 2.0, 3.0, 4.0]
    for wanted in (1.0, 2.0, 3.0):
        assert flown[wanted] == pytest.approx(wanted, rel=0.1)
