"""A few numbers a picture, and how they are spread over the pictures that a model learned from.

A replay compares the two: commands on pictures unlike any learned from are worth little, whatever
their error. The numbers are taken at the model's size, of what the network is shown.
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from liquid_control.errors import ModelError, OutputError
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
"""What each of them is, with its unit."""

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
    """How the statistics are spread over many pictures.

    Attributes:
        quantiles: float64 [101, S], at 0, 1 ... 100 %, of each statistic on its own.
        mean: float64 [S].
        deviation: float64 [S], standard deviation.
        frames: how many pictures.
        source: where the pictures come from, in a line.
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
        """Return the distribution of pictures' statistics, float64 [N, S], N at least 1."""
        if values.ndim != 2 or not len(values):
            raise ModelError(f"expected statistics of at least one picture, got {values.shape}")
        quantiles = np.quantile(values, np.linspace(0.0, 1.0, PERCENTS), axis=0)
        return cls(quantiles, values.mean(axis=0), values.std(axis=0), len(values), source)

    def ranks(self, values: Floats) -> Floats:
        """Return the share of the learned pictures below each value, [..., S], in 0 to 1."""
        shares = np.linspace(0.0, 1.0, PERCENTS)
        columns = [
            np.interp(values[..., index], self.quantiles[:, index], shares)
            for index in range(len(STATISTICS))
        ]
        return np.stack(columns, axis=-1)

    def outside(self, values: Floats) -> Floats:
        """Return the share of pictures beyond what was learned from, for each statistic [S].

        Args:
            values: float64 [N, S], N at least 1.
        """
        beyond = (values < self.quantiles[0]) | (values > self.quantiles[-1])
        share: Floats = beyond.mean(axis=0)
        return share

    def distance(self, values: Floats) -> Floats:
        """Return how far other pictures' statistics lie from these, float64 [S].

        The 1-Wasserstein distance, the mean of |F^-1(q) - G^-1(q)| over the quantiles q, in
        standard deviations of the pictures learned from.

        Args:
            values: float64 [N, S], N at least 1.
        """
        theirs = np.quantile(values, np.linspace(0.0, 1.0, PERCENTS), axis=0)
        moved = np.abs(theirs - self.quantiles)
        # The trapezoidal rule over q: both ends stand for half a percent.
        mean = (moved.sum(axis=0) - 0.5 * (moved[0] + moved[-1])) / (PERCENTS - 1)
        scaled: Floats = mean / np.maximum(self.deviation, 10.0**-_DIGITS)
        return scaled

    def save(self, folder: Path) -> Path:
        """Write `pictures.json` into a folder, whole.

        Raises:
            OutputError: it cannot be written.
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
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            beside.write_text(_in_rows(json.dumps(content, indent=1)), encoding="utf-8")
            beside.replace(path)
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
        return path

    @classmethod
    def load(cls, folder: Path) -> "PictureDistribution | None":
        """Read `pictures.json` of a model folder; None where the model has none.

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
    """Return JSON with each list of numbers in a line of its own."""
    return re.sub(r"\[[^\]]*\]", lambda found: " ".join(found[0].split()), text) + "\n"


def _column(rows: list[dict[str, Any]], key: str) -> Floats:
    return np.array([row[key] for row in rows], np.float64)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
