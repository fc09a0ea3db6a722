"""Speed of training an encoder on one thread: loading of batches, forward and backward.

The two sides of a comparison run alternately and are timed by CPU time, which other processes
affect less than the wall clock. The plain way is that of float32 pictures, [B, 3, H, W] contiguous
in memory, which a batch holds standardised.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.cores import CoreComparison, CoreRow, measure_comparison, one_thread
from benchmarks.measured import Measured
from liquid_control.dependencies import require
from liquid_control.errors import CellError

if TYPE_CHECKING:
    from liquid_control.perception.cnn import PerceptionCNN
    from liquid_control.training.frame_store import FrameStore

SETTINGS = {"batch": 128, "width": 96, "height": 54, "frames": 2048, "threads": 1}
SAME = 1e-4
"""Largest difference of the features of both ways."""


def measure_training(
    turns: int, measured: Measured | None = None
) -> tuple[list[CoreRow], dict[str, Any]]:
    """Run all comparisons on one thread; the first turn of each, a warm-up, is not counted.

    Times of the rows are of one frame.

    Raises:
        DependencyError: torch is missing.
        CellError: the features of both ways differ.
    """
    torch = require("torch", "train", "measure training")
    measured = measured or Measured()
    with one_thread(torch), tempfile.TemporaryDirectory() as folder:
        rows = [
            measured.once(found.what, CoreRow, partial(measure_comparison, found, turns))
            for found in comparisons(torch, random_store(Path(folder)))
        ]
    return rows, {**SETTINGS, "turns": turns}


def training_table(rows: Sequence[CoreRow]) -> Table:
    """Return one line per comparison: frames per second of both ways and their ratio."""
    title = "training an encoder on one thread, frames a second by CPU time, medians"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for name in ("", "ours", "other way"):
        table.add_column(name)
    for name in ("faster", "least", "most", "aim"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.what,
            f"{row.ours}: {1e6 / row.ours_us:,.0f}",
            f"{row.peer}: {1e6 / row.peer_us:,.0f}",
            *(f"{ratio:.3g}" for ratio in (row.ratio, row.ratio_least, row.ratio_most)),
            "" if row.at_least is None else f">= {row.at_least:g}",
        )
    return table


def random_store(folder: Path) -> "FrameStore":
    """Write random pictures to a folder; return a store that maps them into memory."""
    from liquid_control.training.frame_store import FrameStore

    rng, count = np.random.default_rng(0), SETTINGS["frames"]
    shape = (count, SETTINGS["height"], SETTINGS["width"], 3)
    path = folder / "images.npy"
    np.save(path, rng.integers(0, 256, shape, dtype=np.uint8))
    images: NDArray[np.uint8] = np.load(path, mmap_mode="c")
    numbers = {"imu": 6, "labels": 4, "inputs": _inputs(), "auxiliary": _auxiliary()}
    columns = {
        name: rng.standard_normal((count, size)).astype(np.float32)
        for name, size in numbers.items()
    }
    return FrameStore(
        images=images,
        means=np.full(count, 127.5, np.float32),
        scales=np.full(count, 1.0 / 74.0, np.float32),
        elapsed_s=np.full(count, 0.05, np.float32),
        starts=np.array([0, count]),
        sha256="",
        **columns,
    )


def _inputs() -> int:
    from liquid_control.perception import INPUTS, input_size

    return input_size(tuple(INPUTS))


def _auxiliary() -> int:
    from liquid_control.training.auxiliary import AUXILIARY_SIZE

    return AUXILIARY_SIZE


def comparisons(torch: Any, store: "FrameStore") -> list[CoreComparison]:
    """Return all comparisons; their times are of one frame.

    Raises:
        CellError: the features of both ways differ.
    """
    from liquid_control.perception import PerceptionSpec
    from liquid_control.perception.cnn import PerceptionCNN

    spec = PerceptionSpec(height=SETTINGS["height"], width=SETTINGS["width"])
    encoder = PerceptionCNN(spec)
    ways = ("uint8, channels last", "float32, contiguous")
    packed, plain = _load(torch, store, 0), _load_plain(torch, store, 0)
    with torch.no_grad():
        features, expected = _features(encoder, packed), _plain_features(torch, encoder, plain)
    difference = float((features - expected).abs().max())
    if not difference <= SAME:
        raise CellError(f"expected features within {SAME:g} of each other, got {difference:g}")

    def learn(load: Callable[..., Any], ahead: Callable[..., Any], index: int) -> None:
        ahead(encoder, load(torch, store, index)).square().sum().backward()

    plain_ahead = partial(_plain_features, torch)
    stored = np.tile(features.numpy(), (store.frames // len(features), 1))
    loading = partial(_load, torch, store), partial(_load_plain, torch, store)
    forward = (
        lambda _: _features(encoder, packed).square().sum().backward(),
        lambda _: plain_ahead(encoder, plain).square().sum().backward(),
    )
    steps = partial(learn, _load, _features), partial(learn, _load_plain, plain_ahead)
    cached = (
        lambda index: torch.from_numpy(stored[_rows(store, index)]),
        lambda index: _without_gradient(torch, encoder, _load(torch, store, index)),
    )
    return [
        _comparison("loading", ways, loading, None, None),
        _comparison("forward and backward", ways, forward, None, difference),
        _comparison("loading, forward, backward", ways, steps, 2.0, difference),
        _comparison("frozen encoder", ("stored features", "computed"), cached, 2.0, None),
    ]


def _comparison(
    what: str,
    ways: tuple[str, str],
    work: Sequence[Callable[[int], object]],
    at_least: float | None,
    difference: float | None,
) -> CoreComparison:
    ours, peer = map(_timer, work)
    return CoreComparison(what, *ways, ours, peer, at_least, difference)


def _rows(store: "FrameStore", index: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(index)
    return np.sort(rng.integers(store.frames, size=SETTINGS["batch"]))


def _load(torch: Any, store: "FrameStore", index: int) -> tuple[Any, Any, Any]:
    """Return pictures as bytes, means and scales of a batch, as `EncoderLearner` draws it."""
    from liquid_control.training.frame_batches import FrameTensors, draw_changes

    changes = draw_changes(np.random.default_rng(index), SETTINGS["batch"], 0.0, 0.0)
    frames = FrameTensors.of(store, torch.device("cpu"))
    batch = frames.batch(_rows(store, index), changes)
    return batch.images, batch.means, batch.scales


def _load_plain(torch: Any, store: "FrameStore", index: int) -> Any:
    """Return the standardised pictures of the same batch, float32 [B, 3, H, W], contiguous."""
    images, means, scales = (part.numpy() for part in _load(torch, store, index))
    centred = images.astype(np.float32) - means[:, None, None, None]
    pictures = (centred * scales[:, None, None, None]).transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(pictures))


def _features(encoder: "PerceptionCNN", batch: tuple[Any, Any, Any]) -> Any:
    from liquid_control.training.network import standardise

    return encoder(standardise(*batch))


def _plain_features(torch: Any, encoder: "PerceptionCNN", pictures: Any) -> Any:
    """Return the features of an encoder without hidden layer, all maps contiguous in memory."""
    functional, weights = torch.nn.functional, encoder.parameters_by_name
    maps = pictures
    for index, conv in enumerate(encoder.spec.convolutions):
        names = (f"perception_conv{index}_{part}" for part in ("weight", "bias"))
        kernel, bias = (weights[name] for name in names)
        maps = functional.conv2d(maps, kernel, bias, stride=conv.stride, padding=conv.padding)
        maps = maps.relu()
    linear = weights["perception_linear_weight"], weights["perception_linear_bias"]
    return torch.tanh(functional.linear(maps.flatten(1), *linear))


def _without_gradient(torch: Any, encoder: "PerceptionCNN", batch: tuple[Any, Any, Any]) -> Any:
    with torch.no_grad():
        return _features(encoder, batch)


def _timer(work: Callable[[int], object], repeats: int = 4) -> Callable[[], float]:
    """Return a function that works on some batches and returns CPU seconds per frame."""

    def timed() -> float:
        start = time.thread_time()
        for index in range(repeats):
            work(index)
        return (time.thread_time() - start) / (repeats * SETTINGS["batch"])

    return timed
