"""Write a bag in a thread of its own, so that whoever hears messages never waits for the disk."""

import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread

from rosbags.interfaces import Qos

from liquid_control.bags.writing.mcap_writer import FLUSH_S
from liquid_control.bags.writing.sink import BagSink
from liquid_control.errors import LiquidControlError, OutputError

CAPACITY_BYTES = 256 << 20
"""Nine seconds of VGA pictures at 30 Hz."""
SYNC_S = 1.0
"""What a loss of power costs at most, as long as the disk keeps up."""

Open = Callable[[], BagSink]
Prepare = Callable[[str, bytes], tuple[str, bytes]]
"""Makes of a message what is written: topic and bytes; such as a picture compressed."""
Task = Callable[[BagSink, Prepare], None]


def as_it_is(topic: str, cdr: bytes) -> tuple[str, bytes]:
    """Return a message unchanged."""
    return topic, cdr


class BackgroundBag:
    """A bag behind a queue; what is told first is written first.

    Args:
        open_bag: makes the bag; called in the thread, like everything that touches it.
        prepare_for: makes, for the bag, what is called for each message before it is written.
        capacity_bytes: of messages that wait; more are refused.

    Attributes:
        error: why the bag ended early, None while it goes on.
        written: messages in the bag.

    Raises:
        LiquidControlError: as `open_bag` and `prepare_for` raise it.
    """

    def __init__(
        self,
        open_bag: Open,
        prepare_for: Callable[[BagSink], Prepare] = lambda _: as_it_is,
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
        """Announce a topic."""
        self._work.put(lambda sink, _: sink.add_topic(topic, kind, definition, qos))

    def add_metadata(self, name: str, values: Mapping[str, str]) -> None:
        """Append a record of names and values."""
        kept = dict(values)
        self._work.put(lambda sink, _: sink.add_metadata(name, kept))

    def write(self, topic: str, cdr: bytes, stamp_ns: int) -> bool:
        """Append a message; return False where it was refused, since too much waits already."""
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
        """Write what waits and finish the bag; closing twice is allowed.

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
        except Exception as error:  # a thread that died in silence would record nothing more
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
        """Return what to do next: to flush where nothing comes; None for the end."""
        try:
            return self._work.get(timeout=FLUSH_S)
        except Empty:
            return lambda sink, _: sink.flush()
