"""The share of the expert's commands that follows from the scene."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
from benchmarks.expert_labels import explained, main, read_scenes
from liquid_control.errors import OutputError

pytestmark = pytest.mark.unit


def test_commands_that_follow_from_the_scene_are_explained_and_others_are_not() -> None:
    rng = np.random.default_rng(1)
    scenes = rng.standard_normal((4000, 3)).astype(np.float32)
    hidden = rng.standard_normal(4000)
    labels = np.stack(
        [scenes[:, 0], scenes[:, 1] + hidden, hidden, np.sign(scenes[:, 2])], axis=1
    ).astype(np.float32)
    forward, left, up, yaw_rate = explained(scenes, labels, np.arange(4000) // 100)
    assert forward.fraction > 0.97
    # Half of the variance of the second is hidden: 0.05 is four standard errors of 1,000 frames.
    assert left.fraction == pytest.approx(0.5, abs=0.1)
    assert up.fraction < 0.05
    assert yaw_rate.fraction > 0.97
    assert up.error == pytest.approx(1.0, abs=0.15)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=str(tmp_path)):
        read_scenes(tmp_path)


def test_the_command_says_so_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path)])
    assert ended.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert str(tmp_path) in lines[0]
