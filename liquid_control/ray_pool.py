"""Parallel tasks in the workers of a Ray cluster, as `process_pool.run_tasks` runs them locally.

Machines share no files: what a task reads is sent to a worker once, what it writes is sent back.
The task of a lost worker is given to another one. This process writes all files and accepts one
result for each task, so none is missing and none comes twice.
"""

import fcntl
import hashlib
import io
import logging
import os
import pickle
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Generic

from liquid_control.dependencies import require
from liquid_control.errors import ConfigError, LiquidControlError
from liquid_control.files import atomic_write, full_disk_error
from liquid_control.interrupts import check_interrupt
from liquid_control.process_pool import THREAD_LIMITS, Result, Task, WorkerError
from liquid_control.provenance import source_versions

MOST_LOSSES = 3
"""Workers that a task, or the start of workers, may lose one after the other."""

FOLDER_LIMIT_BYTES = 256 << 20
_POLL_S, _CLOSE_S, _CONNECT_S, _WITHOUT_CPU_S = 1.0, 5.0, 10.0, 60.0
_READ, _WRITTEN = "read", "written"
_Reference = tuple[str, str]
"""What a path becomes on its way: (`_READ`, checksum) or (`_WRITTEN`, path below the folder)."""


def run_on_ray(
    tasks: Sequence[Task],
    prepare: Callable[[], Callable[[Task], Result]],
    workers: int,
    address: str | None = None,
    on_result: Callable[[int, Result], None] | None = None,
    tasks_per_worker: int | None = None,
    writes: Path | None = None,
) -> list[Result]:
    """Run tasks on a Ray cluster, see `executors.run_tasks`; an open connection to one is used."""
    if not tasks:
        return []
    ray = require("ray", "ray", "run tasks on a Ray cluster (--executor ray)")
    with _connected(ray, address):
        pool = _Pool[Task, Result](ray, tasks, prepare, workers, tasks_per_worker, writes)
        try:
            return pool.run(on_result)
        finally:
            _remove_remains()


@contextmanager
def _connected(ray: Any, address: str | None) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
    handler = signal.getsignal(signal.SIGTERM)
    try:
        _check_reachable(address)
        ray.init(address=address, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        raise LiquidControlError(
            f"--address {address}: expected a Ray cluster that this machine is a node of "
            f"({_lines(error)[0]})"
        ) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)  # Ray has replaced it
    try:
        yield
    finally:
        ray.shutdown()


def _check_reachable(address: str | None) -> None:
    """Raise an OSError where HOST:PORT does not answer; Ray itself would wait without an end."""
    host, sign, port = (address or "").rpartition(":")
    if sign and port.isdigit():
        socket.create_connection((host, int(port)), _CONNECT_S).close()


def _lines(error: BaseException) -> list[str]:
    return [line.strip() for line in str(error).splitlines() if line.strip()] or [repr(error)]


@dataclass(slots=True)
class _Given:
    """A worker and what it does.

    Attributes:
        actor: the worker's handle.
        left: tasks until it is replaced; None for no limit.
        index: of its task; None while it starts.
    """

    actor: Any
    left: int | None
    index: int | None = None


class _Pool(Generic[Task, Result]):
    """The workers of one call, by the reference of what each will answer next."""

    def __init__(
        self,
        ray: Any,
        tasks: Sequence[Task],
        prepare: Callable[[], Callable[[Task], Result]],
        workers: int,
        limit: int | None,
        writes: Path | None,
    ) -> None:
        self._ray, self._tasks, self._writes = ray, tasks, writes
        self._workers, self._limit = workers, limit
        self._parcels = _Parcels(ray, writes)
        self._prepare = self._parcels.pack(prepare)
        options = {"num_cpus": 1, "max_restarts": 0, "scheduling_strategy": "SPREAD"}
        self._kind = ray.remote(**options)(RayWorker)
        self._expected = source_versions()
        self._waiting = deque(range(len(tasks)))
        self._lost: Counter[int | None] = Counter()
        self._active: dict[Any, _Given] = {}
        self._results: dict[int, Result] = {}
        self._closing: list[Any] = []
        self._started_s = time.monotonic()

    def run(self, on_result: Callable[[int, Result], None] | None) -> list[Result]:
        try:
            while len(self._results) < len(self._tasks):
                check_interrupt()
                self._start_missing()
                ready, _ = self._ray.wait([*self._active], num_returns=1, timeout=_POLL_S)
                for reference in ready:
                    index = self._receive(reference)
                    if index is not None and on_result is not None:
                        on_result(index, self._results[index])
                self._check_cpus()
            if self._closing:
                self._ray.wait(self._closing, num_returns=len(self._closing), timeout=_CLOSE_S)
        finally:
            for given in self._active.values():
                self._ray.kill(given.actor)
        return [self._results[index] for index in range(len(self._tasks))]

    def _start_missing(self) -> None:
        busy = sum(given.index is not None for given in self._active.values())
        while len(self._active) < min(self._workers, busy + len(self._waiting)):
            actor = self._kind.remote(self._prepare.content, self._prepare.folders)
            self._active[actor.start.remote()] = _Given(actor, self._limit)

    def _check_cpus(self) -> None:
        """Check that there is a machine left to run on."""
        if any(given.index is not None for given in self._active.values()):
            self._started_s = time.monotonic()
        elif time.monotonic() - self._started_s > _WITHOUT_CPU_S:
            self._started_s = time.monotonic()
            if self._ray.cluster_resources().get("CPU", 0.0) < 1.0:
                raise LiquidControlError("the Ray cluster has no CPU: expected a running node")

    def _receive(self, reference: Any) -> int | None:
        """Take one answer; return the index of a task that is done, None for any other answer."""
        given = self._active.pop(reference)
        try:
            kind, content = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._lose(given, error)
            return None
        if kind == "error":
            raise content
        if kind == "traceback":
            print(content, file=sys.stderr, flush=True)
            raise WorkerError(-1 if given.index is None else given.index, 1)
        index = given.index
        self._lost.pop(index, None)
        if index is None:
            self._check_versions(content)
        else:
            self._keep(index, *content)
        self._give(given)
        return index

    def _give(self, given: _Given) -> None:
        """Give the next task; end the worker if no task waits or its limit is reached."""
        if not self._waiting or given.left == 0:
            self._closing.append(given.actor.close.remote())
            return  # the worker ends, as nothing refers to it any more
        given.index = self._waiting.popleft()
        given.left = None if given.left is None else given.left - 1
        parcel = self._parcels.pack(self._tasks[given.index])
        self._active[given.actor.run.remote(parcel.content, parcel.folders)] = given

    def _keep(self, index: int, result: bytes, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            if self._writes is not None:
                atomic_write(self._writes / name, data, parents=True)
        self._results[index] = pickle.loads(result)

    def _lose(self, given: _Given, error: Exception) -> None:
        """Put the task of a lost worker back, before the others."""
        with suppress(Exception):
            self._ray.kill(given.actor)
        self._lost[given.index] += 1
        if self._lost[given.index] > MOST_LOSSES:
            if given.index is None:
                raise LiquidControlError(
                    f"executor ray: no worker could start ({_lines(error)[-1]}); expected this "
                    "package on each machine of the cluster"
                )
            how = f"was lost {self._lost[given.index]} times ({_lines(error)[0]})"
            raise WorkerError(given.index, None, how)
        if given.index is not None:
            self._waiting.appendleft(given.index)

    def _check_versions(self, worker: tuple[str, Mapping[str, str]]) -> None:
        """Check that a worker has the versions of this process.

        Raises:
            ConfigError: one differs.
        """
        node, found = worker
        for name in sorted(self._expected.keys() & found.keys()):
            if found[name] != self._expected[name]:
                raise ConfigError(
                    f"executor ray: node {node} has {name} {found[name]}, this machine has "
                    f"{self._expected[name]}: expected the same on all, for the same results"
                )


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A pickled value, and the content of the folders in it by checksum, stored in Ray."""

    content: bytes
    folders: Mapping[str, Any]


class _Parcels:
    """Packs values for other machines: folders by content, places to write by relative path."""

    def __init__(self, ray: Any, writes: Path | None) -> None:
        self._ray = ray
        self._writes = None if writes is None else writes.absolute()
        self._stored: dict[Path, tuple[str, Any]] = {}

    def pack(self, value: object) -> _Parcel:
        """Return a value in a form that `RayWorker` unpacks."""
        folders: dict[str, Any] = {}

        def reference(part: object) -> _Reference | None:
            if not isinstance(part, Path):
                return None
            path = part.absolute()
            if path != self._writes and path.is_dir():
                checksum, folders[checksum] = self._store(path)
                return _READ, checksum
            if self._writes is not None and path.is_relative_to(self._writes):
                return _WRITTEN, str(path.relative_to(self._writes))
            return None

        buffer = io.BytesIO()
        pickler = self._ray.cloudpickle.CloudPickler(buffer)
        pickler.persistent_id = reference
        pickler.dump(value)
        return _Parcel(buffer.getvalue(), folders)

    def _store(self, folder: Path) -> tuple[str, Any]:
        """Return checksum and reference of a folder's content, which is stored once."""
        if folder not in self._stored:
            content = _folder_content(folder)
            _check_size(folder, content)
            packed = pickle.dumps(content)
            self._stored[folder] = hashlib.sha256(packed).hexdigest(), self._ray.put(content)
        return self._stored[folder]


def _folder_content(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _check_size(folder: Path, content: Mapping[str, bytes]) -> None:
    size = sum(len(data) for data in content.values())
    if size > FOLDER_LIMIT_BYTES:
        raise ConfigError(
            f"executor ray: {folder}: expected a folder of at most {FOLDER_LIMIT_BYTES >> 20} MiB "
            f"to send to workers, got {size >> 20} MiB"
        )


class RayWorker:
    """One process of the cluster: an actor that runs a task at a time in a folder of its own.

    Each method returns its kind of answer with its content: `done`, or the `error` to raise, or
    the `traceback` of an unexpected exception.
    """

    def __init__(self, prepare: bytes, folders: Mapping[str, Any]) -> None:
        os.environ.update(dict.fromkeys(THREAD_LIMITS, "1"))
        self._prepare = prepare, folders
        self._run: Callable[[Any], Any] | None = None

    def start(self) -> tuple[str, Any]:
        """Return this machine's name and versions; nothing is unpacked before."""
        ray: Any = import_module("ray")

        return "done", (ray.util.get_node_ip_address(), source_versions())

    def run(self, task: bytes, folders: Mapping[str, Any]) -> tuple[str, Any]:
        """Run a task; return its pickled result and the files that it wrote."""
        try:
            if self._run is None:
                self._folder = _own_folder()
                self._run = self._unpack(*self._prepare)()
            result = self._run(self._unpack(task, folders))
            return "done", (pickle.dumps(result), self._take_files())
        except LiquidControlError as error:
            return "error", error
        except Exception as error:
            if (full := full_disk_error(error)) is not None:
                return "error", full
            return "traceback", traceback.format_exc()

    def close(self) -> None:
        """Remove the worker's folder."""
        if self._run is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _writes(self) -> Path:
        return self._folder / _WRITTEN

    def _unpack(self, content: bytes, folders: Mapping[str, Any]) -> Any:
        def path_of(reference: _Reference) -> Path:
            kind, name = reference
            return self._writes / name if kind == _WRITTEN else self._read(name, folders)

        unpickler = pickle.Unpickler(io.BytesIO(content))
        unpickler.persistent_load = path_of  # type: ignore[method-assign]
        return unpickler.load()

    def _read(self, checksum: str, folders: Mapping[str, Any]) -> Path:
        """Return the folder of some content; it is written when it is first needed."""
        ray: Any = import_module("ray")
        folder = self._folder / _READ / checksum
        if not folder.exists():
            for name, data in ray.get(folders[checksum]).items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(data)
        return folder

    def _take_files(self) -> dict[str, bytes]:
        """Return the files that a task wrote, and remove them."""
        taken = _folder_content(self._writes)
        shutil.rmtree(self._writes, ignore_errors=True)
        return taken


_PREFIX = "liquid_control-ray-"


def _own_folder() -> Path:
    """Return a new temporary folder, which is locked as long as this process lives."""
    _remove_remains()
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with suppress(OSError):
            held = os.open(folder, os.O_RDONLY)
            fcntl.flock(held, fcntl.LOCK_EX)
            if folder.exists():  # another worker may have removed it before the lock
                return folder


def _remove_remains() -> None:
    """Remove the folders of killed workers, which nothing locks."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            held = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(held)
