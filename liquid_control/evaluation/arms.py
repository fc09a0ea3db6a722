"""Arms of a campaign: pilots and trained models that fly the same flights.

An arm is the expert, `hover`, one model, or the models of one core, a model for each training
seed. Every arm flies the same entries and seeds, so its flights pair with those of the others.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from liquid_control.config import TaskKind, scenario_names, shipped
from liquid_control.errors import ConfigError, ModelError
from liquid_control.evaluation.bag_recorder import RecordingOptions
from liquid_control.evaluation.campaign import Arm, Campaign, FlightJob, matching, plan_flights
from liquid_control.evaluation.flight_log import campaign_plan
from liquid_control.evaluation.preflight import PilotFactory, check_pilots
from liquid_control.interfaces import World
from liquid_control.policy import load_model
from liquid_control.types import HOVER, Command, Observation, VehicleState

EXPERT, HOVERING = "expert", "hover"
PILOTS = (EXPERT, "expert:pushed", HOVERING)
"""Names of pilots that are no model folder."""

FIRST_TEST_SEED = 10_000
TEST_SEED_END = 100_000_000
"""Seeds of training and validation begin here."""

ANY_TASK = ""
"""Key of a model that flies every task."""


class HoverPilot:
    """Does nothing: the lower bound of success."""

    name = HOVERING

    def start(self, world: World) -> None:
        """Ignore the world."""

    def command(self, observation: Observation, truth: VehicleState) -> Command:
        """Return zero velocity and zero yaw rate."""
        return HOVER


@dataclass(frozen=True, slots=True)
class ArmPilot:
    """One pilot of an arm.

    Attributes:
        label: in the rows: the arm's name, with the training seed where there are several.
        arm: name of the arm, which groups pilots in tables.
        core: kind of the core that the models must have; None for any.
        training_seed: of the models; None where there is one model.
        folders: model folder or name of a pilot by task or scenario; `ANY_TASK` for all.
        entries: patterns of the entries that it flies.
        train: command that trains the model; empty if none is known.
    """

    label: str
    arm: str
    core: str | None
    training_seed: int | None
    folders: Mapping[str, str]
    entries: tuple[str, ...] = ("*",)
    train: str = ""

    def key_for(self, job: FlightJob) -> str | None:
        """Return the key of the pilot that flies a job; None if this arm does not fly it."""
        task = self._task(job)
        if task is None or not matching([job.entry], self.entries):
            return None
        return self.pilot_key(task)

    def _task(self, job: FlightJob) -> str | None:
        for task in (ANY_TASK, Path(job.scenario_name).stem, job.scenario.task.kind.value):
            if task in self.folders:
                return task
        return None

    def pilot_key(self, task: str) -> str:
        """Return the key of the pilot of a task."""
        return f"{self.label} ({task})" if task else self.label

    def pilots(self) -> dict[str, str]:
        """Return model folders and names of pilots by key."""
        return {self.pilot_key(task): folder for task, folder in self.folders.items()}


def arm_pilots(campaign: Campaign) -> list[ArmPilot]:
    """Return the pilots of a campaign's arms, in order.

    Raises:
        ConfigError: an arm has neither a model nor is it the name of a pilot, a name in braces is
            unknown, or a task is none.
    """
    return [pilot for arm in campaign.arms for pilot in _arm_pilots(campaign, arm)]


def _arm_pilots(campaign: Campaign, arm: Arm) -> list[ArmPilot]:
    model = arm.model if arm.model is not None else campaign.model
    if arm.name in PILOTS and arm.model is None and arm.core is None:
        model = arm.name
    if model is None:
        raise ConfigError(
            f"campaign {campaign.name!r}: arm {arm.name!r}: expected a model, {EXPERT} or "
            f"{HOVERING}; add `model` with its folder"
        )
    found = []
    seeds: list[int | None] = [*arm.training_seeds] or [None]
    for seed in seeds:
        words = {"name": arm.name, "core": arm.core, "size": arm.size, "training_seed": seed}
        folders = model if isinstance(model, dict) else {ANY_TASK: model}
        pilot = ArmPilot(
            label=arm.name if seed is None else f"{arm.name}-{seed}",
            arm=arm.name,
            core=arm.core,
            training_seed=seed,
            folders={task: _filled(text, words) for task, text in folders.items()},
            entries=tuple(arm.entries),
            train=_filled(campaign.train or "", words),
        )
        _check_tasks(pilot.folders)
        found.append(pilot)
    return found


def _filled(text: str, words: Mapping[str, Any]) -> str:
    try:
        return text.format_map(dict(words))
    except (KeyError, ValueError, IndexError) as error:
        raise ConfigError(
            f"{text!r}: expected names in braces of {', '.join(words)} ({error})"
        ) from error


def _check_tasks(tasks: Collection[str]) -> None:
    known = [*(kind.value for kind in TaskKind), *scenario_names()]
    for task in tasks:
        if task != ANY_TASK and task not in known:
            raise ConfigError(
                f"model: expected tasks or scenarios of {', '.join(dict.fromkeys(known))}, "
                f"got {task!r}"
            )


def command_line_arms(models: Sequence[str], campaign: Campaign) -> list[ArmPilot]:
    """Return the arms of `--model`: one for each FOLDER or pilot, one for all `TASK=FOLDER`.

    `TASK=FOLDER` replaces the model of a task in the campaign's arm with models by task.

    Raises:
        ConfigError: two models have one name.
    """
    known = {*(kind.value for kind in TaskKind), *scenario_names()}
    by_task = {
        task: folder
        for task, sign, folder in (model.partition("=") for model in models)
        if sign and task in known
    }
    arms: list[ArmPilot] = []
    for model in models:
        if model.partition("=")[0] in by_task:
            continue
        label = model if model in PILOTS else Path(model).resolve().name
        if label in [arm.label for arm in arms]:
            raise ConfigError(
                f"--model: expected folders with different names, {label!r} comes twice"
            )
        arms.append(ArmPilot(label, label, None, None, {ANY_TASK: model}))
    if not by_task:
        return arms
    own = [arm for arm in arm_pilots(campaign) if ANY_TASK not in arm.folders]
    changed = own or [ArmPilot("policy", "policy", None, None, {})]
    others = [arm for arm in arm_pilots(campaign) if ANY_TASK in arm.folders]
    changed = [replace(arm, folders={**arm.folders, **by_task}) for arm in changed]
    return [*(arms or others), *changed]


def missing_models(arms: Sequence[ArmPilot]) -> dict[str, str]:
    """Return the model folders that do not exist, by key of the pilot."""
    return {
        key: folder
        for arm in arms
        for key, folder in arm.pilots().items()
        if folder not in PILOTS and not (shipped(Path(folder)) / "model.yaml").is_file()
    }


def check_models(arms: Sequence[ArmPilot], skip: bool) -> dict[str, str]:
    """Return the missing models, by key of the pilot; check the core of the others.

    Args:
        arms: of the campaign.
        skip: whether missing models are allowed, as long as another arm flies.

    Raises:
        ModelError: a model is missing, damaged, or has another core than the arm.
    """
    missing = missing_models(arms)
    every = sum(len(arm.folders) for arm in arms)
    if missing and (not skip or len(missing) == every):
        key = next(iter(missing))
        train = next(arm.train for arm in arms if key in arm.pilots())
        if not train:
            load_model(missing[key])
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ModelError(
            f"arm {key!r}: model folder {missing[key]} does not exist{more}; train it with: "
            f"{train}; or pass --skip-missing, which flies the others"
        )
    for arm in arms:
        for key, folder in arm.pilots().items():
            if arm.core is None or key in missing or folder in PILOTS:
                continue
            kind = load_model(folder).settings.core.kind
            if kind != arm.core:
                raise ModelError(
                    f"arm {key!r}: expected a model with core {arm.core}, got {kind} in {folder}"
                )
    return missing


@dataclass(frozen=True, slots=True)
class Arms:
    """Who flies a campaign.

    Attributes:
        campaign: what is flown.
        pilots: in the order of the rows.
        missing: model folders that do not exist and are skipped, by key of the pilot.
        extendable: whether models may come later: the arms are the campaign's own.
    """

    campaign: Campaign
    pilots: Sequence[ArmPilot]
    missing: Mapping[str, str]
    extendable: bool

    @classmethod
    def choose(cls, campaign: Campaign, models: Sequence[str], skip: bool) -> "Arms":
        """Return the arms of `--model`, or the campaign's own, after a check of their models.

        Args:
            campaign: what is flown.
            models: values of `--model`.
            skip: whether arms without a model are left out.

        Raises:
            ConfigError: there is no arm, or an arm does not fit.
            ModelError: a model is missing, damaged, or has another core than its arm.
        """
        if not models and not campaign.arms:
            raise ConfigError("expected --model FOLDER: the campaign has no arms of its own")
        pilots = command_line_arms(models, campaign) if models else arm_pilots(campaign)
        return cls(campaign, pilots, check_models(pilots, skip), not models)

    @property
    def folders(self) -> dict[str, str]:
        """Folders of the models that exist, and names of pilots, by key of the pilot."""
        found = {key: folder for arm in self.pilots for key, folder in arm.pilots().items()}
        return {key: folder for key, folder in found.items() if key not in self.missing}

    def flights(
        self, overrides: dict[str, Any] | None = None, disturb: Mapping[str, int] | None = None
    ) -> list[FlightJob]:
        """Return the flights of every arm, by arm, entry and seed; missing models' included.

        Flights of two arms with equal entry and seed are a pair: they have the same scenario.

        Raises:
            ConfigError: a scenario, an override, a disturbance or a seed range does not fit, or
                an arm flies nothing.
        """
        planned = plan_flights(self.campaign.entries, ["arm"], overrides, disturb)
        if self.campaign.arms or self.campaign.claims:
            check_test_seeds(planned)
        firsts = {job.entry: job for job in reversed(planned)}
        jobs: list[FlightJob] = []
        for arm in self.pilots:
            keys = {entry: arm.key_for(job) for entry, job in firsts.items()}
            own = [
                replace(job, model=arm.label, pilot=key)
                for job in planned
                if (key := keys[job.entry]) is not None
            ]
            if not own:
                raise ConfigError(f"arm {arm.label!r}: has no model for any entry")
            jobs += own
        return jobs

    def plan(
        self,
        jobs: Sequence[FlightJob],
        pilots: Mapping[str, PilotFactory],
        recording: RecordingOptions | None = None,
    ) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
        """Check that the pilots can fly; return what the rows depend on.

        Args:
            jobs: from `flights`.
            pilots: makes the pilots whose models exist, by key.
            recording: which flights become bags.

        Returns:
            The plan of the journal, and name and checksums of models that are not part of it, by
            key of the pilot: a campaign's own arms may get their models later.

        Raises:
            ConfigError: two flights would write one bag.
            ModelError: a model is damaged, or cannot fly an entry, which the message names.
        """
        if recording is not None:
            recording.check_names(jobs)
        marks = check_pilots(jobs, pilots)
        if not self.extendable:
            return campaign_plan(jobs, marks, recording), {}
        folders = {arm.label: dict(arm.folders) for arm in self.pilots}
        return campaign_plan(jobs, folders, recording), marks

    def config(self) -> dict[str, Any]:
        """Return what `results.json` records of the campaign and of its arms."""
        return {
            "title": self.campaign.name,
            "entries": self.campaign.entries,
            "arms": [self._record(arm) for arm in self.pilots],
            "reference": self.campaign.reference,
            "claims": self.campaign.claims,
        }

    def _record(self, arm: ArmPilot) -> dict[str, Any]:
        record = asdict(arm) | {"entries": list(arm.entries), "parameters": None}
        record["missing"] = sorted(self.missing.keys() & arm.pilots().keys())
        present = [self.folders[key] for key in arm.pilots() if key in self.folders]
        models = [folder for folder in present if folder not in PILOTS]
        if models:
            model = load_model(models[0])
            record |= {"core": model.settings.core.kind, "parameters": model.core_parameters}
        return record


def check_test_seeds(jobs: Sequence[FlightJob]) -> None:
    """Check that flights of a benchmark have seeds of tests.

    Raises:
        ConfigError: a seed may be one of training.
    """
    for job in jobs:
        if not FIRST_TEST_SEED <= job.seed < TEST_SEED_END:
            raise ConfigError(
                f"entry {job.entry!r}: expected seeds of tests, from {FIRST_TEST_SEED} to "
                f"{TEST_SEED_END - 1}, got {job.seed}; training uses those from {TEST_SEED_END}"
            )
