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

from liquid_control.config import Scenario, load_yaml, project_file, shipped, validate
from liquid_control.errors import CellError, ConfigError, ModelError, OutputError
from liquid_control.files import atomic_folder, read_limited
from liquid_control.liquid.weights import CfCWeights
from liquid_control.policy.model_settings import SCHEMA, ModelSettings

MODEL_YAML = "model.yaml"
WEIGHTS = "weights.npz"
PERCEPTION = "perception.onnx"
CONTROLLER = "controller.onnx"
CARD = "README.md"
CHECKED_FILES = (WEIGHTS, PERCEPTION, CONTROLLER)
MAX_BYTES = 2**30
"""Limit for one file of a model folder."""
SHORT = 12
"""Digits of a checksum in messages."""

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

    def check_scenario(self, scenario: Scenario) -> None:
        """Check that the model can fly a scenario: that the camera is the model's.

        Raises:
            ModelError: the camera's size, field of view or pitch is not the model's.
        """
        camera = scenario.camera
        self.settings.camera.view.check_camera(
            camera.width,
            camera.height,
            camera.horizontal_fov_deg,
            pitch_down_deg=camera.pitch_down_deg,
        )


def load_model(path: Path | str) -> Model:
    """Load a model folder.

    Args:
        path: the folder; the bare name of a shipped model, such as `trail_cfc19`, works anywhere.

    Raises:
        ModelError: the folder or a file is missing, damaged or of an unknown schema, or the parts
            do not fit together.
    """
    folder = shipped(Path(path))
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
    perception = {name: arrays[name] for name in settings.perception.array_shapes()}
    _check_graph(folder / PERCEPTION, content[PERCEPTION], perception)
    _check_graph(folder / CONTROLLER, content[CONTROLLER], weights.arrays())
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
    text = f"model folder {folder} {what}; models in {folder.parent}: {models}"
    if len(folder.parts) > 1:
        return text
    return f"{text}; shipped: {', '.join(path.name for path in _shipped_folders()) or 'none'}"


def _shipped_folders() -> list[Path]:
    try:
        return sorted(found.parent for found in project_file("models").glob(f"*/{MODEL_YAML}"))
    except ConfigError:
        return []


def _checked(folder: Path, name: str, settings: ModelSettings) -> bytes:
    try:
        content = read_limited(folder / name, MAX_BYTES)
    except OSError as error:
        raise ModelError(f"{folder / name}: cannot be read ({error.strerror})") from error
    expected, got = settings.sha256.get(name), checksum(content)
    if expected != got:
        stated = f"{expected[:SHORT]}…" if expected else "none in model.yaml"
        text = f"{folder / name}: expected sha256 {stated}, got {got[:SHORT]}…"
        raise ModelError(f"{text}: {_origin(folder, got, settings)}")
    return content


def _origin(folder: Path, got: str, settings: ModelSettings) -> str:
    """Return what a file with the wrong checksum is."""
    own = [name for name, expected in settings.sha256.items() if expected == got]
    if own:
        return f"it is {own[0]} of this model"
    siblings = [found.parent for found in folder.parent.glob(f"*/{MODEL_YAML}")]
    for other in [*siblings, *_shipped_folders()]:
        try:
            sums = load_yaml(other / MODEL_YAML).get("sha256")
        except ConfigError:
            continue
        for name, digest in sums.items() if isinstance(sums, dict) else ():
            if digest == got:
                return f"it is {name} of model {other}"
    return "damaged, or the file of another model"


def _check_graph(path: Path, graph: bytes, arrays: Arrays) -> None:
    """Check that a graph holds the arrays of `weights.npz`, which it was made from."""
    for name, array in arrays.items():
        if np.ascontiguousarray(array, dtype="<f4").tobytes() not in graph:
            raise ModelError(
                f"{path}: sha256 {checksum(graph)[:SHORT]}…: expected the graph of {WEIGHTS}, got "
                f"one without its {name}; it belongs to another model"
            )


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
