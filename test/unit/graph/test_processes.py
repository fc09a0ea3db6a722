import errno
import socket
import sys

import pytest

from liquid_control.errors import GraphError
from liquid_control.graph.processes import clean_environment, free_domain

pytestmark = pytest.mark.unit


def test_a_machine_without_loopback_is_named_at_once(monkeypatch):
    class Unreachable(socket.socket):
        def connect(self, address):
            raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr("socket.socket", Unreachable)
    expected = r"loopback interface .* \(Network is unreachable\); `ip link set lo up` starts it$"
    with pytest.raises(GraphError, match=expected), free_domain():
        pytest.fail("expected an error")


def test_library_folders_of_a_workspace_stay_and_those_of_the_wheels_go(monkeypatch):
    """ROS wheels add folders of this installation, which a child adds again by itself."""
    wheels = f"{sys.prefix}/lib"
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{wheels}:/ws/install/lib")
    monkeypatch.setenv("_ROS_WHEELS_BOOTSTRAP_COMPLETE", "1")
    environment = clean_environment({"ROS_DOMAIN_ID": "7"})
    assert environment["LD_LIBRARY_PATH"] == "/ws/install/lib"
    assert environment["ROS_DOMAIN_ID"] == "7"
    assert "_ROS_WHEELS_BOOTSTRAP_COMPLETE" not in environment
    monkeypatch.setenv("LD_LIBRARY_PATH", wheels)
    assert "LD_LIBRARY_PATH" not in clean_environment({})
    monkeypatch.delenv("_ROS_WHEELS_BOOTSTRAP_COMPLETE")
    assert clean_environment({})["LD_LIBRARY_PATH"] == wheels
