"""Replay request: the bag, model, backend, comparison and disturbances of one replay."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from liquid_control.bags import Bag, TopicMap, TopicRules, load_rules, open_bag, resolve
from liquid_control.config import project_file, shipped
from liquid_control.errors import ConfigError, ModelError
from liquid_control.policy import BACKENDS, Model, load_model
from liquid_control.policy.model import WEIGHT_FILES, WEIGHTS, weights_checksum
from liquid_control.provenance import package_versions
from liquid_control.replay.coverage import MIN_COVERAGE, OPTION
from liquid_control.replay.disturbance_variants import DisturbanceRequest, disturbance_request
from liquid_control.replay.given_inputs import OPTION as INPUT_OPTION
from liquid_control.replay.given_inputs import GivenInputs, check_inputs, given_inputs
from liquid_control.types import NANOSECONDS

DEFAULT_MODEL = Path("models/trail_cfc19")
RECORDED, NONE = "recorded", "none"
VERSIONS = ("liquid_control", "numpy", "opencv-python-headless", "onnxruntime", "rosbags")
_BLOCK_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model of a replay.

    Attributes:
        model: the model.
        recorded: name and hash of the weights that the bag was recorded with; None where the bag
            does not contain them.
        why: reason of the choice.
    """

    model: Model
    recorded: dict[str, str] | None
    why: str

    @property
    def warning(self) -> str:
        """A line where the bag was recorded with another model; empty otherwise."""
        if self.recorded is None or self.recorded["sha256"] == self.model.weights_sha256:
            return ""
        return (
            f"the bag was recorded with {self.recorded['name']} "
            f"(weights {self.recorded['sha256'][:12]}…), not with {self.model.name} "
            f"({self.model.weights_sha256[:12]}…)"
        )


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """The replayed part of a bag, s from its beginning; None for all."""

    start_s: float | None = None
    duration_s: float | None = None

    def begin_ns(self, bag: Bag) -> int | None:
        """Return the log time to begin at."""
        if self.start_s is None or bag.start_ns is None:
            return None
        return bag.start_ns + round(self.start_s * NANOSECONDS)

    def end_ns(self, bag: Bag) -> int | None:
        """Return the log time of the last message to read."""
        if self.duration_s is None or bag.start_ns is None:
            return None
        return bag.start_ns + round(((self.start_s or 0.0) + self.duration_s) * NANOSECONDS)

    def length_s(self, bag: Bag) -> float | None:
        """Return the length of the part, s; None where it is not known."""
        if bag.start_ns is None or bag.end_ns is None:
            return self.duration_s
        rest_s = max((bag.end_ns - bag.start_ns) * 1e-9 - (self.start_s or 0.0), 0.0)
        return rest_s if self.duration_s is None else min(rest_s, self.duration_s)


@dataclass(frozen=True, slots=True, eq=False)
class ReplayRequest:
    """One replay: the recording, the model and the comparison.

    Attributes:
        bag: the recording.
        topics: topics by role.
        choice: the model.
        backend: of the model's controller, a key of `BACKENDS`.
        against: the comparison: `recorded`, `none`, a backend, or a model's folder.
        span: the replayed part.
        disturbances: the disturbed part; None without one.
        min_coverage: smallest fraction of the frames that supports a verdict.
        given: inputs of the models that the recording may lack.
    """

    bag: Bag
    topics: TopicMap
    choice: ModelChoice
    backend: str = "flight"
    against: str = RECORDED
    span: TimeSpan = TimeSpan()
    disturbances: DisturbanceRequest | None = None
    min_coverage: float = MIN_COVERAGE
    given: GivenInputs = field(default_factory=GivenInputs)

    @classmethod
    def for_bag(
        cls,
        bag: Path | str | Sequence[Path | str],
        model: Path | str | None = None,
        *,
        against: str | None = None,
        backend: str = "flight",
        rules: TopicRules | None = None,
        start_s: float | None = None,
        duration_s: float | None = None,
        disturb: Sequence[str] = (),
        further_models: Iterable[Path | str] = (),
        min_coverage: float = MIN_COVERAGE,
        inputs: Sequence[str] = (),
    ) -> "ReplayRequest":
        """Open a bag and choose topics, model and comparison as `liquid-control replay` does.

        Args:
            bag: an MCAP or `.db3` file, a rosbag2 folder, or the parts of one recording.
            model: model folder; None for the shipped model that the bag was recorded with, or
                `DEFAULT_MODEL`.
            against: the comparison: `recorded`, `none`, a backend, or a model's folder; None for
                the recorded commands where the bag has any.
            backend: of the controller: flight, reference or onnx.
            rules: which topics play which role; None for those of this package.
            start_s: begin of the replayed part, s from the bag's beginning.
            duration_s: length of the replayed part, s.
            disturb: disturbances: a name, `name=severity`, or a group.
            further_models: folders of models to disturb in addition.
            min_coverage: smallest fraction of the frames that supports a verdict, 0 to 1.
            inputs: values of `cruise_speed_mps` and `camera_pitch_down_deg`, each as name=number;
                they replace the recorded ones.

        Raises:
            BagError: the bag cannot be read, or has no topic for a role.
            ConfigError: a value is not accepted, or a model needs an input that is not recorded.
            ModelError: a model is missing or damaged.
            DependencyError: a disturbance needs the simulator, which is not installed.
        """
        check_backend(backend, "--backend")
        if not 0.0 <= min_coverage <= 1.0:
            raise ConfigError(f"{OPTION}: expected a fraction from 0 to 1, got {min_coverage:g}")
        paths = [bag] if isinstance(bag, Path | str) else bag
        opened = open_bag([Path(path) for path in paths])
        topics = resolve(opened, rules or load_rules())
        choice = choose_model(model, opened.metadata)
        against = check_against(against, topics.has_commands)
        span = TimeSpan(start_s, duration_s)
        further = [load_model(shipped(Path(folder))) for folder in further_models]
        given = given_inputs(inputs, opened.metadata)
        for one in (choice.model, *further):
            check_inputs(one, opened, topics, given)
        disturbances = disturbance_request(disturb, choice.model, further, span.length_s(opened))
        return cls(
            opened, topics, choice, backend, against, span, disturbances, min_coverage, given
        )

    def command_line(self, max_rmse: str | None = None) -> str:
        """Return an equal command line: names instead of paths, defaults written out.

        Args:
            max_rmse: value of `--max-rmse`; None without it.
        """
        words = ["liquid-control", "replay", *(path.name for path in self.bag.parts)]
        words += ["--model", self.choice.model.name, "--against", Path(self.against).name]
        words += ["--backend", self.backend]
        least = None if self.min_coverage == MIN_COVERAGE else self.min_coverage
        for name, value in (
            ("--max-rmse", max_rmse),
            (OPTION, least),
            ("--start", self.span.start_s),
            ("--duration", self.span.duration_s),
        ):
            words += [] if value is None else [name, f"{value}"]
        for word in self.given.words:
            words += [INPUT_OPTION, word]
        if self.disturbances is not None:
            for model in self.disturbances.further_models:
                words += ["--model", model.path.name]
            for word in self.disturbances.words:
                words += ["--disturb", word]
        return " ".join(words)


def choose_model(
    folder: Path | str | None, metadata: Mapping[str, Mapping[str, str]]
) -> ModelChoice:
    """Return the named model, else the shipped one that the bag was recorded with, or the default.

    Args:
        folder: the model's folder; None to choose.
        metadata: of the bag.

    Raises:
        ModelError: the model is missing or damaged.
    """
    recorded = _recorded_model(metadata)
    if folder is not None:
        return ModelChoice(load_model(shipped(Path(folder))), recorded, "as requested")
    for path in _shipped_models() if recorded else ():
        try:
            model = load_model(path)
        except ModelError:
            continue
        if recorded is not None and model.weights_sha256 == recorded["sha256"]:
            return ModelChoice(model, recorded, "which the bag was recorded with")
    return ModelChoice(load_model(shipped(DEFAULT_MODEL)), recorded, "the default")


def _recorded_model(metadata: Mapping[str, Mapping[str, str]]) -> dict[str, str] | None:
    fingerprint = metadata.get("model", {})
    sums = {name: fingerprint.get(f"sha256 {name}", "") for name in WEIGHT_FILES}
    if not sums[WEIGHTS]:
        return None
    return {"name": fingerprint.get("name", "a model"), "sha256": weights_checksum(sums)}


def _shipped_models() -> list[Path]:
    return sorted(path.parent for path in project_file("models").glob("*/model.yaml"))


def check_backend(name: str, option: str) -> str:
    """Return the name of a backend.

    Raises:
        ConfigError: no backend has that name.
    """
    if name not in BACKENDS:
        raise ConfigError(f"{option}: unknown backend {name!r}; there are {', '.join(BACKENDS)}")
    return name


def check_against(word: str | None, has_commands: bool) -> str:
    """Return the comparison: `recorded`, `none`, a backend's name, or a model's folder.

    Raises:
        ConfigError: the word is not one of these, or the bag does not have the commands.
    """
    if word is None:
        return RECORDED if has_commands else NONE
    if word == RECORDED and not has_commands:
        raise ConfigError(
            "--against recorded: the bag has no command; --topic command=/NAME or "
            "--topic policy_command=/NAME names its topic (see `liquid-control bag info`)"
        )
    names = (RECORDED, NONE, *BACKENDS)
    if word not in names and not shipped(Path(word)).is_dir():
        raise ConfigError(
            f"--against: expected {', '.join(names)} or a model's folder, got {word!r}"
        )
    return word


@dataclass(frozen=True, slots=True)
class ReplayMetadata:
    """Inputs of a replay by name and hash, without paths: equal replays have equal metadata.

    Attributes:
        command: an equal command line.
        bag: `{"files": [{"name", "size_bytes", "sha256"}]}` in order.
        topics: name by role.
        model: `{"name", "sha256"}`, of its weights.
        recorded_model: the same of the model that the bag was recorded with; None where the bag
            does not contain it.
        backend: of the controller.
        against: the comparison.
        span: `{"start_s", "duration_s"}` of the requested part, None for all.
        versions: of packages by name.
        losses: parts of the bag that could not be used, a line a kind.
    """

    command: str
    bag: Mapping[str, Any]
    topics: Mapping[str, str]
    model: Mapping[str, str]
    recorded_model: Mapping[str, str] | None
    backend: str
    against: str
    span: Mapping[str, float | None]
    versions: Mapping[str, str]
    losses: Sequence[str]


def replay_metadata(
    request: ReplayRequest, losses: Sequence[str], command: str | None = None
) -> ReplayMetadata:
    """Return the metadata of a replay.

    Args:
        request: the replay.
        losses: lines on the parts of the bag that could not be used.
        command: the command line; None for `request.command_line()`.
    """
    model, versions = request.choice.model, package_versions()
    sources = request.topics.sources
    return ReplayMetadata(
        command=request.command_line() if command is None else command,
        bag={"files": [_file(path) for path in _files(request.bag.parts)]},
        topics={role.value: source.name for role, source in sources.items()},
        model={"name": model.name, "sha256": model.weights_sha256},
        recorded_model=request.choice.recorded,
        backend=request.backend,
        against=Path(request.against).name,
        span={"start_s": request.span.start_s, "duration_s": request.span.duration_s},
        versions={name: versions[name] for name in VERSIONS if name in versions},
        losses=losses,
    )


def _files(parts: Sequence[Path]) -> list[Path]:
    return [
        file
        for part in parts
        for file in (sorted(p for p in part.iterdir() if p.is_file()) if part.is_dir() else [part])
    ]


def _file(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return {"name": path.name, "size_bytes": path.stat().st_size, "sha256": digest.hexdigest()}
