import select
import socket

import pytest

from liquid_control.nodes.systemd_notify import SystemdNotifier

pytestmark = pytest.mark.unit


def received(server):
    """Return all datagrams that have arrived."""
    found = []
    while select.select([server], [], [], 0.0)[0]:
        found.append(server.recv(64).decode())
    return found


def environment(address, **changes):
    values = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "42"}
    return {name: value for name, value in (values | changes).items() if value}


@pytest.fixture
def server(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(str(tmp_path / "notify"))
        yield one


def test_states_are_sent_as_systemd_documents_them(server, tmp_path):
    systemd = SystemdNotifier.of_environment(environment(str(tmp_path / "notify")), 42)
    systemd.ready()
    systemd.alive()
    systemd.stopping()
    assert received(server) == ["READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_an_abstract_socket_is_reached():
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind("\0liquid_control_test_notify")
        systemd = SystemdNotifier.of_environment(environment("@liquid_control_test_notify"), 42)
        systemd.ready()
        assert received(server) == ["READY=1"]


def test_a_child_of_the_watched_process_sends_nothing(server, tmp_path):
    systemd = SystemdNotifier.of_environment(environment(str(tmp_path / "notify")), 43)
    systemd.ready()
    systemd.alive()
    assert received(server) == []


@pytest.mark.parametrize("timeout", ["", "0", "soon"])
def test_without_a_watchdog_only_states_are_sent(server, tmp_path, timeout):
    values = environment(str(tmp_path / "notify"), WATCHDOG_USEC=timeout)
    systemd = SystemdNotifier.of_environment(values, 42)
    systemd.ready()
    systemd.alive()
    assert received(server) == ["READY=1"]


def test_without_systemd_and_without_its_socket_nothing_fails(tmp_path):
    for values in ({}, environment(str(tmp_path / "none"))):
        systemd = SystemdNotifier.of_environment(values, 42)
        systemd.ready()
        systemd.alive()
        systemd.stopping()
