"""`liquid-control models`: what it lists, and folders without models."""

import shutil

import pytest

from liquid_control.cli import main
from liquid_control.config import project_file
from liquid_control.policy import find_models

pytestmark = pytest.mark.unit


def test_shipped_models_are_listed_with_size_and_camera(capsys):
    assert main.main(["models"]) == 0
    printed = capsys.readouterr().out
    for model in find_models([project_file("models")]):
        row = next(line for line in printed.splitlines() if line.startswith(f"  {model.name} "))
        assert f"{model.core_parameters:,}" in row
        assert f"{model.parameters:,}" in row
        assert f"{model.settings.camera.width}×{model.settings.camera.height}" in row
        assert model.settings.core.kind in row


def test_every_shipped_model_is_small():
    for model in find_models([project_file("models")]):
        sizes = [file.stat().st_size for file in model.path.iterdir()]
        assert sum(sizes) < 3e6, model.name
        assert model.core_parameters <= 2500, model.name


def test_a_folder_of_models_and_a_model_folder_are_found(tmp_path):
    shutil.copytree(project_file("models/trail_cfc19"), tmp_path / "deep" / "mine")
    assert [m.path.name for m in find_models([tmp_path / "deep"])] == ["mine"]
    assert [m.path.name for m in find_models([tmp_path / "deep" / "mine"])] == ["mine"]


def test_a_folder_without_models_is_refused(tmp_path, capsys):
    assert main.main(["models", str(tmp_path)]) == 2
    assert f"{tmp_path}: expected a folder with models, found none" in capsys.readouterr().err
