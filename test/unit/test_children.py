import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from liquid_control.process_pool import LIMITS, one_thread_each

pytestmark = pytest.mark.unit


def test_children_inherit_one_thread_and_the_parent_gets_its_own_back(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with one_thread_each():
        assert {os.environ[name] for name in LIMITS} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_a_pool_ends_with_the_process_that_started_it():
    script = """
import os, signal, time
from liquid_control.process_pool import start_pool
if __name__ == "__main__":
    pool = start_pool(1)
    print(pool.submit(os.getpid).result(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parent.py"
        path.write_text(script)
        done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL
    orphan = int(done.stdout)
    deadline = time.monotonic() + 20.0
    while Path(f"/proc/{orphan}").exists() and not is_zombie(orphan):
        assert time.monotonic() < deadline, "the worker outlived its parent"
        time.sleep(0.05)


def is_zombie(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
