"""Node that replays a recorded flight: publishes its sensors and its time for policy and guard."""

import time

from geometry_msgs.msg import TwistStamped
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

from liquid_control import topics
from liquid_control.errors import LiquidControlError
from liquid_control.nodes import conversions
from liquid_control.nodes.diagnostics import Diagnostics, ProgressLines
from liquid_control.nodes.flight_log import LOG_PERIOD_S, position_sentence, replayed_sentence
from liquid_control.nodes.graph_monitor import (
    GraphMonitor,
    RunSupervisor,
    wait_for_acknowledgement,
)
from liquid_control.nodes.node_settings import ReplaySettings
from liquid_control.nodes.pace import STEADY, Lockstep, Pace, RealTime, TickSource
from liquid_control.nodes.parameters import declare, on_parameter_change
from liquid_control.nodes.qos import profile
from liquid_control.nodes.replay.publishers import ReplayOutput
from liquid_control.nodes.replay.source import ReplaySource
from liquid_control.nodes.replay.timeline import FILLED_NS, BagTick
from liquid_control.nodes.shutdown import Shutdown, main_of
from liquid_control.types import NANOSECONDS

POSITION_PERIOD_S = 0.05
SETTLING_S = 0.5
"""In real time, from the complete graph to the first frame: viewers may still be connecting."""


class ReplayNode(Node):
    """Replays a bag; policy and guard are other nodes of the graph.

    `~/pause` stops it, `~/step` plays one frame. The parameters `rate`, `loop` and `position_s`
    may be set meanwhile; setting `position_s` seeks.
    """

    def __init__(self, shutdown: Shutdown) -> None:
        super().__init__(topics.REPLAY)
        self._shutdown = shutdown
        self._settings = settings = declare(self, ReplaySettings)
        self._lines = ProgressLines(settings.progress)
        self._bag = ReplaySource(settings)
        self._diagnostics = Diagnostics(self, settings.mode, self._losses)
        self._output = ReplayOutput(self, settings.mode, self._bag.has_range)
        self._source: TickSource[BagTick] = TickSource(
            self._advance, self._output, self._end, jumped=lambda tick: tick.jumped
        )
        self._pace = self._make_pace()
        self.create_service(SetBool, "~/pause", self._on_pause)
        self.create_service(Trigger, "~/step", self._on_step)
        self._supervisor = self._make_supervisor()
        self._position_s = settings.position_s
        self._logged_s = time.monotonic()
        on_parameter_change(self, ReplaySettings, self._on_change)
        self._timer = self.create_timer(POSITION_PERIOD_S, self._report_position, clock=STEADY)

    def _make_pace(self) -> Pace:
        settings = self._settings
        if settings.mode == "lockstep":
            return Lockstep(self._source, settings.paused)
        gap_s = FILLED_NS / NANOSECONDS
        return RealTime(self, self._source, settings.rate, settings.paused, max_gap_s=gap_s)

    def _make_supervisor(self) -> RunSupervisor:
        settings = self._settings
        commands = self.create_subscription(
            TwistStamped, topics.COMMAND, self._on_command, profile(topics.COMMAND, settings.mode)
        )
        realtime = settings.mode == "realtime"
        return RunSupervisor(
            self,
            self._shutdown,
            GraphMonitor(self, self._output.publishers, commands, settings.recorder),
            self._pace,
            settings,
            self._begin,
            complete=settings.wait or not realtime,
            settling_s=SETTLING_S if realtime and settings.wait else 0.0,
        )

    def _advance(self) -> BagTick | None:
        try:
            return self._bag.timeline.advance()
        except LiquidControlError as error:
            self._shutdown.fail(error)
            return None

    def _losses(self) -> dict[str, int]:
        losses = self._bag.losses
        counts = {loss.name.lower(): n for loss, n in losses.counts.items()}
        return counts | ({"warnings": len(losses.warnings)} if losses.warnings else {})

    def _on_command(self, message: TwistStamped) -> None:
        self._pace.on_command(*conversions.command_from(message))

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._pace.pause(request.data)
        response.success, response.message = True, f"at {self._bag.position_s:.3f} s"
        return response

    def _on_step(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.message = f"the next frame after {self._bag.position_s:.3f} s"
        self._pace.step()
        response.success = True
        return response

    def _on_change(self, settings: ReplaySettings) -> None:
        """Apply changed parameters; a position that this node reports itself is no seek."""
        if settings.position_s != self._position_s:
            self._bag.seek(settings.position_s)
            self._position_s = settings.position_s
            self._pace.reposition()
        self._bag.timeline.loop = settings.loop
        if settings.rate != self._settings.rate:
            self._pace.set_rate(settings.rate)
        self._settings = settings

    def _begin(self) -> None:
        self.get_logger().info(f"replaying {self._settings.bag}")
        self._logged_s = time.monotonic()
        self._lines.write("replaying", bag=self._settings.bag)
        self._pace.start()

    def _report_position(self) -> None:
        if self._bag.position_s == self._position_s:
            return
        self._position_s = self._bag.position_s
        self.set_parameters([Parameter("position_s", value=self._position_s)])
        duration_s = self._bag.duration_s
        self._lines.write("progress", position_s=self._position_s, duration_s=duration_s)
        if time.monotonic() - self._logged_s >= LOG_PERIOD_S:
            self._logged_s = time.monotonic()
            self.get_logger().info(position_sentence(self._position_s, duration_s))

    def _end(self) -> None:
        statistics = {
            "mode": self._settings.mode,
            **self._source.times.summary(),
            "jumps": self._bag.timeline.jumps,
            "wall_s": self._supervisor.elapsed_s,
        }
        if self._settings.mode == "lockstep":
            wait_for_acknowledgement(self._output.publishers.values())
        if not self._shutdown.future.done():
            frames, lost = statistics["frames"], statistics["frames_lost"]
            self.get_logger().info(replayed_sentence(frames, lost))
            self._lines.write("done", statistics=statistics, losses=self._losses())
        self._shutdown.request(0)

    def close(self) -> None:
        """Log the unusable parts of the bag."""
        for line in self._bag.losses.lines():
            self.get_logger().warning(line)


def main() -> None:
    """Run replay_node."""
    main_of(lambda shutdown: [ReplayNode(shutdown)])


if __name__ == "__main__":
    main()
