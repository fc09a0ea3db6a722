import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.api import read_configuration

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.unit


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts over the code in a folder, which comes before an installed one."""
    program = (
        "import sys; sys.path[:0] = ['.', 'sim']; "
        "from importlinter.cli import lint_imports_command as run; "
        "run(['--no-logo', '--no-cache'])"
    )
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "liquid_control", tmp_path / "liquid_control", ignore=without)
    shutil.copytree(ROOT / "sim", tmp_path / "sim", ignore=without)
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks", ignore=without)
    return tmp_path


def test_layers_hold() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        (
            "liquid_control/types.py",
            "import liquid_control.policy",
            "Each layer imports only from the layers below it",
        ),
        (
            "liquid_control/liquid/wiring.py",
            "import liquid_control.command",
            "Each layer imports only from the layers below it",
        ),
        (
            "liquid_control/evaluation/__init__.py",
            "import liquid_control_sim",
            "Each layer imports only from the layers below it",
        ),
        (
            "liquid_control/command/guard.py",
            "import rclpy",
            "ROS 2 is imported in nodes only",
        ),
        (
            "liquid_control/training/__init__.py",
            "import pybullet",
            "PyBullet is imported in the simulator only",
        ),
        (
            "liquid_control/policy/__init__.py",
            "import liquid_control.perception.cnn",
            "What flies, judges or exports needs no PyTorch, not even indirectly",
        ),
        (
            "liquid_control/liquid/reference.py",
            "import torch",
            "Of the organs, only",
        ),
    ],
)
def test_contract_breaks_on_a_forbidden_import(
    copy: Path, module: str, line: str, broken: str
) -> None:
    with (copy / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    result = lint(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    assert re.search(rf"^{re.escape(broken)}.* BROKEN", result.stdout, re.MULTILINE)


def test_every_room_has_its_layer() -> None:
    contracts = read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    (layers,) = [c["layers"] for c in contracts if c["id"] == "layers"]
    named = {room.strip() for layer in layers for room in layer.replace("|", ":").split(":")}
    package = ROOT / "liquid_control"
    rooms = {f"liquid_control.{path.parent.name}" for path in package.glob("*/__init__.py")}
    rooms |= {f"liquid_control.{path.stem}" for path in package.glob("*.py")}
    assert named == (rooms - {"liquid_control.__init__"}) | {"liquid_control_sim", "benchmarks"}
