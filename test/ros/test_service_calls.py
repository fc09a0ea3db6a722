"""Service calls whose response is lost, with a client by hand."""

import pytest
from rclpy.task import Future

from liquid_control.nodes import service_calls
from liquid_control.nodes.service_calls import ServiceCalls

pytestmark = pytest.mark.ros


class Client:
    """A client of a service that is ready; a test sets the responses."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, Future]] = []

    def service_is_ready(self) -> bool:
        return True

    def call_async(self, request: str) -> Future:
        self.requests.append((request, Future()))
        return self.requests[-1][1]


@pytest.fixture
def call(monkeypatch):
    monkeypatch.setattr(service_calls, "REPEAT_S", -1.0)
    client, calls, responses = Client(), ServiceCalls(), []
    calls.send("state", client, "get", responses.append)
    return client, calls, responses


def test_a_request_is_repeated_until_the_first_response(call):
    client, calls, responses = call
    calls.repeat_overdue()
    assert [request for request, _ in client.requests] == ["get", "get"]
    client.requests[1][1].set_result("active")
    assert responses == ["active"]
    assert "state" not in calls
    calls.repeat_overdue()
    assert len(client.requests) == 2


def test_a_late_response_to_an_earlier_request_counts_once(call):
    client, calls, responses = call
    calls.repeat_overdue()
    client.requests[0][1].set_result("inactive")
    client.requests[1][1].set_result("active")
    assert responses == ["inactive"]


def test_a_recent_request_is_not_repeated(call, monkeypatch):
    client, calls, _ = call
    monkeypatch.setattr(service_calls, "REPEAT_S", 60.0)
    calls.repeat_overdue()
    assert len(client.requests) == 1
    assert "state" in calls
