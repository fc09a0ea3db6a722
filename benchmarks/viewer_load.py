"""A viewer of Foxglove without a screen: subscribes to channels, reads as fast as told, counts.

    python -m benchmarks.viewer_load PORT SECONDS

Protocol: https://github.com/foxglove/ws-protocol, docs/spec.md, with the subprotocol of
`foxglove-sdk`. A message is a byte of operation, the subscription, the log time in ns, the data.
"""

import base64
import json
import socket
import struct
import sys
import time
from collections.abc import Collection, Mapping
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, NamedTuple

from liquid_control.bags.decoding.typestore import Types
from liquid_control.bags.storage.part import Definition
from liquid_control.dependencies import require
from liquid_control.errors import GraphError

SUBPROTOCOL = "foxglove.sdk.v1"
MESSAGE_DATA, TIME = 1, 2
_HEAD = struct.Struct("<BIQ")
START_S = 120.0
"""Longest time until the server answers."""


class ViewerMessage(NamedTuple):
    """A message that a viewer received.

    Attributes:
        topic: of its channel.
        stamp_ns: log time.
        data: serialised.
    """

    topic: str
    stamp_ns: int
    data: bytes


class ViewerClient:
    """A connection to the server.

    Args:
        port: on 127.0.0.1.
        start_s: longest time until the server listens, s.
        receive_bytes: buffers of the system and of this client; None for the default. With small
            ones, a client that does not read is behind at once.

    Attributes:
        channels: as the server advertises them, by topic.
        info: of the server.
    """

    def __init__(
        self, port: int, start_s: float = START_S, receive_bytes: int | None = None
    ) -> None:
        self._receive_bytes = receive_bytes
        self._sync = require("websockets.sync.client", "test", "act as a viewer")
        exceptions = require("websockets.exceptions", "test", "act as a viewer")
        self._closed: type[Exception] = exceptions.ConnectionClosed
        self._stack = ExitStack()
        self._socket = self._connect(port, start_s)
        self.channels: dict[str, dict[str, Any]] = {}
        self.info: dict[str, Any] = {}
        self._topics: dict[int, str] = {}
        while not self.channels:
            self._handle(self._socket.recv(timeout=start_s))

    def _connect(self, port: int, start_s: float) -> Any:
        end_s = time.monotonic() + start_s
        while (found := self._try_to_connect(port)) is None:
            if time.monotonic() > end_s:
                raise GraphError(f"no server listens on port {port} of 127.0.0.1")
            time.sleep(0.1)
        return found

    def _try_to_connect(self, port: int) -> Any:
        options: dict[str, Any] = {"max_size": None, "compression": None, "ping_interval": None}
        try:
            if self._receive_bytes is not None:
                own = socket.socket()
                own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_bytes)
                own.connect(("127.0.0.1", port))
                options |= {"sock": own, "max_queue": 1}
            opened = self._sync.connect(
                f"ws://127.0.0.1:{port}", subprotocols=[SUBPROTOCOL], **options
            )
            return self._stack.enter_context(opened)
        except OSError:  # nobody listens yet
            return None

    def subscribe(self, topics: Collection[str] | None = None) -> None:
        """Subscribe to topics, or to all."""
        found = []
        for topic in self.channels if topics is None else topics:
            number = len(self._topics)
            self._topics[number] = topic
            found.append({"id": number, "channelId": self.channels[topic]["id"]})
        self._socket.send(json.dumps({"op": "subscribe", "subscriptions": found}))

    def unsubscribe(self) -> None:
        """Unsubscribe from all topics."""
        ids = list(self._topics)
        self._socket.send(json.dumps({"op": "unsubscribe", "subscriptionIds": ids}))

    def receive(self, timeout_s: float) -> ViewerMessage | None:
        """Return the next message of a channel; None if none came in time.

        Raises:
            GraphError: the server ended the connection.
        """
        end_s = time.monotonic() + timeout_s
        while (left_s := end_s - time.monotonic()) > 0.0:
            try:
                found = self._handle(self._socket.recv(timeout=left_s))
            except TimeoutError:
                return None
            except self._closed as error:
                raise GraphError("the server ended the connection") from error
            if found is not None:
                return found
        return None

    def _handle(self, content: str | bytes) -> ViewerMessage | None:
        if isinstance(content, str):
            message = json.loads(content)
            if message["op"] == "serverInfo":
                self.info = message
            if message["op"] == "advertise":
                self.channels |= {one["topic"]: one for one in message["channels"]}
            return None
        if content[0] != MESSAGE_DATA:
            return None
        _, subscription, stamp_ns = _HEAD.unpack_from(content)
        return ViewerMessage(self._topics[subscription], stamp_ns, content[_HEAD.size :])

    def close(self) -> None:
        """End the connection."""
        self._stack.close()

    def __enter__(self) -> "ViewerClient":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def decoded(channel: Mapping[str, Any], data: bytes) -> Any:
    """Return the content of a message by the schema that the server advertises.

    Args:
        channel: as advertised.
        data: serialised: cdr with a definition in ros2msg, or protobuf.
    """
    kind = channel["schemaName"]
    if channel["encoding"] == "cdr":
        return Types({kind: Definition("ros2msg", channel["schema"])}).decode(kind, data)
    pool = require("google.protobuf.descriptor_pool", "test", "decode messages").DescriptorPool()
    files = require(
        "google.protobuf.descriptor_pb2", "test", "decode messages"
    ).FileDescriptorSet()
    files.ParseFromString(base64.b64decode(channel["schema"]))
    for file in files.file:
        pool.Add(file)
    factory = require("google.protobuf.message_factory", "test", "decode messages")
    message = factory.GetMessageClass(pool.FindMessageTypeByName(kind))()
    message.ParseFromString(data)
    return message


def main() -> None:
    """Subscribe to all channels for some seconds, and print messages and bytes by topic."""
    port, seconds = int(sys.argv[1]), float(sys.argv[2])
    counts: dict[str, list[int]] = {}
    with ViewerClient(port) as client:
        client.subscribe()
        end_s = time.monotonic() + seconds
        with suppress(GraphError):
            while time.monotonic() < end_s:
                message = client.receive(0.5)
                if message is not None:
                    count = counts.setdefault(message.topic, [0, 0])
                    count[0] += 1
                    count[1] += len(message.data)
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
