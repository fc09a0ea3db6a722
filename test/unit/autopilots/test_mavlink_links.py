"""Real ports: sockets of this machine, and a pseudo-terminal as the serial line."""

import os
import pty
import socket
import time

import pytest
from mavlink_peer import free_udp_port

from liquid_control.autopilots import MavlinkOptions, MavlinkSettings
from liquid_control.autopilots.mavlink_links import LinkAddress, MavlinkPort, open_link
from liquid_control.errors import AutopilotError, ConfigError

pytestmark = pytest.mark.unit

LIMIT_S = 30.0


def read_all(link: MavlinkPort, size: int) -> bytes:
    """Read until so many bytes have arrived."""
    data, end_s = b"", time.monotonic() + LIMIT_S
    while len(data) < size and time.monotonic() < end_s:
        data += b"".join(part for _, part in link.read(0.1))
    return data


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("udpin://0.0.0.0:14540", ("udpin", "0.0.0.0", 14540)),
        ("udpout://192.168.1.7:14550", ("udpout", "192.168.1.7", 14550)),
        ("tcp://localhost:5760", ("tcp", "localhost", 5760)),
        ("tcp://[::1]:5760", ("tcp", "::1", 5760)),
        ("serial:///dev/ttyAMA0:921600", ("serial", "/dev/ttyAMA0", 921600)),
    ],
)
def test_addresses(text, address):
    assert LinkAddress.parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/dev/ttyACM0",
        "udp:127.0.0.1:14540",
        "tcp://127.0.0.1",
        "tcp://:5760",
        "tcp://127.0.0.1:99999",
        "serial:///dev/ttyACM0",
        "serial:///dev/ttyACM0:fast",
        "http://127.0.0.1:80",
    ],
)
def test_an_address_of_another_form_is_refused_with_all_forms(text):
    with pytest.raises(ConfigError, match=r"link: expected udpin://.*tcp://.*serial://") as caught:
        MavlinkSettings(text)
    assert str(caught.value).endswith(f"got {text!r}")


@pytest.mark.parametrize(
    "link", ["udpin://0.0.0.0:14540", "tcp://192.168.1.7:5760", "serial:///dev/ttyACM0:57600"]
)
def test_arming_is_refused_where_the_link_can_leave_this_machine(link):
    with pytest.raises(ConfigError, match="allow_arm is for simulation only: expected a link on"):
        MavlinkSettings(link, MavlinkOptions(allow_arm=True))


@pytest.mark.parametrize("link", ["udpin://127.0.0.1:14540", "tcp://localhost:5760"])
def test_arming_is_allowed_on_this_machine(link):
    assert MavlinkSettings(link, MavlinkOptions(allow_arm=True)).options.allow_arm


def test_a_port_that_nobody_serves_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(AutopilotError, match=rf"^tcp://127.0.0.1:{port}: Connection refused$"):
        open_link(LinkAddress("tcp", "127.0.0.1", port))


def test_a_udp_port_in_use_is_named():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        with pytest.raises(AutopilotError, match=f"127.0.0.1:{port}: Address already in use"):
            open_link(LinkAddress("udpin", "127.0.0.1", port))


def test_a_missing_device_is_named():
    address = LinkAddress("serial", "/dev/no_such_port", 57600)
    with pytest.raises(AutopilotError, match="there is no device /dev/no_such_port"):
        open_link(address)


def test_a_device_that_is_no_serial_port_is_named(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(AutopilotError, match=f"serial://{path}:57600: "):
        open_link(LinkAddress("serial", str(path), 57600))


def test_a_serial_port_carries_every_byte_both_ways():
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    link = open_link(LinkAddress("serial", name, 57600))
    every = bytes(range(256))
    os.write(master, every)
    assert read_all(link, 256) == every
    link.write(every, None)
    assert os.read(master, 1024) == every
    os.close(master)

    def read_until_it_fails() -> None:
        for _ in range(100):
            link.read(0.05)

    with pytest.raises(AutopilotError, match=f"serial://{name}:57600: "):
        read_until_it_fails()
    link.close()
    os.close(slave)


def test_udp_answers_the_sender():
    port = free_udp_port()
    link = open_link(LinkAddress("udpin", "127.0.0.1", port))
    link.write(b"nobody yet", None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.settimeout(LIMIT_S)
        other.sendto(b"one", ("127.0.0.1", port))
        other.sendto(b"two", ("127.0.0.1", port))
        received: list = []
        while len(received) < 2:
            received += link.read(LIMIT_S)
        assert [data for _, data in received] == [b"one", b"two"]
        link.write(b"answer", received[0][0])
        assert other.recv(100) == b"answer"
    link.close()


def test_a_closed_tcp_connection_is_named():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        link = open_link(LinkAddress("tcp", "127.0.0.1", port))
        client, _ = server.accept()
        client.sendall(b"abc")
        assert read_all(link, 3) == b"abc"
        client.close()
        with pytest.raises(AutopilotError, match="the other end closed the connection"):
            link.read(LIMIT_S)
        link.close()


def test_a_tcp_peer_that_reads_nothing_is_an_error_and_not_a_wait():
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = open_link(LinkAddress("tcp", "127.0.0.1", server.getsockname()[1]))
        client, _ = server.accept()

        def fill() -> None:
            for _ in range(10_000):
                link.write(bytes(100_000), None)

        with pytest.raises(AutopilotError, match="timed out"):
            fill()
        client.close()
        link.close()
