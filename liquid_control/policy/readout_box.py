"""The box of read-out parameters that a certificate allows, and its proof of the commands' bounds.

A command of a policy is `offset + scale * state` of its motor neuron. Online adaptation changes it
to

    u = c + (g - 1) (c - offset) + b

with a gain g and an offset b for each command c. The read-out comes after the recurrent state, so
every claim of the certificate about states holds for any g and b; only the ranges of the commands
change. u is bilinear in c and (g, 1) and linear in b, so its extremes over a box are at corners
(Moore, Kearfott, Cloud 2009, Introduction to Interval Analysis, theorem 5.1).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.command.motors import MOTORS, MotorScaling
from liquid_control.errors import CertificateError, ConfigError
from liquid_control.files import read_limited
from liquid_control.policy.model import MAX_BYTES, SHORT, WEIGHTS, Model
from liquid_control.types import Floats

CERTIFICATE = "certificate.json"
CERTIFIED = "certified"
"""Request for the whole box of the certificate."""
_MARGIN = 1e-9
"""Relative margin for the rounding of a range, far above the few 2^-53 of the operations."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadoutBox:
    """Ranges of the gain and the offset of each command, each float64 [4], in the order of MOTORS.

    Attributes:
        gain_low, gain_high: factor on the command's distance from the motor's offset, 1.
        offset_low, offset_high: added to the command, m/s and rad/s.
    """

    gain_low: Floats
    gain_high: Floats
    offset_low: Floats
    offset_high: Floats

    def __post_init__(self) -> None:
        ends = np.array([self.gain_low, self.gain_high, self.offset_low, self.offset_high])
        nominal = np.all(ends[0] <= 1.0) and np.all(ends[1] >= 1.0)
        nominal = nominal and np.all(ends[2] <= 0.0) and np.all(ends[3] >= 0.0)
        if ends.shape != (4, len(MOTORS)) or not np.isfinite(ends).all() or not nominal:
            raise ConfigError(
                "expected a box that holds gain 1 and offset 0 of four commands, got gains "
                f"{self.gain_low} to {self.gain_high}, offsets {self.offset_low} to "
                f"{self.offset_high}"
            )
        if np.any(ends[0] < 0.1 - _MARGIN):
            raise ConfigError(f"expected gains of at least 0.1, got {float(ends[0].min())!r}")

    @classmethod
    def around(cls, motors: MotorScaling, gain: float, offset: float) -> "ReadoutBox":
        """Return the box of gains within 1 +- `gain` and offsets within +- `offset` * scale."""
        ones, scales = np.ones(len(MOTORS)), np.array([getattr(motors, m).scale for m in MOTORS])
        return cls(ones - gain, ones + gain, -offset * scales, offset * scales)

    @classmethod
    def parse(cls, text: str, motors: MotorScaling) -> "ReadoutBox":
        """Return the box of a text `GAIN,OFFSET`, such as `0.3,0.2`.

        Raises:
            ConfigError: the text is something else, or the numbers are out of range.
        """
        try:
            gain, offset = (float(part) for part in text.split(","))
        except ValueError:
            gain = offset = float("nan")
        if not (isfinite(gain) and isfinite(offset) and 0.0 <= gain <= 0.9 and 0 <= offset <= 1):
            raise ConfigError(
                "expected a box as GAIN,OFFSET, such as 0.3,0.2 (gains within 1 ± 0.3, up to 0.9; "
                f"offsets within ± 0.2 of a command's scale, up to 1), got {text!r}"
            )
        return cls.around(motors, gain, offset)

    @classmethod
    def from_claim(cls, claim: Mapping[str, Any]) -> "ReadoutBox":
        """Return the box of a certificate's claim; the inverse of `to_claim`."""
        rows = [claim[name] for name in MOTORS]
        gain, offset = (np.array([row[key] for row in rows], float) for key in ("gain", "offset"))
        return cls(*gain.T, *offset.T)

    def to_claim(self) -> dict[str, dict[str, list[float]]]:
        """Return the ranges by command, ready for JSON."""
        ends = zip(
            MOTORS, self.gain_low, self.gain_high, self.offset_low, self.offset_high, strict=True
        )
        return {
            name: {"gain": [float(g0), float(g1)], "offset": [float(b0), float(b1)]}
            for name, g0, g1, b0, b1 in ends
        }

    def fixed(self, held: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """Return the lower and upper ends of gains and offsets, float64 [2, 4] each.

        Args:
            held: bool [4], commands whose gain is 1 and whose offset is 0.
        """
        ends = (self.gain_low, self.offset_low), (self.gain_high, self.offset_high)
        nominal = np.array([[1.0], [0.0]])
        low, high = (np.where(held, nominal, np.stack(one)) for one in ends)
        return low, high

    def contains(self, other: "ReadoutBox") -> bool:
        """Return whether another box lies within this one."""
        low = np.all(self.gain_low <= other.gain_low) and np.all(
            self.offset_low <= other.offset_low
        )
        high = np.all(self.gain_high >= other.gain_high) and np.all(
            self.offset_high >= other.offset_high
        )
        return bool(low and high)

    def commands(self, lower: Floats, upper: Floats, offsets: Floats) -> tuple[Floats, Floats]:
        """Return the ranges of the adapted commands, float64 [4], for every parameter in the box.

        Args:
            lower: of the commands of the policy, [4].
            upper: likewise.
            offsets: of the motors, [4].
        """
        corners = np.array(
            [
                c + (g - 1.0) * (c - offsets) + b
                for c in (lower, upper)
                for g in (self.gain_low, self.gain_high)
                for b in (self.offset_low, self.offset_high)
            ]
        )
        low, high = corners.min(axis=0), corners.max(axis=0)
        return low - _MARGIN * (1.0 + np.abs(low)), high + _MARGIN * (1.0 + np.abs(high))


def origins(motors: MotorScaling) -> Floats:
    """Return the offsets of the motors as the certificate has them, float64 [4]."""
    return np.array([getattr(motors, name).offset for name in MOTORS])


def certified_box(model: Model, requested: str = CERTIFIED) -> ReadoutBox:
    """Return the box in which the certificate of a model allows its read-out to be adapted.

    The certificate has to be of the model's weights and motors, and to cover the box. Its claims
    are derived again by `liquid-control certify --check`, not here.

    Args:
        model: with a certificate in its folder.
        requested: `certified` for the box of the certificate, or a smaller one as `GAIN,OFFSET`.

    Raises:
        CertificateError: there is no such certificate, or the box is larger than its own.
        ConfigError: the request is neither of both.
    """
    path = model.path / CERTIFICATE
    wanted = None
    if requested != CERTIFIED:
        wanted = ReadoutBox.parse(requested, model.settings.motors)
    command = f"liquid-control certify {model.path} --box GAIN,OFFSET"
    if not path.is_file():
        raise CertificateError(
            f"{path}: is missing; online adaptation needs a certificate with a box: {command}"
        )
    try:
        content = json.loads(read_limited(path, MAX_BYTES))
        stated, weights = str(content["weights_sha256"]), model.settings.sha256[WEIGHTS]
        motors, claim = content["constants"]["commands"], content["claims"].get("box")
        box = None if claim is None else ReadoutBox.from_claim(claim["readout"])
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        text = f"expected a certificate ({type(error).__name__}: {error})"
        raise CertificateError(f"{path}: {text}") from error
    if stated != weights:
        raise CertificateError(
            f"{path}: is of other weights: expected sha256 {weights[:SHORT]}…, got "
            f"{stated[:SHORT]}…; online adaptation needs their own: {command}"
        )
    if motors != model.settings.motors.model_dump():
        raise CertificateError(f"{path}: its constants are not those of model.yaml: {command}")
    if box is None:
        raise CertificateError(f"{path}: covers no box of the read-out; make one with: {command}")
    if wanted is not None and not box.contains(wanted):
        raise CertificateError(
            f"{path}: the box {requested} is larger than the certificate's ({_text(box)}); "
            f"request a smaller one or prove a larger one: {command}"
        )
    return box if wanted is None else wanted


def _text(box: ReadoutBox) -> str:
    gains, offsets = (box.gain_low, box.gain_high), (box.offset_low, box.offset_high)
    return f"gains {_ends(gains, '')}; offsets {_ends(offsets, ' m/s or rad/s')}"


def _ends(ends: Sequence[Floats], unit: str) -> str:
    parts = zip(MOTORS, *ends, strict=True)
    return ", ".join(f"{name} {low:g} to {high:g}" for name, low, high in parts) + unit
