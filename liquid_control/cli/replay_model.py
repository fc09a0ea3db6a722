"""Which model a bag is replayed through, and what it is compared with."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from liquid_control.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from liquid_control.policy import Model

DEFAULT_MODEL = Path("models/trail_cfc19")
RECORDED, NONE = "recorded", "none"


@dataclass(frozen=True, slots=True)
class Choice:
    """The model of a replay.

    Attributes:
        model: it.
        recorded: name and hash of the weights as the bag tells them; None where it does not.
        why: how it was chosen, in words.
    """

    model: "Model"
    recorded: dict[str, str] | None
    why: str

    @property
    def warning(self) -> str:
        """A line for where another model flew; empty otherwise."""
        if self.recorded is None or self.recorded["sha256"] == weights_hash(self.model):
            return ""
        return (
            f"the bag was recorded with {self.recorded['name']} "
            f"(weights {self.recorded['sha256'][:12]}…), not with {self.model.name} "
            f"({weights_hash(self.model)[:12]}…)"
        )


def weights_hash(model: "Model") -> str:
    """Return the SHA-256 of a model's weights."""
    from liquid_control.policy.model import WEIGHTS

    return model.settings.sha256[WEIGHTS]


def choose_model(told: Path | None, metadata: Mapping[str, Mapping[str, str]]) -> Choice:
    """Return the model named, else the shipped one that flew, else the default.

    Args:
        told: the model's folder; None to choose.
        metadata: of the bag.

    Raises:
        ModelError: the model is missing or damaged.
    """
    from liquid_control.cli.shipped import shipped
    from liquid_control.policy import load_model

    recorded = _recorded(metadata)
    if told is not None:
        return Choice(load_model(shipped(told)), recorded, "as asked")
    for folder in _shipped_models() if recorded else ():
        try:
            model = load_model(folder)
        except ModelError:
            continue
        if recorded is not None and weights_hash(model) == recorded["sha256"]:
            return Choice(model, recorded, "which the bag was recorded with")
    return Choice(load_model(shipped(DEFAULT_MODEL)), recorded, "the default")


def _recorded(metadata: Mapping[str, Mapping[str, str]]) -> dict[str, str] | None:
    mark = metadata.get("model", {})
    found = mark.get("sha256 weights.npz")
    return {"name": mark.get("name", "a model"), "sha256": found} if found else None


def _shipped_models() -> list[Path]:
    from liquid_control.config import project_file

    return sorted(path.parent for path in project_file("models").glob("*/model.yaml"))


def parse_limits(words: str | None) -> dict[str, float]:
    """Return limits by axis from `forward=0.1,yaw=0.1`.

    Raises:
        ConfigError: an axis is unknown, or a limit is not a number of at least 0.
    """
    from liquid_control.replay.comparison import AXES

    accepted = f"accepted are {', '.join(f'{axis}=NUMBER' for axis in AXES)}, joined by commas"
    limits: dict[str, float] = {}
    for word in (words or "").split(","):
        if words is None:
            break
        axis, _, number = (part.strip() for part in word.partition("="))
        if axis not in AXES:
            raise ConfigError(f"--max-rmse: unknown axis {axis!r}; {accepted}")
        if not re.fullmatch(r"[0-9.]+([eE][-+]?[0-9]+)?", number) or not _is_number(number):
            raise ConfigError(
                f"--max-rmse {axis}: expected a number of at least 0, got {number!r}; {accepted}"
            )
        limits[axis] = float(number)
    return limits


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def check_backend(name: str, option: str) -> str:
    """Return the name of a backend.

    Raises:
        ConfigError: there is none of that name.
    """
    from liquid_control.replay import BACKENDS

    if name not in BACKENDS:
        raise ConfigError(f"{option}: unknown backend {name!r}; there are {_listed(BACKENDS)}")
    return name


def check_against(word: str | None, has_commands: bool) -> str:
    """Return what to compare with: `recorded`, `none`, a backend's name, or a model's folder.

    Raises:
        ConfigError: it is none of these, or commands are wanted that the bag does not have.
    """
    from liquid_control.cli.shipped import shipped
    from liquid_control.replay import BACKENDS

    if word is None:
        return RECORDED if has_commands else NONE
    if word == RECORDED and not has_commands:
        raise ConfigError(
            "--against recorded: the bag has no command; --topic command=/NAME or "
            "--topic policy_command=/NAME names its topic (see `liquid-control bag info`)"
        )
    named = word in (RECORDED, NONE, *BACKENDS)
    if not named and not shipped(Path(word)).is_dir():
        raise ConfigError(
            f"--against: expected {_listed((RECORDED, NONE, *BACKENDS))} or a model's folder, "
            f"got {word!r}"
        )
    return word


def _listed(names: "Sequence[str] | Mapping[str, object]") -> str:
    return ", ".join(names)
