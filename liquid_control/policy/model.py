"""Model folders: what training ships and flight loads.

A folder holds `model.yaml` (what the model is, with checksums), `weights.npz` (every array),
`perception.onnx` and `controller.onnx` (graphs made from the arrays) and `README.md` (the card).
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liquid_control.config.loading import load_yaml, validate
from liquid_control.errors import CellError, ConfigError, ModelError
from liquid_control.liquid.weights import CfCWeights
from liquid_control.policy.settings import SCHEMA, ModelSettings

MODEL_YAML = "model.yaml"
WEIGHTS = "weights.npz"
PERCEPTION = "perception.onnx"
CONTROLLER = "controller.onnx"
CARD = "README.md"
CHECKED_FILES = (WEIGHTS, PERCEPTION, CONTROLLER)

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model in memory, checked.

    Attributes:
        path: the folder it came from.
        settings: `model.yaml`.
        weights: of the controller.
        arrays: all arrays of `weights.npz` by name, the perception network's among them.
        perception: `perception.onnx`, serialised.
    """

    path: Path
    settings: ModelSettings
    weights: CfCWeights
    arrays: Arrays
    perception: bytes

    @property
    def name(self) -> str:
        """The model's name."""
        return self.settings.name


def load_model(path: Path | str) -> Model:
    """Load a model folder.

    Raises:
        ModelError: the folder or a file is missing, damaged, of an unknown schema, or its parts do
            not fit together.
    """
    folder = Path(path)
    settings = _load_settings(folder)
    content = {name: _checked(folder, name, settings) for name in CHECKED_FILES}
    arrays = _load_arrays(folder / WEIGHTS, content[WEIGHTS])
    for name, shape in settings.perception.array_shapes().items():
        if name not in arrays or arrays[name].shape != shape:
            got = arrays[name].shape if name in arrays else "nothing"
            raise ModelError(f"{folder / WEIGHTS}: {name}: expected shape {shape}, got {got}")
    try:
        weights = CfCWeights.from_arrays(
            arrays, settings.circuit, settings.masking, settings.time_unit_s
        )
    except CellError as error:
        raise ModelError(f"{folder / WEIGHTS}: {error}") from error
    return Model(folder, settings, weights, arrays, content[PERCEPTION])


def _load_settings(folder: Path) -> ModelSettings:
    if not (folder / MODEL_YAML).is_file():
        raise ModelError(_missing(folder))
    source = folder / MODEL_YAML
    try:
        content = load_yaml(source)
        if content.get("schema") != SCHEMA:
            raise ModelError(f"{source}: expected schema {SCHEMA}, got {content.get('schema')!r}")
        return validate(ModelSettings, content, str(source))
    except ConfigError as error:
        raise ModelError(str(error)) from error


def _missing(folder: Path) -> str:
    what = f"has no {MODEL_YAML}" if folder.is_dir() else "does not exist"
    beside = sorted(found.parent.name for found in folder.parent.glob(f"*/{MODEL_YAML}"))
    models = ", ".join(beside) if beside else "none"
    return f"model folder {folder} {what}; models in {folder.parent}: {models}"


def _checked(folder: Path, name: str, settings: ModelSettings) -> bytes:
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise ModelError(f"{folder / name}: cannot be read ({error.strerror})") from error
    expected, got = settings.sha256.get(name), checksum(content)
    if expected != got:
        stated = f"{expected[:12]}…" if expected else "none in model.yaml"
        raise ModelError(f"{folder / name}: expected sha256 {stated}, got {got[:12]}…: damaged")
    return content


def _load_arrays(path: Path, content: bytes) -> Arrays:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: expected an archive of arrays ({error})") from error


def checksum(content: bytes) -> str:
    """Return the SHA-256 of some bytes, in hex."""
    return hashlib.sha256(content).hexdigest()
