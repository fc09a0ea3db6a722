"""Recorder node: writes a flight's bag from serialised messages, without decoding them."""

from datetime import datetime, timezone
from pathlib import Path
from struct import unpack_from

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from rclpy.qos import QoSProfile

from liquid_control import __version__, topics
from liquid_control.bags.flight_result import RESULT
from liquid_control.bags.writing.background_writer import BackgroundBag, Prepare, unchanged
from liquid_control.bags.writing.messages import is_common
from liquid_control.bags.writing.picture_compression import FORMATS, PictureCompressor
from liquid_control.bags.writing.sink import BagSink, open_sink
from liquid_control.errors import LiquidControlError, OutputError
from liquid_control.nodes.diagnostics import Diagnostics
from liquid_control.nodes.graph_monitor import graph_cpu_time_s
from liquid_control.nodes.message_classes import name_of, type_definition
from liquid_control.nodes.node_settings import RecorderSettings
from liquid_control.nodes.pace import STEADY
from liquid_control.nodes.parameters import declare
from liquid_control.nodes.publisher_binding import endpoints_of
from liquid_control.nodes.qos import KEPT
from liquid_control.nodes.recorder.parameter_recorder import ParameterRecorder
from liquid_control.nodes.recorder.subscriptions import RecorderSubscriptions, bag_profile
from liquid_control.nodes.shutdown import Shutdown, main_of
from liquid_control.provenance import git_revision, model_fingerprint
from liquid_control.publishers import UNKNOWN
from liquid_control.stall_timer import StallTimer
from liquid_control.types import NANOSECONDS

LINGER_S = 0.3
HEADER_BYTES = 4
"""Length of the encapsulation header of a CDR message; the time of a stamped message follows."""
DISCOVERY_PERIOD_S = 0.1
CHECK_PERIOD_S = 1.0
PARAMETERS_TIMEOUT_S = 5.0
"""For the parameters of a node that does not answer; counted by the rule of `stall_timer`."""
PIPELINE = frozenset({topics.PERCEPTION, topics.CONTROLLER, topics.GUARD})
SOURCES = frozenset({topics.SIMULATOR, topics.REPLAY})
"""Nodes that wait for their recorder before they begin."""
ANSWERS = (
    topics.FEATURES,
    topics.INPUTS,
    topics.POLICY_COMMAND,
    topics.NEURONS,
    topics.COMMAND,
    topics.GUARD_ACTIONS,
)
"""Topics whose publishers do not wait for the recorder's subscription."""


class RecorderNode(Node):
    """Subscribes to every topic of the graph, serialised, and appends the messages to a bag.

    In lockstep messages are filed under their own stamp, so that the same flight makes the same
    bag; in real time under their time of arrival. Remapped topics keep their original names in the
    bag.

    A simulator that waits for its recorder begins once every topic has its subscription. Under
    simulated time the subscription to camera_info is made last: when the parameters of every node
    are in the bag, and the publisher of every answer has been found.
    """

    def __init__(self, shutdown: Shutdown) -> None:
        super().__init__(topics.RECORDER)
        self._shutdown = shutdown
        self._settings = settings = declare(self, RecorderSettings)
        self._pictures: PictureCompressor | None = None
        self._bag = BackgroundBag(
            lambda: open_sink(Path(settings.path), {}, compression=settings.compression),
            self._prepare_for,
        )
        self._write_provenance()
        self._diagnostics = Diagnostics(self, settings.mode, self._uncompressed_pictures)
        self._parameter_recorder = ParameterRecorder(
            self, self._write_parameters, self._write_change
        )
        self._topic_subscriptions = RecorderSubscriptions(
            self, settings.mode, self, self._diagnostics
        )
        self._changes = self._received = 0
        self._newest_ns = 0
        self._parameters_timer: StallTimer | None = None
        self.create_subscription(DiagnosticStatus, topics.RESULT, self._write_result, KEPT)
        excluded = self._excluded_topics()
        for topic in topics.TYPES:
            if topic not in excluded:
                self._topic_subscriptions.subscribe(topic)
        self._discovery = self.create_timer(DISCOVERY_PERIOD_S, self._discover, clock=STEADY)
        self._check = self.create_timer(
            CHECK_PERIOD_S, self._topic_subscriptions.check, clock=STEADY
        )

    def _prepare_for(self, sink: BagSink) -> Prepare:
        if self._settings.image not in FORMATS:
            return unchanged
        self._pictures = PictureCompressor(sink, topics.IMAGE, self._settings.image)
        return self._pictures

    def _excluded_topics(self) -> set[str]:
        """Return topics of the graph that are not subscribed to, or not yet."""
        simulated = self.get_parameter("use_sim_time").value
        later = {topics.CAMERA_INFO} if simulated else set()
        return later | ({topics.IMAGE} if self._settings.image == "compressed" else set())

    def _write_provenance(self) -> None:
        self._bag.add_metadata(
            "liquid_control",
            {
                "version": __version__,
                "revision": git_revision() or "",
                "mode": self._settings.mode,
                "utc": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            },
        )
        if self._settings.model:
            self._bag.add_metadata("model", model_fingerprint(Path(self._settings.model)))

    def _write_parameters(self, name: str, values: dict[str, str]) -> None:
        self._bag.add_metadata(f"parameters/{name}", values)

    def _write_change(self, name: str, values: dict[str, str]) -> None:
        self._changes += 1
        now = str(self.get_clock().now().nanoseconds)
        record = f"parameters_changed/{self._changes}"
        self._bag.add_metadata(record, {"node": name, "stamp_ns": now, **values})

    def _write_result(self, message: DiagnosticStatus) -> None:
        self._bag.add_metadata(RESULT, {pair.key: pair.value for pair in message.values})

    def _uncompressed_pictures(self) -> dict[str, int]:
        kept = self._pictures.kept if self._pictures else 0
        return {"pictures_not_compressed": kept} if kept else {}

    def announce(self, topic: str, kind: type, profile: QoSProfile) -> None:
        """Add a topic to the bag, except pictures that are compressed first."""
        if topic != topics.IMAGE or self._pictures is None:
            name = name_of(kind)
            definition = None if is_common(name) else type_definition(kind)
            self._bag.add_topic(topic, name, definition, bag_profile(profile))

    @property
    def linger_state(self) -> int:
        """Number of messages received in lockstep, where a bag is complete; 0 in real time."""
        return self._received if self._settings.mode == "lockstep" else 0

    def receive(self, topic: str, stamped: bool, serialised: bytes) -> None:
        """Write a message."""
        self._received += 1
        if self._settings.mode != "lockstep":
            stamp_ns = self.get_clock().now().nanoseconds
        else:
            stamp_ns = self._newest_ns = _stamp(serialised) if stamped else self._newest_ns
        if not self._bag.write(topic, serialised, max(0, stamp_ns)):
            self._on_overflow(topic)
        if self._bag.error is not None:
            self._shutdown.fail(self._bag.error)

    def _on_overflow(self, topic: str) -> None:
        """Handle a full queue: an error in lockstep, where bags are complete; else a count."""
        reason = f"{topic}: the disk or the compression of pictures does not keep up"
        if self._settings.mode == "lockstep":
            self._shutdown.fail(OutputError(f"{self._settings.path}: {reason}"))
        self._diagnostics.count("message_refused", reason)

    def _discover(self) -> None:
        self._parameter_recorder.request_new()
        wanted = [*self._settings.topics]
        if self._camera_is_compressed():
            wanted.append(topics.COMPRESSED)
        for topic in wanted:
            if topic not in self._topic_subscriptions:
                self._topic_subscriptions.subscribe_as_published(topic)
        if topics.CAMERA_INFO not in self._topic_subscriptions and self._flight_may_begin():
            self._topic_subscriptions.subscribe(topics.CAMERA_INFO)

    def _camera_is_compressed(self) -> bool:
        """Return whether the camera driver's compressed topic is recorded."""
        wanted = self._settings.image == "compressed"
        return wanted or self.count_publishers(self.resolve_topic_name(topics.IMAGE)) == 0

    def _flight_may_begin(self) -> bool:
        """Return whether all parameters and publishers of a flight that waits are known."""
        clocks = [one.node for one in endpoints_of(self, self.resolve_topic_name(topics.CLOCK))]
        if not clocks:
            return False
        if self._parameters_timer is None:
            self._parameters_timer = StallTimer(PARAMETERS_TIMEOUT_S, graph_cpu_time_s)
        expected, answers = self._parameter_recorder.nodes(), ()
        if expected & SOURCES:
            expected, answers = expected | PIPELINE, ANSWERS
        known = self._parameter_recorder.known()
        found = [topic for topic in answers if self._topic_subscriptions.publishers(topic)]
        if self._parameters_timer.expired((expected, known, found, clocks)):
            return True
        # DDS finds a publisher before its node: until then `expected` lacks that node.
        return UNKNOWN not in clocks and expected <= known and len(found) == len(answers)

    def close(self) -> None:
        """Close the bag; its last record has the known losses."""
        counts = {**self._diagnostics.counts, **self._uncompressed_pictures()}
        self._bag.add_metadata("losses", {name: str(count) for name, count in counts.items()})
        try:
            self._bag.close()
        except LiquidControlError as error:
            if self._shutdown.error is None:
                self.get_logger().error(str(error))
            self._shutdown.status = 2
            return
        self.get_logger().info(f"{self._bag.written} messages in {self._settings.path}")


def _stamp(serialised: bytes) -> int:
    """Return the time, ns, at the beginning of a serialised message."""
    order = "<" if serialised[1] & 1 else ">"
    seconds, nanoseconds = unpack_from(f"{order}iI", serialised, HEADER_BYTES)
    return int(seconds) * NANOSECONDS + int(nanoseconds)


def main() -> None:
    """Run recorder_node."""
    main_of(lambda shutdown: [RecorderNode(shutdown)], LINGER_S)


if __name__ == "__main__":
    main()
