"""Checkpoints of a disturbed replay, from which an interrupted one goes on.

A checkpoint holds the state of every variant after a frame. A resumed replay reads the bag from
its beginning, but its variants begin after that frame: they are what takes the time.
"""

import io
import json
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from liquid_control.bags import Event, FrameEvent
from liquid_control.errors import OutputError
from liquid_control.files import atomic_write
from liquid_control.journal import check_same_plan, plain
from liquid_control.provenance import git_revision, package_versions
from liquid_control.replay.disturbed import DisturbedReplay
from liquid_control.replay.request import VERSIONS, ReplayRequest

CHECKPOINT_FILE = "checkpoint.npz"
PARTIAL_FILE = "disturbed.partial.json"
"""The rows so far, to read; removed with the checkpoint when the replay is complete."""
SAVE_S = 10.0
"""Time between two checkpoints, s: the largest loss if the process is killed."""
SCHEMA = 1
_ENDS_BYTES = 1 << 20
_ARRAY = "array"


def replay_plan(request: ReplayRequest) -> dict[str, Any]:
    """Return what the disturbed part of a replay depends on."""
    disturbances = request.disturbances
    versions = package_versions()
    models = [request.choice.model, *(disturbances.further_models if disturbances else ())]
    return {
        "bag": {path.name: _mark(path) for path in request.bag.parts},
        "topics": {
            role.value: repr(source) for role, source in sorted(request.topics.sources.items())
        },
        "models": ", ".join(model.name for model in models),
        **{f"model {model.name}": model.weights_sha256 for model in models},
        "--disturb": " ".join(disturbances.words if disturbances else ()),
        "--input": " ".join(request.given.words),
        "--start": request.span.start_s,
        "--duration": request.span.duration_s,
        "versions": {name: versions.get(name) for name in VERSIONS},
        "revision": git_revision(),
    }


def _mark(path: Path) -> str:
    """Return size and a hash of the ends of a bag; of a folder, the names and sizes in it."""
    if path.is_dir():
        content = [(file.name, file.stat().st_size) for file in sorted(path.iterdir())]
        return sha256(repr(content).encode()).hexdigest()
    size = path.stat().st_size
    with path.open("rb") as stream:
        ends = stream.read(_ENDS_BYTES)
        stream.seek(max(size - _ENDS_BYTES, 0))
        ends += stream.read(_ENDS_BYTES)
    return f"{size} bytes, {sha256(ends).hexdigest()[:16]}"


class Checkpoint:
    """Files of the checkpoint of one disturbed replay.

    Args:
        folder: of the results.
        plan: from `replay_plan`.
        save_s: time between two checkpoints, s.

    Attributes:
        frames: number of frames that the checkpoint covers; 0 without one.
    """

    def __init__(self, folder: Path, plan: Mapping[str, Any], save_s: float = SAVE_S) -> None:
        self.frames, self.save_s = 0, save_s
        self._folder, self._plan = folder, plan
        self._state: Any = None

    def load(self) -> None:
        """Read the checkpoint of an interrupted replay where there is one.

        Raises:
            ConfigError: the interrupted replay had another plan; the message names the difference.
            OutputError: the file is damaged, or the replay is complete.
        """
        path = self._folder / CHECKPOINT_FILE
        if not path.exists():
            if (self._folder / "replay.json").exists():
                raise OutputError(f"--resume: the replay in {self._folder} is complete")
            return
        content = load_state(path)
        check_same_plan(self._folder, content["plan"], self._plan)
        self.frames, self._state = content["frames"], content["state"]

    def resume(self, replay: DisturbedReplay) -> None:
        """Give a new replay the state of the checkpoint."""
        if self._state is not None:
            replay.restore(self._state)

    def save(self, replay: DisturbedReplay, frames: int) -> None:
        """Write state and rows after a frame.

        Raises:
            OutputError: the folder cannot be written to.
        """
        rows = [row.to_dict() for row in replay.result().rows]
        partial = {"schema": SCHEMA, "complete": False, "frames": frames, "rows": plain(rows)}
        content = {"plan": plain(self._plan), "frames": frames, "state": replay.state()}
        save_state(self._folder / CHECKPOINT_FILE, content)
        atomic_write(self._folder / PARTIAL_FILE, json.dumps(partial, indent=1) + "\n")
        self.frames = frames

    def remove(self) -> None:
        """Remove the files after the replay is complete."""
        for name in (CHECKPOINT_FILE, PARTIAL_FILE):
            with suppress(OSError):
                (self._folder / name).unlink()


def newest_checkpoint(folders: Iterable[Path], plan: Mapping[str, Any]) -> Path:
    """Return the newest folder with a checkpoint of a plan.

    Args:
        folders: folders of results, whose names begin with their UTC time.
        plan: from `replay_plan`.

    Raises:
        OutputError: none has one.
    """
    for folder in sorted(folders, reverse=True):
        with suppress(OutputError):
            if load_state(folder / CHECKPOINT_FILE)["plan"] == plain(plan):
                return folder
    raise OutputError(
        "--resume: expected an interrupted run of this command in runs/, found none; "
        "give its folder as --out, or leave out --resume"
    )


class CheckpointedReplay:
    """Runs a disturbed replay from its checkpoint on, and writes further ones.

    Args:
        replay: the replay, new.
        checkpoint: loaded; its state is given to the replay.
    """

    def __init__(self, replay: DisturbedReplay, checkpoint: Checkpoint) -> None:
        self._replay, self._checkpoint = replay, checkpoint
        self._covered, self._frames = checkpoint.frames, 0
        self._saved_s = time.monotonic()
        checkpoint.resume(replay)

    def consume(self, event: Event) -> None:
        """Process an event unless the checkpoint covers it.

        Raises:
            OutputError: a checkpoint cannot be written.
        """
        if not isinstance(event, FrameEvent):
            self._replay.consume(event)
            return
        self._frames += 1
        if self._frames <= self._covered:
            return
        self._replay.consume(event)
        if time.monotonic() - self._saved_s >= self._checkpoint.save_s:
            self.save()

    def save(self) -> None:
        """Write a checkpoint after the last event.

        Raises:
            OutputError: it cannot be written.
        """
        self._checkpoint.save(self._replay, self._frames)
        self._saved_s = time.monotonic()


def save_state(path: Path, state: Any) -> Path:
    """Write a state, atomically: its arrays, and the rest as JSON.

    Args:
        path: of the `.npz` file.
        state: numbers, texts, arrays, None, and lists and dictionaries of them.

    Raises:
        OutputError: the file cannot be written.
    """
    arrays: list[np.ndarray] = []

    def without_arrays(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            arrays.append(value)
            return {_ARRAY: len(arrays) - 1}
        if isinstance(value, Mapping):
            return {"map": [[key, without_arrays(inner)] for key, inner in value.items()]}
        if isinstance(value, (list, tuple)):
            return [without_arrays(inner) for inner in value]
        return value.item() if isinstance(value, np.generic) else value

    text = json.dumps(without_arrays(state))
    named: dict[str, Any] = {f"{_ARRAY}{number}": array for number, array in enumerate(arrays)}
    content = io.BytesIO()
    np.savez(content, state=np.array(text), **named)
    return atomic_write(path, content.getvalue())


def load_state(path: Path) -> Any:
    """Read a state that `save_state` wrote.

    Raises:
        OutputError: the file cannot be read, or is damaged.
    """

    def with_arrays(value: Any) -> Any:
        if isinstance(value, list):
            return [with_arrays(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        if _ARRAY in value:
            return stored[f"{_ARRAY}{value[_ARRAY]}"]
        return {key: with_arrays(inner) for key, inner in value["map"]}

    try:
        with np.load(path, allow_pickle=False) as stored:
            return with_arrays(json.loads(str(stored["state"])))
    except (OSError, BadZipFile, ValueError, KeyError, TypeError, EOFError) as error:
        raise OutputError(f"{path}: is not a checkpoint ({error}): damaged") from error
