"""Kinds of faults that a campaign injects into a running graph, and where they act."""

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from liquid_control import topics
from liquid_control.config.driver_faults import DriverFaultKind
from liquid_control.config.suggestions import nearest
from liquid_control.errors import ConfigError
from liquid_control.graph.firmware_link import HOLD, LAND, POSITION, LinkFault


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
    """A kind of fault; one of driver, process, intruder, load, disk, link, pilot, second acts.

    Attributes:
        name: unique.
        text: what happens, for tables.
        driver: topic and kind of a driver's fault.
        process: nodes that receive `signal`.
        signal: number of the signal.
        intruder: topic on which a foreign node publishes.
        rate_hz: messages of the intruder, 1/s.
        load: busy processes per core.
        disk: whether no node can write to a file any more, as on a full disk.
        recovery: how it ends.
        link: what happens to the link between firmware and companion.
        pilot: main mode and sub-mode that the pilot selects; OFFBOARD again if the fault ends.
        second: whether a second companion sends set-points.
    """

    name: str
    text: str
    driver: tuple[str, DriverFaultKind] | None = None
    process: Sequence[str] = ()
    signal: int = signal.SIGKILL
    intruder: str | None = None
    rate_hz: float = 50.0
    load: int = 0
    disk: bool = False
    recovery: Recovery = Recovery.ENDS
    link: LinkFault | None = None
    pilot: tuple[int, int] | None = None
    second: bool = False

    @property
    def records(self) -> bool:
        """Whether it acts on a recorder."""
        return self.disk or topics.RECORDER in self.process

    @property
    def needs_firmware(self) -> bool:
        """Whether it acts on a firmware, its link or the bridge to it."""
        beyond = self.link is not None or self.pilot is not None or self.second
        return beyond or topics.MAVLINK in self.process


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
    for node in (topics.PERCEPTION, topics.CONTROLLER, topics.GUARD, topics.GUARD_STANDBY):
        word = node.removesuffix("_node").removeprefix("guard_")
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
    recorder = [topics.RECORDER]
    found += [
        FaultKind(
            "recorder_killed",
            "kill -9 of recorder_node",
            process=recorder,
            recovery=Recovery.STAYS,
        ),
        FaultKind(
            "recorder_stopped",
            "SIGSTOP of recorder_node",
            process=recorder,
            signal=signal.SIGSTOP,
        ),
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
    FaultKind("disk_full", "no node can write to files", disk=True, recovery=Recovery.STAYS),
)


def _bridges() -> list[FaultKind]:
    """Return the faults of processes that need a bridge to a firmware."""
    node = topics.MAVLINK
    policy = [topics.PERCEPTION, topics.CONTROLLER]
    companion = [*policy, topics.GUARD, topics.GUARD_STANDBY, node]
    stays, again = Recovery.STAYS, Recovery.RESTART
    return [
        FaultKind("mavlink_killed", f"kill -9 of {node}", process=[node], recovery=stays),
        FaultKind(
            "mavlink_restarted",
            f"kill -9 of {node}, then a restart",
            process=[node],
            recovery=again,
        ),
        FaultKind("mavlink_stopped", f"SIGSTOP of {node}", process=[node], signal=signal.SIGSTOP),
        FaultKind(
            "companion_killed",
            "kill -9 of all nodes of the companion",
            process=companion,
            recovery=stays,
        ),
        FaultKind(
            "companion_stopped",
            "SIGSTOP of all nodes of the companion",
            process=companion,
            signal=signal.SIGSTOP,
        ),
    ]


def _links() -> list[FaultKind]:
    """Return the faults of the link to a firmware."""
    texts = {
        LinkFault.CUT: "link cut",
        LinkFault.TO_AUTOPILOT: "link to the autopilot cut, the way back works",
        LinkFault.GARBAGE: "random bytes on the link",
        LinkFault.DAMAGED: "every second datagram damaged",
        LinkFault.DELAYED: "link delayed by 0.5 s",
        LinkFault.DUPLICATED: "every datagram twice",
        LinkFault.FROZEN: "the link repeats the last set-point",
    }
    found = [FaultKind(f"link_{fault.value}", text, link=fault) for fault, text in texts.items()]
    stays = Recovery.STAYS
    return [
        *found,
        FaultKind("link_lost", "link cut for good", link=LinkFault.CUT, recovery=stays),
        FaultKind(
            "heartbeat_lost",
            "no heartbeat of the autopilot any more",
            link=LinkFault.NO_HEARTBEAT,
            recovery=stays,
        ),
        FaultKind("second_companion", "set-points of a second companion", second=True),
    ]


def _pilots() -> list[FaultKind]:
    """Return what a pilot does in flight."""
    modes = {"hold": HOLD, "position": POSITION, "land": LAND}
    found = [
        FaultKind(
            f"pilot_{name}",
            f"the pilot selects the mode {name.capitalize()}",
            pilot=mode,
            recovery=Recovery.STAYS,
        )
        for name, mode in modes.items()
    ]
    return [
        *found,
        FaultKind("pilot_returns", "the pilot selects Hold, after 2 s Offboard again", pilot=HOLD),
    ]


FIRMWARE_KINDS: tuple[FaultKind, ...] = (*_bridges(), *_links(), *_pilots())
"""Kinds that need a firmware, in addition to `KINDS`."""


def choose_kinds(names: Sequence[str], firmware: bool = False) -> tuple[FaultKind, ...]:
    """Return the named kinds, or all without a name.

    Args:
        names: of kinds.
        firmware: whether a firmware flies, which has more kinds.

    Raises:
        ConfigError: a name is not known, or its kind needs a firmware.
    """
    every = (*KINDS, *FIRMWARE_KINDS)
    by_name = {kind.name: kind for kind in every}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        close = ", ".join(nearest(unknown[0], by_name))
        raise ConfigError(f"fault {unknown[0]!r} is not known; nearest: {close}")
    chosen = tuple(by_name[name] for name in names)
    for kind in chosen:
        if kind.needs_firmware and not firmware:
            raise ConfigError(f"fault {kind.name}: expected --autopilot px4 too")
    return chosen or (every if firmware else KINDS)
