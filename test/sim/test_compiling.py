import os
import subprocess
import sys
from pathlib import Path

import pytest

from liquid_control_sim.compiling import KEEP, Compiler

pytestmark = pytest.mark.sim
IMPORT_PATH = {"PYTHONPATH": os.pathsep.join(sys.path)}
"""Import path of this interpreter, for a new one."""


def write_source(folder: Path, answer: int) -> Path:
    (folder / "answer.py").write_text(f"def answer() -> int:\n    return {answer}\n")
    return folder


def double(value: float) -> float:
    return 2.0 * value


def test_machine_code_is_cached_per_source_version(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kept = tmp_path / "cache" / "liquid_control" / "compiled"
    for answer in range(KEEP + 2):
        compiled = Compiler("part", write_source(tmp_path, answer))(double)
        assert compiled(21.0) == 42.0
    assert len(list(kept.glob("part-*"))) == KEEP
    assert all(list(folder.rglob("*.nbc")) for folder in kept.glob("part-*"))
    Compiler("part", write_source(tmp_path, KEEP + 1))(double)(1.0)
    assert len(list(kept.glob("part-*"))) == KEEP


def test_functions_are_compiled_without_a_writable_cache():
    script = """
import tempfile
from pathlib import Path
from liquid_control_sim import compiling
tempfile.gettempdir = lambda: "/proc/none"
from liquid_control_sim.compiling import Compiler
source = Path(compiling.__file__).parent
print(Compiler("part", source)(lambda value: 2.0 * value)(21.0))
"""
    environment = os.environ | IMPORT_PATH | {"XDG_CACHE_HOME": "/proc/none"}
    answer = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "42.0"


def test_missing_numba_is_reported_in_one_line():
    script = """
import sys
sys.modules["numba"] = None
from liquid_control_sim import fly
"""
    environment = os.environ | IMPORT_PATH
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "DependencyError: the simulator needs numba, which is not installed" in done.stderr
