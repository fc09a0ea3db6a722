"""Writes the flight's bag: messages go from the wire to the file without being opened."""

from collections.abc import Callable
from pathlib import Path
from struct import unpack_from

from rclpy.node import Node

from liquid_control.bags.writer import BagWriter
from liquid_control.errors import OutputError
from liquid_control.nodes import topics
from liquid_control.nodes.diagnostics import Diagnostics
from liquid_control.nodes.parameters import declare
from liquid_control.nodes.qos import profile
from liquid_control.nodes.settings import RecorderSettings
from liquid_control.nodes.shutdown import Ending, main_of
from liquid_control.types import NANOSECONDS

LINGER_S = 0.3
HEADER_BYTES = 4
"""Every CDR message begins with them; every message of ours then with its time."""


class RecorderNode(Node):
    """Subscribes to every topic of the graph, serialised, and appends what comes to a bag.

    In lockstep messages are filed under their own stamp, so that the same flight makes the same
    bag; in real time under the time they arrived at.
    """

    def __init__(self, ending: Ending) -> None:
        super().__init__(topics.RECORDER)
        self._ending = ending
        settings = declare(self, RecorderSettings)
        self._lockstep = settings.mode == "lockstep"
        self._written = 0
        self._bag = BagWriter(
            Path(settings.path), {topic: topics.type_name(topic) for topic in topics.TYPES}
        )
        self._diagnostics = Diagnostics(self, settings.mode)
        for topic, kind in topics.TYPES.items():
            self.create_subscription(
                kind, topic, self._writer_of(topic), profile(topic, settings.mode), raw=True
            )

    def _writer_of(self, topic: str) -> Callable[[bytes], None]:
        def write(serialised: bytes) -> None:
            try:
                self._bag.write(topic, serialised, self._filing_stamp(serialised))
                self._written += 1
            except OutputError as error:
                self._ending.fail(error)

        return write

    def _filing_stamp(self, serialised: bytes) -> int:
        if not self._lockstep:
            return self.get_clock().now().nanoseconds
        order = "<" if serialised[1] & 1 else ">"
        seconds, nanoseconds = unpack_from(f"{order}iI", serialised, HEADER_BYTES)
        return int(seconds) * NANOSECONDS + int(nanoseconds)

    def close(self) -> None:
        """Close the bag."""
        self._bag.close()
        self.get_logger().info(f"{self._written} messages in {self._bag.path}")


def main() -> None:
    """Run recorder_node."""
    main_of(lambda ending: [RecorderNode(ending)], LINGER_S)


if __name__ == "__main__":
    main()
