"""Paces with hand-made ticks: the order of answers, steps and pauses."""

from collections.abc import Iterator

import numpy as np
import pytest

from liquid_control.nodes.pace import AnswerTimes, Lockstep, RealTime, TickSource
from liquid_control.nodes.replay.timeline import BagTick
from liquid_control.types import HOVER, Command, ImuWindow, Observation

pytestmark = pytest.mark.ros


MS = 1_000_000


def test_answer_times_count_latencies_losses_and_delays():
    times = AnswerTimes()
    times.sent(0, 100 * MS)
    times.answered(0, 102 * MS)
    times.answered(0, 150 * MS)
    times.sent(1, 200 * MS)
    times.sent(2, 300 * MS)
    times.answered(1, 306 * MS)
    times.answered(7, 310 * MS)
    assert times.summary() == {
        "frames": 3,
        "frames_lost": 1,
        "frames_late": 1,
        "latency_ms": {
            "p50": pytest.approx(54.0),
            "p99": pytest.approx(104.96),
            "max": pytest.approx(106.0),
        },
    }


def test_without_answers_there_are_no_latencies():
    times = AnswerTimes()
    times.sent(0, 0)
    assert times.summary()["latency_ms"] == {"p50": None, "p99": None, "max": None}
    assert times.summary()["frames_lost"] == 1


class Output:
    """Keeps the stamps of published frames and times, the commands and the number of ends."""

    def __init__(self) -> None:
        self.samples: list[int] = []
        self.frames: list[int] = []
        self.clocks: list[int] = []
        self.commands: list[Command] = []
        self.ends = 0

    def publish_samples(self, tick: BagTick) -> None:
        self.samples.append(tick.stamp_ns)

    def publish_picture(self, tick: BagTick) -> None:
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


def source(output: Output) -> TickSource[BagTick]:
    bag = ticks()
    return TickSource(
        lambda: next(bag, None), output, output.end, apply_command=output.commands.append
    )


def lockstep(paused: bool) -> tuple[Lockstep[BagTick], Output]:
    output = Output()
    return Lockstep(source(output), paused), output


def answer(pace: Lockstep[BagTick], *stamps_ns: int) -> None:
    for stamp_ns in stamps_ns:
        pace.on_command(Command(float(stamp_ns)), stamp_ns)


def test_only_the_awaited_answer_advances_a_lockstep_run():
    pace, output = lockstep(paused=False)
    pace.start()
    assert (output.frames, output.clocks) == ([10], [])
    assert pace.awaited_ns == 10
    answer(pace, 5)
    assert (output.frames, output.clocks) == ([10], [])
    answer(pace, 10)
    assert (output.frames, output.clocks) == ([10], [10, 15])
    answer(pace, 10)
    answer(pace, 15)
    assert (output.frames, output.clocks) == ([10, 20], [10, 15])


def test_the_end_is_reported_once():
    pace, output = lockstep(paused=False)
    pace.start()
    for stamp_ns in range(10, 50, 5):
        assert output.ends == 0
        answer(pace, stamp_ns)
    assert (output.ends, output.frames) == (1, [10, 20, 30, 40])
    assert pace.awaited_ns is None


def test_a_pause_takes_effect_after_the_awaited_answer():
    pace, output = lockstep(paused=False)
    pace.start()
    pace.pause(True)
    answer(pace, 10)
    assert (output.frames, output.clocks) == ([10], [10])
    assert pace.awaited_ns is None
    pace.pause(False)
    assert output.clocks == [10, 15]


def test_nothing_begins_before_start():
    pace, output = lockstep(paused=False)
    pace.pause(False)
    pace.step()
    assert output.frames == []
    pace.start()
    assert output.frames == [10]


def test_a_step_is_one_frame_with_the_ticks_before_it():
    pace, output = lockstep(paused=True)
    pace.start()
    assert output.frames == []
    pace.step()
    answer(pace, 10)
    assert (output.frames, output.clocks) == ([10], [10])
    pace.step()
    answer(pace, 15)
    answer(pace, 20)
    assert (output.frames, output.clocks) == ([10, 20], [10, 15, 20])


def test_a_step_while_a_frame_is_awaited_is_the_next_frame():
    pace, output = lockstep(paused=True)
    pace.start()
    pace.step()
    pace.step()
    for stamp_ns in (10, 15, 20):
        answer(pace, stamp_ns)
    assert (output.frames, output.clocks) == ([10, 20], [10, 15, 20])


class Timer:
    """A one-shot timer that a test fires."""

    def __init__(self, period, callback, **_) -> None:
        self.fire = callback
        self.is_running = False

    def reset(self) -> None:
        self.is_running = True

    def cancel(self) -> None:
        self.is_running = False


class Timers:
    """A node that can only create a timer."""

    def create_timer(self, *arguments, **options) -> Timer:
        self.timer = Timer(*arguments, **options)
        return self.timer


@pytest.mark.parametrize("action", ["pause", "step", "seek", "rate"])
def test_in_real_time_nothing_after_the_last_tick_delays_the_end(action):
    node, output = Timers(), Output()
    pace = RealTime(node, source(output), rate=1.0)
    pace.start()
    for _ in range(8):
        node.timer.fire()
    assert (output.frames, output.ends) == ([10, 20, 30, 40], 0)
    actions = {
        "pause": lambda: pace.pause(True),
        "step": pace.step,
        "seek": pace.reposition,
        "rate": lambda: pace.set_rate(2.0),
    }
    actions[action]()
    assert node.timer.is_running
    node.timer.fire()
    assert output.ends == 1


def test_lockstep_applies_each_answer_before_the_next_tick():
    pace, output = lockstep(paused=False)
    pace.start()
    answer(pace, 10, 15, 20)
    assert [command.forward_mps for command in output.commands] == [10.0, 15.0, 20.0]


def test_in_real_time_the_newest_command_is_applied_and_the_answer_is_awaited_first():
    node, output = Timers(), Output()
    pace = RealTime(node, source(output), rate=1.0, listen_s=0.01)
    pace.start()
    node.timer.fire()
    assert (output.samples, output.commands) == ([10], [HOVER])
    pace.on_command(Command(1.0), 5)
    assert output.samples == [10]
    pace.on_command(Command(2.0), 10)
    node.timer.fire()
    assert (output.samples, output.commands) == ([10, 15], [HOVER, Command(2.0)])
    node.timer.fire()
    node.timer.fire()
    assert output.samples == [10, 15, 20]
    assert pace.awaited_ns is None
