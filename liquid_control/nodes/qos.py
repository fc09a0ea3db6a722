"""Message class and quality of service of every topic, in lockstep and in real time.

In lockstep every message is waited for and none may be lost: profiles are reliable, and deep
enough for a recorder that lags. Answers of nodes are also kept for late subscribers, so the first
message is not lost between two nodes that have not discovered each other yet. In real time an old
picture is useless: images and IMU samples are best effort, as sensor drivers publish them.
"""

from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSProfile,
    ReliabilityPolicy,
    qos_profile_sensor_data,
)

from liquid_control import topics
from liquid_control.nodes.message_classes import message_class

CLASSES: dict[str, type] = {
    topic: message_class(name)
    for topic, name in (topics.TYPES | topics.GUARD_TYPES | topics.ADAPTATION_TYPES).items()
}
"""The class of each topic's messages."""

IMAGE_DEPTH = 64
LOCKSTEP_DEPTH = 2000
REALTIME_DEPTH = 10
IMU_DEPTH = 200
"""In real time: IMU samples of half a second; a busy machine delivers them in bursts."""


def _reliable(depth: int, kept: bool = False) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if kept else DurabilityPolicy.VOLATILE,
    )


def _best_effort(depth: int) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT
    )


_LOCKSTEP: dict[str, QoSProfile] = {
    topics.IMAGE: _reliable(IMAGE_DEPTH),
    topics.FEATURES: _reliable(LOCKSTEP_DEPTH, kept=True),
    topics.POLICY_COMMAND: _reliable(LOCKSTEP_DEPTH, kept=True),
    topics.COMMAND: _reliable(LOCKSTEP_DEPTH, kept=True),
    topics.GUARD_ACTIONS: _reliable(LOCKSTEP_DEPTH, kept=True),
    topics.NEURONS: _reliable(LOCKSTEP_DEPTH, kept=True),
    topics.INPUTS: _reliable(LOCKSTEP_DEPTH, kept=True),
    topics.ADAPTATION: _reliable(LOCKSTEP_DEPTH, kept=True),
    topics.PICTURE: _reliable(LOCKSTEP_DEPTH, kept=True),
}
_REALTIME: dict[str, QoSProfile] = {
    topics.IMAGE: qos_profile_sensor_data,
    topics.CAMERA_INFO: qos_profile_sensor_data,
    topics.RANGE: qos_profile_sensor_data,
    topics.FORWARD_RANGE: qos_profile_sensor_data,
    topics.IMU: _best_effort(IMU_DEPTH),
}
KEPT = _reliable(1, kept=True)
"""Profile of a topic with one lasting message, such as `tf_static`."""
PROFILES: dict[str, tuple[dict[str, QoSProfile], QoSProfile]] = {
    "lockstep": (_LOCKSTEP, _reliable(LOCKSTEP_DEPTH)),
    "realtime": (_REALTIME, _reliable(REALTIME_DEPTH)),
}


def profile(topic: str, mode: str) -> QoSProfile:
    """Return a topic's profile in a mode, `lockstep` or `realtime`."""
    special, default = PROFILES[mode]
    return special.get(topic, default)
