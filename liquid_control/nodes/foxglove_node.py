"""Foxglove node: serves a flight to viewers, in a process of its own and at low priority."""

import os
from contextlib import suppress
from functools import partial
from pathlib import Path

from rclpy.qos import QoSProfile, ReliabilityPolicy

from liquid_control import message_types, topics
from liquid_control.nodes.lifecycle import ManagedNode
from liquid_control.nodes.message_classes import message_class
from liquid_control.nodes.node_settings import FoxgloveSettings
from liquid_control.nodes.qos import CLASSES
from liquid_control.nodes.shutdown import Shutdown, main_of
from liquid_control.policy import load_model
from liquid_control.viewers.feed import FeedRates, ViewerFeed, channels
from liquid_control.viewers.server import ViewerServer

NICENESS = 10
AUTOGROUP = Path("/proc/self/autogroup")
FOLLOW_S = 0.2
"""Period in which subscriptions follow what viewers look at."""
PICTURE_DEPTH, DEPTH = 1, 10
MORE_CLASSES = {
    topics.COMPRESSED: message_types.COMPRESSED_IMAGE,
    topics.WIND: message_types.VECTOR_STAMPED,
}


class FoxgloveNode(ManagedNode[FoxgloveSettings]):
    """Subscribes to what viewers look at, as serialised messages, and feeds it to the server.

    No publisher waits for this node: its subscriptions are best effort and shallow. While no
    viewer looks, or the node is not active, it has none.
    """

    def __init__(self, shutdown: Shutdown) -> None:
        super().__init__(topics.FOXGLOVE, FoxgloveSettings, shutdown)
        self._subscriptions_of: dict[str, object] = {}

    def prepare(self) -> None:
        """Load the model, if there is one, and start the server.

        Raises:
            LiquidControlError: the model does not load, the port is taken, or foxglove-sdk is not
                installed.
        """
        settings = self.settings
        model = load_model(settings.model) if settings.model else None
        self._server = ViewerServer(
            channels(model),
            settings.host,
            settings.port,
            f"liquid_control {self.get_namespace()}",
            settings.queue_kib * 1024,
            simulated=bool(self.get_parameter("use_sim_time").value),
        )
        raw = settings.transport == "raw"
        self._feed = ViewerFeed(
            self._server,
            model,
            FeedRates(
                settings.camera_rate_hz,
                settings.saliency_rate_hz,
                settings.numbers_rate_hz,
                settings.scene_rate_hz,
                settings.wiring_rate_hz,
            ),
            topics.IMAGE if raw else topics.COMPRESSED,
            settings.encoding or None,
            settings.jpeg_quality,
            settings.camera_pitch_down_deg,
        )
        self.get_logger().info(f"Foxglove: open ws://{settings.host}:{self._server.port}")

    def connect(self) -> None:
        """Create the timer that follows the viewers."""
        self.every(FOLLOW_S, self._follow)
        self._cleanups += [partial(self._subscribe_to, set()), self._server.close]

    def reset(self) -> None:
        """Do nothing: a viewer sees flights one after the other."""

    def more_counts(self) -> dict[str, int]:
        """Return what the server and the feed have counted."""
        if not hasattr(self, "_feed"):
            return {}
        slow = {"slow_viewers": self._server.slow_viewers()}
        return {**self._server.counts, **self._feed.counts, **slow}

    def _follow(self) -> None:
        """Subscribe to what viewers look at, and to nothing else."""
        self._subscribe_to(self._feed.sources() if self.active else set())
        self._server.send_time(self.get_clock().now().nanoseconds)
        refused = self._feed.counts["message_refused"]
        if refused > self.diagnostics.counts["message_refused"]:
            self.diagnostics.counts["message_refused"] = refused
            self.diagnostics.log("message_refused", self._feed.problem, refused)

    def _subscribe_to(self, wanted: set[str]) -> None:
        for topic in [one for one in self._subscriptions_of if one not in wanted]:
            self.destroy_subscription(self._subscriptions_of.pop(topic))
        for topic in wanted - self._subscriptions_of.keys():
            pictures = topic in (topics.IMAGE, topics.COMPRESSED)
            quality = QoSProfile(
                depth=PICTURE_DEPTH if pictures else DEPTH,
                reliability=ReliabilityPolicy.BEST_EFFORT,
            )
            more = MORE_CLASSES.get(topic)
            self._subscriptions_of[topic] = self.create_subscription(
                message_class(more) if more else CLASSES[topic],
                topic,
                partial(self._on_message, topic),
                quality,
                raw=True,
            )

    def _on_message(self, topic: str, message: bytes) -> None:
        self._feed.receive(topic, message, self.get_clock().now().nanoseconds)

    def close(self) -> None:
        """Free the port."""
        if hasattr(self, "_server"):
            self._server.close()


def yield_processor() -> None:
    """Let every other process of the flight run first.

    A process of Linux's idle class leaves the processor as soon as another one can run; a
    nice one finishes its share before. Elsewhere the node is nice.

    The system compares the priorities of processes within a session only, where it groups them by
    session; the group of a session that begins with this process gets the same niceness.
    """
    with suppress(OSError):
        os.nice(NICENESS)
    if hasattr(os, "SCHED_IDLE"):
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            AUTOGROUP.write_text(str(NICENESS))


def main() -> None:
    """Run foxglove_node."""
    yield_processor()
    main_of(lambda shutdown: [FoxgloveNode(shutdown)])


if __name__ == "__main__":
    main()
