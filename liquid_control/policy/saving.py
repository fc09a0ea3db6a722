"""Write a model folder whole or not at all."""

import io
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import yaml

from liquid_control.errors import OutputError
from liquid_control.policy.model import (
    CARD,
    CONTROLLER,
    MODEL_YAML,
    PERCEPTION,
    WEIGHTS,
    Arrays,
    checksum,
)
from liquid_control.policy.settings import ModelSettings


def save_model(
    path: Path | str,
    settings: ModelSettings,
    arrays: Arrays,
    graphs: Mapping[str, bytes],
    card: str,
) -> None:
    """Write a model folder beside `path`, then rename it there; an older model there is replaced.

    Args:
        path: the folder to make.
        settings: what the model is; its checksums are filled in here.
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
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for name, data in content.items():
            (partial / name).write_bytes(data)
        _replace(folder, partial)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _replace(folder: Path, partial: Path) -> None:
    if not folder.exists():
        partial.rename(folder)
        return
    aside = partial.with_name(f"{partial.name}.old")
    folder.rename(aside)
    try:
        partial.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    shutil.rmtree(aside)


def _archive(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    named = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}
    np.savez(buffer, **named)  # type: ignore[arg-type]
    return buffer.getvalue()


def _yaml(settings: ModelSettings) -> bytes:
    plain = settings.model_dump(mode="json", by_alias=True)
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=200).encode()
