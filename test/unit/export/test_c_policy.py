"""The whole policy in C against `Policy` and `PolicySession`, and its generated project."""

import math
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.compiled_policy import CompiledPolicy
from liquid_control.errors import ModelError, ObservationError
from liquid_control.export import policy_c
from liquid_control.export.c_golden import golden_picture
from liquid_control.policy import Policy, PolicySession, load_model
from liquid_control.types import ImuWindow, Observation

from .conftest import (
    EVERY_INPUT,
    EVERYTHING,
    PICTURE,
    PROGRAM,
    compiled,
    need,
    output_of,
    random_model,
)

pytestmark = pytest.mark.unit

TOLERANCE = 1e-5
SECOND = 10**9


def observation(stamp_ns, rng, size=PICTURE, **changes):
    """Draw an observation with every optional input."""
    samples = int(rng.integers(0, 20))
    orientation = np.array([*rng.normal(0.0, 0.2, 3), 1.0])
    imu = ImuWindow(
        np.arange(samples), rng.normal(0, 2, (samples, 3)), rng.normal(3, 6, (samples, 3))
    )
    given = Observation(
        stamp_ns,
        golden_picture(int(rng.integers(0, 40)), *size),
        imu,
        range_m=float(rng.uniform(0, 6)),
        orientation=orientation / np.linalg.norm(orientation),
        cruise_mps=float(rng.uniform(0, 4)),
        mount=(float(rng.uniform(70, 110)), float(rng.uniform(5, 30))),
    )
    return replace(given, **changes)


def largest_differences(model, policy_in_c, frames, size=PICTURE):
    """Return the largest difference of a feature and of a neuron over irregular frames."""
    policy, rng = Policy(model), np.random.default_rng(5)
    session, stamp_ns, features, neurons = PolicySession(policy), SECOND, 0.0, 0.0
    policy_in_c.start()
    for _ in range(frames):
        stamp_ns += int(rng.uniform(5e6, 0.5 * SECOND))
        frame = observation(stamp_ns, rng, size)
        expected = policy.features(frame)
        decision = session.answer(expected, stamp_ns)
        command = policy_in_c.step(frame)
        np.testing.assert_allclose(command.values, decision.command.values, atol=1e-5)
        features = max(features, np.abs(policy_in_c.features - expected).max())
        neurons = max(neurons, np.abs(policy_in_c.state - decision.state).max())
    return features, neurons


def test_irregular_frames_give_the_features_and_neurons_of_the_policy(model, in_float):
    features, neurons = largest_differences(model, in_float, 60)
    assert features < TOLERANCE
    assert neurons < TOLERANCE


@pytest.mark.parametrize(
    ("spec", "inputs"),
    [
        ({"convolutions": [(5, 4, 3, 0)], "features": 3}, ()),
        ({"convolutions": [(9, 5, 2, 3), (4, 3, 1, 1)], "features": 17}, ("range",)),
        (EVERYTHING, EVERY_INPUT),
    ],
    ids=["one layer", "channels that fill no block", "every input"],
)
def test_every_shape_of_network(tmp_path, spec, inputs):
    need("cc")
    made = random_model(spec, inputs)
    features, neurons = largest_differences(made, CompiledPolicy(made, tmp_path), 20, (20, 31))
    assert features < TOLERANCE
    assert neurons < TOLERANCE


def test_a_grey_picture_is_not_amplified(model, in_float):
    """Standard deviations of 0 and 0.5 are below the floor of 2."""
    rng = np.random.default_rng(0)
    for style in (0, None):
        picture = (
            np.full((*PICTURE, 3), 77, np.uint8) if style is None else golden_picture(0, *PICTURE)
        )
        frame = observation(SECOND, rng, image=picture)
        in_float.start()
        in_float.step(frame)
        expected = Policy(model).features(frame)
        np.testing.assert_allclose(in_float.features, expected, atol=TOLERANCE)


@pytest.mark.parametrize("kind", ["in_float", "in_fixed"])
def test_bad_frames_are_refused_and_change_nothing(request, kind):
    policy, rng = request.getfixturevalue(kind), np.random.default_rng(1)
    good = observation(SECOND, rng)
    policy.start()
    before = policy.step(good)
    state = policy.state.copy()
    window = good.imu
    bad_imu = ImuWindow(np.arange(1), np.array([[0.0, np.inf, 0.0]]), np.zeros((1, 3)))
    nan_imu = ImuWindow(np.arange(1), np.zeros((1, 3)), np.array([[np.nan, 0.0, 0.0]]))
    later = replace(good, stamp_ns=SECOND + 1)
    for frame, code in (
        (good, 4),
        (replace(good, stamp_ns=SECOND // 2), 4),
        (replace(later, imu=bad_imu), 5),
        (replace(later, imu=nan_imu), 5),
    ):
        with pytest.raises(ObservationError, match=f"got code {code}"):
            policy.step(frame)
    broken = policy.frame(later, later.image)
    for field in ("cruise_mps", "roll_rad", "pitch_rad", "camera_fov_deg", "camera_pitch_deg"):
        kept = getattr(broken, field)
        for value in (math.nan, math.inf):
            setattr(broken, field, value)
            assert policy.call(broken) == 6
        setattr(broken, field, kept)
    np.testing.assert_array_equal(policy.state, state)
    policy.start()
    assert policy.step(replace(good, imu=window)) == before


def test_a_jump_of_the_stamps_starts_afresh(in_float):
    """The model bridges gaps of up to 1 s in either direction."""
    rng = np.random.default_rng(2)
    first = observation(10 * SECOND, rng)
    in_float.start()
    fresh = in_float.step(first)
    for stamp_ns, restarts in (
        (11 * SECOND, False),
        (12 * SECOND + 1, True),
        (11 * SECOND, True),
        (9 * SECOND, True),
        (9 * SECOND + 1, False),
    ):
        command = in_float.step(replace(first, stamp_ns=stamp_ns))
        assert (command == fresh) is restarts


def test_self_test_passes_and_its_output_names_the_refused_frame(self_test):
    _, options, output = self_test
    lines = output.splitlines()
    assert lines[5] == "frame 5 status 4" + 4 * " 00000000"
    assert lines[-1] == "passed"
    assert len(lines) == 20
    largest = [int(line.split()[-1].removesuffix("e-9")) * 1e-9 for line in lines[16:19]]
    assert largest[0] < TOLERANCE
    assert largest[2] < (0.04 if options else TOLERANCE)


def test_self_test_fails_if_a_weight_differs(small_project, tmp_path):
    need("cc")
    for path in small_project.glob("*.[ch]"):
        text, name = path.read_text(), path.name
        if name == "perception_weights.c":
            text = text.replace("{\n    ", "{\n    0.1f + ", 1)
        (tmp_path / name).write_text(text)
    sources = (*PROGRAM, "perception_weights.c")
    program = compiled("cc", tmp_path, sources, tmp_path / "policy_test", "-O1")
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "FAILED"


@pytest.mark.parametrize("options", [(), ("-DLC_CORE_Q15",)], ids=["float", "q15"])
def test_no_error_under_address_and_undefined_behaviour_sanitizers(
    project, weights, tmp_path, options
):
    need("cc")
    checks = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    if not links(checks, tmp_path):
        pytest.skip("the C compiler has no address sanitizer")
    objects = (*PROGRAM, weights)
    program = compiled("cc", project, objects, tmp_path / "policy_test", *checks, *options)
    assert output_of(program).endswith("passed\n")


def links(options, folder):
    (folder / "empty.c").write_text("int main(void) { return 0; }\n")
    command = ["cc", *options, str(folder / "empty.c"), "-o", str(folder / "empty")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_cmake_builds_everything_and_its_tests_pass(small_project, tmp_path):
    need("cmake", "ctest", "cc")
    for fixed in ("OFF", "ON"):
        build = tmp_path / fixed
        output_of("cmake", "-S", small_project, "-B", build, f"-DLC_CORE_Q15={fixed}")
        output_of("cmake", "--build", build)
        output = output_of("ctest", "--test-dir", build)
        assert "100% tests passed, 0 tests failed out of 2" in output


def test_example_answers_frames_at_30_hz(project, weights, in_float, tmp_path):
    need("cc")
    sources = ("example_loop.c", *PROGRAM[1:], weights)
    program = compiled("cc", project, sources, tmp_path / "loop", "-O2", "-ffp-contract=off")
    frames = [golden_picture(style, *PICTURE) for style in (2, 3, 4)]
    done = subprocess.run(
        [program],
        input=b"".join(frame.tobytes() for frame in frames),
        capture_output=True,
        check=True,
    )
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 3
    still = ImuWindow(np.arange(1), np.zeros((1, 3)), np.array([[0.0, 0.0, 9.81]]))
    level = np.array([0.0, 0.0, 0.0, 1.0])
    first = Observation(
        SECOND, frames[0], still, orientation=level, cruise_mps=2.0, mount=(90.0, 15.0)
    )
    in_float.start()
    expected = [f"{value:.4f}" for value in in_float.step(first).values]
    assert lines[0].split() == expected


def test_same_model_gives_the_same_text(model, project):
    for name, text in policy_c(model).items():
        assert (project / name).read_text(encoding="utf-8") == text


def test_generated_sources_state_their_needs(project):
    header = (project / "observation.h").read_text()
    assert "double cruise_mps;" in header
    assert "range_m" not in header
    texts = [
        (project / name).read_text() for name in (*PROGRAM[1:], "controller.h", "observation.h")
    ]
    includes = {
        line for text in texts for line in text.splitlines() if line.startswith("#include <")
    }
    assert includes == {"#include <stdint.h>"}
    assert not any("$" in text for text in texts)


def test_another_core_is_refused():
    with pytest.raises(
        ModelError, match=r"trail_gru: C code is written for core cfc_wired, got gru"
    ):
        policy_c(load_model("trail_gru"))
