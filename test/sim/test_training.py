"""The training pipeline in the real simulator, on tiny numbers."""

import pytest

from liquid_control.cli.train import train
from liquid_control.config import load_scenario, project_file
from liquid_control.policy import Policy, PolicyPilot, load_model
from liquid_control.training.run_folder import load_progress
from liquid_control_sim import fly

pytestmark = [pytest.mark.sim, pytest.mark.slow, pytest.mark.timeout(900)]


def test_smoke_run_makes_a_model_that_loads_and_flies(tmp_path, capsys):
    config = tmp_path / "smoke.yaml"  # with one worker, since its start costs more than a flight
    config.write_text(project_file("config/train/smoke.yaml").read_text() + "jobs: 1\n")
    train(config, out=tmp_path / "run")
    path = tmp_path / "run" / "smoke"
    assert capsys.readouterr().out.strip().endswith(str(path))
    progress = load_progress(tmp_path / "run")
    assert list(progress.done)[-1] == "publish"
    assert progress.datasets[1].flights == 6
    assert progress.datasets[1].frames > 200
    model = load_model(path)
    assert model.settings.core.circuit.neurons == 19
    assert sum(file.stat().st_size for file in path.iterdir()) < 2_000_000
    record = fly(load_scenario("trail", {"trail.length_m": 6.0}), 7, PolicyPilot(Policy(model)))
    assert record.result.duration_s > 0.5
    assert record.framed.sum() > 10
