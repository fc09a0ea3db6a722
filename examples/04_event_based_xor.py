"""Train cores on the event-based XOR with irregular sampling and compare with published figures.

    python examples/04_event_based_xor.py --core cfc --core lstm
    python examples/04_event_based_xor.py --core cfc --core lstm --resume

Needs torch. Most cores take tens of minutes, the LTC hours; --resume continues an interrupted run.
Writes `results.json` with accuracies, losses and seconds of every epoch. `docs/event_based_xor.md`
contains measured results.
"""

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))

from event_xor.data import Events, draw_events
from event_xor.training import OPTIMISERS, Recipe, Run

from liquid_control.cores import CORES
from liquid_control.files import atomic_write

PUBLISHED = {
    "cfc": 99.42,
    "cfc_mm": 99.72,
    "lstm": 89.71,
    "ltc": 49.11,
    "ode_rnn": 51.21,
}
"""Test accuracy in %, Hasani et al. 2022 (arXiv 2106.13898)."""

TUNED: dict[str, dict[str, Any]] = {
    "cfc": {
        "options": {"backbone_activation": "relu", "units": 192},
        "optimiser": "rmsprop",
        "learning_rate": 2e-3,
    },
    "cfc_mm": {"options": {"backbone_activation": "relu", "units": 128}},
}
"""Deviations from the defaults of `Recipe`."""

TEST_STREAMS = 10_000


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Train the requested cores and return one row each."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    train = draw_events(options.streams, seed=options.seed, name="train")
    test = draw_events(TEST_STREAMS, seed=options.seed, name="test")
    rows = []
    for core in options.core:
        recipe = Recipe(
            core,
            size=options.size,
            epochs=options.epochs,
            batch=options.batch,
            seed=options.seed,
            **_tuned(core, options),
        )
        run = _trained(recipe, train, test, options.out, resume=options.resume)
        rows.append(_row(run))
        _write(options.out / "results.json", rows)
        print(f"{core}: {_percent(run)} %, published {PUBLISHED.get(core, 'nothing')}")
    return rows


def _tuned(core: str, options: argparse.Namespace) -> dict[str, Any]:
    chosen = {"optimiser": options.optimiser, "learning_rate": options.learning_rate}
    return TUNED.get(core, {}) | {key: value for key, value in chosen.items() if value is not None}


def _trained(recipe: Recipe, train: Events, test: Events, out: Path, *, resume: bool) -> Run:
    run, checkpoint = Run.begin(recipe), out / f"{recipe.core}.pt"
    if resume and checkpoint.exists():
        run.restore(checkpoint)
    while len(run.losses) < recipe.epochs:
        run.epoch(train, test)
        run.save(checkpoint)
        print(
            f"{recipe.core} epoch {len(run.losses)}/{recipe.epochs}: loss {run.losses[-1]:.4f}, "
            f"test {_percent(run)} %, {run.seconds[-1]:.1f} s",
            flush=True,
        )
    return run


def _row(run: Run) -> dict[str, Any]:
    recipe = run.recipe
    return {
        "model": recipe.core,
        "size": recipe.size,
        "options": recipe.options,
        "parameters": sum(parameter.numel() for parameter in run.model.parameters()),
        "seed": recipe.seed,
        "epochs": recipe.epochs,
        "batch": recipe.batch,
        "optimiser": recipe.optimiser,
        "learning_rate": recipe.learning_rate,
        "test_accuracy_percent": _percent(run),
        "published_percent": PUBLISHED.get(recipe.core),
        "minutes": round(sum(run.seconds) / 60.0, 2),
        "losses": run.losses,
        "accuracies": run.accuracies,
        "seconds": run.seconds,
    }


def _percent(run: Run) -> float:
    return round(100.0 * run.accuracies[-1], 2)


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    results = {
        "schema": 1,
        "command": " ".join(sys.argv),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "rows": rows,
    }
    atomic_write(path, json.dumps(results, indent=2) + "\n")


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--core", action="append", choices=CORES, required=True, help="may be repeated")
    add("--size", choices=["small", "base"], default="base", help="of the core")
    add("--epochs", type=_positive, default=Recipe.epochs, help="passes over the training set")
    add("--batch", type=_positive, default=Recipe.batch, help="streams per gradient step")
    add("--optimiser", choices=OPTIMISERS, help="of all cores (default: as tuned, or adam)")
    add("--learning-rate", type=float, help="initial rate (default: as tuned, or 0.001)")
    add("--streams", type=_positive, default=100_000, help="in the training set")
    add("--seed", type=int, default=0, help="of data, weights and batches")
    add("--threads", type=_positive, default=1, help="for torch")
    add("--resume", action="store_true", help="continue an interrupted run of the same command")
    add("--out", type=Path, default=Path("runs/event_xor"), help="folder of results")
    return parser


if __name__ == "__main__":
    main()
