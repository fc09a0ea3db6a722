"""A recorded flight as events: what `perception_node` would have seen, and what was answered.

Events come in the order in which they were filed, except that a frame waits for its IMU window and
a command for the attitude that it takes to understand it; pair them by stamp.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import numpy as np

from liquid_control.bags.bag import MessageSource
from liquid_control.bags.decoding.commands import HeadingFrameTransform, told_by
from liquid_control.bags.decoding.frame_imu_sync import FrameImuSync
from liquid_control.bags.decoding.odometry import state_of
from liquid_control.bags.decoding.sensors import (
    AFTER_TIME,
    calibration_of,
    features_of,
    image_of,
    neurons_of,
    read_imu,
)
from liquid_control.bags.decoding.stamps import ANOTHER_CLOCK_NS, Clocks, beginning, own_stamp
from liquid_control.bags.events import (
    CameraInfoEvent,
    ClockEvent,
    CommandSource,
    Event,
    FeaturesEvent,
    NeuronsEvent,
    OdometryEvent,
)
from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.part import RawMessage
from liquid_control.bags.topics import Source, TopicMap
from liquid_control.bags.topics.roles import Role
from liquid_control.errors import BagError, ObservationError
from liquid_control.message_types import IMAGE
from liquid_control.perception.decoding import picture_of

COMMAND_SOURCES = {Role.POLICY_COMMAND: CommandSource.POLICY, Role.COMMAND: CommandSource.GUARD}


def read_flight(
    bag: MessageSource, topics: TopicMap, losses: Losses, start_ns: int | None = None
) -> Iterator[Event]:
    """Yield what happened in a flight, holding no more of it than what waits.

    Args:
        bag: where it was recorded.
        topics: which topic plays which role.
        losses: takes what cannot be used, and why.
        start_ns: log time to begin at; None for the beginning.
    """
    messages = bag.messages(topics.topics, losses, start_ns)
    camera = topics.topic(Role.CAMERA)
    first = beginning(messages, topics.topics, camera)
    flight = _Flight(bag, topics, losses, Clocks(first, camera))
    for message in chain(first, messages):
        yield from flight.take(message)
    yield from flight.finish()


class _Flight:
    """Turns messages into events."""

    def __init__(
        self, bag: MessageSource, topics: TopicMap, losses: Losses, clocks: Clocks
    ) -> None:
        self._bag = bag
        self._losses = losses
        self._clocks = clocks
        self._pairing = FrameImuSync(Role.IMU in topics, losses)
        self._turning = HeadingFrameTransform(Role.ODOMETRY in topics, losses)
        self._playing: dict[str, list[tuple[Role, Source]]] = defaultdict(list)
        for role, source in topics.sources.items():
            self._playing[source.topic].append((role, source))
        self._calibration: bytes | tuple[int, ...] | None = None
        camera = topics.sources.get(Role.CAMERA)
        self._fov_is_told = camera is not None and camera.horizontal_fov_deg is not None
        self._camera_lag_ns: int | None = None
        self._readers: dict[Role, Callable[[RawMessage, Source], Sequence[Event]]] = {
            Role.CAMERA: self._on_picture,
            Role.CAMERA_INFO: self._on_camera_info,
            Role.IMU: self._on_imu,
            Role.ODOMETRY: self._on_odometry,
            Role.POLICY_COMMAND: lambda m, s: self._on_command(m, s, CommandSource.POLICY),
            Role.COMMAND: lambda m, s: self._on_command(m, s, CommandSource.GUARD),
            Role.FEATURES: self._on_features,
            Role.NEURONS: self._on_neurons,
            Role.CLOCK: self._on_clock,
        }

    def take(self, message: RawMessage) -> list[Event]:
        """Return what a message brings about."""
        events: list[Event] = [*self._pairing.heard(message.log_ns)]
        events += self._turning.heard(message.log_ns)
        for role, source in self._playing[message.topic]:
            if message.type != source.type:
                self._losses.count(
                    Loss.WRONG_TYPE,
                    f"{message.topic}: expected {source.type}, got {message.type}",
                )
                continue
            try:
                events += self._readers[role](message, source)
            except BagError as error:
                self._losses.count(Loss.UNDECODABLE, f"{message.topic}: {error}")
            except ObservationError as error:
                bad = Loss.BAD_PICTURE if role is Role.CAMERA else Loss.BAD_VALUE
                self._losses.count(bad, f"{message.topic}: {error}")
        return events

    def finish(self) -> list[Event]:
        """Return what still waits."""
        return [*self._pairing.finish(), *self._turning.finish()]

    def _on_picture(self, message: RawMessage, source: Source) -> Sequence[Event]:
        stamp_ns = self._clocks.stamp(message)
        self._note_jump(stamp_ns, message.log_ns)
        raw = source.type == IMAGE
        content = image_of(message.data) if raw else self._bag.decode(message)
        image = picture_of(source.type, content)
        told = self._calibrate(image.shape, source.horizontal_fov_deg)
        return [*told, *self._pairing.add_frame(stamp_ns, image, message.log_ns)]

    def _calibrate(self, shape: tuple[int, ...], fov_deg: float | None) -> Sequence[Event]:
        """Return the calibration that the rules tell, once for pictures of one size."""
        if fov_deg is None or shape == self._calibration:
            return ()
        self._calibration = shape
        return (CameraInfoEvent(shape[1], shape[0], fov_deg, np.empty(0)),)

    def _note_jump(self, stamp_ns: int, log_ns: int) -> None:
        lag_ns, before_ns = log_ns - stamp_ns, self._camera_lag_ns
        self._camera_lag_ns = lag_ns
        if before_ns is not None and abs(lag_ns - before_ns) > ANOTHER_CLOCK_NS:
            jumped_s = (before_ns - lag_ns) * 1e-9
            self._losses.count(
                Loss.CLOCK_JUMP, f"the camera's stamps jumped by {jumped_s:.0f} s at {stamp_ns} ns"
            )

    def _on_camera_info(self, message: RawMessage, source: Source) -> Sequence[Event]:
        told = message.data[AFTER_TIME:]
        if self._fov_is_told or told == self._calibration:
            return ()
        self._calibration = told
        return (calibration_of(self._bag.decode(message)),)

    def _on_imu(self, message: RawMessage, source: Source) -> Sequence[Event]:
        reading = read_imu(source.type, message.data, source.axes)
        stamp_ns = self._clocks.stamp(message)
        if reading is None:
            return self._pairing.reach(stamp_ns, message.log_ns)
        return self._pairing.add_sample(stamp_ns, *reading, message.log_ns)

    def _on_odometry(self, message: RawMessage, source: Source) -> Sequence[Event]:
        state, stamp_ns = state_of(self._bag, message), self._clocks.stamp(message)
        self._turning.attitudes.add(stamp_ns, state.quaternion)
        return [OdometryEvent(stamp_ns, state), *self._turning.heard(message.log_ns)]

    def _on_command(
        self, message: RawMessage, source: Source, speaker: CommandSource
    ) -> Sequence[Event]:
        told, stamp_ns = told_by(self._bag, message, source), self._clocks.stamp(message)
        return self._turning.add(speaker, told, stamp_ns, message.log_ns)

    def _on_features(self, message: RawMessage, source: Source) -> Sequence[Event]:
        features = features_of(image_of(message.data))
        return (FeaturesEvent(self._clocks.stamp(message), features),)

    def _on_neurons(self, message: RawMessage, source: Source) -> Sequence[Event]:
        names, states, gates = neurons_of(self._bag.decode(message))
        return (NeuronsEvent(self._clocks.stamp(message), names, states, gates),)

    def _on_clock(self, message: RawMessage, source: Source) -> Sequence[Event]:
        stamp_ns = own_stamp(message.type, message.data)
        return () if stamp_ns is None else (ClockEvent(stamp_ns),)
