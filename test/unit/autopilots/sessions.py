"""A session and a peer in one loop, with a clock that the test controls."""

from dataclasses import dataclass, field

from mavlink_peer import MS, AutopilotPeer

from liquid_control.autopilots import (
    AutopilotStatus,
    LinkEvent,
    LinkNotice,
    MavlinkOptions,
    MavlinkSession,
)
from liquid_control.types import Command

QUIET = MavlinkOptions(imu_rate_hz=0.0, odometry_rate_hz=0.0)
"""Without requests for telemetry, apart from SYS_STATUS."""


@dataclass
class Loop:
    """Exchanges frames every `step_ns`; the peer's clock is that of the test."""

    peer: AutopilotPeer
    options: MavlinkOptions = QUIET
    now_ns: int = 10_000 * MS
    step_ns: int = 10 * MS
    source: str = "peer"
    notices: list[LinkNotice] = field(default_factory=list)
    samples: list = field(default_factory=list)

    def __post_init__(self) -> None:
        self.session = MavlinkSession(self.options, self.now_ns)
        self.connected = True

    def step(self, command: Command | None = None) -> None:
        """Advance time by one step; a command is as old as nothing."""
        self.now_ns += self.step_ns
        if command is not None:
            self.session.command(command, self.now_ns, 0, self.now_ns)
        if self.connected:
            self.samples += self.session.receive(
                self.source, self.peer.poll(self.now_ns), self.now_ns
            )
        for frame in self.session.poll(self.now_ns):
            answer = self.peer.receive(frame, self.now_ns)
            if self.connected:
                self.samples += self.session.receive(self.source, answer, self.now_ns)
        self.notices += self.session.notices()

    def run(self, seconds: float, command: Command | None = None) -> None:
        """Advance time; a command is given at every step."""
        for _ in range(round(seconds * 1e9 / self.step_ns)):
            self.step(command)

    def connect(self) -> AutopilotStatus:
        """Run until the autopilot is found, in coarse steps."""
        step_ns, self.step_ns = self.step_ns, 100 * MS
        self.run(2.0)
        self.step_ns = step_ns
        assert self.session.state is not None, self.session.refusal
        return self.session.state

    def texts(self, event: LinkEvent) -> list[str]:
        """Return the sentences of an event."""
        return [notice.text for notice in self.notices if notice.event is event]
