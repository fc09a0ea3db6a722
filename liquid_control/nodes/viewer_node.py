"""Foxglove node: serves a flight to viewers."""

from functools import partial

from liquid_control import message_types, topics
from liquid_control.nodes.lifecycle import ManagedNode
from liquid_control.nodes.message_classes import message_class
from liquid_control.nodes.node_settings import FoxgloveSettings
from liquid_control.nodes.polled_topics import PolledTopics
from liquid_control.nodes.qos import CLASSES
from liquid_control.nodes.shutdown import Shutdown
from liquid_control.policy import load_model
from liquid_control.types import NANOSECONDS
from liquid_control.viewers.feed import ViewerFeed, channels
from liquid_control.viewers.rates import FeedRates
from liquid_control.viewers.server import ViewerServer

FOLLOW_S = 0.2
"""Period in which subscriptions follow what viewers look at."""
MORE_CLASSES = {
    topics.COMPRESSED: message_types.COMPRESSED_IMAGE,
    topics.WIND: message_types.VECTOR_STAMPED,
}


class FoxgloveNode(ManagedNode[FoxgloveSettings]):
    """Reads what viewers look at, as serialised messages, and feeds it to the server.

    While no viewer looks, or the node is not active, it subscribes to nothing.
    """

    def __init__(self, shutdown: Shutdown) -> None:
        super().__init__(topics.FOXGLOVE, FoxgloveSettings, shutdown)
        self._topics = PolledTopics(self, message_class_of)

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
        """Create the timers that follow the viewers and read the graph."""
        self.every(FOLLOW_S, self._follow)
        self._reading = self.every(FOLLOW_S, self._read)
        self._reading.cancel()
        self._cleanups += [partial(self._topics.follow, {}), self._server.close]

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
        sources = self._feed.sources() if self.active else {}
        self._topics.follow(sources)
        self._set_period(max((source.rate_hz for source in sources.values()), default=0.0))
        self._server.send_time(self.get_clock().now().nanoseconds)
        refused = self._feed.counts["message_refused"]
        if refused > self.diagnostics.counts["message_refused"]:
            self.diagnostics.counts["message_refused"] = refused
            self.diagnostics.log("message_refused", self._feed.problem, refused)

    def _set_period(self, rate_hz: float) -> None:
        """Read the graph at a rate; 0 for not at all."""
        if not rate_hz:
            self._reading.cancel()
            return
        period_ns = round(NANOSECONDS / rate_hz)
        if self._reading.is_canceled() or self._reading.timer_period_ns != period_ns:
            self._reading.timer_period_ns = period_ns
            self._reading.reset()

    def _read(self) -> None:
        stamp_ns = self.get_clock().now().nanoseconds
        for topic, message in self._topics.take():
            self._feed.receive(topic, message, stamp_ns)

    def close(self) -> None:
        """End the subscriptions and free the port."""
        self._topics.close()
        if hasattr(self, "_server"):
            self._server.close()


def message_class_of(topic: str) -> type:
    """Return the class of a topic's messages."""
    more = MORE_CLASSES.get(topic)
    return message_class(more) if more else CLASSES[topic]
