"""No process of this package looks up a host or leaves an id in the user's cache."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

COUNTER = r"""
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
    FILE *log = fopen(getenv("LOOKUPS"), "a");
    if (log) { fprintf(log, "%s\n", node ? node : "-"); fclose(log); }
    return EAI_FAIL;
}
struct hostent *gethostbyname(const char *name) {
    FILE *log = fopen(getenv("LOOKUPS"), "a");
    if (log) { fprintf(log, "%s\n", name); fclose(log); }
    return NULL;
}
"""
"""Counts look-ups of hosts, and refuses them."""

STEP = """
import sys, time
import numpy as np
from liquid_control.policy import Policy, load_model
from liquid_control.policy.controllers import BACKENDS
from liquid_control.types import ImuWindow, Observation
policy = Policy(load_model(sys.argv[1]))
window = ImuWindow(np.arange(5, dtype=np.int64), np.zeros((5, 3)), np.zeros((5, 3)) + [0, 0, 9.8])
inputs = {"cruise_mps": 2.0, "mount": (90.0, 15.0), "orientation": np.array([0.0, 0.0, 0.0, 1.0])}
picture = policy.model.settings.perception
black = np.zeros((picture.height, picture.width, 3), np.uint8)
observation = Observation(5, black, window, **inputs)
features = policy.features(observation)
onnx = BACKENDS["onnx"](policy.model)
onnx.act(features, onnx.init_state(), 0.05)
time.sleep(float(sys.argv[2]))
"""
CONTROL = (
    "import socket\ntry:\n    socket.getaddrinfo('example.invalid', 80)\nexcept OSError:\n    pass"
)

pytestmark = pytest.mark.unit


@pytest.fixture
def counted(tmp_path):
    """Return a function that runs a program and returns its look-ups and the files in its home."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler and LD_PRELOAD to count look-ups")
    source, library = tmp_path / "counter.c", tmp_path / "counter.so"
    source.write_text(COUNTER)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    home, log = tmp_path / "home", tmp_path / "lookups"
    home.mkdir()

    def run(program, *words):
        kept = {k: v for k, v in os.environ.items() if k not in ("ORT_DISABLE_TELEMETRY",)}
        kept |= {"HOME": str(home), "LD_PRELOAD": str(library), "LOOKUPS": str(log)}
        kept |= {"XDG_CACHE_HOME": str(home / ".cache"), "MPLCONFIGDIR": str(tmp_path / "mpl")}
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        subprocess.run([sys.executable, "-c", program, *words], env=kept, check=True, timeout=120)
        lookups = log.read_text().split() if log.exists() else []
        return lookups, sorted(str(path.relative_to(home)) for path in home.rglob("*"))

    return run


def test_the_counter_counts(counted):
    assert counted(CONTROL) == (["example.invalid"], [])


def test_a_policy_step_leaves_no_id_in_the_cache(counted):
    assert counted(STEP, str(ROOT / "models" / "trail_cfc19"), "0.5") == ([], [])


@pytest.mark.slow
def test_a_policy_step_looks_up_no_host(counted):
    """The telemetry of ONNX Runtime looks up its host about ten seconds after the import."""
    assert counted(STEP, str(ROOT / "models" / "trail_cfc19"), "16") == ([], [])


def test_a_variable_that_switches_it_on_is_replaced(counted, monkeypatch):
    program = "import os; os.environ['ORT_DISABLE_TELEMETRY'] = '0'\n" + STEP
    assert counted(program, str(ROOT / "models" / "trail_cfc19"), "0.5") == ([], [])
