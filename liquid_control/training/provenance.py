"""What a model was made with: written into its folder, never into its name."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from liquid_control.provenance import git_revision, machine, package_versions
from liquid_control.training.bags.job import BagSummary
from liquid_control.training.progress import Progress
from liquid_control.training.settings import TrainingSettings


def provenance(
    settings: TrainingSettings, progress: Progress, bags: Sequence[BagSummary] = ()
) -> dict[str, Any]:
    """Return plain data for `model.yaml`."""
    best = progress.best_round
    return {
        "command": progress.command,
        "began_utc": progress.began,
        "seed": settings.seed,
        "git_revision": progress.revision,
        "git_revision_at_end": git_revision(),
        "versions": package_versions(),
        "machine": machine(),
        "dataset": asdict(progress.datasets[best]),
        **({"bags": [_plain(bag) for bag in bags]} if bags else {}),
        "round": best,
        "rounds_flown": len(progress.datasets) - 1,
        "seconds": dict(progress.done),
        "settings": settings.model_dump(mode="json"),
    }


def _plain(bag: BagSummary) -> dict[str, Any]:
    """Return what became of a bag, empty entries left out; lists as YAML knows them."""
    content = asdict(bag) | {"pieces": list(bag.pieces), "losses": list(bag.losses)}
    return {name: value for name, value in content.items() if value or name == "frames"}
