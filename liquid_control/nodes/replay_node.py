"""A recorded flight on ROS again: its sensors and its time, for the real policy and guard."""

import time

from geometry_msgs.msg import TwistStamped
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

from liquid_control import topics
from liquid_control.errors import GraphError, LiquidControlError
from liquid_control.nodes import conversions
from liquid_control.nodes.diagnostics import Diagnostics, ProgressLines
from liquid_control.nodes.graph_watch import GraphWatch
from liquid_control.nodes.node_settings import ReplaySettings
from liquid_control.nodes.pace import AnswerTimes
from liquid_control.nodes.parameters import declare, watch
from liquid_control.nodes.qos import profile
from liquid_control.nodes.replay.pace import STEADY, Lockstep, Play, RealTime, ReplayPace
from liquid_control.nodes.replay.publishers import ReplayOutput
from liquid_control.nodes.replay.source import ReplaySource
from liquid_control.nodes.replay.timeline import BagTick
from liquid_control.nodes.shutdown import Shutdown, main_of

WATCH_PERIOD_S = 0.05
SETTLING_S = 0.5
"""In real time, after the graph is complete: others may still be finding each other."""


class ReplayNode(Node):
    """Plays a bag, with the policy and the guard at the other end of topics.

    `~/pause` stops it, `~/step` plays one frame; `rate`, `loop` and `position_s`, which winds the
    tape, are parameters that may be set meanwhile.
    """

    def __init__(self, shutdown: Shutdown) -> None:
        super().__init__(topics.REPLAY)
        self._ending = shutdown
        self._settings = settings = declare(self, ReplaySettings)
        self._lines = ProgressLines(settings.progress)
        self._source = ReplaySource(settings)
        self._times = AnswerTimes()
        self._diagnostics = Diagnostics(self, settings.mode, self._losses)
        self._output = ReplayOutput(self, settings.mode)
        self._pace = self._make_pace()
        commands = self.create_subscription(
            TwistStamped, topics.COMMAND, self._on_command, profile(topics.COMMAND, settings.mode)
        )
        self._graph = GraphWatch(self, self._output.publishers, commands, settings.recorder)
        self.create_service(SetBool, "~/pause", self._on_pause)
        self.create_service(Trigger, "~/step", self._on_step)
        self._position_s = settings.position_s
        self._complete_s: float | None = None
        self._begun_s: float | None = None
        self._up_s = time.monotonic()
        watch(self, ReplaySettings, self._on_change)
        self._watch = self.create_timer(WATCH_PERIOD_S, self._on_watch, clock=STEADY)

    def _make_pace(self) -> ReplayPace:
        settings = self._settings
        play = Play(self._advance, self._output, self._times, self._end)
        if settings.mode == "lockstep":
            return Lockstep(play, settings.paused)
        return RealTime(self, play, settings.paused, settings.rate)

    def _advance(self) -> BagTick | None:
        try:
            return self._source.tape.advance()
        except LiquidControlError as error:
            self._ending.fail(error)
            return None

    def _losses(self) -> dict[str, int]:
        return {loss.name.lower(): n for loss, n in self._source.losses.counts.items()}

    def _on_command(self, message: TwistStamped) -> None:
        self._pace.on_command(conversions.stamp_of(message.header.stamp))

    def _on_pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._pace.pause(request.data)
        response.success, response.message = True, f"at {self._source.position_s:.3f} s"
        return response

    def _on_step(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.message = f"the next frame after {self._source.position_s:.3f} s"
        self._pace.step()
        response.success = True
        return response

    def _on_change(self, settings: ReplaySettings) -> None:
        """Take changed parameters; the position that is told by ourselves is no seek."""
        if settings.position_s != self._position_s:
            self._source.seek(settings.position_s)
            self._position_s = settings.position_s
            self._pace.wound()
        self._source.tape.loop = settings.loop
        if settings.rate != self._settings.rate:
            self._pace.set_rate(settings.rate)
        self._settings = settings

    def _on_watch(self) -> None:
        if self._begun_s is None:
            self._begin_if_complete()
        elif self._pace.stuck_for_s() > self._settings.answer_timeout_s:
            gone = self._graph.gone()
            reason = f"gone: {', '.join(gone)}" if gone else "all nodes are still in the graph"
            self._fail(
                f"no {topics.COMMAND} from {topics.GUARD} for the frame or /clock awaited within "
                f"{self._settings.answer_timeout_s:g} s ({reason})"
            )
        if self._source.position_s != self._position_s:
            self._tell_position()

    def _begin_if_complete(self) -> None:
        needed = self._settings.wait or self._settings.mode == "lockstep"
        missing = self._graph.missing() if needed else []
        if not missing:
            self._complete_s = self._complete_s or time.monotonic()
            settles = needed and self._settings.mode == "realtime"
            if not settles or time.monotonic() - self._complete_s > SETTLING_S:
                self._begin()
        elif time.monotonic() - self._up_s > self._settings.start_timeout_s:
            self._fail(
                f"the graph is not complete after {self._settings.start_timeout_s:g} s: "
                f"{'; '.join(missing)}"
            )

    def _begin(self) -> None:
        self._lines.tell("replaying", bag=self._settings.bag)
        self._begun_s = time.monotonic()
        self._pace.start()

    def _fail(self, reason: str) -> None:
        self._watch.cancel()
        self._ending.fail(GraphError(reason))

    def _tell_position(self) -> None:
        self._position_s = self._source.position_s
        self.set_parameters([Parameter("position_s", value=self._position_s)])
        self._lines.tell(
            "progress", position_s=self._position_s, duration_s=self._source.duration_s
        )

    def _end(self) -> None:
        wall_s = time.monotonic() - (self._begun_s or 0.0)
        heard = self._output.publishers.values() if self._settings.mode == "lockstep" else ()
        for publisher in heard:
            publisher.wait_for_all_acked(Duration(seconds=2))
        statistics = {
            "mode": self._settings.mode,
            **self._times.summary(),
            "jumps": self._source.tape.jumps,
            "wall_s": wall_s,
        }
        if not self._ending.future.done():
            self._lines.tell("done", statistics=statistics, losses=self._losses())
        self._ending.request(0)

    def close(self) -> None:
        """Say what of the bag could not be used."""
        for line in self._source.losses.lines():
            self.get_logger().warning(line)


def main() -> None:
    """Run replay_node."""
    main_of(lambda shutdown: [ReplayNode(shutdown)])


if __name__ == "__main__":
    main()
