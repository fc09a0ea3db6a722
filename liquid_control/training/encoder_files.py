"""Encoder folders: `encoder.yaml` (layers and provenance) and `weights.npz`, written by training.

A model folder is an encoder folder too: its perception network is used.
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import Field

from liquid_control.config import Settings, load_yaml, shipped, validate
from liquid_control.errors import ConfigError, ModelError
from liquid_control.files import atomic_folder, read_limited
from liquid_control.perception import PerceptionSpec
from liquid_control.policy import load_model
from liquid_control.policy.model import MAX_BYTES, MODEL_YAML

ENCODER_YAML = "encoder.yaml"
WEIGHTS = "weights.npz"

Arrays = Mapping[str, NDArray[np.float32]]


class EncoderSettings(Settings):
    """Content of `encoder.yaml`."""

    name: str = Field(min_length=1, description="of the encoder")
    perception: PerceptionSpec
    provenance: dict[str, Any] = Field({}, description="command, data, what it explains")
    sha256: str = Field("", description="checksum of weights.npz")


@dataclass(frozen=True, slots=True, eq=False)
class TrainedEncoder:
    """An encoder in memory.

    Attributes:
        spec: layers and sizes.
        arrays: weights by name.
        sha256: of layers and weights; features of two encoders with one value are equal.
        provenance: of an encoder folder: command, data, what it explains; empty for a model's.
    """

    spec: PerceptionSpec
    arrays: Arrays
    sha256: str
    provenance: Mapping[str, Any] = field(default_factory=dict)


def save_encoder(
    path: Path, name: str, spec: PerceptionSpec, arrays: Arrays, provenance: dict[str, Any]
) -> None:
    """Write an encoder folder atomically.

    Raises:
        OutputError: the folder cannot be written.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **dict(arrays))  # type: ignore[arg-type]
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    settings = EncoderSettings(name=name, perception=spec, provenance=provenance, sha256=digest)
    text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    atomic_folder(path, {ENCODER_YAML: text.encode(), WEIGHTS: content})


def load_encoder(path: Path | str) -> TrainedEncoder:
    """Load an encoder folder, or the perception network of a model folder.

    Raises:
        ModelError: the folder is neither, or a file is damaged.
    """
    folder = shipped(Path(path))
    if (folder / MODEL_YAML).is_file():
        model = load_model(folder)
        spec = model.settings.perception
        return _checked(folder, spec, {name: model.arrays[name] for name in spec.array_shapes()})
    if not (folder / ENCODER_YAML).is_file():
        raise ModelError(
            f"{folder}: expected an encoder or a model, got a folder without {ENCODER_YAML} and "
            f"{MODEL_YAML}"
        )
    try:
        source = folder / ENCODER_YAML
        settings = validate(EncoderSettings, load_yaml(source), str(source))
        content = read_limited(folder / WEIGHTS, MAX_BYTES)
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (ConfigError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"{folder}: is not an encoder ({error})") from error
    if hashlib.sha256(content).hexdigest() != settings.sha256:
        raise ModelError(f"{folder / WEIGHTS}: expected the checksum of {ENCODER_YAML}")
    return replace(_checked(folder, settings.perception, arrays), provenance=settings.provenance)


def resized(encoder: TrainedEncoder, height: int, width: int) -> TrainedEncoder:
    """Return an encoder for pictures of another size, to begin a training with.

    Convolutions are kept. The weights of the layer after them are interpolated over the picture
    and scaled with the number of places, so that its sums stay of one size.

    Raises:
        ConfigError: the convolutions leave nothing of such a picture.
    """
    import torch
    from torch.nn import functional

    changed = {**encoder.spec.to_dict(), "height": height, "width": width}
    spec = validate(PerceptionSpec, changed, "encoder")
    if spec == encoder.spec:
        return encoder
    name = "perception.hidden.weight" if spec.hidden else "perception.linear.weight"
    channels, rows, columns = encoder.spec.map_shape
    _, new_rows, new_columns = spec.map_shape
    places = channels * rows * columns
    weight = torch.from_numpy(np.array(encoder.arrays[name], np.float32))
    maps = weight[:, :places].reshape(-1, channels, rows, columns)
    maps = functional.interpolate(maps, (new_rows, new_columns), mode="bilinear")
    maps = maps * (rows * columns / (new_rows * new_columns))
    weight = torch.cat([maps.flatten(1), weight[:, places:]], dim=1)
    return _checked(Path("encoder"), spec, {**encoder.arrays, name: weight.numpy()})


def _checked(folder: Path, spec: PerceptionSpec, arrays: Arrays) -> TrainedEncoder:
    hasher = hashlib.sha256(spec.model_dump_json().encode())
    for name, shape in spec.array_shapes().items():
        if name not in arrays or arrays[name].shape != shape:
            got = arrays[name].shape if name in arrays else "nothing"
            raise ModelError(f"{folder / WEIGHTS}: {name}: expected shape {shape}, got {got}")
        hasher.update(np.ascontiguousarray(arrays[name], "<f4").tobytes())
    return TrainedEncoder(spec, arrays, hasher.hexdigest())
