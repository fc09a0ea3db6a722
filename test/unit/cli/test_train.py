"""`liquid-control train`: errors in settings, folders and dependencies."""

import sys

import pytest
import yaml
from toy_run import TOY, toy_settings

from liquid_control.cli.train import train
from liquid_control.errors import ConfigError, DependencyError, OutputError
from liquid_control.folder_lock import folder_lock
from liquid_control.training.run_folder import RunFolder, RunProgress

pytestmark = pytest.mark.unit


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(TOY))
    return path


def test_missing_config_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        train(tmp_path / "none.yaml")


def test_missing_torch_names_the_extra(config, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(DependencyError, match=r"torch is not installed.*pip install .*\[train\]"):
        train(config)


def test_nothing_to_resume(config, tmp_path, monkeypatch):
    pytest.importorskip("pybullet")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="expected a run of toy in runs"):
        train(config, resume=True)
    with pytest.raises(OutputError, match=r"progress\.json: cannot be read"):
        train(config, resume=True, out=tmp_path / "empty")


def test_begun_folder_needs_resume(config, tmp_path):
    pytest.importorskip("pybullet")
    out = tmp_path / "run"
    RunFolder(out).keep_settings(toy_settings())
    RunProgress("x", "t").save(out)
    with pytest.raises(OutputError, match="already holds a training run; pass --resume"):
        train(config, out=out)


def test_a_run_in_use_is_not_resumed(config, tmp_path):
    pytest.importorskip("pybullet")
    out = tmp_path / "run"
    RunFolder(out).keep_settings(toy_settings())
    RunProgress("x", "t").save(out)
    with (
        folder_lock(out, "liquid-control train toy.yaml"),
        pytest.raises(OutputError, match=r"in use by `liquid-control train toy\.yaml`"),
    ):
        train(config, resume=True, out=out)


def test_folder_that_cannot_be_written(config, tmp_path):
    pytest.importorskip("pybullet")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"--out .*folder that can be written to"):
        train(config, out=tmp_path / "file" / "run")
