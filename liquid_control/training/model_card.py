"""The model card: description, training data, flight results, limits and provenance."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from liquid_control.config import load_scenario
from liquid_control.config.overrides import DisturbanceDraw, Spread
from liquid_control.policy import WIRED, Model
from liquid_control.provenance import git_revision, machine, package_versions
from liquid_control.training.bags.job import BagSummary
from liquid_control.training.bags.summary import bag_lines
from liquid_control.training.encoder_files import load_encoder
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
        features: number of features of the encoder.
        camera: size and view, as part of a sentence.
        inputs: names of the optional inputs.
    """

    core: str
    parameters: int
    core_parameters: int
    features: int = 28
    camera: str = "96×54 RGB"
    inputs: tuple[str, ...] = ()

    @classmethod
    def of(cls, model: Model) -> "ModelSize":
        """Return the size of a model."""
        core = model.settings.core
        if core.kind == WIRED:
            text = f"a wired closed-form continuous-time cell of {core.circuit.neurons} neurons"
        else:
            text = f"a core of kind `{core.kind}` with a state of {core.state_size} numbers"
        settings = model.settings
        return cls(
            core=text,
            parameters=model.parameters,
            core_parameters=model.core_parameters,
            features=settings.features.image,
            camera=settings.camera.text,
            inputs=settings.features.inputs,
        )


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
    inputs = "".join(f", {name.replace('_', ' ')}" for name in size.inputs)
    return [
        f"# {settings.name}",
        "",
        settings.description or "A learned pilot.",
        "",
        f"In: camera {size.camera}, IMU{inputs}. Out: forward, left and up velocity, yaw rate. "
        f"A CNN gives {size.features} features to {size.core}; elapsed time between frames "
        f"is an input. {size.parameters:,} parameters, {size.core_parameters:,} of them in the "
        "core.",
        "",
    ]


def _how_to_fly(settings: TrainingSettings) -> list[str]:
    camera, usual = settings.base_scenario().camera, load_scenario(settings.scenario).camera
    wanted = "".join(
        f" --set camera.{side}={getattr(camera, side)}"
        for side in ("width", "height")
        if getattr(camera, side) > getattr(usual, side)
    )
    return [
        "## Fly it",
        "",
        "In the folder of this card:",
        "",
        f"    liquid-control fly --scenario {settings.scenario} --seed 3 --model .{wanted}",
        f"    liquid-control evaluate --scenario {settings.scenario} --model .{wanted}",
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
    return bool(settings.flights.cloning or settings.flights.data_runs or made["round"])


def _bag_lines(
    settings: TrainingSettings, dataset: Mapping[str, Any], bags: list[Mapping[str, Any]]
) -> list[str]:
    return bag_lines(settings.bags, bags, dataset["flights"], settings.learner.held_out)


def _flown(settings: TrainingSettings, made: Mapping[str, Any], what: str) -> list[str]:
    flights = settings.flights
    tasks = {n: t for n, t in settings.tasks.items() if n in (flights.tasks or settings.tasks)}
    where = f"tasks {', '.join(tasks)}" if tasks else f"scenario `{settings.scenario}`"
    first = f"{flights.cloning} flown by the disturbed expert"
    if flights.data_runs:
        first = f"those of the run{'s' * (len(flights.data_runs) > 1)} " + ", ".join(
            f"`{run}`" for run in flights.data_runs
        )
    spreads = {**settings.randomise}
    for name, task in tasks.items():
        spreads |= {f"{name}: {key}": spread for key, spread in task.randomise.items()}
    return [
        f"{what}, {where}: {first}, then {made['round']} DAgger round(s) of {flights.dagger}; "
        "labels are the privileged expert's commands. Drawn for every flight:",
        "",
        "| key | drawn | share of flights |",
        "|---|---|---|",
        *(_spread_row(key, spread) for key, spread in spreads.items()),
        *_disturbed(settings.disturb),
    ]


def _spread_row(key: str, spread: Spread) -> str:
    drawn = ", ".join(spread.choices) or f"{spread.low:g} to {spread.high:g}"
    return f"| `{key}` | {drawn} | {spread.share:.0%} |"


def _disturbed(draw: DisturbanceDraw) -> list[str]:
    if not draw.names:
        return []
    return [
        "",
        f"{draw.share:.0%} of the flights have one to {draw.most} disturbances, of severity "
        f"{min(draw.severities)} to {max(draw.severities)}: {', '.join(draw.names)}.",
    ]


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
    speed = (
        ""
        if "cruise_speed" in settings.network.inputs
        else f" and the speed, {scenario.cruise_mps:g} m/s"
    )
    flown = ", ".join(settings.flights.tasks or settings.tasks) or settings.scenario
    task = (
        f"It keeps the altitude of its training flights, {scenario.altitude_m:g} m{speed}, and "
        f"was trained for no other task than: {flown}."
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
        *_encoder_lines(made.get("encoder", {})),
        f"- Revision: {_revision(made)}",
        f"- Dataset SHA-256: {made['dataset']['sha256']}",
        f"- Time: {sum(made['seconds'].values()) / 60:.1f} min on {made['machine']['cores']} "
        f"cores, {made['machine']['architecture']}",
        f"- Versions: {versions}",
        "- `model.yaml` holds all settings; `curves.csv` and `curves.png` the losses; "
        "`pictures.json` the statistics of the training pictures.",
        "",
    ]


def _encoder_lines(encoder: Mapping[str, Any]) -> list[str]:
    if "command" not in encoder:
        return []
    data = encoder["dataset"]
    return [
        f"- Encoder: `{encoder['command']}`, {data['frames']:,} frames of {data['flights']} "
        f"flights, SHA-256 {encoder['sha256'][:16]}"
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
        **({"encoder": _encoder_facts(encoder)} if (encoder := settings.network.encoder) else {}),
        "settings": settings.model_dump(mode="json"),
    }


def _encoder_facts(folder: str) -> dict[str, Any]:
    """Return what is known about a trained encoder: checksum, command and data of its run."""
    encoder = load_encoder(folder)
    kept = ("command", "git_revision", "machine", "dataset")
    return {
        "sha256": encoder.sha256,
        **{name: encoder.provenance[name] for name in kept if name in encoder.provenance},
    }


def _plain(bag: BagSummary) -> dict[str, Any]:
    """Return the summary of a bag as plain data, without empty entries."""
    content = asdict(bag) | {"pieces": list(bag.pieces), "losses": list(bag.losses)}
    return {name: value for name, value in content.items() if value or name == "frames"}
