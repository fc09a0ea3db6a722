"""The independent checker accepts the shipped models, and rejects altered certificates."""

import ast
import dataclasses
import json
import time
from pathlib import Path

import numpy as np
import pytest
from certified_models import SHIPPED, TRAIL, copied, with_state_weights

from liquid_control.certification import (
    CERTIFICATE,
    Effort,
    Proof,
    certificate_lines,
    certify,
    check_certificate,
    exact_step,
    write_certificate,
)
from liquid_control.certification import checker as checker_module
from liquid_control.errors import CertificateError
from liquid_control.policy import ReadoutBox, load_model
from liquid_control.policy.readout_box import origins

pytestmark = pytest.mark.unit
QUICK = Proof(Effort(256, 0.05), longest_s=(0.02,), rounds=5)
CLAIMS = [
    (("state", "upper", 16), -0.25, "bound of neuron"),
    (("state", "lower", 10), 0.25, "bound of neuron"),
    (("state", "lower", 0), 1.5, "at rest"),
    (("commands", "left", 1), -1e-3, "bound of command left"),
    (("commands", "forward", 0), 1e-3, "bound of command forward"),
    (("regions", 0, "feature", 2), -1e-2, "feature of command up"),
    (("regions", 0, "all_features", 0), -0.1, "all_features of command forward"),
    (("regions", 0, "elapsed_per_s", 3), -1.0, "elapsed_per_s of command yaw_rate"),
    (("regions", 0, "longest_s"), 0.1, "could not be derived"),
    (("regions", 0, "layers", 1, "rate"), -1e-3, "rate of a layer"),
    (("regions", 0, "layers", 1, "weights", 0), -2.0, "rate of a layer"),
    (("points", 0, "radius"), 0.1, "around a point"),
    (("points", 0, "all_features", 1), -0.1, "all_features of command left"),
    (("box", "commands", "left", 1), -1e-3, "command left in the box"),
    (("box", "commands", "forward", 0), 1e-3, "command forward in the box"),
    (("box", "readout", "up", "gain", 1), 1e-3, "command up in the box"),
    (("box", "readout", "yaw_rate", "offset", 0), -1e-3, "command yaw_rate in the box"),
    (("box", "readout", "left", "gain", 0), 0.4, "does not hold gain 1 and offset 0"),
    (("box", "readout", "left", "offset", 1), -1.0, "does not hold gain 1 and offset 0"),
    (("trap", "features", 3), 0.5, "box of the trap"),
    (("trap", "dt_s"), 0.3, "box of the trap"),
    (("trap", "dt_s"), 5.0, "outside of the inputs"),
    (("trap", "boxes", 0, "lower", 18), -0.2, "box of the trap"),
    (("trap", "difference", 3), 0.1, "difference of yaw_rate"),
]


@pytest.fixture(scope="module")
def certified(tmp_path_factory) -> Path:
    folder = copied(TRAIL, tmp_path_factory.mktemp("trail"))
    model = load_model(TRAIL)
    box = ReadoutBox.around(model.settings.motors, 0.3, 0.2)
    write_certificate(folder, certify(model, dataclasses.replace(QUICK, box=box)))
    return folder


@pytest.fixture
def folder(certified, tmp_path):
    return copied(certified, tmp_path / "model")


def changed(folder, change):
    path = folder / CERTIFICATE
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.slow
@pytest.mark.parametrize("source", SHIPPED, ids=lambda source: source.name)
def test_the_certificate_of_a_shipped_model_holds_within_15_s_of_processor_time(source, tmp_path):
    folder = source
    if not (source / CERTIFICATE).is_file():
        folder = copied(source, tmp_path / source.name)
        write_certificate(folder, certify(load_model(source), QUICK))
    start_s = time.process_time()
    content = check_certificate(folder)
    assert time.process_time() - start_s < 15.0
    assert content["model"] == source.name


def test_trail_cfc19_is_shipped_with_its_certificate():
    assert (TRAIL / CERTIFICATE).is_file(), "run liquid-control certify models/trail_cfc19"


def test_a_certificate_that_is_not_altered_holds(folder):
    content = check_certificate(folder)
    text = "\n".join(certificate_lines(content))
    assert "two pasts differ for ever" in text
    assert "no rate below 1 for the whole cell" in text
    assert "for gains 0.7 to 1.3 and offsets -0.300 to +0.300 m/s of the read-out" not in text
    assert "for gains 0.7 to 1.3 and offsets -0.360 to +0.360 m/s of the read-out" in text


def test_adapted_commands_stay_in_the_bounds_of_the_box(folder):
    claims = check_certificate(folder)["claims"]
    box = ReadoutBox.from_claim(claims["box"]["readout"])
    rng, offsets = np.random.default_rng(0), origins(load_model(TRAIL).settings.motors)
    nominal, bounds = (np.array(list(claim.values())).T for claim in _commands_of(claims))
    draws = rng.choice([0.0, 1.0], (3, 4096, 4)) * rng.choice([1.0, 0.999], (3, 4096, 4))
    c = nominal[0] + draws[0] * (nominal[1] - nominal[0])
    g = box.gain_low + draws[1] * (box.gain_high - box.gain_low)
    b = box.offset_low + draws[2] * (box.offset_high - box.offset_low)
    u = c + ((g - 1.0) * (c - offsets) + b)
    assert np.all((bounds[0] <= u) & (u <= bounds[1]))
    assert np.all(np.min([u.min(0) - bounds[0], bounds[1] - u.max(0)], axis=0) < 1e-6)


def _commands_of(claims):
    return claims["commands"], claims["box"]["commands"]


@pytest.mark.parametrize(("place", "step", "message"), CLAIMS, ids=lambda value: str(value))
def test_an_altered_constant_is_rejected(folder, place, step, message):
    def change(content):
        part = content["claims"]
        for key in place[:-1]:
            part = part[key]
        part[place[-1]] += step

    changed(folder, change)
    with pytest.raises(CertificateError, match=message):
        check_certificate(folder)


@pytest.mark.parametrize("key", ["state", "sensitivity", "memory", "rounding"])
def test_an_altered_method_is_rejected(folder, key):
    changed(folder, lambda content: content["method"].update({key: "by eye"}))
    with pytest.raises(CertificateError, match="expected the methods of this version"):
        check_certificate(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("time_unit_s", 0.06),
        ("dt_s", [0.001, 2.0]),
        ("feature_limits", [1.0]),
        ("commands", {"forward": {"offset": 0.0, "scale": 1.0}}),
    ],
)
def test_other_constants_than_those_of_the_model_are_rejected(folder, key, value):
    changed(folder, lambda content: content["constants"].update({key: value}))
    with pytest.raises(CertificateError, match=r"its constants are not those of model\.yaml"):
        check_certificate(folder)


def test_a_certificate_of_other_weights_is_rejected(folder):
    with np.load(folder / "weights.npz") as stored:
        arrays = dict(stored)
    arrays["cfc.2.bias"] = arrays["cfc.2.bias"] + np.float32(1e-6)
    np.savez(folder / "weights.npz", **arrays)
    with pytest.raises(CertificateError, match=r"is of other weights: expected sha256 \w{12}…"):
        check_certificate(folder)


def test_other_weights_with_their_checksum_break_a_claim(folder):
    with np.load(folder / "weights.npz") as stored:
        arrays = dict(stored)
    arrays["cfc.2.weight"] = arrays["cfc.2.weight"] * np.float32(1.2)
    np.savez(folder / "weights.npz", **arrays)
    digest = checker_module.hashlib.sha256((folder / "weights.npz").read_bytes()).hexdigest()
    changed(folder, lambda content: content.update(weights_sha256=digest))
    with pytest.raises(CertificateError, match=r"could not be derived|box of the trap"):
        check_certificate(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1}', "not JSON"])
def test_damaged_files_are_one_line(folder, text):
    (folder / CERTIFICATE).write_text(text)
    with pytest.raises(CertificateError, match="expected a certificate") as caught:
        check_certificate(folder)
    assert "\n" not in str(caught.value)


def test_a_missing_certificate_names_the_command(tmp_path):
    with pytest.raises(CertificateError, match="make it with liquid-control certify"):
        check_certificate(tmp_path)


def test_a_cell_that_forgets_has_a_certificate_of_its_memory(tmp_path):
    model = with_state_weights(tmp_path / "small", 0.3)
    content = certify(model, QUICK)
    write_certificate(model.path, content)
    memory = check_certificate(model.path)["claims"]["regions"][0]["memory"]
    assert 0.0 < memory["rate"] < 1.0
    assert content["claims"]["trap"] is None
    for key, step in (("rate", -0.05), ("difference", -0.01)):
        altered = json.loads(json.dumps(content))
        part = altered["claims"]["regions"][0]["memory"]
        part[key] = part[key] + step if key == "rate" else [v + step for v in part[key]]
        write_certificate(model.path, altered)
        with pytest.raises(CertificateError, match="could not be derived"):
            check_certificate(model.path)


def test_the_checker_shares_no_code_with_the_prover_and_stays_small():
    lines = 0
    for module in (checker_module, exact_step):
        text = Path(module.__file__).read_text(encoding="utf-8")
        lines += sum(bool(line.strip()) for line in text.splitlines())
        ours = [
            node.module
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("liquid")
        ]
        assert set(ours) <= {"liquid_control.errors", "liquid_control.certification.exact_step"}
    assert lines < 460
