"""Examples that read, replay and train from a bag: they run without ROS, with checked results."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.unit
EXAMPLES = Path(__file__).parents[3] / "examples"
FRAMES = 96


def example(number: str) -> ModuleType:
    (path,) = EXAMPLES.glob(f"{number}_*.py")
    spec = importlib.util.spec_from_file_location(f"example_{number}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_bag_is_read_as_topics_events_and_arrays(capsys):
    kinds, forward_mps = example("06").main()
    assert kinds["FrameEvent"] == kinds["NeuronsEvent"] == FRAMES
    assert 1.0 < forward_mps < 2.5
    assert f"pictures ({FRAMES}, 72, 128, 3)" in capsys.readouterr().out


def test_a_replay_equals_the_recording_and_noise_moves_it(tmp_path):
    result = example("07").main(out=tmp_path / "replay")
    assert result.replayed.frames == FRAMES
    assert all(error.maximum < 1e-6 for error in result.policy.axes.values())
    assert result.disturbed is not None
    written = {path.name for path in (tmp_path / "replay").iterdir()}
    assert {"replay.json", "replay.npz", "report.html"} <= written


def test_training_from_a_bag_writes_a_model_that_loads(tmp_path):
    model = example("08").main(tmp_path / "run")
    assert model.path == tmp_path / "run" / "from_a_bag"
    assert model.weights.wiring.neurons == 19
