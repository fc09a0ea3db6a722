"""Model folders: written by training, loaded by policies.

A folder holds `model.yaml` (settings and checksums), `perception.onnx` (the perception network
with its arrays), `weights.npz` (the arrays of the core), `controller.onnx` (a graph made from
them) and `README.md` (the model card).
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from liquid_control.config import Scenario, load_yaml, project_file, shipped, validate
from liquid_control.errors import CellError, ConfigError, ModelError, OutputError
from liquid_control.files import atomic_folder, read_limited
from liquid_control.liquid.weights import CfCWeights, weight_count
from liquid_control.policy.graph_arrays import graph_arrays
from liquid_control.policy.model_settings import SCHEMA, WIRED, ModelCore, ModelSettings

MODEL_YAML = "model.yaml"
WEIGHTS = "weights.npz"
PERCEPTION = "perception.onnx"
CONTROLLER = "controller.onnx"
CARD = "README.md"
CORE_PREFIX = "core."
"""Arrays of a core other than the wired CfC begin with it."""
INITIAL_STATE = "core.initial_state"
CHECKED_FILES = (WEIGHTS, PERCEPTION, CONTROLLER)
WEIGHT_FILES = (PERCEPTION, WEIGHTS)
MAX_BYTES = 2**30
"""Limit for one file of a model folder."""
SHORT = 12
"""Digits of a checksum in messages."""

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Model:
    """A model in memory, validated.

    Attributes:
        path: the folder that it was loaded from.
        settings: content of `model.yaml`.
        arrays: of the perception network and the core, by name.
        perception: `perception.onnx`, serialised.
        controller: `controller.onnx`, serialised.
    """

    path: Path
    settings: ModelSettings
    arrays: Arrays
    perception: bytes
    controller: bytes

    @property
    def name(self) -> str:
        """The model's name."""
        return self.settings.name

    @cached_property
    def weights(self) -> CfCWeights:
        """The weights of a wired CfC.

        Raises:
            ModelError: the model has another core.
        """
        return _wired_weights(self.settings.core, self.arrays)

    @property
    def wired_weights(self) -> CfCWeights | None:
        """The weights of a wired CfC; None for another core."""
        return self.weights if self.settings.core.kind == WIRED else None

    @property
    def weights_sha256(self) -> str:
        """Checksum that identifies the weights of perception network and core, in hex."""
        return weights_checksum(self.settings.sha256)

    @property
    def initial_state(self) -> NDArray[np.float32]:
        """The state at the start of a flight, float32 [S]."""
        core = self.settings.core
        return self.arrays.get(INITIAL_STATE, np.zeros(len(core.state_names), np.float32))

    @property
    def core_parameters(self) -> int:
        """Number of weights of the core, without those that a wiring masks."""
        core = self.settings.core
        if core.kind == WIRED:
            return weight_count(core.circuit, core.masking)
        names = [name for name in self.arrays if name.startswith(CORE_PREFIX)]
        return sum(self.arrays[name].size for name in names if name != INITIAL_STATE)

    @property
    def parameters(self) -> int:
        """Number of weights of encoder and core, without those that a wiring masks."""
        encoder = self.settings.perception.array_shapes()
        return self.core_parameters + sum(self.arrays[name].size for name in encoder)

    def check_scenario(self, scenario: Scenario) -> None:
        """Check that the model can fly a scenario: its camera is the model's, inputs are there.

        Raises:
            ModelError: the camera's size, field of view or pitch is not the model's, or the model
                needs a range and the vehicle has no range sensor.
        """
        if "range" in self.settings.features.inputs and not scenario.range.enabled:
            raise ModelError(
                "the model needs the input range, and the scenario has no range sensor; "
                "add --set range.enabled=true"
            )
        camera, view = scenario.camera, self.settings.camera.view
        try:
            view.check_camera(
                camera.width,
                camera.height,
                camera.horizontal_fov_deg,
                pitch_down_deg=camera.pitch_down_deg,
            )
        except ModelError as error:
            if camera.width >= view.width and camera.height >= view.height:
                raise
            raise ModelError(
                f"{error}; add --set camera.width={view.width} --set camera.height={view.height}"
            ) from error


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
    arrays |= _perception_arrays(folder, content[PERCEPTION], settings, arrays)
    _check_controller(folder, content[CONTROLLER], settings, arrays)
    return Model(folder, settings, arrays, content[PERCEPTION], content[CONTROLLER])


def find_models(paths: Sequence[Path]) -> list[Model]:
    """Load model folders, and those one level below other folders.

    Raises:
        ModelError: there is no model, or one is damaged.
    """
    folders = []
    for path in map(shipped, paths):
        within = sorted(path.iterdir()) if path.is_dir() else []
        candidates = [path] if (path / MODEL_YAML).is_file() else within
        folders += [folder for folder in candidates if (folder / MODEL_YAML).is_file()]
    if not folders:
        raise ModelError(
            f"{', '.join(map(str, paths))}: expected a folder with models, found none"
        )
    return [load_model(folder) for folder in folders]


def _perception_arrays(
    folder: Path, graph: bytes, settings: ModelSettings, stored: Arrays
) -> Arrays:
    """Return the arrays of the perception network by name.

    Args:
        folder: of the model.
        graph: the perception network.
        settings: of the model.
        stored: arrays of `weights.npz`. In an older folder those of the perception network are
            among them; then the graph must hold the same.
    """
    path = folder / PERCEPTION
    try:
        arrays = graph_arrays(graph)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    shapes = settings.perception.array_shapes()
    for name, shape in shapes.items():
        if name not in arrays or arrays[name].shape != shape:
            got = arrays[name].shape if name in arrays else "nothing"
            raise ModelError(f"{path}: {name}: expected shape {shape}, got {got}")
    for name in shapes:
        if name in stored and not np.array_equal(stored[name], arrays[name]):
            raise ModelError(_foreign(path, graph, name))
    return {name: arrays[name] for name in shapes}


def _check_controller(folder: Path, graph: bytes, settings: ModelSettings, arrays: Arrays) -> None:
    """Check that the arrays of the core fit its settings, and that its graph was made from them.

    The graph of a wired CfC holds its arrays. Exporters reorder those of other cores, so their
    graphs name the checksum of the arrays instead.
    """
    core = settings.core
    if core.kind == WIRED:
        try:
            weights = _wired_weights(core, arrays)
        except CellError as error:
            raise ModelError(f"{folder / WEIGHTS}: {error}") from error
        _check_graph(folder / CONTROLLER, graph, weights.arrays())
        return
    initial = arrays.get(INITIAL_STATE)
    if initial is None or initial.shape != (core.state_size,):
        got = "nothing" if initial is None else initial.shape
        raise ModelError(
            f"{folder / WEIGHTS}: {INITIAL_STATE}: expected shape ({core.state_size},), got {got}"
        )
    if core_checksum(arrays).encode() not in graph:
        raise ModelError(
            f"{folder / CONTROLLER}: sha256 {checksum(graph)[:SHORT]}…: expected the graph of the "
            f"core in {WEIGHTS}, got another one; it belongs to another model"
        )


def _wired_weights(core: ModelCore, arrays: Arrays) -> CfCWeights:
    return CfCWeights.from_arrays(arrays, core.circuit, core.masking, core.time_unit_s)


def core_checksum(arrays: Arrays) -> str:
    """Return the SHA-256 of the arrays of a core, in hex; its graph must name it."""
    hasher = hashlib.sha256()
    for name in sorted(name for name in arrays if name.startswith(CORE_PREFIX)):
        array = np.ascontiguousarray(arrays[name], dtype="<f4")
        hasher.update(f"{name}{array.shape}".encode())
        hasher.update(array.tobytes())
    return hasher.hexdigest()


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
            raise ModelError(_foreign(path, graph, name))


def _foreign(path: Path, graph: bytes, name: str) -> str:
    return (
        f"{path}: sha256 {checksum(graph)[:SHORT]}…: expected the graph of {WEIGHTS}, got "
        f"one without its {name}; it belongs to another model"
    )


def _load_arrays(path: Path, content: bytes) -> dict[str, NDArray[np.float32]]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: expected an archive of arrays ({error})") from error


def weights_checksum(sums: Mapping[str, str]) -> str:
    """Return one checksum for the files that hold weights.

    Args:
        sums: their SHA-256 in hex, by file name.
    """
    return checksum("".join(sums[name] for name in WEIGHT_FILES).encode())


def checksum(content: bytes) -> str:
    """Return the SHA-256 of some bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


def save_model(
    path: Path | str,
    settings: ModelSettings,
    arrays: Arrays,
    graphs: Mapping[str, bytes],
    card: str,
    more: Mapping[str, bytes] | None = None,
) -> None:
    """Write a model folder atomically; an older model at `path` is replaced.

    Args:
        path: the folder to write.
        settings: the model's settings; the checksums are filled in here.
        arrays: of the core and the perception network, float32: `CfCWeights.arrays()` for a wired
            CfC, otherwise its parameters and `core.initial_state`, each with the prefix `core.`.
        graphs: `perception.onnx` and `controller.onnx`, serialised, as
            `liquid_control.export.model_graphs` makes them.
        card: the model card, Markdown.
        more: further files by name, which are not checked when the model is loaded.

    Raises:
        OutputError: the folder cannot be written.
    """
    if set(graphs) != {PERCEPTION, CONTROLLER}:
        raise OutputError(f"expected graphs {PERCEPTION} and {CONTROLLER}, got {sorted(graphs)}")
    folder = Path(path)
    perception = settings.perception.array_shapes()
    core = {name: array for name, array in arrays.items() if name not in perception}
    content = {WEIGHTS: _archive(core), **graphs}
    settings = settings.model_copy(
        update={"sha256": {name: checksum(data) for name, data in sorted(content.items())}}
    )
    content[MODEL_YAML] = _yaml(settings)
    content[CARD] = card.encode()
    content |= more or {}
    atomic_folder(folder, content)


def _archive(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    named = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}
    np.savez(buffer, **named)  # type: ignore[arg-type]
    return buffer.getvalue()


def _yaml(settings: ModelSettings) -> bytes:
    plain = settings.model_dump(mode="json", by_alias=True)
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=200).encode()
