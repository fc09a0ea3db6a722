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


FORBIDDEN = [
    ("types", "policy", "Each layer imports only from the layers below it"),
    ("liquid.wiring", "command", "Each layer imports only from the layers below it"),
    ("evaluation", "liquid_control_sim", "Each layer imports only from the layers below it"),
    ("command.guard", "rclpy", "ROS 2 is imported in nodes only"),
    ("training", "pybullet", "PyBullet is imported in the simulator only"),
    ("policy", "perception.cnn", "What flies, judges or exports needs no PyTorch, not even"),
    ("liquid.reference", "torch", "Of the organs, only"),
    ("nodes.conversions", "bags", "Nodes that fly need no code of bags"),
]
"""Module, what it must not import, and the beginning of the contract that says so."""


def test_contracts_break_on_forbidden_imports(copy: Path) -> None:
    """The report of each contract has the import itself."""
    for module, imported, _ in FORBIDDEN:
        path = copy / "liquid_control" / module.replace(".", "/")
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\nimport {full(imported)}\n")
    result = lint(copy)
    assert result.returncode == 1, result.stdout + result.stderr
    reports = reports_of(result.stdout)
    for module, imported, broken in FORBIDDEN:
        (report,) = [text for name, text in reports.items() if name.startswith(broken)]
        assert f"{full(module)} -> {full(imported)} (" in report, broken


def full(name: str) -> str:
    outside = ("rclpy", "pybullet", "torch", "liquid_control_sim")
    return name if name in outside else f"liquid_control.{name}"


def reports_of(output: str) -> dict[str, str]:
    """Return the report of each broken contract by its name, in one line each."""
    parts = re.split(r"\n(\S[^\n]*)\n-{8,}\n", output.partition("Broken contracts\n")[2])
    return {
        name: " ".join(text.split()) for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_every_room_has_its_layer() -> None:
    contracts = read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
    (layers,) = [c["layers"] for c in contracts if c["id"] == "layers"]
    named = {room.strip() for layer in layers for room in layer.replace("|", ":").split(":")}
    package = ROOT / "liquid_control"
    rooms = {f"liquid_control.{path.parent.name}" for path in package.glob("*/__init__.py")}
    rooms |= {f"liquid_control.{path.stem}" for path in package.glob("*.py")}
    assert named == (rooms - {"liquid_control.__init__"}) | {"liquid_control_sim", "benchmarks"}
