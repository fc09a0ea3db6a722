"""The model card: description, training data, flight results, limits and provenance."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from liquid_control.config.overrides import Spread
from liquid_control.policy import WIRED, Model
from liquid_control.provenance import git_revision, machine, package_versions
from liquid_control.training.bags.job import BagSummary
from liquid_control.training.bags.summary import bag_lines
from liquid_control.training.run_folder import RunProgress
from liquid_control.training.training_settings import TrainingSettings
from liquid_control.training.validation import ConditionScore, Score


@dataclass(frozen=True, slots=True)
class ModelSize:
    """Kind and size of a model, for its card.

    Attributes:
        core: description of the core, as part of a sentence.
        parameters: number of weights, without those that a wiring masks.
        core_parameters: number of those in the core.
    """

    core: str
    parameters: int
    core_parameters: int

    @classmethod
    def of(cls, model: Model) -> "ModelSize":
        """Return the size of a model."""
        core = model.settings.core
        if core.kind == WIRED:
            text = f"a wired closed-form continuous-time cell of {core.circuit.neurons} neurons"
        else:
            text = f"a core of kind `{core.kind}` with a state of {core.state_size} numbers"
        count = model.core_parameters
        return cls(text, model.parameters, count)


def model_card(
    settings: TrainingSettings,
    made: Mapping[str, Any],
    score: Score | None,
    size: "ModelSize",
) -> str:
    """Return the card as Markdown.

    Args:
        settings: of the run.
        made: from `provenance`.
        score: of the final flights, on seeds that were not used to choose the model; None without
            final flights.
        size: of the model.
    """
    return "\n".join(
        [
            *_what(settings, size),
            *_how_to_fly(settings),
            *_trained_on(settings, made),
            *_results(settings, score),
            *_limits(settings, made, score),
            *_provenance(made),
        ]
    )


def _what(settings: TrainingSettings, size: "ModelSize") -> list[str]:
    scenario, network = settings.base_scenario(), settings.network
    camera = scenario.camera
    return [
        f"# {settings.name}",
        "",
        settings.description or "A learned pilot.",
        "",
        f"In: camera {camera.width}×{camera.height} RGB ({camera.horizontal_fov_deg:g}° wide, "
        f"{camera.pitch_down_deg:g}° down) and IMU. Out: forward, left and up velocity, yaw rate. "
        f"A CNN gives {network.features} features to {size.core}; elapsed time between frames "
        f"is an input. {size.parameters:,} parameters, {size.core_parameters:,} of them in the "
        "core.",
        "",
    ]


def _how_to_fly(settings: TrainingSettings) -> list[str]:
    return [
        "## Fly it",
        "",
        "In the folder of this card:",
        "",
        f"    liquid-control fly --scenario {settings.scenario} --seed 3 --model .",
        f"    liquid-control evaluate --scenario {settings.scenario} --model .",
        "",
    ]


def _trained_on(settings: TrainingSettings, made: Mapping[str, Any]) -> list[str]:
    dataset, bags = made["dataset"], made.get("bags", [])
    total = f"{dataset['frames']:,} frames of {dataset['flights']}"
    if not bags:
        return ["## Trained on", "", *_flown(settings, made, f"{total} simulated flights"), ""]
    recorded = ["## Trained on", "", *_bag_lines(settings, dataset, bags), ""]
    if not _has_simulated(settings, made):
        return recorded
    both = f"With simulated flights {total} flights in all"
    return [*recorded, *_flown(settings, made, both), ""]


def _has_simulated(settings: TrainingSettings, made: Mapping[str, Any]) -> bool:
    """Return whether the data set holds simulated flights."""
    return bool(settings.flights.cloning or made["round"])


def _bag_lines(
    settings: TrainingSettings, dataset: Mapping[str, Any], bags: list[Mapping[str, Any]]
) -> list[str]:
    return bag_lines(settings.bags, bags, dataset["flights"], settings.learner.held_out)


def _flown(settings: TrainingSettings, made: Mapping[str, Any], what: str) -> list[str]:
    return [
        f"{what}, scenario `{settings.scenario}`: "
        f"{settings.flights.cloning} flown by the disturbed expert, then {made['round']} DAgger "
        f"round(s) of {settings.flights.dagger}; labels are the privileged expert's commands. "
        "Drawn for every flight:",
        "",
        "| key | from | to | share of flights |",
        "|---|---|---|---|",
        *(_spread_row(key, spread) for key, spread in settings.randomise.items()),
    ]


def _spread_row(key: str, spread: Spread) -> str:
    return f"| `{key}` | {spread.low:g} | {spread.high:g} | {spread.share:.0%} |"


def _results(settings: TrainingSettings, score: Score | None) -> list[str]:
    if score is None:
        none = "None: validation was switched off. **This model has never flown.**"
        return ["## Flights after training", "", none, ""]
    return [
        "## Flights after training",
        "",
        "Closed loop, in forests that were not used for training or to choose the checkpoint.",
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
    origin = "Simulation only. It was trained on no real picture and has flown no real vehicle."
    task = (
        f"It keeps the altitude and speed of its training flights, {scenario.altitude_m:g} m and "
        f"{scenario.cruise_mps:g} m/s, and follows trails only."
    )
    if made.get("bags"):
        pictures, sources = "those of its bags", "its bags"
        if _has_simulated(settings, made):
            pictures, sources = f"{pictures} and simulated ones", f"{sources} and the expert"
        origin = f"It has flown no real vehicle. Its training pictures are {pictures}."
        task = f"It reproduces {sources} and was trained for no other task, altitude or speed."
    few = "The table has few flights per condition; `liquid-control evaluate` gives intervals."
    camera = "It needs the camera above; other sizes and fields of view are resampled or refused."
    lines = [origin, task, camera, *([few] if score is not None else [])]
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
        "`pictures.json` the statistics of the training pictures.",
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
    """Return the summary of a bag as plain data, without empty entries."""
    content = asdict(bag) | {"pieces": list(bag.pieces), "losses": list(bag.losses)}
    return {name: value for name, value in content.items() if value or name == "frames"}
