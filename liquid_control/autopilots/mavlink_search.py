"""Search for the autopilot on a link by heartbeats: one multirotor of a known firmware."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple

from liquid_control.autopilots.interface import LOST_NS, SEARCH_NS, Firmware
from liquid_control.autopilots.mavlink_modes import FIRMWARES, MULTIROTORS, NO_AUTOPILOT

HEARTBEAT_VERSION = 3
"""Version of MAVLink's heartbeat message, for protocol versions 1 and 2 alike."""


class MavlinkVehicle(NamedTuple):
    """An autopilot on a link.

    Attributes:
        system: MAVLink system id.
        component: MAVLink component id.
        source: where its messages come from: an address, or the port.
        autopilot: MAV_AUTOPILOT.
        kind: MAV_TYPE.
        version: of the heartbeat message.
    """

    system: int
    component: int
    source: Hashable
    autopilot: int
    kind: int
    version: int

    @property
    def firmware(self) -> Firmware | None:
        """Its firmware; None if it is not a known one."""
        return FIRMWARES.get(self.autopilot)

    @property
    def named(self) -> str:
        """Its system id, and where it is if that is an address."""
        place = ""
        if isinstance(self.source, tuple):
            place = f" at {self.source[0]}:{self.source[1]}"
        return f"system {self.system}{place}"


@dataclass
class VehicleSearch:
    """Collects heartbeats of autopilots and decides which one is commanded.

    Args:
        system: the system id wanted; 0 for the only autopilot on the link.

    Attributes:
        refusal: reason why none is commanded at present; empty before the first heartbeat too.
    """

    system: int
    refusal: str = ""

    def __post_init__(self) -> None:
        self._latest: dict[MavlinkVehicle, tuple[int, Any]] = {}
        self._first_ns: int | None = None

    def heartbeat(self, message: Any, source: Hashable, now_ns: int) -> MavlinkVehicle | None:
        """Process a heartbeat; return its autopilot, None if the sender is not one."""
        if message.autopilot == NO_AUTOPILOT:
            return None
        vehicle = MavlinkVehicle(
            message.get_srcSystem(),
            message.get_srcComponent(),
            source,
            message.autopilot,
            message.type,
            message.mavlink_version,
        )
        self._latest[vehicle] = (now_ns, message)
        if self._first_ns is None:
            self._first_ns = now_ns
        return vehicle

    def present(self, now_ns: int) -> list[MavlinkVehicle]:
        """Return the autopilots whose heartbeats arrive."""
        self._latest = {v: one for v, one in self._latest.items() if now_ns - one[0] <= LOST_NS}
        if not self._latest:
            self._first_ns = None
        return sorted(self._latest, key=lambda one: (one.system, one.component, str(one.source)))

    def heartbeat_of(self, vehicle: MavlinkVehicle) -> Any:
        """Return the last heartbeat of an autopilot that is present."""
        return self._latest[vehicle][1]

    def decide(self, now_ns: int) -> MavlinkVehicle | None:
        """Return the autopilot to command once that is certain; else None, with `refusal`."""
        present = self.present(now_ns)
        if self._first_ns is None or now_ns - self._first_ns < SEARCH_NS or not present:
            return None
        wanted = [one for one in present if self.system in (0, one.system)]
        self.refusal = self._reason(present, wanted)
        return None if self.refusal else wanted[0]

    def _reason(self, present: list[MavlinkVehicle], wanted: list[MavlinkVehicle]) -> str:
        names = " and ".join(one.named for one in (wanted or present))
        if not wanted:
            return f"expected the autopilot with system id {self.system}, found {names}"
        if len(wanted) > 1:
            same = len({one.system for one in wanted}) == 1
            remedy = "give each a system id of its own" if same else "set target_system to one"
            return f"{len(wanted)} autopilots on the link, {names}: {remedy}"
        one = wanted[0]
        if one.version != HEARTBEAT_VERSION:
            return (
                f"{names} sends heartbeats of version {one.version}, "
                f"expected version {HEARTBEAT_VERSION}"
            )
        if one.firmware is None:
            return (
                f"{names} is neither ArduPilot (3) nor PX4 (12): it states MAV_AUTOPILOT "
                f"{one.autopilot}"
            )
        if one.kind not in MULTIROTORS:
            return f"{names} is not a multirotor: it states MAV_TYPE {one.kind}"
        return ""
