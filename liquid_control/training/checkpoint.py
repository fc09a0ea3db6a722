"""The learner's state as a file, so that a run that was killed loses at most a minute.

Batches are a function of the step, so weights, averages, moments and the step are all there is.
"""

import pickle
from dataclasses import astuple
from pathlib import Path
from typing import Any

import torch

from liquid_control.errors import OutputError
from liquid_control.training.atomic import write_whole
from liquid_control.training.curves import CurvePoint

CHECKPOINT_FILE = "learner.pt"


def save_checkpoint(folder: Path, state: dict[str, Any], curve: list[CurvePoint]) -> None:
    """Write the learner's state, whole."""
    content = {**state, "curve": [astuple(point) for point in curve]}
    write_whole(folder / CHECKPOINT_FILE, lambda partial: torch.save(content, partial))


def load_checkpoint(folder: Path) -> tuple[dict[str, Any], list[CurvePoint]] | None:
    """Read what `save_checkpoint` wrote; None where there is nothing yet.

    Raises:
        OutputError: the file is damaged.
    """
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return content, [CurvePoint(*point) for point in content.pop("curve")]
    except (OSError, RuntimeError, KeyError, TypeError, EOFError, pickle.PickleError) as error:
        raise OutputError(f"{path}: is not a checkpoint that training wrote ({error})") from error
