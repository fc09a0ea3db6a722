"""Writes the flight's bag: messages go from the wire to the file without being opened."""

import time
from datetime import datetime, timezone
from pathlib import Path
from struct import unpack_from

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSProfile

from liquid_control import __version__, topics
from liquid_control.bags.writing.background_writer import BackgroundBag, Prepare, as_it_is
from liquid_control.bags.writing.messages import is_common
from liquid_control.bags.writing.picture_compression import FORMATS, PictureCompressor
from liquid_control.bags.writing.sink import BagSink, open_sink
from liquid_control.errors import LiquidControlError, OutputError
from liquid_control.nodes.diagnostics import Diagnostics
from liquid_control.nodes.message_classes import name_of, type_definition
from liquid_control.nodes.node_settings import RecorderSettings
from liquid_control.nodes.parameters import declare
from liquid_control.nodes.recorder.parameter_recorder import ParameterRecorder
from liquid_control.nodes.recorder.subscriptions import RecorderSubscriptions, told_profile
from liquid_control.nodes.shutdown import Shutdown, main_of
from liquid_control.provenance import git_revision, model_fingerprint
from liquid_control.types import NANOSECONDS

LINGER_S = 0.3
HEADER_BYTES = 4
"""Every CDR message begins with them; a stamped one then with its time."""
WATCH_PERIOD_S = 0.1
LOOK_PERIOD_S = 1.0
TIMEOUT_S = 5.0
"""For the parameters of a node that does not answer."""
PIPELINE = frozenset({topics.PERCEPTION, topics.CONTROLLER, topics.GUARD})
SOURCES = frozenset({topics.SIMULATOR, topics.REPLAY})
"""Nodes that wait for their recorder before they begin."""
ANSWERS = (topics.FEATURES, topics.POLICY_COMMAND, topics.NEURONS, topics.COMMAND)
"""What nobody but the recorder may hear, so that nobody else would wait until it does."""


class RecorderNode(Node):
    """Subscribes to every topic of the graph, serialised, and appends what comes to a bag.

    In lockstep messages are filed under their own stamp, so that the same flight makes the same
    bag; in real time under the time they arrived at. Topics keep the graph's own names in the bag
    where they are remapped.

    A simulator that waits for its recorder begins once every topic is heard. Under simulated time
    one of them, camera_info, is heard last: when the parameters of every node are in the bag, and
    every answer's publisher has been found.
    """

    def __init__(self, shutdown: Shutdown) -> None:
        super().__init__(topics.RECORDER)
        self._ending = shutdown
        self._settings = settings = declare(self, RecorderSettings)
        self._pictures: PictureCompressor | None = None
        self._bag = BackgroundBag(
            lambda: open_sink(Path(settings.path), {}, compression=settings.compression),
            self._prepare_for,
        )
        self._tell_provenance()
        self._diagnostics = Diagnostics(self, settings.mode, self._kept_pictures)
        self._scribe = ParameterRecorder(self, self._tell_parameters, self._tell_change)
        self._ears = RecorderSubscriptions(self, settings.mode, self, self._diagnostics)
        self._changes = 0
        self._newest_ns = 0
        self._clock_seen_s: float | None = None
        left_out = self._left_out()
        for topic in topics.TYPES:
            if topic not in left_out:
                self._ears.hear_ours(topic)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._watch = self.create_timer(WATCH_PERIOD_S, self._on_watch, clock=steady)
        self._look = self.create_timer(LOOK_PERIOD_S, self._ears.look, clock=steady)

    def _prepare_for(self, sink: BagSink) -> Prepare:
        if self._settings.image not in FORMATS:
            return as_it_is
        self._pictures = PictureCompressor(sink, topics.IMAGE, self._settings.image)
        return self._pictures

    def _left_out(self) -> set[str]:
        """Return topics of the graph that are not heard, or not yet."""
        simulated = self.get_parameter("use_sim_time").value
        later = {topics.CAMERA_INFO} if simulated else set()
        return later | ({topics.IMAGE} if self._settings.image == "compressed" else set())

    def _tell_provenance(self) -> None:
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

    def _tell_parameters(self, name: str, values: dict[str, str]) -> None:
        self._bag.add_metadata(f"parameters/{name}", values)

    def _tell_change(self, name: str, values: dict[str, str]) -> None:
        self._changes += 1
        now = str(self.get_clock().now().nanoseconds)
        record = f"parameters_changed/{self._changes}"
        self._bag.add_metadata(record, {"node": name, "stamp_ns": now, **values})

    def _kept_pictures(self) -> dict[str, int]:
        kept = self._pictures.kept if self._pictures else 0
        return {"pictures_not_compressed": kept} if kept else {}

    def announce(self, topic: str, kind: type, profile: QoSProfile) -> None:
        """Announce a topic to the bag, except pictures of which only compressed ones go in."""
        if topic != topics.IMAGE or self._pictures is None:
            name = name_of(kind)
            definition = None if is_common(name) else type_definition(kind)
            self._bag.add_topic(topic, name, definition, told_profile(profile))

    def take(self, topic: str, stamped: bool, serialised: bytes) -> None:
        """Write a message."""
        if self._settings.mode != "lockstep":
            stamp_ns = self.get_clock().now().nanoseconds
        else:
            stamp_ns = self._newest_ns = _stamp(serialised) if stamped else self._newest_ns
        if not self._bag.write(topic, serialised, max(0, stamp_ns)):
            self._refuse(topic)
        if self._bag.error is not None:
            self._ending.fail(self._bag.error)

    def _refuse(self, topic: str) -> None:
        """A message found no room: in lockstep that breaks a promise, in real time it counts."""
        reason = f"{topic}: the disk or the compression of pictures does not keep up"
        if self._settings.mode == "lockstep":
            self._ending.fail(OutputError(f"{self._settings.path}: {reason}"))
        self._diagnostics.count("message_refused", reason)

    def _on_watch(self) -> None:
        self._scribe.look()
        wanted = [*self._settings.topics]
        if self._camera_is_compressed():
            wanted.append(topics.COMPRESSED)
        for topic in wanted:
            if not self._ears.hears(topic):
                self._ears.hear_found(topic)
        if not self._ears.hears(topics.CAMERA_INFO) and self._flight_may_begin():
            self._ears.hear_ours(topics.CAMERA_INFO)

    def _camera_is_compressed(self) -> bool:
        """Return whether the camera's driver is to be heard on its compressed topic."""
        wanted = self._settings.image == "compressed"
        return wanted or self.count_publishers(topics.IMAGE) == 0

    def _flight_may_begin(self) -> bool:
        """Return whether all is known of the nodes of a flight that waits for us, and heard."""
        if self.count_publishers(topics.CLOCK) == 0:
            return False
        self._clock_seen_s = self._clock_seen_s or time.monotonic()
        there = self._scribe.there()
        expected, answers = there, ()
        if there & SOURCES:
            expected, answers = there | PIPELINE, ANSWERS
        if time.monotonic() - self._clock_seen_s > TIMEOUT_S:
            return True
        told = expected <= self._scribe.answered()
        return told and all(self._ears.publishers(topic) for topic in answers)

    def close(self) -> None:
        """Close the bag; its last record tells what is known not to be in it."""
        counts = {**self._diagnostics.counts, **self._kept_pictures()}
        self._bag.add_metadata("losses", {name: str(count) for name, count in counts.items()})
        try:
            self._bag.close()
        except LiquidControlError as error:
            if self._ending.error is None:
                self.get_logger().error(str(error))
            self._ending.status = 2
            return
        self.get_logger().info(f"{self._bag.written} messages in {self._settings.path}")


def _stamp(serialised: bytes) -> int:
    """Return the time, ns, with which a serialised message begins."""
    order = "<" if serialised[1] & 1 else ">"
    seconds, nanoseconds = unpack_from(f"{order}iI", serialised, HEADER_BYTES)
    return int(seconds) * NANOSECONDS + int(nanoseconds)


def main() -> None:
    """Run recorder_node."""
    main_of(lambda shutdown: [RecorderNode(shutdown)], LINGER_S)


if __name__ == "__main__":
    main()
