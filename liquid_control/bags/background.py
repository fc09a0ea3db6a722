"""Write a bag in a thread of its own, so that whoever hears messages never waits for the disk."""

import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from threading import Lock, Thread

from rosbags.interfaces import Qos

from liquid_control.bags.sink import BagSink
from liquid_control.bags.writer import FLUSH_S
from liquid_control.errors import OutputError

CAPACITY_BYTES = 256 << 20
"""Nine seconds of VGA pictures at 30 Hz."""
SYNC_S = 1.0
"""What a loss of power costs at most, as long as the disk keeps up."""

Prepare = Callable[[str, bytes], tuple[str, bytes]]
"""Makes of a message what is written: topic and bytes; such as a picture compressed."""


class BackgroundBag:
    """A bag behind a queue; what is told first is written first.

    Args:
        sink: belongs to the thread from now on.
        prepare: called in the thread for each message, where it may take its time.
        capacity_bytes: of messages that wait; more are refused.

    Attributes:
        error: why the bag ended early, None while it goes on.
        written: messages in the bag.
    """

    def __init__(
        self,
        sink: BagSink,
        prepare: Prepare | None = None,
        capacity_bytes: int = CAPACITY_BYTES,
    ) -> None:
        self.error: OutputError | None = None
        self.written = 0
        self._sink = sink
        self._prepare = prepare
        self._capacity = capacity_bytes
        self._waiting = 0
        self._lock = Lock()
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._synced_s = time.monotonic()
        self._thread = Thread(target=self._run, name="bag", daemon=True)
        self._thread.start()

    def add_topic(
        self, topic: str, kind: str, definition: str | None = None, qos: Qos | None = None
    ) -> None:
        """Announce a topic."""
        self._work.put(lambda: self._sink.add_topic(topic, kind, definition, qos))

    def add_metadata(self, name: str, values: Mapping[str, str]) -> None:
        """Append a record of names and values."""
        kept = dict(values)
        self._work.put(lambda: self._sink.add_metadata(name, kept))

    def write(self, topic: str, cdr: bytes, stamp_ns: int) -> bool:
        """Append a message; return False where it was refused, since too much waits already."""
        with self._lock:
            if self._waiting + len(cdr) > self._capacity:
                return False
            self._waiting += len(cdr)
        self._work.put(lambda: self._write(topic, cdr, stamp_ns))
        return True

    def _write(self, topic: str, cdr: bytes, stamp_ns: int) -> None:
        name, data = (topic, cdr) if self._prepare is None else self._prepare(topic, cdr)
        self._sink.write(name, data, stamp_ns)
        self.written += 1
        with self._lock:
            self._waiting -= len(cdr)

    def _run(self) -> None:
        while (task := self._next()) is not None:
            if self.error is not None:
                continue
            try:
                task()
                if time.monotonic() - self._synced_s >= SYNC_S:
                    self._sink.flush(to_disk=True)
                    self._synced_s = time.monotonic()
            except OutputError as error:
                self.error = error
            except Exception as error:  # a thread that died in silence would record nothing more
                self.error = OutputError(f"{self._sink.path}: ended early ({error!r})")

    def _next(self) -> Callable[[], None] | None:
        """Return what to do next: to flush where nothing comes; None for the end."""
        try:
            return self._work.get(timeout=FLUSH_S)
        except Empty:
            return self._sink.flush

    def close(self) -> None:
        """Write what waits and finish the bag; closing twice is allowed.

        Raises:
            OutputError: the bag ended early, or cannot be finished.
        """
        self._work.put(None)
        self._thread.join()
        if self.error is not None:
            raise self.error
        self._sink.close()
