import errno
import socket

import pytest

from liquid_control.errors import GraphError
from liquid_control.graph.processes import free_domain

pytestmark = pytest.mark.unit


def test_a_machine_without_loopback_is_named_at_once(monkeypatch):
    class Unreachable(socket.socket):
        def connect(self, address):
            raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr("socket.socket", Unreachable)
    expected = r"loopback interface .* \(Network is unreachable\); `ip link set lo up` starts it$"
    with pytest.raises(GraphError, match=expected), free_domain():
        pytest.fail("expected an error")
