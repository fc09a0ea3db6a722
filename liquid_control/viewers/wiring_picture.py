"""Picture of a wiring with live activity, drawn with OpenCV in a few milliseconds.

Places and colours are those of `liquid.wiring_plot`, whose matplotlib is too slow for a live
stream. What never changes is drawn once: the names, and every synapse in grey.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.liquid import Wiring
from liquid_control.liquid.activity import Activity
from liquid_control.liquid.wiring_layout import (
    BEND,
    EXCITATORY,
    HEIGHT,
    INHIBITORY,
    NEURON,
    layout,
    outward,
)
from liquid_control.types import Floats, Pixels

SIZE = (640, 360)
"""Width and height, pixels."""
LEFT, RIGHT, TOP, BOTTOM = 34, 96, 40, 44
"""Margins around the neurons, pixels."""
STRONG = 0.3
"""What passes through a synapse drawn at full strength; a state is within (-1, 1)."""
FAINT = 0.05
"""Part of this below which a synapse stays grey."""
MOST = 400
"""Synapses with live activity, the strongest ones: a bound on the time of a large wiring."""
WIDEST, WIDEST_OF_INPUTS = 3, 2
"""Width of a strong synapse between neurons, and from an input, pixels."""
LARGEST, LARGEST_INPUT = 10, 4
"""Radius of a neuron and of an input, pixels."""
NUMBERED = 8
"""Least radius of a neuron whose index is written into it, pixels."""
DARK = 0.6
"""Magnitude of a state whose colour needs white digits."""
POINTS = np.linspace(0.0, 1.0, 9)[:, None]
"""Along a synapse between neurons."""
SHIFT = 4
"""Binary digits of OpenCV's coordinates after the point."""
STEPS = 64
"""Colours between no strength and full strength."""
FONT = cv2.FONT_HERSHEY_SIMPLEX
TEXT, NUMBER = 0.42, 0.36
"""Scales of the font for names and for indices of neurons."""

Colour = tuple[float, ...]
Curve = NDArray[np.int32]


class Dot(NamedTuple):
    """A circle in OpenCV's coordinates, with `SHIFT` digits after the point."""

    centre: tuple[int, int]
    radius: int


def _colours(begin: str, end: str, power: float) -> list[Colour]:
    """Return the colours of strengths from 0 to 1, which are raised to a power."""
    low, high = (np.array(list(bytes.fromhex(text[1:])), np.float64) for text in (begin, end))
    parts = np.linspace(0.0, 1.0, STEPS + 1)[:, None] ** power
    return [tuple(colour) for colour in (low + (high - low) * parts).tolist()]


GREY, PAPER = "#e6e9ec", "#ffffff"
ADDS, SUBTRACTS = (_colours(GREY, end, 0.5) for end in (EXCITATORY, INHIBITORY))
POSITIVE, NEGATIVE = (_colours(PAPER, end, 0.6) for end in (EXCITATORY, INHIBITORY))
WHITE, INK = POSITIVE[0], _colours(PAPER, NEURON, 1.0)[-1]


class WiringPicture:
    """Draws a wiring with its activity.

    A neuron is blue for a positive state, red for a negative one and white at zero; so is an input
    by its value. A synapse is blue where it adds to its target's state and red where it subtracts,
    wider and darker by how much (`liquid.activity`), on a scale that is the same in all pictures.

    Args:
        wiring: the wiring.
        outputs: names of the last layer's neurons, written beside them.
    """

    def __init__(self, wiring: Wiring, outputs: Sequence[str] = ()) -> None:
        groups = layout(wiring)
        widest = groups[-1].places[:, 0].max()
        inputs, *layers = placed = [_pixels(group.places, widest) for group in groups]
        neurons = np.concatenate(layers)
        radii = [_radius(places, LARGEST) for places in layers for _ in places]
        self._inputs = [_dot(place, _radius(inputs, LARGEST_INPUT)) for place in inputs]
        self._neurons = [_dot(place, radius) for place, radius in zip(neurons, radii, strict=True)]
        index = [i for places in layers for i in range(len(places))]
        self._numbers = [
            (f"{i}", _start(f"{i}", x, y + 4.0, NUMBER)) if radius >= NUMBERED else None
            for i, (x, y), radius in zip(index, neurons, radii, strict=True)
        ]
        self._sensory = tuple(np.nonzero(wiring.sensory))
        self._recurrent = tuple(np.nonzero(wiring.recurrent))
        beside = neurons + 1.3 * np.array(radii)[:, None] * outward(groups[1:]) * [1, -1]
        self._synapses: list[Curve | Dot] = [
            _fixed(np.stack([inputs[i], neurons[j]])) for i, j in zip(*self._sensory, strict=True)
        ]
        self._synapses += [
            _arc(neurons[i], neurons[j]) if i != j else _dot(beside[i], 0.7 * radii[i])
            for i, j in zip(*self._recurrent, strict=True)
        ]
        self._empty = np.full((SIZE[1], SIZE[0], 3), 255, np.uint8)
        for synapse in self._synapses:
            _draw_synapse(self._empty, synapse, ADDS[0], 1)
        for group, places in zip(groups, placed, strict=True):
            name = f"{len(places)} {group.name}"
            _write(self._empty, name, _start(name, places[:, 0].mean(), SIZE[1] - 14.0))
        if len(outputs) == len(layers[-1]):
            for name, (x, y) in zip(outputs, layers[-1], strict=True):
                _write(self._empty, name, (round(x) + LARGEST + 6, round(y) + 4))
        _draw_legend(self._empty)

    def draw(self, activity: Activity, features: NDArray[np.floating]) -> Pixels:
        """Return the picture of a moment, uint8 RGB [360, 640, 3].

        Args:
            activity: states, and what passes through the synapses.
            features: of the moment, [I]; full colour at 1.
        """
        picture = self._empty.copy()
        self._draw_synapses(picture, activity)
        for dot, value in zip(self._inputs, features.tolist(), strict=True):
            _draw_dot(picture, dot, value)
        for dot, state, number in zip(
            self._neurons, activity.states.tolist(), self._numbers, strict=True
        ):
            _draw_dot(picture, dot, state)
            if number is not None:
                _write(picture, *number, WHITE if abs(state) > DARK else INK, NUMBER)
        return picture

    def _draw_synapses(self, picture: Pixels, activity: Activity) -> None:
        """Draw what passes through the strongest synapses, the strongest one last."""
        passed = np.concatenate(
            [activity.sensory[self._sensory], activity.recurrent[self._recurrent]]
        )
        strength = np.minimum(np.abs(passed) / STRONG, 1.0)
        inputs = len(self._sensory[0])
        for number in np.argsort(strength, kind="stable")[-MOST:].tolist():
            part = float(strength[number])
            if part >= FAINT:
                colour = (ADDS if passed[number] > 0.0 else SUBTRACTS)[round(STEPS * part)]
                widest = WIDEST_OF_INPUTS if number < inputs else WIDEST
                width = 1 + round((widest - 1) * part)
                _draw_synapse(picture, self._synapses[number], colour, width)


def _pixels(places: Floats, widest: float) -> Floats:
    """Return places in pixels, x to the right and y down, float64 [n, 2]."""
    scale = (SIZE[0] - LEFT - RIGHT) / widest, (SIZE[1] - TOP - BOTTOM) / HEIGHT
    return np.column_stack(
        [LEFT + scale[0] * places[:, 0], TOP + scale[1] * (HEIGHT / 2 - places[:, 1])]
    )


def _radius(places: Floats, largest: float) -> float:
    """Return the radius of a group's dots, pixels; neighbours do not overlap."""
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    return float(np.clip(0.42 * steps.min(initial=np.inf), 1.0, largest))


def _arc(begin: Floats, end: Floats) -> Curve:
    """Return a curve bent to one side: a synapse in the other direction is beside it."""
    along = end - begin
    control = (begin + end) / 2 + BEND * np.array([along[1], -along[0]])
    rest = 1.0 - POINTS
    return _fixed(rest**2 * begin + 2.0 * POINTS * rest * control + POINTS**2 * end)


def _fixed(points: Floats) -> Curve:
    fixed: Curve = np.round(points * 2**SHIFT).astype(np.int32)
    return fixed


def _dot(place: Floats, radius: float) -> Dot:
    x, y = _fixed(place).tolist()
    return Dot((x, y), round(radius * 2**SHIFT))


def _draw_synapse(picture: Pixels, synapse: Curve | Dot, colour: Colour, width: int) -> None:
    if isinstance(synapse, Dot):
        cv2.circle(picture, *synapse, colour, width, cv2.LINE_AA, SHIFT)
    else:
        cv2.polylines(picture, [synapse], False, colour, width, cv2.LINE_AA, SHIFT)


def _draw_dot(picture: Pixels, dot: Dot, value: float) -> None:
    """Draw a dot in the colour of a value: red at -1, white at 0, blue at 1."""
    table = POSITIVE if value > 0.0 else NEGATIVE
    colour = table[round(STEPS * min(abs(value), 1.0))]
    cv2.circle(picture, *dot, colour, cv2.FILLED, cv2.LINE_AA, SHIFT)
    cv2.circle(picture, *dot, INK, 1, cv2.LINE_AA, SHIFT)


def _draw_legend(picture: Pixels) -> None:
    x = 70
    for name, colours in (("adds", ADDS), ("subtracts", SUBTRACTS)):
        line = _fixed(np.array([[x, 17.0], [x + 24.0, 17.0]]))
        _draw_synapse(picture, line, colours[-1], WIDEST)
        _write(picture, name, (x + 30, 21))
        x += 90
    x += 60
    for name, value in (("state -1", -1.0), ("0", 0.0), ("+1", 1.0)):
        _draw_dot(picture, _dot(np.array([float(x), 17.0]), 6.0), value)
        _write(picture, name, (x + 11, 21))
        x += 84 if value < 0.0 else 42


def _start(text: str, middle: float, base: float, scale: float = TEXT) -> tuple[int, int]:
    """Return where the base line of a text begins whose middle is at a place."""
    (width, _), _ = cv2.getTextSize(text, FONT, scale, 1)
    return round(middle - width / 2), round(base)


def _write(
    picture: Pixels,
    text: str,
    start: tuple[int, int],
    colour: Colour = INK,
    scale: float = TEXT,
) -> None:
    cv2.putText(picture, text, start, FONT, scale, colour, 1, cv2.LINE_AA)
