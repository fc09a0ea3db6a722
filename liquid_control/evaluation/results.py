"""`results.json`, schema 1: rows, their summary, and all that is needed to get them again."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime, timezone
from math import isfinite
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from liquid_control.errors import OutputError
from liquid_control.provenance import git_revision, machine, package_versions

SCHEMA = 1


def results_document(
    command: Sequence[str],
    config: Mapping[str, Any],
    rows: Sequence[Any],
    summary: Sequence[Any],
) -> dict[str, Any]:
    """Return the content of `results.json`.

    Args:
        command: the words of the command line that made the result.
        config: the scenarios, campaigns and options that it ran with.
        rows: one dataclass or mapping a flight (or measurement).
        summary: one dataclass or mapping an entry.
    """
    return {
        "schema": SCHEMA,
        "command": " ".join(command),
        "created_utc": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "git_revision": git_revision(),
        "versions": package_versions(),
        "machine": machine(),
        "config": _plain(config),
        "rows": [_plain(row) for row in rows],
        "summary": [_plain(row) for row in summary],
    }


def write_results(path: Path, document: Mapping[str, Any]) -> Path:
    """Write the document beside its place, then rename it there: never a half-written file.

    Raises:
        OutputError: the folder cannot be written to.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        beside.unlink(missing_ok=True) if beside.parent.is_dir() else None
    return path


def _plain(value: Any) -> Any:
    """Return the value as JSON knows it; numbers that are not finite become null."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    if hasattr(value, "item"):
        return _plain(value.item())
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
