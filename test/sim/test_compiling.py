import os
import subprocess
import sys
from pathlib import Path

import pytest

from liquid_control_sim.compiling import KEEP, Compiler

pytestmark = pytest.mark.sim
SEEN = {"PYTHONPATH": os.pathsep.join(sys.path)}
"""Lets a new interpreter see what this one does."""


def room(folder: Path, answer: int) -> Path:
    (folder / "answer.py").write_text(f"def answer() -> int:\n    return {answer}\n")
    return folder


def double(value: float) -> float:
    return 2.0 * value


def test_machine_code_is_kept_for_the_sources_it_came_from(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kept = tmp_path / "cache" / "liquid_control" / "compiled"
    for answer in range(KEEP + 2):
        compiled = Compiler("room", room(tmp_path, answer))(double)
        assert compiled(21.0) == 42.0
    assert len(list(kept.glob("room-*"))) == KEEP
    assert all(list(folder.rglob("*.nbc")) for folder in kept.glob("room-*"))
    Compiler("room", room(tmp_path, KEEP + 1))(double)(1.0)
    assert len(list(kept.glob("room-*"))) == KEEP


def test_where_nothing_can_be_kept_functions_are_compiled_all_the_same():
    script = """
import tempfile
from pathlib import Path
from liquid_control_sim import compiling
tempfile.gettempdir = lambda: "/proc/none"
from liquid_control_sim.compiling import Compiler
source = Path(compiling.__file__).parent
print(Compiler("room", source)(lambda value: 2.0 * value)(21.0))
"""
    environment = os.environ | SEEN | {"XDG_CACHE_HOME": "/proc/none"}
    answer = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "42.0"


def test_without_numba_one_line_says_what_to_install():
    script = """
import sys
sys.modules["numba"] = None
import liquid_control_sim
"""
    environment = os.environ | SEEN
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "DependencyError: the simulator needs numba, which is not installed" in done.stderr
