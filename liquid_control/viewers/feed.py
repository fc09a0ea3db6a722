"""Feed of a viewer: serialised messages of a flight's graph, converted to what it shows.

Numbers are passed on as they are, with their ROS type, so that one layout shows a live flight and
its bag. Pictures are compressed; the saliency map, and time constants and wiring of a wired CfC,
are computed here; the scene in 3D, the transforms and the events are made from odometry, commands,
wind and diagnostics. Every stream has a largest rate, and only what a viewer looks at is
subscribed to, decoded and computed.
"""

import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import cv2
import numpy as np

from liquid_control import message_types, topics
from liquid_control.bags.decoding.odometry import state_of_odometry, xyz
from liquid_control.bags.decoding.sensors import camera_info_of, compressed_image_of, image_of
from liquid_control.bags.decoding.stamps import own_stamp
from liquid_control.bags.decoding.typestore import Types
from liquid_control.bags.writing.messages import compressed_image_cdr, definition_of
from liquid_control.command import MOTORS
from liquid_control.errors import LiquidControlError
from liquid_control.liquid.activity import step_activity
from liquid_control.pages.picture_track import saliency_overlay
from liquid_control.perception import Viewfinder, decode_picture, fit, standardise
from liquid_control.perception.visual_backprop import visual_backprop
from liquid_control.policy import Model
from liquid_control.types import Command, Pixels, VehicleState
from liquid_control.viewers.network_steps import NetworkStep, NetworkSteps, time_constants_message
from liquid_control.viewers.rates import DEFAULT_RATES, FeedRates, Pacer, TopicReading
from liquid_control.viewers.scene import (
    EventLog,
    FlightScene,
    pose_message,
    sdk,
    transforms_message,
)
from liquid_control.viewers.server import Channel
from liquid_control.viewers.wiring_picture import WiringPicture

CAMERA = f"/{topics.COMPRESSED}"
SALIENCY, SCENE, POSE, TRANSFORMS, EVENTS = "/policy/saliency", "/scene", "/pose", "/tf", "/events"
TIME_CONSTANTS, WIRING = "/policy/time_constants", "/policy/wiring"
PASSED: dict[str, str] = {
    **{
        name: topics.TYPES[name]
        for name in (
            topics.COMMAND,
            topics.POLICY_COMMAND,
            topics.NEURONS,
            topics.INPUTS,
            topics.ODOM,
            topics.IMU,
            topics.RANGE,
            topics.CAMERA_INFO,
            topics.DIAGNOSTICS,
        )
    },
    topics.WIND: message_types.VECTOR_STAMPED,
}
"""Types of the topics that viewers get as they are."""
DECODED = PASSED | {topics.FEATURES: topics.TYPES[topics.FEATURES]}
"""Types of the topics whose messages are decoded here, and of all that are passed on."""
EVERY = {topics.DIAGNOSTICS, topics.FEATURES, topics.NEURONS}
"""Topics of which every message is needed; of the others the newest one is enough."""
READ_LAST = {topics.IMAGE, topics.COMPRESSED, topics.ODOM, topics.NEURONS}
"""Topics whose messages need those that arrived on others: a picture needs the camera's model, a
scene the command, and neurons the features of their frame."""
FOXGLOVE = {
    SCENE: "SceneUpdate",
    POSE: "PoseInFrame",
    TRANSFORMS: "FrameTransforms",
    EVENTS: "Log",
}
"""Schemas of Foxglove by topic."""
JPEG = "jpeg"
AFTER_STAMP = 12
"""Of a serialised message with a header: encapsulation and stamp, 4 and 8 bytes, come first."""
SALIENCY_SCALE = 2
SALIENCY_PART = 0.2
"""Largest part of a core that saliency takes, whatever its rate."""


class Sender(Protocol):
    """Sends messages to viewers."""

    def wanted(self) -> set[str]:
        """Return the topics that viewers look at."""
        ...

    def send(self, topic: str, message: bytes, stamp_ns: int) -> None:
        """Send a message, or drop it; return at once."""
        ...


def channels(model: Model | None) -> dict[str, Channel]:
    """Return what is offered to viewers; what is computed from a model only with one.

    Args:
        model: None for none; time constants and wiring need one with a wired CfC.

    Raises:
        DependencyError: foxglove-sdk is not installed.
    """
    offered = {f"/{name}": _ros_channel(kind) for name, kind in PASSED.items()}
    offered[CAMERA] = _ros_channel(message_types.COMPRESSED_IMAGE, picture=True)
    if model is not None:
        offered[SALIENCY] = _ros_channel(message_types.COMPRESSED_IMAGE, picture=True)
        if model.wired_weights is not None:
            offered[TIME_CONSTANTS] = _ros_channel(message_types.JOINT_STATE)
            offered[WIRING] = _ros_channel(message_types.COMPRESSED_IMAGE, picture=True)
    for topic, name in FOXGLOVE.items():
        schema = getattr(sdk(), name).get_schema()
        offered[topic] = Channel("protobuf", schema.name, schema.encoding, schema.data)
    return offered


def _ros_channel(kind: str, picture: bool = False) -> Channel:
    return Channel("cdr", kind, "ros2msg", definition_of(kind).encode(), picture)


class ViewerFeed:
    """Converts messages of the graph and sends them.

    Args:
        sender: of the viewers.
        model: whose saliency, time constants and wiring are computed; None for none.
        rates: of the streams.
        camera: topic of the pictures: raw or compressed ones.
        read_as: encoding that replaces the one that pictures state; None to follow them.
        jpeg_quality: 1 to 100.
        pitch_down_deg: of the camera's optical axis below the x axis of `base_link`.
        clock: steady time, s.

    Attributes:
        counts: `message_refused`: messages that cannot be decoded or do not fit the model;
            `step_left_out`: steps of the network without time constants and wiring, because a
            message was missed or the network is another one.
        problem: of the last of these.
    """

    def __init__(
        self,
        sender: Sender,
        model: Model | None = None,
        rates: FeedRates = DEFAULT_RATES,
        camera: str = topics.IMAGE,
        read_as: str | None = None,
        jpeg_quality: int = 80,
        pitch_down_deg: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.problem = ""
        self._sender, self._model, self._camera, self._clock = sender, model, camera, clock
        self._read_as, self._quality = read_as, jpeg_quality
        self._pitch_down_deg = pitch_down_deg
        self._types = Types({})
        self._scene, self._events = FlightScene(), EventLog()
        self._camera_info = b""
        self._finder = None if model is None else Viewfinder(model.settings.camera.view)
        self._pacers = {f"/{name}": Pacer(rates.numbers) for name in PASSED}
        scene = SCENE, POSE, TRANSFORMS, topics.COMMAND, topics.WIND
        self._pacers |= {topic: Pacer(rates.scene) for topic in scene}
        self._pacers |= {CAMERA: Pacer(rates.camera), SALIENCY: Pacer(rates.saliency)}
        self._pacers |= {TIME_CONSTANTS: Pacer(rates.numbers), WIRING: Pacer(rates.wiring)}
        self._handlers: dict[str, Callable[[bytes, int, set[str]], None]] = {
            camera: self._on_picture,
            topics.CAMERA_INFO: self._on_camera_info,
            topics.ODOM: self._on_odometry,
            topics.COMMAND: self._on_command,
            topics.WIND: self._on_wind,
            topics.DIAGNOSTICS: self._on_diagnostics,
        }
        numbers = rates.numbers
        self._sources: dict[str, dict[str, float]] = {
            **{f"/{name}": {name: numbers} for name in PASSED},
            CAMERA: {camera: rates.camera},
            SALIENCY: dict.fromkeys((camera, topics.CAMERA_INFO), rates.saliency),
            SCENE: dict.fromkeys((topics.ODOM, topics.COMMAND, topics.WIND), rates.scene),
            POSE: {topics.ODOM: rates.scene},
            TRANSFORMS: {topics.ODOM: rates.scene},
            EVENTS: {topics.DIAGNOSTICS: numbers},
        }
        if model is not None and model.wired_weights is not None:
            self._steps = NetworkSteps(model, self._decode)
            self._wiring = WiringPicture(model.weights.wiring, MOTORS)
            self._handlers[topics.FEATURES] = partial(self._on_network, self._steps.add_features)
            self._handlers[topics.NEURONS] = partial(self._on_network, self._steps.add_neurons)
            both = dict.fromkeys((topics.FEATURES, topics.NEURONS), numbers)
            self._sources |= {TIME_CONSTANTS: both, WIRING: both}

    def sources(self) -> dict[str, TopicReading]:
        """Return the topics of the graph that are needed for what viewers look at, in order."""
        rates: dict[str, float] = {}
        for stream in self._sender.wanted():
            for topic, rate_hz in self._sources[stream].items():
                rates[topic] = max(rate_hz, rates.get(topic, 0.0))
        ordered = sorted(rates, key=lambda topic: (topic in READ_LAST, topic))
        return {topic: TopicReading(rates[topic], topic in EVERY) for topic in ordered}

    def receive(self, topic: str, message: bytes, stamp_ns: int) -> None:
        """Convert a serialised message and send what follows from it; never raise.

        Args:
            topic: of the graph, relative.
            message: serialised.
            stamp_ns: ROS time.
        """
        wanted = self._sender.wanted()
        try:
            if topic in PASSED and self._is_due(f"/{topic}", wanted):
                self._sender.send(f"/{topic}", message, stamp_ns)
            if topic in self._handlers:
                self._handlers[topic](message, stamp_ns, wanted)
        except LiquidControlError as error:
            self.counts["message_refused"] += 1
            self.problem = f"{topic}: {' '.join(str(error).split())}"

    def _is_due(self, topic: str, wanted: set[str]) -> bool:
        if topic not in wanted:
            return False
        return topic == f"/{topics.DIAGNOSTICS}" or self._pacers[topic].due(self._clock())

    def _on_picture(self, message: bytes, stamp_ns: int, wanted: set[str]) -> None:
        shown = self._is_due(CAMERA, wanted)
        explained = self._model is not None and self._is_due(SALIENCY, wanted)
        if shown and self._camera == topics.COMPRESSED:
            self._sender.send(CAMERA, message, stamp_ns)
            shown = False
        if not (shown or explained):
            return
        picture = self._decoded(message)
        frame_ns = own_stamp(message_types.IMAGE, message) or stamp_ns
        if shown:
            self._send_picture(CAMERA, picture, frame_ns, stamp_ns)
        if explained:
            begin_s = self._clock()
            self._send_picture(SALIENCY, self._explained(picture), frame_ns, stamp_ns)
            now_s = self._clock()
            self._pacers[SALIENCY].wait(now_s, (now_s - begin_s) * (1.0 / SALIENCY_PART - 1.0))

    def _decoded(self, message: bytes) -> Pixels:
        if self._camera == topics.COMPRESSED:
            image_format, file = compressed_image_of(message)
            return decode_picture(image_format, file, read_as=self._read_as)
        raw = image_of(message)
        layout = raw.height, raw.width, raw.step, bool(raw.is_bigendian)
        return decode_picture(raw.encoding, raw.data, *layout, read_as=self._read_as)

    def _explained(self, picture: Pixels) -> Pixels:
        """Return the model's view of a picture under its VisualBackProp mask."""
        assert self._model is not None
        assert self._finder is not None
        view = self._model.settings.camera.view
        fitted = fit(self._finder.frame(picture), view)
        settings, arrays = self._model.settings.perception, self._model.arrays
        mask = visual_backprop(settings, arrays, standardise(fitted))
        return saliency_overlay(fitted, mask, SALIENCY_SCALE)

    def _send_picture(self, topic: str, picture: Pixels, frame_ns: int, stamp_ns: int) -> None:
        bgr = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR)
        _, file = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, self._quality])
        self._sender.send(topic, compressed_image_cdr(file.tobytes(), JPEG, frame_ns), stamp_ns)

    def _on_camera_info(self, message: bytes, stamp_ns: int, wanted: set[str]) -> None:
        content = message[AFTER_STAMP:]
        if self._finder is not None and SALIENCY in wanted and content != self._camera_info:
            self._camera_info = content
            info = camera_info_of(self._decode(topics.CAMERA_INFO, message))
            self._finder.set_camera(
                info.width, info.height, info.horizontal_fov_deg, info.model, info.problem
            )

    def _on_network(
        self,
        add: Callable[[bytes], NetworkStep | None],
        message: bytes,
        stamp_ns: int,
        wanted: set[str],
    ) -> None:
        """Give features or neurons to the steps of the network, and send what a step shows."""
        if not (wanted & {TIME_CONSTANTS, WIRING}):
            return
        try:
            step = add(message)
        finally:
            if self._steps.left_out:
                self.counts["step_left_out"] = self._steps.left_out
        if step is None:
            return
        weights = self._steps.weights
        if self._is_due(TIME_CONSTANTS, wanted):
            content = time_constants_message(weights, step)
            self._sender.send(TIME_CONSTANTS, content, stamp_ns)
        if self._is_due(WIRING, wanted):
            activity = step_activity(weights, step.features, step.before, step.dt_s)
            picture = self._wiring.draw(activity, step.features)
            self._send_picture(WIRING, picture, step.stamp_ns, stamp_ns)

    def _on_odometry(self, message: bytes, stamp_ns: int, wanted: set[str]) -> None:
        made: dict[str, Callable[[VehicleState, int], bytes | None]] = {
            SCENE: self._scene_message,
            POSE: pose_message,
            TRANSFORMS: lambda state, ns: transforms_message(state, ns, self._pitch_down_deg),
        }
        due = [topic for topic in made if self._is_due(topic, wanted)]
        if not due:
            return
        state = state_of_odometry(self._decode(topics.ODOM, message))
        frame_ns = own_stamp(message_types.ODOMETRY, message) or stamp_ns
        self._scene.add_state(state)
        for topic in due:
            if (content := made[topic](state, frame_ns)) is not None:
                self._sender.send(topic, content, stamp_ns)

    def _is_used(self, topic: str, wanted: set[str]) -> bool:
        """Return whether a message of a topic goes into the scene."""
        return SCENE in wanted and self._pacers[topic].due(self._clock())

    def _scene_message(self, state: VehicleState, stamp_ns: int) -> bytes | None:
        return self._scene.message(stamp_ns)

    def _on_command(self, message: bytes, stamp_ns: int, wanted: set[str]) -> None:
        if self._is_used(topics.COMMAND, wanted):
            twist = self._decode(topics.COMMAND, message).twist
            linear = twist.linear
            self._scene.set_command(Command(linear.x, linear.y, linear.z, twist.angular.z))

    def _on_wind(self, message: bytes, stamp_ns: int, wanted: set[str]) -> None:
        if self._is_used(topics.WIND, wanted):
            self._scene.set_wind(xyz(self._decode(topics.WIND, message).vector))

    def _on_diagnostics(self, message: bytes, stamp_ns: int, wanted: set[str]) -> None:
        if EVENTS in wanted:
            content = self._decode(topics.DIAGNOSTICS, message)
            for log in self._events.messages(content, stamp_ns):
                self._sender.send(EVENTS, log, stamp_ns)

    def _decode(self, topic: str, message: bytes) -> Any:
        return self._types.decode(DECODED[topic], message)
