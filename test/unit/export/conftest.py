"""The shipped trail policy and a small random one, exported to C, and compiled once."""

import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks.compiled_policy import CompiledPolicy, weights_object
from liquid_control.export import model_graphs, policy_c
from liquid_control.liquid import auto_ncp, random_weights
from liquid_control.perception import Convolution, PerceptionSpec
from liquid_control.policy import (
    Model,
    ModelCamera,
    ModelCore,
    ModelFeatures,
    ModelSettings,
    load_model,
)

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow")
_PERCEPTION = load_model("trail_cfc19").settings.perception
PICTURE = _PERCEPTION.height, _PERCEPTION.width
"""Rows and columns of the pictures of `trail_cfc19`."""
PROGRAM = ("policy_test.c", "policy.c", "observation.c", "perception.c")
"""Sources of the self-test, without the weights."""
EVENT_ENCODER = ("perception_events.c", "perception_events_weights.c")
EVENTS = ("policy_events.c", "observation.c", *EVENT_ENCODER)
"""Sources of the event-driven policy, and of its encoder alone."""

SIZE = (20, 31)
EVERYTHING = {"convolutions": [(8, 3, 2, 1)] * 3, "features": 8, "hidden": 13, "mount": True}
EVERY_INPUT = ("attitude", "mount", "cruise_speed", "range")


def need(*programs):
    """Skip a test where a compiler or an emulator is missing."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)}: not installed")


def compiled(compiler, folder, sources, program, *options):
    """Compile with warnings as errors; return the program."""
    paths = [str(folder / source) for source in sources]
    command = [compiler, *STRICT, *options, *paths, "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


def output_of(*command):
    """Run a program; return its output and errors after a check of its status."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(list(map(str, command)), **streams, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def random_model(spec, inputs):
    """Return a model in memory; each convolution is channels, kernel, stride and padding."""
    rng = np.random.default_rng(3)
    names = ("channels", "kernel", "stride", "padding")
    layers = [
        Convolution(**dict(zip(names, sizes, strict=True))) for sizes in spec["convolutions"]
    ]
    network = PerceptionSpec(
        **{**spec, "height": SIZE[0], "width": SIZE[1], "convolutions": layers}
    )
    features = ModelFeatures(image=network.features, inputs=inputs)
    weights = random_weights(auto_ncp(features.total, 12, 4), rng)
    settings = ModelSettings(
        name="random",
        camera=ModelCamera(width=network.width, height=network.height),
        perception=network,
        features=features,
        core=ModelCore(wiring=weights.wiring),
    )
    arrays = {
        name: (rng.standard_normal(shape) / math.sqrt(math.prod(shape[1:]))).astype(np.float32)
        for name, shape in network.array_shapes().items()
    } | weights.arrays()
    graphs = model_graphs(settings, arrays)
    return Model(
        Path("random"), settings, arrays, graphs["perception.onnx"], graphs["controller.onnx"]
    )


def write_project(model, folder):
    for name, text in policy_c(model).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def model():
    return load_model("trail_cfc19")


@pytest.fixture(scope="session")
def project(model, tmp_path_factory):
    """Folder with the exported sources of `trail_cfc19`."""
    return write_project(model, tmp_path_factory.mktemp("trail_cfc19"))


@pytest.fixture(scope="session")
def small_project(tmp_path_factory):
    """Folder with the exported sources of a small network that takes every input."""
    return write_project(random_model(EVERYTHING, EVERY_INPUT), tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def weights(project):
    """Compiled weights of the perception network of `trail_cfc19`."""
    need("cc")
    return weights_object(project)


@pytest.fixture(scope="session")
def in_float(model, project, weights):
    return CompiledPolicy(model, project)


@pytest.fixture(scope="session")
def in_fixed(model, project, weights):
    return CompiledPolicy(model, project, fixed=True)


@pytest.fixture(scope="session", params=["float", "q15"])
def self_test(request, project, small_project, tmp_path_factory):
    """Sources and options of a self-test, and its output on this machine.

    In float32 it is that of `trail_cfc19`; in fixed point that of a small network, to save time.
    """
    need("cc")
    folder = project if request.param == "float" else small_project
    options = () if request.param == "float" else ("-DLC_CORE_Q15",)
    program = tmp_path_factory.mktemp("host") / "policy_test"
    sources = (*PROGRAM, weights_object(folder))
    built = compiled("cc", folder, sources, program, "-O2", "-ffp-contract=off", *options)
    return folder, options, output_of(built)
