"""Service calls that are repeated until their response arrives."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.client import Client
from rclpy.task import Future

REPEAT_S = 1.0


@dataclass
class _Call:
    client: Client
    request: object
    on_response: Callable[[Any], None]
    sent_s: float


class ServiceCalls:
    """Pending service calls by key; the first response to any of a call's requests counts.

    A server may receive a request before it has discovered the client's reader. It then fails to
    send the response ("client will not receive response" in its log), and the client would wait
    for ever.
    """

    def __init__(self) -> None:
        self._calls: dict[str, _Call] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._calls

    def send(
        self, key: str, client: Client, request: object, on_response: Callable[[Any], None]
    ) -> None:
        """Send a request.

        Args:
            key: of the call; one call per key is pending at a time.
            client: of a service that is ready.
            request: the request message.
            on_response: receives the response message.
        """
        self._calls[key] = _Call(client, request, on_response, time.monotonic())
        self._send(key, self._calls[key])

    def repeat_overdue(self) -> None:
        """Send the requests again that have been without a response for `REPEAT_S`."""
        for key, call in self._calls.items():
            if time.monotonic() - call.sent_s > REPEAT_S and call.client.service_is_ready():
                call.sent_s = time.monotonic()
                self._send(key, call)

    def _send(self, key: str, call: _Call) -> None:
        def on_done(future: Future) -> None:
            if self._calls.get(key) is call:
                del self._calls[key]
                call.on_response(future.result())

        call.client.call_async(call.request).add_done_callback(on_done)
