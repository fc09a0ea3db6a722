"""Model folders: written by training, loaded by policies.

A folder holds `model.yaml` (settings and checksums), `weights.npz` (every array),
`perception.onnx` and `controller.onnx` (graphs made from the arrays) and `README.md` (the model
card).
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from liquid_control.config import load_yaml, validate
from liquid_control.errors import CellError, ConfigError, ModelError, OutputError
from liquid_control.files import atomic_folder
from liquid_control.liquid.weights import CfCWeights
from liquid_control.policy.model_settings import SCHEMA, ModelSettings

MODEL_YAML = "model.yaml"
WEIGHTS = "weights.npz"
PERCEPTION = "perception.onnx"
CONTROLLER = "controller.onnx"
CARD = "README.md"
CHECKED_FILES = (WEIGHTS, PERCEPTION, CONTROLLER)

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model in memory, validated.

    Attributes:
        path: the folder that it was loaded from.
        settings: content of `model.yaml`.
        weights: of the controller.
        arrays: all arrays of `weights.npz` by name, including the perception network's.
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
        ModelError: the folder or a file is missing, damaged or of an unknown schema, or the parts
            do not fit together.
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
    siblings = sorted(found.parent.name for found in folder.parent.glob(f"*/{MODEL_YAML}"))
    models = ", ".join(siblings) if siblings else "none"
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


def save_model(
    path: Path | str,
    settings: ModelSettings,
    arrays: Arrays,
    graphs: Mapping[str, bytes],
    card: str,
) -> None:
    """Write a model folder atomically; an older model at `path` is replaced.

    Args:
        path: the folder to write.
        settings: the model's settings; the checksums are filled in here.
        arrays: `CfCWeights.arrays()` and the perception network's, float32.
        graphs: `perception.onnx` and `controller.onnx`, serialised, as
            `liquid_control.export.model_graphs` makes them.
        card: the model card, Markdown.

    Raises:
        OutputError: the folder cannot be written.
    """
    if set(graphs) != {PERCEPTION, CONTROLLER}:
        raise OutputError(f"expected graphs {PERCEPTION} and {CONTROLLER}, got {sorted(graphs)}")
    folder = Path(path)
    content = {WEIGHTS: _archive(arrays), **graphs}
    settings = settings.model_copy(
        update={"sha256": {name: checksum(data) for name, data in sorted(content.items())}}
    )
    content[MODEL_YAML] = _yaml(settings)
    content[CARD] = card.encode()
    atomic_folder(folder, content)


def _archive(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    named = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}
    np.savez(buffer, **named)  # type: ignore[arg-type]
    return buffer.getvalue()


def _yaml(settings: ModelSettings) -> bytes:
    plain = settings.model_dump(mode="json", by_alias=True)
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=200).encode()
