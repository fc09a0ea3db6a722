"""What a model was made with: written into its folder, never into its name."""

from dataclasses import asdict
from typing import Any

from liquid_control.provenance import git_revision, machine, package_versions
from liquid_control.training.progress import Progress
from liquid_control.training.settings import TrainingSettings


def provenance(settings: TrainingSettings, progress: Progress) -> dict[str, Any]:
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
        "round": best,
        "rounds_flown": len(progress.scores) - 1,
        "seconds": dict(progress.done),
        "settings": settings.model_dump(mode="json"),
    }
