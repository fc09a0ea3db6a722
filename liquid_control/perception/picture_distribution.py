"""Statistics of pictures, and their distribution over the training pictures of a model.

A replay compares the two: commands on pictures outside the training distribution are not
meaningful, whatever their error. Statistics are computed at the size of the model, on the
network's input.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from liquid_control.errors import ModelError
from liquid_control.files import atomic_write
from liquid_control.perception.camera_view import moments
from liquid_control.types import Floats, Pixels

STATISTICS: tuple[str, ...] = (
    "brightness",
    "contrast",
    "red",
    "green",
    "blue",
    "saturation",
    "sharpness",
    "clipped",
)
"""Names of the statistics, in the order of `picture_statistics`."""

DESCRIPTIONS: tuple[str, ...] = (
    "mean of all values, of 255",
    "standard deviation of all values, of 255",
    "mean of the red channel, of 255",
    "mean of the green channel, of 255",
    "mean of the blue channel, of 255",
    "mean of (largest - smallest) / largest channel, of 1",
    "standard deviation of the Laplacian of luma, of 255",
    "share of values that are 0 or 255",
)
"""Description of each statistic with its unit."""

PICTURES_FILE = "pictures.json"
SCHEMA = 1
PERCENTS = 101
_DIGITS = 6


def picture_statistics(image: Pixels) -> Floats:
    """Return the statistics of one picture, float64 [S], in the order of `STATISTICS`.

    Args:
        image: uint8 [H, W, 3], RGB, at the model's size: sharpness depends on it.
    """
    mean, deviation = moments(image)
    red, green, blue, _ = cv2.mean(image)
    saturation = cv2.mean(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))[1] / 255.0
    edges = cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_16S)
    sharpness = float(cv2.meanStdDev(edges)[1][0, 0])
    clipped = (np.count_nonzero(image == 0) + np.count_nonzero(image == 255)) / image.size
    return np.array([mean, deviation, red, green, blue, saturation, sharpness, clipped])


@dataclass(frozen=True, slots=True, eq=False)
class PictureDistribution:
    """Distribution of each statistic over many pictures.

    Attributes:
        quantiles: float64 [101, S], at 0, 1 ... 100 %, of each statistic separately.
        mean: float64 [S].
        deviation: float64 [S], standard deviation.
        frames: number of pictures.
        source: origin of the pictures, in one line.
    """

    quantiles: Floats
    mean: Floats
    deviation: Floats
    frames: int
    source: str

    def __post_init__(self) -> None:
        count = len(STATISTICS)
        expected = {"quantiles": (PERCENTS, count), "mean": (count,), "deviation": (count,)}
        for name, shape in expected.items():
            array = getattr(self, name)
            if array.shape != shape or not np.isfinite(array).all():
                raise ModelError(
                    f"{PICTURES_FILE}: {name} must be finite and of shape {shape}, "
                    f"got {array.shape}"
                )
        if self.frames < 1:
            raise ModelError(f"{PICTURES_FILE}: frames must be at least 1, got {self.frames}")

    @classmethod
    def of(cls, values: Floats, source: str) -> "PictureDistribution":
        """Return the distribution of statistics, float64 [N, S], N at least 1.

        Raises:
            ModelError: there are no pictures.
        """
        if values.ndim != 2 or not len(values):
            raise ModelError(f"expected statistics of at least one picture, got {values.shape}")
        quantiles = np.quantile(values, np.linspace(0.0, 1.0, PERCENTS), axis=0)
        return cls(quantiles, values.mean(axis=0), values.std(axis=0), len(values), source)

    def ranks(self, values: Floats) -> Floats:
        """Return the fraction of the training pictures below each value, [..., S], in 0 to 1."""
        fractions = np.linspace(0.0, 1.0, PERCENTS)
        columns = [
            np.interp(values[..., index], self.quantiles[:, index], fractions)
            for index in range(len(STATISTICS))
        ]
        return np.stack(columns, axis=-1)

    def outside(self, values: Floats) -> Floats:
        """Return the fraction of pictures outside the training range, for each statistic [S].

        Args:
            values: float64 [N, S], N at least 1.
        """
        beyond = (values < self.quantiles[0]) | (values > self.quantiles[-1])
        fraction: Floats = beyond.mean(axis=0)
        return fraction

    def score(self, statistics: Floats) -> float:
        """Return how far one picture's statistics, float64 [S], are from the training pictures.

        It is the largest distance of a statistic beyond the training pictures' 1st or 99th
        percentile, in their standard deviations; 0 where all are between them.
        """
        below, above = self.quantiles[1] - statistics, statistics - self.quantiles[-2]
        scale = np.maximum(self.deviation, 10.0**-_DIGITS)
        return float(max(0.0, np.max(np.maximum(below, above) / scale)))

    def distance(self, values: Floats) -> Floats:
        """Return the distance of other pictures' statistics from this distribution, float64 [S].

        It is the 1-Wasserstein distance, the mean of |F^-1(q) - G^-1(q)| over the quantiles q, in
        standard deviations of the training pictures.

        Args:
            values: float64 [N, S], N at least 1.
        """
        other = np.quantile(values, np.linspace(0.0, 1.0, PERCENTS), axis=0)
        difference = np.abs(other - self.quantiles)
        # Trapezoidal rule over q: each end has half the weight.
        mean = (difference.sum(axis=0) - 0.5 * (difference[0] + difference[-1])) / (PERCENTS - 1)
        scaled: Floats = mean / np.maximum(self.deviation, 10.0**-_DIGITS)
        return scaled

    def save(self, folder: Path) -> Path:
        """Write `pictures.json` to a folder, atomically.

        Raises:
            OutputError: the file cannot be written.
        """
        content = {
            "schema": SCHEMA,
            "source": self.source,
            "frames": self.frames,
            "statistics": {
                name: {
                    "description": DESCRIPTIONS[index],
                    "mean": _rounded(self.mean[index]),
                    "deviation": _rounded(self.deviation[index]),
                    "quantiles": [_rounded(value) for value in self.quantiles[:, index]],
                }
                for index, name in enumerate(STATISTICS)
            },
        }
        path = folder / PICTURES_FILE
        return atomic_write(path, _in_rows(json.dumps(content, indent=1)))

    @classmethod
    def load(cls, folder: Path) -> "PictureDistribution | None":
        """Read `pictures.json` from a model folder; return None if there is no such file.

        Raises:
            ModelError: the file is damaged.
        """
        path = folder / PICTURES_FILE
        if not path.exists():
            return None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            rows = [content["statistics"][name] for name in STATISTICS]
            return cls(
                quantiles=_column(rows, "quantiles").T,
                mean=_column(rows, "mean"),
                deviation=_column(rows, "deviation"),
                frames=int(content["frames"]),
                source=str(content["source"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{path}: is not what training wrote ({error!r})") from error


def _in_rows(text: str) -> str:
    """Return JSON with each list of numbers on one line."""
    return re.sub(r"\[[^\]]*\]", lambda found: " ".join(found[0].split()), text) + "\n"


def _column(rows: list[dict[str, Any]], key: str) -> Floats:
    return np.array([row[key] for row in rows], np.float64)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
