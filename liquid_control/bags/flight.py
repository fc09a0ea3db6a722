"""A recorded flight as events: what `perception_node` would have seen, and what was answered.

Events come in the order in which they were filed, except that a frame waits for its IMU window and
a command for the attitude that it takes to understand it; pair them by stamp.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from itertools import chain

from liquid_control.bags.bag import RawMessage
from liquid_control.bags.commands import Attitudes, Told, command_of, told_by
from liquid_control.bags.events import (
    Calibrated,
    Clocked,
    Commanded,
    Event,
    Featured,
    Fired,
    Moved,
    Speaker,
)
from liquid_control.bags.imu_readings import read_imu
from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.odometry import state_of
from liquid_control.bags.pairing import Pairing
from liquid_control.bags.pictures import picture_of
from liquid_control.bags.readings import calibration_of, features_of, neurons_of
from liquid_control.bags.recording import Recording
from liquid_control.bags.roles import Role
from liquid_control.bags.stamps import ANOTHER_CLOCK_NS, Clocks, beginning, own_stamp
from liquid_control.bags.topics import Source, TopicMap
from liquid_control.errors import BagError, ObservationError

PATIENCE_NS = 200_000_000
"""Of log time that a command waits for the odometry of its stamp."""
SPEAKERS = {Role.POLICY_COMMAND: Speaker.POLICY, Role.COMMAND: Speaker.GUARD}


def read_flight(
    bag: Recording, topics: TopicMap, losses: Losses, start_ns: int | None = None
) -> Iterator[Event]:
    """Yield what happened in a flight, holding no more of it than what waits.

    Args:
        bag: where it was recorded.
        topics: which topic plays which role.
        losses: takes what cannot be used, and why.
        start_ns: log time to begin at; None for the beginning.
    """
    messages = bag.messages(topics.topics, losses, start_ns)
    first = beginning(messages, topics.topics)
    flight = _Flight(bag, topics, losses, Clocks(first, topics.topic(Role.CAMERA)))
    for message in chain(first, messages):
        yield from flight.take(message)
    yield from flight.finish()


class _Flight:
    """Turns messages into events."""

    def __init__(self, bag: Recording, topics: TopicMap, losses: Losses, clocks: Clocks) -> None:
        self._bag = bag
        self._losses = losses
        self._clocks = clocks
        self._pairing = Pairing(Role.IMU in topics, losses)
        self._turning = _Turning(Role.ODOMETRY in topics, losses)
        self._playing: dict[str, list[tuple[Role, Source]]] = defaultdict(list)
        for role, source in topics.sources.items():
            self._playing[source.topic].append((role, source))
        self._calibration = b""
        self._camera_lag_ns: int | None = None
        self._readers: dict[Role, Callable[[RawMessage, Source], Iterator[Event]]] = {
            Role.CAMERA: self._on_picture,
            Role.CAMERA_INFO: self._on_camera_info,
            Role.IMU: self._on_imu,
            Role.ODOMETRY: self._on_odometry,
            Role.POLICY_COMMAND: lambda m, s: self._on_command(m, s, Speaker.POLICY),
            Role.COMMAND: lambda m, s: self._on_command(m, s, Speaker.GUARD),
            Role.FEATURES: self._on_features,
            Role.NEURONS: self._on_neurons,
            Role.CLOCK: self._on_clock,
        }

    def take(self, message: RawMessage) -> Iterator[Event]:
        """Yield what a message brings about."""
        yield from self._pairing.heard(message.log_ns)
        yield from self._turning.heard(message.log_ns)
        for role, source in self._playing[message.topic]:
            if message.type != source.type:
                self._losses.count(
                    Loss.WRONG_TYPE,
                    f"{message.topic}: expected {source.type}, got {message.type}",
                )
                continue
            try:
                yield from self._readers[role](message, source)
            except BagError as error:
                self._losses.count(Loss.UNDECODABLE, f"{message.topic}: {error}")
            except ObservationError as error:
                bad = Loss.BAD_PICTURE if role is Role.CAMERA else Loss.BAD_VALUE
                self._losses.count(bad, f"{message.topic}: {error}")

    def finish(self) -> Iterator[Event]:
        """Yield what still waits."""
        yield from self._pairing.finish()
        yield from self._turning.finish()

    def _on_picture(self, message: RawMessage, source: Source) -> Iterator[Event]:
        stamp_ns = self._clocks.stamp(message)
        self._note_jump(stamp_ns, message.log_ns)
        image = picture_of(source.type, self._bag.decode(message))
        yield from self._pairing.add_frame(stamp_ns, image, message.log_ns)

    def _note_jump(self, stamp_ns: int, log_ns: int) -> None:
        lag_ns, before_ns = log_ns - stamp_ns, self._camera_lag_ns
        self._camera_lag_ns = lag_ns
        if before_ns is not None and abs(lag_ns - before_ns) > ANOTHER_CLOCK_NS:
            jumped_s = (before_ns - lag_ns) * 1e-9
            self._losses.count(
                Loss.CLOCK_JUMP, f"the camera's stamps jumped by {jumped_s:.0f} s at {stamp_ns} ns"
            )

    def _on_camera_info(self, message: RawMessage, source: Source) -> Iterator[Event]:
        told = message.data[12:]
        if told != self._calibration:
            self._calibration = told
            told_now: Calibrated = calibration_of(self._bag.decode(message))
            yield told_now

    def _on_imu(self, message: RawMessage, source: Source) -> Iterator[Event]:
        rate, force = read_imu(source.type, message.data, source.axes)
        stamp_ns = self._clocks.stamp(message)
        yield from self._pairing.add_sample(stamp_ns, rate, force, message.log_ns)

    def _on_odometry(self, message: RawMessage, source: Source) -> Iterator[Event]:
        state, stamp_ns = state_of(self._bag, message), self._clocks.stamp(message)
        yield Moved(stamp_ns, state)
        self._turning.attitudes.add(stamp_ns, state.quaternion)
        yield from self._turning.heard(message.log_ns)

    def _on_command(
        self, message: RawMessage, source: Source, speaker: Speaker
    ) -> Iterator[Event]:
        told, stamp_ns = told_by(self._bag, message, source), self._clocks.stamp(message)
        yield from self._turning.add(speaker, told, stamp_ns, message.log_ns)

    def _on_features(self, message: RawMessage, source: Source) -> Iterator[Event]:
        features = features_of(self._bag.decode(message))
        yield Featured(self._clocks.stamp(message), features)

    def _on_neurons(self, message: RawMessage, source: Source) -> Iterator[Event]:
        names, states, gates = neurons_of(self._bag.decode(message))
        yield Fired(self._clocks.stamp(message), names, states, gates)

    def _on_clock(self, message: RawMessage, source: Source) -> Iterator[Event]:
        stamp_ns = own_stamp(message.type, message.data)
        if stamp_ns is not None:
            yield Clocked(stamp_ns)


class _Turning:
    """Commands, of which some wait for the attitude that turns them into the heading frame."""

    def __init__(self, has_odometry: bool, losses: Losses) -> None:
        self.attitudes = Attitudes()
        self._has_odometry = has_odometry
        self._losses = losses
        self._waiting: deque[tuple[Speaker, Told, int, int]] = deque()

    def add(self, speaker: Speaker, told: Told, stamp_ns: int, log_ns: int) -> Iterator[Commanded]:
        """Take a command; yield it if nothing lacks."""
        if told.needs_attitude and self._has_odometry:
            self._waiting.append((speaker, told, stamp_ns, log_ns))
            yield from self.heard(log_ns)
        elif told.needs_attitude:
            self._lose(told, "the bag has no odometry")
        else:
            yield Commanded(speaker, command_of(told, told.quaternion), stamp_ns, log_ns)

    def heard(self, log_ns: int) -> Iterator[Commanded]:
        """Yield the commands whose attitude is known, or for which it was waited too long."""
        while self._waiting:
            _, _, stamp_ns, filed_ns = self._waiting[0]
            if not self.attitudes.reach(stamp_ns) and log_ns - filed_ns <= PATIENCE_NS:
                return
            yield from self._turn(*self._waiting.popleft())

    def finish(self) -> Iterator[Commanded]:
        """Yield what still waits."""
        while self._waiting:
            yield from self._turn(*self._waiting.popleft())

    def _turn(
        self, speaker: Speaker, told: Told, stamp_ns: int, log_ns: int
    ) -> Iterator[Commanded]:
        quaternion = self.attitudes.at(stamp_ns)
        if quaternion is None:
            self._lose(told, f"no odometry within a second before {stamp_ns} ns")
        else:
            yield Commanded(speaker, command_of(told, quaternion), stamp_ns, log_ns)

    def _lose(self, told: Told, reason: str) -> None:
        self._losses.count(
            Loss.NO_HEADING, f"a velocity in {told.frame.value} takes an attitude; {reason}"
        )
