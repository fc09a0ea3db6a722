"""Model folders of the tests: shipped ones, and one that forgets its past."""

import dataclasses
import hashlib
import io
import shutil
from pathlib import Path

import numpy as np

from liquid_control.config import project_file
from liquid_control.policy import Model, load_model

SHIPPED = sorted(
    path.parent
    for path in project_file("models").glob("*/model.yaml")
    if load_model(path.parent).settings.core.wiring
)
TRAIL = project_file("models/trail_cfc19")


def copied(source: Path, folder: Path) -> Path:
    """Copy what the checker reads."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("model.yaml", "weights.npz", "certificate.json"):
        if (source / name).is_file():
            shutil.copy(source / name, folder / name)
    return folder


def with_state_weights(folder: Path, factor: float) -> Model:
    """Return trail_cfc19 in a folder, with the weights of its own states scaled by a factor."""
    model = load_model(TRAIL)
    arrays = dict(model.arrays)
    for index, size in enumerate((9, 6, 4)):
        weight = arrays[f"cfc.{index}.weight"].copy()
        weight[:, :, -size:] *= np.float32(factor)
        arrays[f"cfc.{index}.weight"] = weight
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.npz").write_bytes(buffer.getvalue())
    shutil.copy(TRAIL / "model.yaml", folder / "model.yaml")
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    settings = model.settings.model_copy(update={"sha256": {"weights.npz": digest}})
    return dataclasses.replace(model, path=folder, arrays=arrays, settings=settings)
