"""What recorders write to, whichever storage the bag's name asks for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from rosbags.interfaces import Qos

from liquid_control.bags.writing.mcap_writer import SUFFIX, BagWriter
from liquid_control.bags.writing.sqlite_writer import SqliteBagWriter
from liquid_control.errors import OutputError


class BagSink(Protocol):
    """A bag that is being written; `BagWriter` says what each method does and raises."""

    path: Path
    partial: Path

    def add_topic(
        self, topic: str, kind: str, definition: str | None = None, qos: Qos | None = None
    ) -> None:
        """Announce a topic."""

    def write(self, topic: str, cdr: bytes, stamp_ns: int) -> None:
        """Append a message."""

    def add_metadata(self, name: str, values: Mapping[str, str]) -> None:
        """Append a record of names and values."""

    def flush(self, to_disk: bool = False) -> None:
        """Bring what was written where it outlives this process."""

    def close(self) -> None:
        """Finish the bag and move it to its place."""


def open_sink(path: Path, topics: Mapping[str, str], *, compression: str = "none") -> BagSink:
    """Begin a bag: an MCAP file where the name ends with `.mcap`, a rosbag2 folder without suffix.

    Raises:
        OutputError: another suffix, the bag exists already, or it cannot be written.
    """
    if path.suffix == SUFFIX:
        return BagWriter(path, topics, compression=compression)
    if not path.suffix:
        return SqliteBagWriter(path, topics, compression=compression)
    raise OutputError(
        f"{path}: expected a name that ends with {SUFFIX}, or one without suffix for a rosbag2 "
        f"folder, got {path.suffix}"
    )
