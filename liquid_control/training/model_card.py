"""The model card: what the model is, how it was made, how it flew, what it is not for."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from liquid_control.config.random_overrides import Spread
from liquid_control.provenance import git_revision, machine, package_versions
from liquid_control.training.bags.job import BagSummary
from liquid_control.training.bags.summary import bag_lines
from liquid_control.training.run_folder import RunProgress
from liquid_control.training.training_settings import TrainingSettings
from liquid_control.training.validation import ConditionScore, Score


def model_card(
    settings: TrainingSettings,
    made: Mapping[str, Any],
    score: Score | None,
    parameters: int,
) -> str:
    """Return the card as Markdown.

    Args:
        settings: of the run.
        made: what `provenance` returned.
        score: of the final flights, on seeds that no choice was made on; None without any.
        parameters: weights of the encoder and the cell together.
    """
    return "\n".join(
        [
            *_what(settings, parameters),
            *_how_to_fly(settings),
            *_trained_on(settings, made),
            *_results(settings, score),
            *_limits(settings, made, score),
            *_provenance(made),
        ]
    )


def _what(settings: TrainingSettings, parameters: int) -> list[str]:
    scenario, network = settings.base_scenario(), settings.network
    camera = scenario.camera
    return [
        f"# {settings.name}",
        "",
        settings.description or "A learned pilot.",
        "",
        f"In: camera {camera.width}×{camera.height} RGB ({camera.horizontal_fov_deg:g}° wide, "
        f"{camera.pitch_down_deg:g}° down) and IMU. Out: forward, left and up velocity, yaw rate. "
        f"A CNN gives {network.features} features to a wired closed-form continuous-time cell of "
        f"{network.neurons} neurons; elapsed time between frames is an input. "
        f"{parameters:,} parameters.",
        "",
    ]


def _how_to_fly(settings: TrainingSettings) -> list[str]:
    model = f"models/{settings.name}"
    return [
        "## Fly it",
        "",
        f"    liquid-control fly --scenario {settings.scenario} --seed 3 --model {model}",
        f"    liquid-control evaluate --scenario {settings.scenario} --model {model}",
        "",
    ]


def _trained_on(settings: TrainingSettings, made: Mapping[str, Any]) -> list[str]:
    dataset, bags = made["dataset"], made.get("bags", [])
    total = f"{dataset['frames']:,} frames of {dataset['flights']}"
    if not bags:
        return ["## Trained on", "", *_flown(settings, made, f"{total} simulated flights"), ""]
    recorded = ["## Trained on", "", *bag_lines(settings.bags, bags), ""]
    if not settings.flights.cloning and not made["round"]:
        return recorded
    beside = f"With simulated flights beside them {total} flights in all"
    return [*recorded, *_flown(settings, made, beside), ""]


def _flown(settings: TrainingSettings, made: Mapping[str, Any], what: str) -> list[str]:
    return [
        f"{what}, scenario `{settings.scenario}`: "
        f"{settings.flights.cloning} flown by the disturbed expert, then {made['round']} DAgger "
        f"round(s) of {settings.flights.dagger}; labels are the privileged expert's commands. "
        "Drawn anew for every flight:",
        "",
        "| key | from | to | share of flights |",
        "|---|---|---|---|",
        *(_spread_row(key, spread) for key, spread in settings.randomise.items()),
    ]


def _spread_row(key: str, spread: Spread) -> str:
    return f"| `{key}` | {spread.low:g} | {spread.high:g} | {spread.share:.0%} |"


def _results(settings: TrainingSettings, score: Score | None) -> list[str]:
    if score is None:
        told = "None: validation was switched off. **This model has never flown.**"
        return ["## Flights after training", "", told, ""]
    return [
        "## Flights after training",
        "",
        "Closed loop, in forests that were used neither to learn nor to choose the checkpoint.",
        "",
        "| condition | set | succeeded | cross-track RMS, m | failures |",
        "|---|---|---|---|---|",
        *(_result_row(settings, row) for row in score.rows),
        "",
    ]


def _result_row(settings: TrainingSettings, row: ConditionScore) -> str:
    keys = settings.validation.conditions[row.condition]
    changed = ", ".join(f"`{key}={value}`" for key, value in keys.items()) or "nothing"
    reasons = ", ".join(f"{name} {count}" for name, count in sorted(row.reasons.items())) or "none"
    return (
        f"| {row.condition} | {changed} | {row.successes}/{row.flights} "
        f"| {row.cross_track_rms_m:.2f} | {reasons} |"
    )


def _limits(settings: TrainingSettings, made: Mapping[str, Any], score: Score | None) -> list[str]:
    scenario = settings.base_scenario()
    seen = "Simulation only. It has not flown a real vehicle and has seen no real picture."
    taught = (
        f"It keeps the altitude and speed it was taught, {scenario.altitude_m:g} m and "
        f"{scenario.cruise_mps:g} m/s, and knows no other task than following the trail."
    )
    if made.get("bags"):
        seen = "It has not flown a real vehicle. What it has seen is what its bags hold."
        taught = "It does what its bags show, and knows no other task, altitude or speed."
    few = "Few flights a condition stand in the table; `liquid-control evaluate` gives intervals."
    fits = "It fits the camera above; other sizes and fields of view are resampled or refused."
    lines = [seen, taught, fits, *([few] if score is not None else [])]
    return ["## Limits", "", *(f"- {line}" for line in lines), ""]


def _provenance(made: Mapping[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    return [
        "## Provenance",
        "",
        f"- Command: `{made['command']}`, begun {made['began_utc']}, seed {made['seed']}",
        f"- Revision: {_revision(made)}",
        f"- Dataset SHA-256: {made['dataset']['sha256']}",
        f"- Time: {sum(made['seconds'].values()) / 60:.1f} min on {made['machine']['cores']} "
        f"cores, {made['machine']['architecture']}",
        f"- Versions: {versions}",
        "- `model.yaml` holds all settings; `curves.csv` and `curves.png` the losses; "
        "`pictures.json` how the pictures it learned from are spread.",
        "",
    ]


def _revision(made: Mapping[str, Any]) -> str:
    began, ended = made["git_revision"] or "unknown", made["git_revision_at_end"] or "unknown"
    return began if began == ended else f"{began} when it began, {ended} when it ended"


def provenance(
    settings: TrainingSettings, progress: RunProgress, bags: Sequence[BagSummary] = ()
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
