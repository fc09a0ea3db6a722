"""The server of viewers over real sockets: channels, values, what slow viewers miss."""

import socket
import time
from collections import Counter
from contextlib import ExitStack, suppress

import pytest

from liquid_control.errors import ConfigError, DependencyError
from liquid_control.viewers import server
from liquid_control.viewers.server import Channel, ViewerServer

pytest.importorskip("foxglove", reason="foxglove-sdk is not installed (extra foxglove)")
pytest.importorskip("websockets", reason="websockets is not installed (extra test)")

from benchmarks.viewer_load import ViewerClient

pytestmark = pytest.mark.unit

LIMIT_S = 30.0
NUMBERS = Channel("cdr", "std_msgs/msg/Float64", "ros2msg", b"float64 data\n")
PICTURES = NUMBERS._replace(picture=True)
CHANNELS = {"/numbers": NUMBERS, "/pictures": PICTURES}
FRAME = bytes(200_000)
FRAMES = 150


@pytest.fixture
def made():
    made = ViewerServer(CHANNELS, queue_bytes=200_000)
    yield made
    made.close()


def until(condition):
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_channels_are_advertised_and_messages_arrive_with_their_time(made):
    with ViewerClient(made.port) as client:
        assert client.channels.keys() == CHANNELS.keys()
        offered = client.channels["/numbers"]
        assert offered["encoding"] == "cdr"
        assert offered["schemaName"] == "std_msgs/msg/Float64"
        assert (offered["schemaEncoding"], offered["schema"]) == ("ros2msg", "float64 data\n")
        assert made.wanted() == set()
        client.subscribe(["/numbers"])
        until(lambda: made.wanted() == {"/numbers"})
        made.send("/numbers", b"one", 5)
        made.send("/pictures", b"two", 6)
        made.send("/numbers", b"three", 7)
        assert client.receive(LIMIT_S) == ("/numbers", 5, b"one")
        assert client.receive(LIMIT_S) == ("/numbers", 7, b"three")
    until(lambda: made.wanted() == set())
    assert made.counts == Counter(viewers=1)


@pytest.mark.parametrize("known", [True, False], ids=["one after the other", "at once"])
def test_a_viewer_that_does_not_read_is_dropped_from_and_another_gets_all(made, known):
    with ExitStack() as stack:
        slow = stack.enter_context(ViewerClient(made.port))
        if known:
            slow.subscribe(["/pictures"])
            until(lambda: made.wanted() == {"/pictures"})
        fast = stack.enter_context(ViewerClient(made.port))
        if not known:
            slow.subscribe(["/pictures"])
        fast.subscribe()
        until(lambda: made.wanted() == CHANNELS.keys() and made.counts["viewers"] == 2)
        for number in range(FRAMES):
            made.send("/pictures", FRAME, number)
            message = fast.receive(LIMIT_S)
            assert (message.stamp_ns, len(message.data)) == (number, len(FRAME))
        assert made.counts["dropped_pictures"] == made.counts["dropped"]
        if known:
            assert made.slow_viewers() == 1
            assert made.counts["dropped"] > FRAMES // 2
        received = []
        while not received or received[-1].stamp_ns != FRAMES - 1:
            received.append(slow.receive(1.0 if known else LIMIT_S))
            if received[-1] is None:
                break
        assert len(received) < FRAMES // 2 or not known


def test_numbers_still_arrive_where_pictures_are_dropped(made, monkeypatch):
    with ViewerClient(made.port) as client:
        client.subscribe()
        until(lambda: made.wanted() == CHANNELS.keys())
        monkeypatch.setattr(server, "FRESH_S", 0.0)
        monkeypatch.setattr(server, "fill", lambda connection, limit: 0.7)
        made.send("/pictures", FRAME, 1)
        made.send("/numbers", b"x", 2)
        monkeypatch.setattr(server, "fill", lambda connection, limit: 1.0)
        made.send("/numbers", b"y", 3)
        monkeypatch.undo()
        made.send("/pictures", b"z", 4)
        assert client.receive(LIMIT_S) == ("/numbers", 2, b"x")
        assert client.receive(LIMIT_S) == ("/pictures", 4, b"z")
    assert made.counts == Counter(viewers=1, dropped=2, dropped_pictures=1)


def test_the_system_is_asked_again_once_what_was_sent_could_fill_the_connection(made, monkeypatch):
    fills = []
    monkeypatch.setattr(server, "FRESH_S", 60.0)
    monkeypatch.setattr(server, "fill", lambda *_: fills.append(made.counts["dropped"]) or 0.0)
    with ViewerClient(made.port) as client:
        client.subscribe()
        until(lambda: made.wanted() == CHANNELS.keys())
        for number in range(7):
            made.send("/numbers", bytes(30_000), number)
            assert client.receive(LIMIT_S).stamp_ns == number
        # The limit is 200 kB, and half of it for pictures.
        assert len(fills) == 1
        made.send("/pictures", b"picture", 7)
        assert client.receive(LIMIT_S).stamp_ns == 7
        assert len(fills) == 2
    assert made.counts == Counter(viewers=1)


def test_unsent_bytes_of_a_connection_are_those_that_the_other_side_has_not_taken():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert server.connections(port) == set()
        with socket.create_connection(("127.0.0.1", port)) as client:
            ours, _ = listening.accept()
            (found,) = {one for one in server.connections(port) if one.descriptor == ours.fileno()}
            assert server.fill(found, 100_000) == 0.0
            ours.setblocking(False)
            with suppress(BlockingIOError):
                while ours.send(bytes(65536)):
                    pass
            buffer = ours.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
            assert server.fill(found, 16_000) > 1.0
            assert server.fill(found, 10**9) == pytest.approx(
                server.fill(found, buffer // 2), rel=0.01
            )
            while client.recv(1 << 20):
                if server.fill(found, 16_000) == 0.0:
                    break
            ours.close()
            assert server.fill(found, 16_000) == 0.0


def test_a_taken_port_and_a_foreign_address_are_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"^port {port} of 127\.0\.0\.1 is taken by"):
            ViewerServer({}, port=port)
    with pytest.raises(ConfigError, match=r"^host '203\.0\.113\.1', port 1: cannot listen there"):
        ViewerServer({}, host="203.0.113.1", port=1)


def test_without_the_sdk_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "foxglove", None)
    with pytest.raises(DependencyError, match=r"foxglove is not installed.*\[foxglove\]"):
        ViewerServer({})
