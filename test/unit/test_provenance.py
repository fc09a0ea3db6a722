"""Fingerprints of model folders."""

from hashlib import sha256

import pytest

import liquid_control
from liquid_control.errors import OutputError
from liquid_control.provenance import model_fingerprint, package_versions, source_versions

pytestmark = pytest.mark.unit


def test_model_fingerprint_holds_the_hashes_of_its_files(tmp_path):
    (tmp_path / "model.yaml").write_text("name: trail\n")
    (tmp_path / "weights.npz").write_bytes(b"abc")
    (tmp_path / "perception.onnx").write_bytes(b"conv")
    fingerprint = model_fingerprint(tmp_path)
    assert fingerprint["name"] == "trail"
    assert fingerprint["sha256 weights.npz"] == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    assert fingerprint["sha256 perception.onnx"] == sha256(b"conv").hexdigest()
    assert fingerprint["sha256 model.yaml"] == sha256(b"name: trail\n").hexdigest()
    with pytest.raises(OutputError, match="expected a model folder"):
        model_fingerprint(tmp_path / "none")


def test_source_versions_differ_where_the_source_does(tmp_path, monkeypatch):
    before = source_versions()
    assert before == source_versions()
    assert before.items() >= package_versions().items()
    (tmp_path / "__init__.py").write_text("")
    monkeypatch.setattr(liquid_control, "__file__", str(tmp_path / "__init__.py"))
    changed = source_versions()
    assert {name for name in before if before[name] != changed[name]} == {"liquid_control source"}
