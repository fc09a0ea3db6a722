"""Writing of a bag in a background thread."""

from pathlib import Path
from threading import Event

import pytest

from liquid_control.bags import Losses, open_bag
from liquid_control.bags.writing import BackgroundBag, open_sink
from liquid_control.bags.writing.messages import command_cdr
from liquid_control.errors import OutputError
from liquid_control.message_types import TWIST_STAMPED
from liquid_control.types import Command

pytestmark = pytest.mark.unit

TOPICS = {"cmd_vel": TWIST_STAMPED}


def command(number: int) -> bytes:
    return command_cdr(Command(float(number), 0.0, 0.0, 0.0), number)


def numbers(path: Path) -> list[int]:
    """Return the forward velocity, the number of the message, of every /cmd_vel of a bag."""
    bag = open_bag(path)
    messages = map(bag.decode, bag.messages({"/cmd_vel"}, Losses()))
    return [int(message.twist.linear.x) for message in messages]


@pytest.mark.parametrize("name", ["flight.mcap", "flight"])
def test_background_bag_writes_in_order_and_rejects_messages_over_capacity(tmp_path, name):
    gate = Event()

    def slow(topic: str, cdr: bytes) -> tuple[str, bytes]:
        gate.wait(60.0)
        return topic, cdr

    bag = BackgroundBag(
        lambda: open_sink(tmp_path / name, TOPICS),
        lambda _: slow,
        capacity_bytes=3 * len(command(0)),
    )
    accepted = [bag.write("cmd_vel", command(number), number) for number in range(5)]
    assert accepted == [True, True, True, False, False]
    bag.add_metadata("model", {"name": "trail"})
    gate.set()
    bag.close()
    assert bag.written == 3
    assert numbers(tmp_path / name) == [0, 1, 2]


def test_background_bag_reports_its_error(tmp_path):
    bag = BackgroundBag(lambda: open_sink(tmp_path / "flight.mcap", TOPICS))
    bag.write("nowhere", b"", 0)
    with pytest.raises(OutputError, match=r"the bag ended early \(KeyError\('nowhere'\)\)"):
        bag.close()
    assert bag.error is not None
    with pytest.raises(OutputError, match=r"expected a name that ends with \.mcap"):
        BackgroundBag(lambda: open_sink(tmp_path / "flight.bag", TOPICS))
