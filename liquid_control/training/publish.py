"""Model folders: the candidate of each round, and the published model of a run."""

from collections.abc import Callable, Sequence
from pathlib import Path

from liquid_control.policy import ModelCamera, ModelFeatures, ModelSettings, load_model, save_model
from liquid_control.policy.model import CONTROLLER, PERCEPTION, Arrays
from liquid_control.training.bags.job import BagSummary
from liquid_control.training.curves import read_curves, write_curves, write_picture
from liquid_control.training.model_card import ModelSize, model_card, provenance
from liquid_control.training.network import PolicyNetwork
from liquid_control.training.run_folder import RunFolder, RunProgress
from liquid_control.training.training_settings import TrainingSettings
from liquid_control.training.validation import Score

GraphMaker = Callable[[ModelSettings, Arrays, bytes | None], dict[str, bytes]]
"""Makes the serialised ONNX graphs of a model; `liquid_control.export.model_graphs` is one."""


def save_candidate(
    path: Path, network: PolicyNetwork, settings: TrainingSettings, graphs: GraphMaker
) -> None:
    """Write a network as a model folder with a placeholder card."""
    described = _describe(network, settings)
    arrays = {**network.encoder.arrays(), **network.core_arrays()}
    card = f"# {settings.name}\n\nA candidate of a training run, not yet chosen.\n"
    made = graphs(described, arrays, network.core_graph())
    save_model(path, described, arrays, made, card)


def _describe(network: PolicyNetwork, settings: TrainingSettings) -> ModelSettings:
    camera = settings.base_scenario().camera
    fov_range, pitch_range = settings.camera_ranges
    return ModelSettings(
        name=settings.name,
        camera=ModelCamera(
            width=network.encoder.spec.width,
            height=network.encoder.spec.height,
            horizontal_fov_deg=camera.horizontal_fov_deg,
            pitch_down_deg=camera.pitch_down_deg,
            fov_range_deg=fov_range if fov_range[0] < fov_range[1] else None,
            pitch_range_deg=pitch_range if pitch_range[0] < pitch_range[1] else None,
        ),
        perception=network.encoder.spec,
        features=ModelFeatures(image=network.encoder.spec.features, inputs=network.inputs),
        core=network.described,
        nominal_dt_s=1.0 / camera.rate_hz,
        motors=network.motors,
    )


def publish(
    folder: RunFolder,
    settings: TrainingSettings,
    progress: RunProgress,
    score: Score | None,
    bags: Sequence[BagSummary] = (),
) -> Path:
    """Write the best candidate as the run's model, with card, provenance and curves.

    Args:
        folder: of the run.
        settings: of the run.
        progress: of the run.
        score: of the final flights; None without final flights.
        bags: summary of each bag that was read.

    Returns:
        The model folder.
    """
    best = load_model(folder.candidate(progress.best_round))
    made = provenance(settings, progress, bags)
    described = best.settings.model_copy(update={"provenance": made})
    card = model_card(settings, made, score, ModelSize.of(best))
    path = folder.root / settings.name
    graphs = {PERCEPTION: best.perception, CONTROLLER: best.controller}
    save_model(path, described, best.arrays, graphs, card)
    curve = read_curves(folder.root)
    write_curves(path, curve)
    write_picture(path, curve, progress.scores)
    return path
