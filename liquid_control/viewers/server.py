"""WebSocket server of Foxglove that drops messages for slow viewers instead of queueing them.

`foxglove-sdk` has a queue for each viewer and discards its oldest message when it is full, but
counts nothing, and a queue of pictures is seconds of delay. Here a message is not handed over to a
viewer whose connection still holds too many unsent bytes. The system knows them: `SIOCOUTQ` of
tcp(7) is the number of bytes that the other side has not acknowledged. The queue of the SDK is
the last bound, also where the system does not tell. `send` never waits.
"""

import array
import fcntl
import os
import socket
import stat
import termios
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from liquid_control.dependencies import require
from liquid_control.errors import ConfigError

BACKLOG = 64
"""Messages in the SDK's queue of a viewer; also its limit for messages of the protocol."""
QUEUE_BYTES = 256 * 1024
PICTURE_PART = 0.5
"""Of the limit: pictures are dropped earlier, so that numbers still arrive."""
BUFFER_PART = 0.5
"""Of the send buffer of a connection: beyond it the messages would wait in the SDK."""
FRESH_S = 0.005
"""So long an answer of the system on unsent bytes is used; to ask takes as long as to send."""
DESCRIPTORS = Path("/proc/self/fd")
EXTRA = "foxglove"
CLOSE_S = 2.0
"""Longest time until the port is free after the server was stopped."""


class Channel(NamedTuple):
    """What is offered to viewers under one topic.

    Attributes:
        encoding: of its messages: cdr or protobuf.
        schema: name of the messages' type.
        schema_encoding: ros2msg or protobuf.
        definition: of the type.
        picture: whether its messages are pictures, which are dropped first.
    """

    encoding: str
    schema: str
    schema_encoding: str
    definition: bytes
    picture: bool = False


class Connection(NamedTuple):
    """A connection of this process.

    Attributes:
        descriptor: of its socket, which belongs to the SDK.
        inode: of the socket; descriptors are used again, inodes are not.
    """

    descriptor: int
    inode: int


def connections(port: int) -> set[Connection]:
    """Return the accepted connections of this process on a TCP port; none without /proc."""
    try:
        names = os.listdir(DESCRIPTORS)
    except OSError:
        return set()
    found = set()
    for name in names:
        with suppress(OSError), closing(_duplicate(int(name))) as own:
            if own.getsockname()[1] == port and own.getpeername():
                found.add(Connection(int(name), os.fstat(own.fileno()).st_ino))
    return found


def fill(connection: Connection, limit_bytes: int) -> float:
    """Return the unsent bytes of a connection as a part of its limit; 0 for a closed one.

    Args:
        connection: the connection.
        limit_bytes: the limit, unless part of the connection's send buffer is less.
    """
    with suppress(OSError), closing(_duplicate(connection.descriptor)) as own:
        if os.fstat(own.fileno()).st_ino == connection.inode:
            unsent = array.array("i", [0])
            fcntl.ioctl(own.fileno(), termios.TIOCOUTQ, unsent)
            buffer = own.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
            return unsent[0] / max(1.0, min(limit_bytes, BUFFER_PART * buffer))
    return 0.0


def _duplicate(descriptor: int) -> socket.socket:
    """Return a TCP socket of its own for the caller to close; raise OSError for another file."""
    own = os.dup(descriptor)
    if not stat.S_ISSOCK(os.fstat(own).st_mode):
        os.close(own)
        raise OSError(f"{descriptor} is not a socket")
    found = socket.socket(fileno=own)
    if found.type != socket.SOCK_STREAM or found.family not in (socket.AF_INET, socket.AF_INET6):
        found.close()
        raise OSError(f"{descriptor} is not a TCP socket")
    return found


@dataclass(eq=False)
class Viewer:
    """A client that has subscribed to channels.

    Attributes:
        topics: of these channels.
        connection: of the client; None where it is not known which one is.
        dropped: messages that it was not sent.
        fill: unsent bytes as a part of the limit: as the system told, and what followed.
        measured_s: when the system told, s of the monotonic clock.
    """

    topics: set[str] = field(default_factory=set)
    connection: Connection | None = None
    dropped: int = 0
    fill: float = 0.0
    measured_s: float = -inf


class ViewerServer:
    """Offers channels to viewers, and sends what they subscribe to.

    The SDK calls `on_subscribe` and `on_unsubscribe` from a thread of its own, and does not say
    which connection a client has: it is the one that belongs to no other viewer. Where there are
    several, because two came at once, these viewers have the queue of the SDK only.

    Args:
        channels: by topic.
        host: address to listen on.
        port: TCP port; 0 for any free one.
        name: of the server, which viewers show.
        queue_bytes: unsent bytes of a viewer beyond which messages are dropped.
        simulated: whether viewers are to use the server's time instead of their own.

    Attributes:
        port: the port that it listens on.
        counts: `dropped`: messages that a viewer was not sent because it is slow;
            `dropped_pictures`: pictures among these; `viewers`: that have come so far.

    Raises:
        ConfigError: the port is taken, or the address does not exist.
        DependencyError: foxglove-sdk is not installed.
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        host: str = "127.0.0.1",
        port: int = 0,
        name: str = "liquid_control",
        queue_bytes: int = QUEUE_BYTES,
        simulated: bool = False,
    ) -> None:
        sdk = require("foxglove", EXTRA, "serve Foxglove")
        self.counts: Counter[str] = Counter()
        self._queue_bytes = queue_bytes
        self._lock = threading.Lock()
        self._viewers: dict[int, Viewer] = {}
        self._wanted: set[str] = set()
        self._pictures = {topic for topic, channel in channels.items() if channel.picture}
        # The channels end with their context.
        self._context = context = sdk.Context()
        try:
            self._server: Any = sdk.start_server(
                name=name,
                host=host,
                port=port,
                context=context,
                capabilities=[sdk.Capability.Time] if simulated else None,
                server_listener=self,
                message_backlog_size=BACKLOG,
            )
        except Exception as error:  # the SDK raises RuntimeError for any cause
            raise ConfigError(_start_problem(host, port, error)) from error
        self._host, self.port = host, int(self._server.port)
        self._simulated = simulated
        self._channels = {
            topic: sdk.Channel(
                topic,
                message_encoding=channel.encoding,
                schema=sdk.Schema(
                    name=channel.schema,
                    encoding=channel.schema_encoding,
                    data=channel.definition,
                ),
                context=context,
            )
            for topic, channel in channels.items()
        }

    def wanted(self) -> set[str]:
        """Return the topics that a viewer has subscribed to."""
        return self._wanted

    def send(self, topic: str, message: bytes, stamp_ns: int) -> None:
        """Send a message to the subscribed viewers that are not behind; return at once."""
        picture = topic in self._pictures
        limit = PICTURE_PART if picture else 1.0
        with self._lock:
            viewers = [one for one in self._viewers.items() if topic in one[1].topics]
        for number, viewer in viewers:
            if self._is_behind(viewer, limit):
                viewer.dropped += 1
                self.counts["dropped"] += 1
                self.counts["dropped_pictures"] += picture
            else:
                viewer.fill += len(message) / self._queue_bytes
                self._channels[topic].log(message, log_time=stamp_ns, sink_id=number)

    def send_time(self, stamp_ns: int) -> None:
        """Send simulated time, if viewers are to use it."""
        if self._simulated:
            self._server.broadcast_time(stamp_ns)

    def slow_viewers(self) -> int:
        """Return the number of viewers that are behind at present."""
        with self._lock:
            viewers = list(self._viewers.values())
        return sum(self._is_behind(viewer) for viewer in viewers)

    def close(self) -> None:
        """End all connections and free the port."""
        self._server.stop()
        for channel in self._channels.values():
            channel.close()
        # The SDK frees the port in a thread of its own.
        end_s = time.monotonic() + CLOSE_S
        while _is_open(self._host, self.port) and time.monotonic() < end_s:
            time.sleep(0.01)

    def on_subscribe(self, client: Any, channel: Any) -> None:
        """Handle that a client wants a channel."""
        with self._lock:
            if client.id not in self._viewers:
                self.counts["viewers"] += 1
                self._viewers[client.id] = Viewer()
                self._find_connections()
            self._viewers[client.id].topics.add(channel.topic)
            self._note_wanted()

    def on_unsubscribe(self, client: Any, channel: Any) -> None:
        """Handle that a client does not want a channel any more, or has gone."""
        with self._lock:
            viewer = self._viewers.get(client.id)
            if viewer is not None:
                viewer.topics.discard(channel.topic)
                if not viewer.topics:
                    del self._viewers[client.id]
                    self._find_connections()
            self._note_wanted()

    def _note_wanted(self) -> None:
        """Replace the set of topics; a caller may still read the one before."""
        self._wanted = set().union(*(viewer.topics for viewer in self._viewers.values()))

    def _find_connections(self) -> None:
        """Give the only viewer without a connection the only one without a viewer."""
        waiting = [one for one in self._viewers.values() if one.connection is None]
        known = {viewer.connection for viewer in self._viewers.values()}
        free = connections(self.port) - known
        if len(waiting) == len(free) == 1:
            waiting[0].connection = free.pop()

    def _is_behind(self, viewer: Viewer, limit: float = PICTURE_PART) -> bool:
        """Return whether a viewer has unsent bytes beyond a part of their limit.

        The system is asked where what was sent since then could have reached it.
        """
        if viewer.connection is None:
            return False
        now_s = time.monotonic()
        if viewer.fill >= limit or now_s - viewer.measured_s >= FRESH_S:
            viewer.fill, viewer.measured_s = fill(viewer.connection, self._queue_bytes), now_s
        return viewer.fill >= limit


def _is_open(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), 0.1).close()
    except OSError:
        return False
    return True


def _start_problem(host: str, port: int, error: Exception) -> str:
    reason = " ".join(str(error).split()).rpartition(": ")[2]
    if "in use" in reason:
        return f"port {port} of {host} is taken by another program: choose another port"
    return f"host {host!r}, port {port}: cannot listen there ({reason})"
