"""Sets of states and errors: intervals along some directions, one ball along the others."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from liquid_control.certification.affine_forms import Form
from liquid_control.types import Floats


@dataclass(frozen=True, slots=True, eq=False)
class ShapedSet:
    """Points c + T s, the first `boxes` of s intervals [-1, 1], the rest a unit ball.

    Attributes:
        centre: [K].
        map: T, [K, M].
        boxes: number of intervals; the rest of the M symbols is one ball, if there is a rest.
    """

    centre: Floats
    map: Floats
    boxes: int

    @classmethod
    def box(cls, samples: Floats, share: float) -> "ShapedSet":
        """Return intervals around the means of samples [T, K], each with a share of them."""
        centre = samples.mean(axis=0)
        half = np.quantile(np.abs(samples - centre), share, axis=0)
        return cls(centre, np.diag(half), samples.shape[1])

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "ShapedSet":
        """Return the set of a document that `document` made."""
        return cls(np.array(content["centre"]), np.array(content["map"]), int(content["boxes"]))

    def document(self) -> dict[str, Any]:
        """Return the set, ready for JSON."""
        return {
            "centre": self.centre.tolist(),
            "map": self.map.tolist(),
            "boxes": self.boxes,
        }

    @property
    def blocks(self) -> list[int]:
        """Number of symbols of each interval, 1, and of the ball."""
        rest = self.map.shape[1] - self.boxes
        return [1] * self.boxes + ([rest] if rest else [])

    def scaled(self, factor: float) -> "ShapedSet":
        """Return the set with its distances from the centre times a factor."""
        return replace(self, map=self.map * factor)

    def form(self, parts: tuple[int, ...] = ()) -> Form:
        """Return the set as forms, B of them, split along its first intervals.

        Args:
            parts: number of equal parts along each of the first intervals.
        """
        ticks = [np.linspace(-1.0, 1.0, count + 1) for count in parts]
        grids = np.meshgrid(*(np.arange(count) for count in parts), indexing="ij")
        index = np.stack([grid.ravel() for grid in grids], axis=1) if parts else np.zeros((1, 0))
        batch, symbols = len(index), self.map.shape[1]
        centre = np.zeros((batch, symbols))
        radius = np.ones((batch, symbols))
        for axis, edges in enumerate(ticks):
            low, high = edges[index[:, axis]], edges[index[:, axis] + 1]
            centre[:, axis], radius[:, axis] = 0.5 * (low + high), 0.5 * (high - low)
        size = np.abs(self.centre) + np.abs(self.map).sum(axis=1)
        return Form(
            self.centre + centre @ self.map.T,
            self.map * radius[:, None, :],
            np.broadcast_to(2.0**-44 * size, (batch, len(self.centre))),
            np.cumsum([0, *self.blocks[:-1]]).astype(np.int64),
        )

    def placed(self, form: Form, first: int) -> Form:
        """Return the set as rows of a form's symbols, from the symbol `first` on."""
        batch, _, count = form.symbols.shape
        symbols = np.zeros((batch, len(self.centre), count))
        symbols[:, :, first : first + self.map.shape[1]] = self.map
        zeros = np.zeros((batch, len(self.centre)))
        return Form(zeros + self.centre, symbols, zeros, form.starts)

    def inside(self, symbols: Floats) -> Floats:
        """Return symbols [T, M] in [-1, 1], those of the ball brought into it."""
        found = symbols.copy()
        norms = np.linalg.norm(found[:, self.boxes :], axis=1, keepdims=True)
        found[:, self.boxes :] /= np.maximum(norms, 1.0)
        return found

    def states(self, symbols: Floats) -> Floats:
        """Return the points of symbols [T, M] that `inside` brings into the set, [T, K]."""
        return np.asarray(self.centre + self.inside(symbols) @ self.map.T)

    def farthest(self, goals: Floats) -> Floats:
        """Return the symbols at which goals [T, M] @ s are largest, [T, M]."""
        found = np.sign(goals)
        rest = goals[:, self.boxes :]
        norms = np.linalg.norm(rest, axis=1, keepdims=True)
        found[:, self.boxes :] = rest / np.where(norms > 0.0, norms, 1.0)
        return found

    def coordinates(self, points: Floats) -> Floats:
        """Return the largest norm of a block of s for points [T, K]; up to 1 inside, [T]."""
        s = np.linalg.lstsq(self.map, (points - self.centre).T, rcond=None)[0].T
        rest = np.linalg.norm(s[:, self.boxes :], axis=1)
        gap = np.abs(s @ self.map.T + self.centre - points).max(axis=1)
        norms = np.maximum(np.abs(s[:, : self.boxes]).max(axis=1, initial=0.0), rest)
        return np.asarray(np.where(gap > 1e-9, np.inf, norms))
