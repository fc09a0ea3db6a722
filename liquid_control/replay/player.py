"""Offline replay of a bag's events through a policy and its guard, without ROS."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import inf
from typing import NamedTuple, Protocol

import numpy as np

from liquid_control.bags import CameraInfoEvent, ClockEvent, Event, FrameEvent, OdometryEvent
from liquid_control.command import (
    ChangeWatch,
    Guard,
    GuardChange,
    GuardInputs,
    GuardState,
    PoseReading,
    RangeReading,
)
from liquid_control.errors import LiquidControlError, ObservationError
from liquid_control.perception import PictureDistribution, PictureMemory, picture_health
from liquid_control.policy import Controller, Decision, PolicySession
from liquid_control.replay.feature_extractor import FeatureExtractor, FrameFeatures
from liquid_control.replay.tracks import Replayed, Rows, Series, Track
from liquid_control.types import HOVER, NANOSECONDS, Command, PictureHealth


class _GuardedFrame(NamedTuple):
    """A command, with the readings of its frame."""

    command: Command
    stamp_ns: int
    range_m: float | None
    health: PictureHealth | None


class ReplayGuard:
    """Applies a guard to replayed commands and collects its outputs.

    In lockstep the guard answers every `/clock` later than its last output, as the node does. A
    clock is held until a later event, because a bag may store it before the frame of the same
    stamp, which the flight answered first.
    In real time the guard is polled between two frames with the period of the node's timer, on
    the clock of the frames. With rules, a frame is held like a clock, for odometry of its stamp.

    Args:
        guard: with the envelope.
        lockstep: None to derive it from the first frame: only a lockstep flight stores frames
            under their own stamps.

    Attributes:
        changes: of the rules that act.
    """

    def __init__(self, guard: Guard, lockstep: bool | None = None) -> None:
        self.lockstep = lockstep
        self.state = GuardState()
        self.inputs = GuardInputs()
        self._guard = guard
        self._held: _GuardedFrame | None = None
        self._poses: deque[PoseReading] = deque()
        self._period_ns = round(guard.envelope.period_s * NANOSECONDS)
        self._sent_ns: int | None = None
        self._clocks: list[int] = []
        self._out = Rows("values", np.float64, 4)
        self._watch = ChangeWatch()
        self.changes: list[GuardChange] = []

    def pose(self, pose: PoseReading | None) -> None:
        """Process odometry; the rules see it from its stamp on."""
        if pose is not None and self._guard.rules.some:
            self._poses.append(pose)

    def clock(self, stamp_ns: int) -> None:
        """Process a `/clock`."""
        self._release(stamp_ns)
        if self.lockstep is not False:
            self._answer_clocks(stamp_ns)
            self._clocks.append(stamp_ns)

    def admit(
        self,
        command: Command,
        stamp_ns: int,
        log_ns: int,
        range_m: float | None = None,
        health: PictureHealth | None = None,
    ) -> None:
        """Process the policy's command for a frame.

        Args:
            command: of the policy.
            stamp_ns: of the frame.
            log_ns: its log time.
            range_m: of the range sensor that looks down, for the rules; None for no detection.
            health: of the picture, for the rules; None where it is not known.
        """
        self._release(None)
        if self.lockstep is None:
            self.lockstep = log_ns == stamp_ns
        if self.lockstep:
            self._answer_clocks(stamp_ns)
        else:
            self._poll_until(stamp_ns)
        self._held = _GuardedFrame(command, stamp_ns, range_m, health)
        if not self._guard.rules.some:
            self._release(None)

    def _release(self, before_ns: int | None) -> None:
        """Admit the held frame if it is before an instant; None for any."""
        frame = self._held
        if frame is None or (before_ns is not None and frame.stamp_ns >= before_ns):
            return
        self._held = None
        before, stamp_ns = self.state, frame.stamp_ns
        self.state = self._guard.admit(
            frame.command, stamp_ns, before, inputs=self._readings(stamp_ns, frame)
        )
        self._note(stamp_ns)
        if self.state.output_stamp_ns != before.output_stamp_ns:
            self._send(stamp_ns)

    def _readings(self, now_ns: int, frame: _GuardedFrame | None = None) -> GuardInputs:
        """Return the readings of the rules up to an instant."""
        inputs = self.inputs
        while self._poses and self._poses[0].stamp_ns <= now_ns:
            inputs = replace(inputs, pose=self._poses.popleft())
        if frame is not None and self._guard.rules.some:
            distance_m = inf if frame.range_m is None else frame.range_m
            ground = RangeReading(now_ns, distance_m)
            inputs = replace(inputs, camera_ns=now_ns, ground=ground)
            if frame.health is not None:
                inputs = inputs.with_picture(frame.health, self._guard.rules)
        self.inputs = inputs
        return inputs

    def outputs(self) -> Series:
        """Return the guarded commands after the last event, float64 [T, 4]."""
        self._release(None)
        if self.lockstep is not False and self._clocks:
            self._answer_clocks(self._clocks[-1] + 1)
        return self._out.series()

    def _answer_clocks(self, before_ns: int) -> None:
        """Answer the held clocks before an instant; later ones stay held."""
        if self.lockstep is None:
            return
        held, self._clocks = self._clocks, [c for c in self._clocks if c >= before_ns]
        for now_ns in held:
            if now_ns < before_ns and (self._sent_ns is None or now_ns > self._sent_ns):
                self.state = self._guard.poll(now_ns, self.state, self._readings(now_ns))
                self._note(now_ns)
                self._send(now_ns)

    def _poll_until(self, stamp_ns: int) -> None:
        fresh_ns = self.state.fresh_stamp_ns
        if fresh_ns is None:
            return
        now_ns = min(fresh_ns + self._period_ns, stamp_ns)
        while (now_ns < stamp_ns or stamp_ns < fresh_ns) and not self.state.stale:
            before = self.state.output
            self.state = self._guard.poll(now_ns, self.state, self._readings(now_ns))
            self._note(now_ns)
            if self.state.stale or self.state.output != before:
                self._send(now_ns)
            if stamp_ns < fresh_ns:
                return
            now_ns += self._period_ns

    def _note(self, stamp_ns: int) -> None:
        begun = self.state.fresh_stamp_ns is not None
        change = self._watch.change(stamp_ns, self.state.acting, begun)
        if change is not None:
            self.changes.append(change)

    def _send(self, stamp_ns: int) -> None:
        self._sent_ns = stamp_ns
        self._out.add(stamp_ns, self.state.output.values)


class EventConsumer(Protocol):
    """Receives a bag's events in order."""

    def consume(self, event: Event) -> None:
        """Process an event."""
        ...


def replay(events: Iterable[Event], consumers: Sequence[EventConsumer]) -> None:
    """Pass events to all consumers in a single pass."""
    methods = [consumer.consume for consumer in consumers]
    for event in events:
        for consume in methods:
            consume(event)


def answer(
    session: PolicySession, frame_features: FrameFeatures, stamp_ns: int
) -> Decision | None:
    """Return a session's decision on a frame; None where it refuses the frame."""
    if frame_features.features is None:
        session.refuse(frame_features.error or ObservationError("the frame was not usable"))
        return None
    try:
        return session.answer(frame_features.features, stamp_ns)
    except LiquidControlError:
        return None


class Player:
    """Replays one flight through one policy.

    A refused frame is answered with hover and leaves state and clock unchanged, as in the nodes.

    Args:
        extractor: computes the features; players of one model may share it.
        controller: computes the decisions; None for the policy itself.
        guard: applied after the policy. Of its rules, those on the IMU's age, a range ahead, the
            autopilot and the CPU need readings that a replay does not have: they must be off.
        lockstep: whether the guard follows `/clock`; None to derive it from the first frame.
        label: name of the player's track.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        controller: Controller | None = None,
        guard: Guard | None = None,
        *,
        lockstep: bool | None = None,
        label: str = "replayed",
    ) -> None:
        self.label = label
        self._extractor = extractor
        self._session = PolicySession(extractor.policy, controller)
        guard = guard or Guard()
        self._guard = ReplayGuard(guard, lockstep)
        self._checks_pictures = guard.rules.checks_pictures
        self._memory = PictureMemory()
        model = extractor.policy.model.path
        self._learned = PictureDistribution.load(model) if self._checks_pictures else None
        self._frames = self._withheld = 0
        self._commands = Rows("values", np.float64, 4)
        self._features = Rows("features", np.float32)
        self._states = Rows("neurons", np.float32)
        self._gates = Rows("time gates", np.float32)

    def consume(self, event: Event) -> None:
        """Process an event; only frames, calibrations, odometry and clocks matter."""
        if isinstance(event, FrameEvent):
            self._on_frame(event)
        elif isinstance(event, ClockEvent):
            self._guard.clock(event.stamp_ns)
        elif isinstance(event, OdometryEvent):
            self._guard.pose(PoseReading.of(event.stamp_ns, event.state))
        elif isinstance(event, CameraInfoEvent):
            self._extractor.set_camera(event)

    def replayed(self) -> Replayed:
        """Return the replayed flight after the last event."""
        guarded = self._guard.outputs()
        track = Track(
            self.label,
            self._commands.series(),
            guarded,
            self._features.series(),
            self._states.series(),
            self._gates.series(),
            self._extractor.policy.state_names,
        )
        return Replayed(
            track,
            self._frames,
            self._session.refusals,
            self._withheld,
            self._session.fresh_starts,
            self._guard.state.events,
            bool(self._guard.lockstep),
            tuple(self._guard.changes),
        )

    def _on_frame(self, frame: FrameEvent) -> None:
        self._frames += 1
        frame_features = self._extractor.extract(frame)
        if frame_features is None:
            self._withheld += 1
            return
        stamp_ns = frame.observation.stamp_ns
        command = self._answer(frame_features, stamp_ns)
        self._commands.add(stamp_ns, command.values)
        health = self._health(frame_features, stamp_ns)
        self._guard.admit(command, stamp_ns, frame.log_ns, frame.observation.range_m, health)

    def _health(self, frame_features: FrameFeatures, stamp_ns: int) -> PictureHealth | None:
        picture = frame_features.picture
        if picture is None or not self._checks_pictures:
            return None
        health, self._memory = picture_health(picture, stamp_ns, self._memory, self._learned)
        return health

    def _answer(self, frame_features: FrameFeatures, stamp_ns: int) -> Command:
        decision = answer(self._session, frame_features, stamp_ns)
        if decision is None or frame_features.features is None:
            return HOVER
        self._features.add(stamp_ns, frame_features.features)
        self._states.add(stamp_ns, decision.state)
        self._gates.add(stamp_ns, decision.gates)
        return decision.command
