"""Learning in several processes of torchrun, of which each takes its part of every batch.

Rank 0 runs the training: it flies, writes, and chooses. The other ranks follow: for each round
they receive its learner and its data and make the same optimiser steps. Gradients of the summed
error are added over the ranks before each step, as a learner adds those of its threads.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch import distributed as dist

from liquid_control.errors import ConfigError, LiquidControlError
from liquid_control.files import reserve
from liquid_control.training.frame_store import open_frames

_TIMEOUT = timedelta(days=30)
"""Rank 0 may fly this long; a rank that ends is noticed at once."""

_CHUNK_BYTES = 64 << 20
_IN_MEMORY_BYTES = 256 << 20

Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")


def _while_all_live(work: Callable[Arguments, Returned]) -> Callable[Arguments, Returned]:
    """Turn the error of a lost connection into one line."""

    @wraps(work)
    def checked(*words: Arguments.args, **names: Arguments.kwargs) -> Returned:
        try:
            return work(*words, **names)
        except dist.DistError as error:
            raise _ended(error) from error
        except RuntimeError as error:
            if "gloo" not in str(error).lower():
                raise
            raise _ended(error) from error

    return checked


def _ended(error: Exception) -> LiquidControlError:
    reason = str(error).strip().partition("\n")[0]
    return LiquidControlError(f"another rank of torchrun ended ({reason}); --resume goes on")


@dataclass(frozen=True, slots=True)
class Ranks:
    """The processes that learn together.

    Attributes:
        rank: of this process.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    def part(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return this rank's part of some rows; parts have nearly equal size."""
        return np.array_split(rows, self.size)[self.rank]

    @_while_all_live
    def add(
        self, parts: Sequence[Sequence[Tensor]], *sums: float | Tensor
    ) -> tuple[Sequence[Tensor], list[Any]]:
        """Return the sum of each gradient over this rank's parts and over the ranks, and sums.

        They are equal on all ranks, bit for bit.

        Args:
            parts: gradients of each thread.
            sums: of this rank.
        """
        gradients = [sum(same[1:], start=same[0]) for same in zip(*parts, strict=True)]
        if self.size == 1:
            return gradients, list(sums)
        numbers = torch.tensor(sums, dtype=torch.float64)
        joined = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(numbers)
        dist.all_reduce(joined)
        added = torch.split(joined, [gradient.numel() for gradient in gradients])
        shaped = [part.view_as(own) for part, own in zip(added, gradients, strict=True)]
        return shaped, numbers.tolist()

    @_while_all_live
    def lead(self, learner: Any, data: Any, *words: Any, folder: Path | None = None) -> None:
        """Let the other ranks take part in `learner.learn(data, *words, …)`, which follows.

        Args:
            learner: picklable.
            data: a dataclass of arrays, such as a `Dataset`.
            words: arguments between the data and the folder.
            folder: that a `FrameStore` is mapped from, which ranks on this machine map too.
        """
        if self.size == 1:
            return
        heads = {
            part.name: (value.dtype, value.shape) if isinstance(value, np.ndarray) else value
            for part in fields(data)
            for value in (getattr(data, part.name),)
        }
        place = None if folder is None else (folder.absolute(), data.sha256)
        dist.broadcast_object_list([(learner, type(data), heads, words, place)])
        if _missing_somewhere(False):
            for part in fields(data):
                if isinstance(value := getattr(data, part.name), np.ndarray):
                    _exchange(value)

    @_while_all_live
    def follow(self) -> bool:
        """Take part in the next learning of rank 0; return False if rank 0 has ended."""
        message: list[Any] = [None]
        dist.broadcast_object_list(message)
        if message[0] is None:
            return False
        learner, kind, heads, words, place = message[0]
        data = None if place is None else open_frames(*place)
        if _missing_somewhere(data is None):
            values = {name: _received(head) for name, head in heads.items()}
            data = data or kind(**values)
        learner.ranks = self
        learner.learn(data, *words, Path(), lambda loss: None)
        return True


def _missing_somewhere(missing: bool) -> bool:
    """Return whether a rank has not got the data."""
    flag = torch.tensor(int(missing))
    dist.all_reduce(flag)
    return int(flag) > 0


def _received(head: Any) -> Any:
    """Return a value of rank 0's data; a large array is mapped from a file without a name."""
    if not (isinstance(head, tuple) and len(head) == 2 and isinstance(head[0], np.dtype)):
        return head
    kind, shape = head
    if kind.itemsize * int(np.prod(shape)) > _IN_MEMORY_BYTES:
        with tempfile.TemporaryFile() as file:
            reserve(file.fileno(), kind.itemsize * int(np.prod(shape)))
            array: NDArray[Any] = np.memmap(file, kind, "w+", shape=shape)
    else:
        array = np.empty(shape, kind)
    _exchange(array, into=True)
    return array


def _exchange(array: NDArray[Any], into: bool = False) -> None:
    """Send an array from rank 0, or receive it, in chunks."""
    flat = array.reshape(-1)
    step = _CHUNK_BYTES // array.itemsize
    for start in range(0, flat.size, step):
        rows = slice(start, start + step)
        chunk = torch.from_numpy(np.array(flat[rows]).view(np.uint8))
        dist.broadcast(chunk, 0)
        if into:
            flat[rows] = chunk.numpy().view(array.dtype)


def _from_torchrun() -> Ranks:
    """Return the ranks of the torchrun that started this process; of no other, one rank."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return Ranks()
    return Ranks(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))


@contextmanager
def leading(windows: int) -> Iterator[Ranks]:
    """Join the ranks as rank 0; when the block ends, the others end too.

    Args:
        windows: of a batch.

    Raises:
        ConfigError: there are fewer windows than ranks.
    """
    found = _from_torchrun()
    if windows < found.size:
        raise ConfigError(
            f"learner.windows: expected at least one for each of {found.size} ranks, got {windows}"
        )
    with _joined(found) as ranks:
        yield ranks
        if ranks.size > 1:
            dist.broadcast_object_list([None])


def follow_rank_0() -> bool:
    """On another rank than 0, take part in all learning of rank 0; return whether this is one."""
    if _from_torchrun().rank == 0:
        return False
    with _joined(_from_torchrun()) as ranks:
        while ranks.follow():
            pass
    return True


@contextmanager
def _joined(ranks: Ranks) -> Iterator[Ranks]:
    if ranks.size == 1:
        yield ranks
        return
    dist.init_process_group("gloo", timeout=_TIMEOUT)
    try:
        yield ranks
    finally:
        dist.destroy_process_group()
