"""Fault campaign: every kind of fault in several flights, and a table of what the vehicle did."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from liquid_control.command import GuardRules
from liquid_control.errors import ConfigError
from liquid_control.evaluation.paired import median_interval
from liquid_control.evaluation.results import wilson_interval
from liquid_control.files import atomic_write
from liquid_control.graph.fault_flight import (
    COMMAND_TIMEOUT_S,
    STANDSTILL_MPS,
    FaultFlight,
    FaultOutcome,
    FaultRow,
    fly_with_fault,
)
from liquid_control.graph.fault_kinds import FaultKind, Recovery
from liquid_control.graph.firmware_faults import (
    OUTCOMES,
    PATH_M,
    FirmwareFaultFlight,
    fly_firmware_with_fault,
)
from liquid_control.graph.flight_graph import GraphPlan
from liquid_control.journal import JOURNAL_FILE, Journal, restored
from liquid_control.policy import Policy, load_model
from liquid_control.progress import progress_bar
from liquid_control.seeding import stream
from liquid_control.types import Floats

REPORT = "faults.md"
START_S = (3.0, 6.0)
"""A fault begins at a time drawn from this range, s of ROS time."""
DURATION_S = 2.0
RULES = GuardRules(
    camera_max_age_s=0.5,
    imu_max_age_s=0.1,
    odometry_max_age_s=0.5,
    picture_max_repeats=5,
    picture_min_brightness=3.0,
    picture_max_brightness=252.0,
    stall_s=0.25,
)
"""Rules of `config/guard_outdoor.yaml` that a flight in the simulator has readings for."""


CASCADE_OUTCOMES = (FaultOutcome.HOVERED, FaultOutcome.WENT_ON, FaultOutcome.UNSAFE)
_ENDS = f"Faults that end last {DURATION_S:g} s. "
_PATH = "*travelled* the path from the fault to standstill, or during the fault where the vehicle "
_CASCADE_TEXT = (
    "Each flight is in real time with a standby guard; the simulated autopilot hovers "
    f"{COMMAND_TIMEOUT_S:g} s after the last set-point. {_ENDS}*To hover* is the time from the "
    f"fault to the first hover command in force, {_PATH}did not stop."
)
_FIRMWARE_TEXT = (
    "PX4 flies, in real time, with set-points of mavlink_node and a standby guard. "
    f"{_ENDS}*To safe* is the time from the fault until the vehicle stands over the ground (below "
    f"{STANDSTILL_MPS:g} m/s), {_PATH}did not stop. A path of more than {PATH_M:g} m to "
    "standstill is unsafe."
)


@dataclass(frozen=True)
class FaultCampaign:
    """Faults to inject.

    Attributes:
        kinds: each is injected once for every seed.
        seeds: of the flights.
        model: folder of the policy.
        scenario: name or path.
        overrides: scenario keys, each as key=value.
        rules: of the guard beyond its envelope.
        firmware: program of a PX4 that flies; None for our own cascade.
    """

    kinds: Sequence[FaultKind]
    seeds: Sequence[int]
    model: Path
    scenario: str = "trail"
    overrides: Sequence[str] = ("trail.length_m=30",)
    rules: GuardRules = RULES
    firmware: Path | None = None

    def flights(self, folder: Path) -> list[FaultFlight]:
        """Return the flights, kind by kind for each seed; their files go to a folder."""
        return [self._flight(kind, seed, folder) for seed in self.seeds for kind in self.kinds]

    def _flight(self, kind: FaultKind, seed: int, folder: Path) -> FaultFlight:
        start_s = float(stream(seed, f"faults.start.{kind.name}").uniform(*START_S))
        plan = GraphPlan(
            scenario=self.scenario,
            seed=seed,
            model=self.model,
            out_dir=folder / "flights" / f"{kind.name}-{seed}",
            overrides=self.overrides,
            mode="realtime",
            record=kind.records,
            standby=True,
            rules=self.rules,
        )
        duration_s = 1e6 if kind.recovery is Recovery.STAYS else DURATION_S
        common = kind, plan, round(start_s, 2), duration_s
        if self.firmware is None:
            return FaultFlight(*common)
        return FirmwareFaultFlight(*common, firmware=self.firmware)


def run_faults(
    campaign: FaultCampaign, folder: Path, resume: bool = False, command: str = ""
) -> list[FaultRow]:
    """Fly a campaign; every flight is kept in `rows.jsonl` of a folder.

    Folders of safe flights are removed; those of unsafe ones stay, with the logs of the nodes.

    Args:
        campaign: kinds and seeds.
        folder: of the results.
        resume: continue the campaign in `folder`.
        command: recorded as provenance.

    Raises:
        ConfigError: there is no seed, or the scenario does not fit.
        ModelError: the model does not load, or the scenario lacks an input of it.
    """
    flights = campaign.flights(folder)
    if not flights:
        raise ConfigError("--seeds: expected at least one seed, got none")
    loaded = Policy(load_model(campaign.model)).model
    loaded.check_scenario(flights[0].plan.loaded_scenario)
    plan = {
        "model": loaded.name,
        "weights": loaded.settings.sha256,
        "scenario": flights[0].plan.loaded_scenario.model_dump(),
        "rules": campaign.rules.model_dump(exclude_defaults=True),
        "kinds": [kind.name for kind in campaign.kinds],
        "seeds": list(campaign.seeds),
    }
    if campaign.firmware is not None:
        plan["firmware"] = hashlib.sha256(campaign.firmware.read_bytes()).hexdigest()
    path = folder / JOURNAL_FILE
    opened = Journal.resume(path, plan) if resume else Journal.begin(path, plan, {}, command)
    with opened as journal, progress_bar("injecting", len(flights), log_step=10) as bar:
        rows = {(row.kind, row.seed): row for row in (restored(FaultRow, r) for r in journal.rows)}
        for flight in flights:
            key = flight.kind.name, flight.plan.seed
            if key not in rows:
                rows[key] = row = _fly(flight)
                journal.append(asdict(row))
                if row.outcome != FaultOutcome.UNSAFE.value:
                    shutil.rmtree(flight.out_dir, ignore_errors=True)
            bar.advance(f"{key[0]}: {rows[key].outcome}")
    return [rows[flight.kind.name, flight.plan.seed] for flight in flights]


def _fly(flight: FaultFlight) -> FaultRow:
    if isinstance(flight, FirmwareFaultFlight):
        return fly_firmware_with_fault(flight)
    return fly_with_fault(flight)


def write_faults(
    folder: Path,
    rows: Sequence[FaultRow],
    kinds: Sequence[FaultKind],
    command: str,
    firmware: bool = False,
) -> Path:
    """Write `faults.md`: a row for each kind, and all together.

    Args:
        folder: of the table.
        rows: of the flights.
        kinds: in the order of the table.
        command: that made them.
        firmware: whether PX4 flew, not our own cascade.
    """
    outcomes = OUTCOMES if firmware else CASCADE_OUTCOMES
    unsafe = sum(row.outcome == FaultOutcome.UNSAFE.value for row in rows)
    _, high = wilson_interval(unsafe, len(rows))
    lines = [
        "# Faults injected into the running graph",
        "",
        f"    {command}",
        "",
        f"{len(rows)} faults of {len(kinds)} kinds; {unsafe} unsafe outcomes (at most "
        f"{100.0 * high:.1f} % with 95 % confidence). "
        + (_FIRMWARE_TEXT if firmware else _CASCADE_TEXT),
        "",
        f"| fault | flights | {' | '.join(outcomes)} | to {'safe' if firmware else 'hover'} p50 "
        "(95 % interval), p99, worst | travelled worst |",
        "|---" * (len(outcomes) + 4) + "|",
    ]
    lines += [
        _line(kind.text, [row for row in rows if row.kind == kind.name], outcomes)
        for kind in kinds
    ]
    lines.append(_line("all", rows, outcomes))
    return atomic_write(folder / REPORT, "\n".join(lines) + "\n")


def _line(text: str, rows: Sequence[FaultRow], outcomes: Sequence[FaultOutcome]) -> str:
    numbers = [sum(row.outcome == outcome.value for row in rows) for outcome in outcomes]
    firmware = len(outcomes) > len(CASCADE_OUTCOMES)
    reached = np.array([row.standstill_s if firmware else row.hover_s for row in rows])
    reached = reached[np.isfinite(reached)]
    path = np.array([row.travelled_m for row in rows])
    path = path[np.isfinite(path)]
    worst = f"{path.max():.2f} m" if len(path) else "unknown"
    counts = " | ".join(str(count) for count in (len(rows), *numbers))
    return f"| {text} | {counts} | {_times(reached)} | {worst} |"


def _times(reached_s: Floats) -> str:
    """Return median with its interval, which needs six times, 99th percentile and largest."""
    if not len(reached_s):
        return "none"
    p50, p99 = np.percentile(reached_s, (50, 99))
    bounds = median_interval(reached_s.tolist())
    interval = f" ({bounds[0]:.2f} to {bounds[1]:.2f})" if bounds else ""
    return f"{p50:.2f} s{interval}, {p99:.2f} s, {reached_s.max():.2f} s"
