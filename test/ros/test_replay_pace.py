"""Paces by hand: who answers, steps and pauses when."""

from collections.abc import Iterator

import numpy as np
import pytest

from liquid_control.nodes.pace import AnswerTimes
from liquid_control.nodes.replay.pace import Lockstep, Play, RealTime
from liquid_control.nodes.replay.timeline import BagTick
from liquid_control.types import ImuWindow, Observation

pytestmark = pytest.mark.ros


class Published:
    """An output that remembers."""

    def __init__(self) -> None:
        self.frames: list[int] = []
        self.clocks: list[int] = []
        self.ends = 0

    def publish(self, tick: BagTick) -> None:
        if tick.frame is not None:
            self.frames.append(tick.stamp_ns)

    def publish_clock(self, stamp_ns: int) -> None:
        self.clocks.append(stamp_ns)

    def end(self) -> None:
        self.ends += 1


def ticks() -> Iterator[BagTick]:
    """Yield frames at 10, 20, 30… and a tick between any two."""
    for stamp_ns in range(10, 50, 5):
        picture = np.zeros((2, 2, 3), np.uint8)
        frame = Observation(stamp_ns, picture, ImuWindow.empty())
        yield BagTick(stamp_ns, stamp_ns, None if stamp_ns % 10 else frame)


def lockstep(paused: bool) -> tuple[Lockstep, Published]:
    output, bag = Published(), ticks()
    times = AnswerTimes()
    return Lockstep(Play(lambda: next(bag, None), output, times, output.end), paused), output


def test_it_goes_on_with_the_awaited_answer_only():
    pace, out = lockstep(paused=False)
    pace.start()
    assert (out.frames, out.clocks) == ([10], [])
    assert pace.stuck_for_s() > 0.0
    pace.on_command(5)
    assert (out.frames, out.clocks) == ([10], [])
    pace.on_command(10)
    assert (out.frames, out.clocks) == ([10], [10, 15])
    pace.on_command(10)
    pace.on_command(15)
    assert (out.frames, out.clocks) == ([10, 20], [10, 15])


def test_it_tells_its_end_once():
    pace, out = lockstep(paused=False)
    pace.start()
    for stamp_ns in range(10, 50, 5):
        assert out.ends == 0
        pace.on_command(stamp_ns)
    assert (out.ends, out.frames) == (1, [10, 20, 30, 40])
    assert pace.stuck_for_s() == 0.0


def test_a_pause_lets_the_awaited_answer_come_and_then_holds():
    pace, out = lockstep(paused=False)
    pace.start()
    pace.pause(True)
    pace.on_command(10)
    assert (out.frames, out.clocks) == ([10], [10])
    assert pace.stuck_for_s() == 0.0
    pace.pause(False)
    assert out.clocks == [10, 15]


def test_nothing_begins_before_the_graph_is_there():
    pace, out = lockstep(paused=False)
    pace.pause(False)
    pace.step()
    assert out.frames == []
    pace.start()
    assert out.frames == [10]


def test_a_step_is_one_frame_with_the_ticks_before_it():
    pace, out = lockstep(paused=True)
    pace.start()
    assert out.frames == []
    pace.step()
    pace.on_command(10)
    assert (out.frames, out.clocks) == ([10], [10])
    pace.step()
    pace.on_command(15)
    pace.on_command(20)
    assert (out.frames, out.clocks) == ([10, 20], [10, 15, 20])


def test_a_step_while_a_frame_is_awaited_is_the_next_frame():
    pace, out = lockstep(paused=True)
    pace.start()
    pace.step()
    pace.step()
    for stamp_ns in (10, 15, 20):
        pace.on_command(stamp_ns)
    assert (out.frames, out.clocks) == ([10, 20], [10, 15, 20])


class Timer:
    """A timer of one shot that a test lets go off."""

    def __init__(self, period, callback, **_) -> None:
        self.go_off = callback
        self.runs = False

    def reset(self) -> None:
        self.runs = True

    def cancel(self) -> None:
        self.runs = False


class Timers:
    """A node, as far as timers go."""

    def create_timer(self, *words, **more) -> Timer:
        self.timer = Timer(*words, **more)
        return self.timer


@pytest.mark.parametrize("meddle", ["pause", "step", "wind", "rate"])
def test_in_real_time_nothing_that_comes_after_the_last_tick_holds_up_the_end(meddle):
    node, out, bag = Timers(), Published(), ticks()
    play = Play(lambda: next(bag, None), out, AnswerTimes(), out.end)
    pace = RealTime(node, play, paused=False, rate=1.0)
    pace.start()
    for _ in range(8):
        node.timer.go_off()
    assert (out.frames, out.ends) == ([10, 20, 30, 40], 0)
    act = {
        "pause": lambda: pace.pause(True),
        "step": pace.step,
        "wind": pace.wound,
        "rate": lambda: pace.set_rate(2.0),
    }
    act[meddle]()
    assert node.timer.runs
    node.timer.go_off()
    assert out.ends == 1
