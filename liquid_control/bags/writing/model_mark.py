"""Which model flew, as a bag tells it: enough to find out whether a model is the same."""

import hashlib
from pathlib import Path

from liquid_control.config.loading import load_yaml
from liquid_control.errors import OutputError

MARKED_FILES = ("model.yaml", "weights.npz")


def model_mark(folder: Path) -> dict[str, str]:
    """Return a model folder's name and the SHA-256 of its `model.yaml` and its weights.

    Raises:
        OutputError: it is not a model folder.
        ConfigError: `model.yaml` cannot be read.
    """
    try:
        sums = {
            f"sha256 {name}": hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in MARKED_FILES
        }
    except OSError as error:
        raise OutputError(
            f"{folder}: expected a model folder to record the mark of ({error.strerror})"
        ) from error
    return {"name": str(load_yaml(folder / MARKED_FILES[0]).get("name", folder.name)), **sums}
