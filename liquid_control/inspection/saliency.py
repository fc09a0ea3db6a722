"""Saliency maps by name of the method, and the checks that a map must pass to be believed.

A map is float32 [H, W]; its magnitude says how much a pixel matters. Measures:

- **SSIM** of two maps: Z. Wang et al., Image quality assessment (IEEE TIP 13, 2004), with its
  Gaussian window of 11 pixels, over maps scaled to [0, 1]. Between the maps of a clean and of a
  disturbed picture it is the attention measure of M. Lechner et al. (2020,
  doi 10.1038/s42256-020-00237-3).
- **Deletion and insertion**: V. Petsiuk et al., RISE (arXiv 1806.07421), with the distance of the
  features instead of a class probability. Deletion replaces the most salient pixels first by the
  picture's mean, insertion begins at the mean. The score is the area under the remaining
  similarity: low for a good deletion, high for a good insertion. Both are stated with those of
  random orders of the same pixels.
- **Randomised weights**: J. Adebayo et al., Sanity checks for saliency maps (arXiv 1810.03292). A
  map that stays as it is when the weights are random explains nothing of the network.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from liquid_control.dependencies import check_installed
from liquid_control.errors import ConfigError
from liquid_control.inspection.flight import Array, InspectedFlight
from liquid_control.inspection.predictions import spearman
from liquid_control.perception import standardise
from liquid_control.perception.visual_backprop import encoded, visual_backprop
from liquid_control.policy import Model
from liquid_control.seeding import stream
from liquid_control.types import Pixels

VISUAL_BACKPROP, GRADIENTS, OCCLUSION = "visual_backprop", "integrated_gradients", "occlusion"
METHODS = (VISUAL_BACKPROP, GRADIENTS, OCCLUSION)
FEATURES = "features"

MapMaker = Callable[[InspectedFlight, int], Array]
"""Returns the map of a frame of a flight."""

SENSITIVE_BELOW = 0.5
"""A map whose rank correlation with that of random weights is below counts as sensitive."""


def map_maker(model: Model, method: str = VISUAL_BACKPROP, target: str = FEATURES) -> MapMaker:
    """Return the function that makes the maps of a model's frames.

    Args:
        model: the model.
        method: one of `METHODS`.
        target: `features` or a command axis: forward, left, up, yaw.

    Raises:
        ConfigError: the method does not exist, or has no maps for the target.
        DependencyError: captum is needed and not installed.
    """
    if method not in METHODS:
        raise ConfigError(f"--method: expected {', '.join(METHODS)}, got {method!r}")
    if method != VISUAL_BACKPROP:
        # PyTorch is loaded only for the methods that need it.
        check_installed("torch", "train", f"compute maps by {method}")
        check_installed("captum", "inspect", f"compute maps by {method}")
        from liquid_control.inspection.attribution import Attribution

        made = Attribution(model, target)
        return made.integrated_gradients if method == GRADIENTS else made.occlusion
    if target != FEATURES:
        raise ConfigError(
            f"--target {target}: {VISUAL_BACKPROP} shows what all features respond to; give "
            f"--method {GRADIENTS} or {OCCLUSION} for one command axis"
        )

    def make(flight: InspectedFlight, frame: int) -> Array:
        picture = standardise(flight.pictures[frame])
        return visual_backprop(model.settings.perception, model.arrays, picture)

    return make


def maps_of(make: MapMaker, flight: InspectedFlight, frames: Sequence[int]) -> Array:
    """Return the maps of some frames, float32 [M, H, W]."""
    return np.array([make(flight, frame) for frame in frames], np.float32)


def evenly(count: int, wanted: int) -> list[int]:
    """Return up to `wanted` indices at equal distances in 0 to `count` - 1."""
    number = min(count, max(wanted, 1))
    return [(2 * place + 1) * count // (2 * number) for place in range(number)]


def mass_within(saliency: Array, inside: np.ndarray) -> float:
    """Return the fraction of a map's magnitude on the pixels of a mask, bool [H, W]."""
    magnitude = np.abs(saliency).astype(np.float64)
    total = float(magnitude.sum())
    return float(magnitude[inside].sum()) / total if total > 0.0 else float("nan")


def structural_similarity(one: Array, other: Array) -> float:
    """Return the mean SSIM of two maps' magnitudes, each divided by its largest value."""
    x, y = (_unit(np.abs(values)).astype(np.float64) for values in (one, other))

    def blurred(values: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT))

    mean_x, mean_y = blurred(x), blurred(y)
    var_x, var_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
    both = blurred(x * y) - mean_x * mean_y
    first, second = 0.01**2, 0.03**2
    luminance = (2 * mean_x * mean_y + first) / (mean_x**2 + mean_y**2 + first)
    return float((luminance * (2 * both + second) / (var_x + var_y + second)).mean())


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return Spearman's correlation of two arrays' magnitudes; NaN where one is constant."""
    x, y = (np.abs(values).ravel().astype(np.float64) for values in (one, other))
    return float(spearman(x, y))


def noisy(pictures: Pixels, variance: float, seed: int = 0) -> Pixels:
    """Return pictures with Gaussian noise of a variance, for pixels in [0, 1]."""
    rng = stream(seed, f"inspection.noise.{variance:g}")
    added = pictures / 255.0 + rng.normal(0.0, np.sqrt(variance), pictures.shape)
    return np.asarray(np.clip(np.rint(added * 255.0), 0, 255), np.uint8)


@dataclass(frozen=True, slots=True)
class Curves:
    """Deletion and insertion, means over frames.

    Attributes:
        fraction: pixels replaced, from 0 to 1, [P].
        deletion: similarity to the whole picture's features, [P].
        insertion: likewise.
        random_deletion: of random orders.
        random_insertion: likewise.
    """

    fraction: tuple[float, ...]
    deletion: tuple[float, ...]
    insertion: tuple[float, ...]
    random_deletion: tuple[float, ...]
    random_insertion: tuple[float, ...]

    def areas(self) -> dict[str, float]:
        """Return the area under each curve by name."""
        names = ("deletion", "insertion", "random_deletion", "random_insertion")
        curves = ((name, np.array(getattr(self, name))) for name in names)
        widths = np.diff(self.fraction)
        return {name: float(widths @ (curve[:-1] + curve[1:]) / 2.0) for name, curve in curves}


def deletion_and_insertion(
    model: Model,
    flight: InspectedFlight,
    maps: Mapping[int, Array],
    points: int = 17,
    seed: int = 0,
) -> Curves:
    """Return the mean deletion and insertion curves of maps.

    Args:
        model: whose features are compared.
        flight: of this model.
        maps: by frame.
        points: of each curve.
        seed: of the random orders.
    """
    fraction = np.linspace(0.0, 1.0, points)
    rng = stream(seed, "inspection.order")
    rows: list[list[np.ndarray]] = [[], [], [], []]
    for frame, saliency in maps.items():
        order = np.argsort(-np.abs(saliency).ravel(), kind="stable")
        orders = (order, rng.permutation(order))
        for place, pixels in enumerate(orders):
            deleted, inserted = _curves(model, flight, frame, pixels, fraction)
            rows[2 * place].append(deleted)
            rows[2 * place + 1].append(inserted)
    means = [tuple(np.nanmean(row, axis=0).tolist()) for row in rows]
    return Curves(tuple(fraction.tolist()), *means)


def randomised(model: Model, seed: int = 0) -> Model:
    """Return a model whose perception network has random weights of the same variance."""
    rng = stream(seed, "inspection.random_weights")
    arrays = dict(model.arrays)
    for name in model.settings.perception.array_shapes():
        arrays[name] = rng.permutation(arrays[name].ravel()).reshape(arrays[name].shape)
    return replace(model, arrays=arrays)


def _curves(
    model: Model, flight: InspectedFlight, frame: int, order: np.ndarray, fraction: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return similarity of the features while pixels are deleted, and while they are inserted."""
    picture = standardise(flight.pictures[frame])
    mount = None if flight.mounts is None else flight.mounts[frame]
    spec, empty = model.settings.perception, np.zeros_like(picture)

    def features(values: Array) -> Array:
        return encoded(spec, model.arrays, values, mount)

    whole, none = features(picture), features(empty)
    distance = float(np.linalg.norm(whole - none))
    curves = []
    for start, end in ((picture, empty), (empty, picture)):
        values = []
        for part in fraction.tolist():
            changed = start.reshape(3, -1).copy()
            pixels = order[: round(part * len(order))]
            changed[:, pixels] = end.reshape(3, -1)[:, pixels]
            left = np.linalg.norm(features(changed.reshape(picture.shape)) - whole)
            values.append(1.0 - float(left) / distance if distance > 0.0 else float("nan"))
        curves.append(np.array(values))
    return curves[0], curves[1]


def _unit(values: Array) -> Array:
    peak = float(values.max())
    return values / np.float32(peak) if peak > 0.0 else values
