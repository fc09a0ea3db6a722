"""Compilation ahead of flights is reported once, and only if something is compiled."""

import subprocess
import sys

import pytest

from liquid_control_sim.warm_up import warm_up

pytestmark = pytest.mark.sim

WARM = "from liquid_control_sim.warm_up import warm_up; warm_up(print)"


def test_cached_machine_code_is_not_reported():
    warm_up()
    lines = []
    warm_up(lines.append)
    assert lines == []


@pytest.mark.slow
def test_compilation_is_reported_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))

    def lines() -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", WARM], capture_output=True, text=True, check=True, timeout=250
        )
        return done.stdout.splitlines()

    assert lines()[-1] == "compiling the simulator, about 20 s, once"
    kept = sorted(path.name for path in tmp_path.rglob("*.nbi"))
    assert any(name.startswith("coverage.draw") for name in kept)
    assert any(name.startswith("shading.shade") for name in kept)
    assert any(name.startswith("autopilot.autopilot_step") for name in kept)
    assert any(name.startswith("precipitation.draw_streaks") for name in kept)
    assert not any("compiling" in line for line in lines())
