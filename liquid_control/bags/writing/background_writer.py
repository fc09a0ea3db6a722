"""Write a bag in a background thread, so that the caller never waits for the disk."""

import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread

from rosbags.interfaces import Qos

from liquid_control.bags.writing.mcap_writer import FLUSH_S
from liquid_control.bags.writing.sink import BagSink
from liquid_control.errors import LiquidControlError, OutputError

CAPACITY_BYTES = 256 << 20
"""Limit for waiting messages: nine seconds of VGA pictures at 30 Hz."""
SYNC_S = 1.0
"""Interval of syncs to disk: the largest loss on a power failure if the disk keeps up."""

Open = Callable[[], BagSink]
Prepare = Callable[[str, bytes], tuple[str, bytes]]
"""Converts a message before it is written: topic and bytes, such as a compressed picture."""
Task = Callable[[BagSink, Prepare], None]


def unchanged(topic: str, cdr: bytes) -> tuple[str, bytes]:
    """Return a message unchanged."""
    return topic, cdr


class BackgroundBag:
    """A bag behind a first-in, first-out queue.

    Args:
        open_bag: opens the bag; called in the background thread, as are all uses of the bag.
        prepare_for: returns, for an open bag, the function that converts each message.
        capacity_bytes: limit for waiting messages; further messages are rejected.

    Attributes:
        error: why the bag ended early; None otherwise.
        written: number of messages in the bag.

    Raises:
        LiquidControlError: raised by `open_bag` or `prepare_for`.
    """

    def __init__(
        self,
        open_bag: Open,
        prepare_for: Callable[[BagSink], Prepare] = lambda _: unchanged,
        capacity_bytes: int = CAPACITY_BYTES,
    ) -> None:
        self.error: LiquidControlError | None = None
        self.written = 0
        self._capacity = capacity_bytes
        self._waiting = 0
        self._lock = Lock()
        self._work: SimpleQueue[Task | None] = SimpleQueue()
        opened = Event()
        self._thread = Thread(
            target=self._run, args=(open_bag, prepare_for, opened), name="bag", daemon=True
        )
        self._thread.start()
        opened.wait()
        if self.error is not None:
            raise self.error

    def add_topic(
        self, topic: str, kind: str, definition: str | None = None, qos: Qos | None = None
    ) -> None:
        """Add a topic."""
        self._work.put(lambda sink, _: sink.add_topic(topic, kind, definition, qos))

    def add_metadata(self, name: str, values: Mapping[str, str]) -> None:
        """Append a metadata record."""
        copied = dict(values)
        self._work.put(lambda sink, _: sink.add_metadata(name, copied))

    def write(self, topic: str, cdr: bytes, stamp_ns: int) -> bool:
        """Append a message; return False if it was rejected because the queue is full."""
        with self._lock:
            if self._waiting + len(cdr) > self._capacity:
                return False
            self._waiting += len(cdr)

        def task(sink: BagSink, prepare: Prepare) -> None:
            sink.write(*prepare(topic, cdr), stamp_ns)
            self.written += 1
            with self._lock:
                self._waiting -= len(cdr)

        self._work.put(task)
        return True

    def close(self) -> None:
        """Write the waiting messages and finish the bag; closing twice is allowed.

        Raises:
            LiquidControlError: the bag ended early, or cannot be finished.
        """
        self._work.put(None)
        self._thread.join()
        if self.error is not None:
            raise self.error

    def _run(self, open_bag: Open, prepare_for: Callable[[BagSink], Prepare], up: Event) -> None:
        try:
            sink = open_bag()
            prepare = prepare_for(sink)
            up.set()
            self._write_all(sink, prepare)
            sink.close()
        except LiquidControlError as error:
            self.error = error
        except Exception as error:  # report every error: the thread would die silently
            self.error = OutputError(f"the bag ended early ({error!r})")
        finally:
            up.set()

    def _write_all(self, sink: BagSink, prepare: Prepare) -> None:
        synced_s = time.monotonic()
        while (task := self._next()) is not None:
            task(sink, prepare)
            if time.monotonic() - synced_s >= SYNC_S:
                sink.flush(to_disk=True)
                synced_s = time.monotonic()

    def _next(self) -> Task | None:
        """Return the next task: a flush if the queue is empty for a while; None at the end."""
        try:
            return self._work.get(timeout=FLUSH_S)
        except Empty:
            return lambda sink, _: sink.flush()
