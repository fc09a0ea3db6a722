"""Kinds of faults that a campaign injects into a running graph, and where they act."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from liquid_control import topics
from liquid_control.config.driver_faults import DriverFaultKind
from liquid_control.config.suggestions import nearest
from liquid_control.errors import ConfigError


class Recovery(str, Enum):
    """How a fault ends."""

    STAYS = "stays"
    """It lasts until the end of the flight."""
    ENDS = "ends"
    """It ends by itself after its duration: a signal SIGCONT, a driver that works again."""
    RESTART = "restart"
    """The process is started again after the duration."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A kind of fault; exactly one of driver, process, intruder and load acts.

    Attributes:
        name: unique.
        text: what happens, for tables.
        driver: topic and kind of a driver's fault.
        process: nodes that receive `signal`.
        signal: number of the signal.
        intruder: topic on which a foreign node publishes.
        rate_hz: messages of the intruder, 1/s.
        load: busy processes per core.
        recovery: how it ends.
    """

    name: str
    text: str
    driver: tuple[str, DriverFaultKind] | None = None
    process: Sequence[str] = ()
    signal: int = signal.SIGKILL
    intruder: str | None = None
    rate_hz: float = 50.0
    load: int = 0
    recovery: Recovery = Recovery.ENDS


def _drivers() -> list[FaultKind]:
    words = {
        topics.IMAGE: "camera",
        topics.CAMERA_INFO: "camera_info",
        topics.IMU: "imu",
        topics.CLOCK: "clock",
    }
    kinds = {
        topics.IMAGE: set(DriverFaultKind) - {DriverFaultKind.NOT_FINITE},
        topics.CAMERA_INFO: {DriverFaultKind.SILENT, DriverFaultKind.NOT_FINITE},
        topics.IMU: set(DriverFaultKind),
        topics.CLOCK: {DriverFaultKind.SILENT, DriverFaultKind.STUCK, DriverFaultKind.JUMPED},
    }
    return [
        FaultKind(
            f"{words[topic]}_{kind.value}",
            f"{topic} {kind.value.replace('_', ' ')}",
            (topic, kind),
        )
        for topic, possible in kinds.items()
        for kind in DriverFaultKind
        if kind in possible
    ]


def _processes() -> list[FaultKind]:
    found = []
    for node in (topics.PERCEPTION, topics.CONTROLLER, topics.GUARD):
        word = node.removesuffix("_node")
        found += [
            FaultKind(
                f"{word}_killed", f"kill -9 of {node}", process=[node], recovery=Recovery.STAYS
            ),
            FaultKind(
                f"{word}_restarted",
                f"kill -9 of {node}, then a restart",
                process=[node],
                recovery=Recovery.RESTART,
            ),
            FaultKind(
                f"{word}_stopped", f"SIGSTOP of {node}", process=[node], signal=signal.SIGSTOP
            ),
        ]
    both = [topics.GUARD, topics.GUARD_STANDBY]
    found += [
        FaultKind(
            "guards_killed",
            "kill -9 of guard and standby",
            process=both,
            recovery=Recovery.STAYS,
        ),
        FaultKind(
            "policy_killed",
            "kill -9 of perception and controller",
            process=[topics.PERCEPTION, topics.CONTROLLER],
            recovery=Recovery.STAYS,
        ),
    ]
    return found


def _intruders() -> list[FaultKind]:
    names = (
        topics.IMAGE,
        topics.CAMERA_INFO,
        topics.IMU,
        topics.FEATURES,
        topics.POLICY_COMMAND,
    )
    foreign = [
        FaultKind(
            f"foreign_{topic.replace('/', '_')}",
            f"a foreign publisher on {topic}",
            intruder=topic,
        )
        for topic in names
    ]
    flood = FaultKind(
        "flood_policy_command",
        "2,000 messages a second of a foreign publisher",
        intruder=topics.POLICY_COMMAND,
        rate_hz=2000.0,
    )
    return [*foreign, flood]


KINDS: tuple[FaultKind, ...] = (
    *_drivers(),
    *_processes(),
    *_intruders(),
    FaultKind("cpu_hog", "two busy processes per core", load=2),
)


def choose_kinds(names: Sequence[str]) -> tuple[FaultKind, ...]:
    """Return the named kinds, or all without a name.

    Raises:
        ConfigError: a name is not known.
    """
    by_name = {kind.name: kind for kind in KINDS}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        close = ", ".join(nearest(unknown[0], by_name))
        raise ConfigError(f"fault {unknown[0]!r} is not known; nearest: {close}")
    return tuple(by_name[name] for name in names) or KINDS
