"""Rosbag2 recordings: written without ROS, read even if damaged, decoded into flight events.

`open_bag` reads raw messages, `read_flight` the events of a flight, `read_bag` a whole flight as
arrays, and `BagWriter` writes a bag. Example:

    bag, losses = open_bag(Path("flight.mcap")), Losses()
    for event in read_flight(bag, resolve(bag, load_rules()), losses):
        ...
"""

from liquid_control.bags.bag import Bag, Excerpt, MessageSource, TopicInfo, open_bag
from liquid_control.bags.events import (
    AdaptationEvent,
    CameraInfoEvent,
    ClockEvent,
    CommandEvent,
    CommandSource,
    Event,
    FeaturesEvent,
    FrameEvent,
    GuardChangeEvent,
    NeuronsEvent,
    OdometryEvent,
)
from liquid_control.bags.flight_arrays import FlightBag, Stamped, read_bag
from liquid_control.bags.flight_events import COMMAND_SOURCES, read_flight
from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.survey import Survey, Traffic, metadata_records, survey_bag
from liquid_control.bags.topics import (
    Role,
    RoleFinding,
    Source,
    TopicMap,
    TopicRules,
    find_roles,
    load_rules,
    resolve,
)
from liquid_control.bags.writing.mcap_writer import BagWriter
from liquid_control.errors import BagError

__all__ = [
    "COMMAND_SOURCES",
    "AdaptationEvent",
    "Bag",
    "BagError",
    "BagWriter",
    "CameraInfoEvent",
    "ClockEvent",
    "CommandEvent",
    "CommandSource",
    "Event",
    "Excerpt",
    "FeaturesEvent",
    "FlightBag",
    "FrameEvent",
    "GuardChangeEvent",
    "Loss",
    "Losses",
    "MessageSource",
    "NeuronsEvent",
    "OdometryEvent",
    "Role",
    "RoleFinding",
    "Source",
    "Stamped",
    "Survey",
    "TopicInfo",
    "TopicMap",
    "TopicRules",
    "Traffic",
    "find_roles",
    "load_rules",
    "metadata_records",
    "open_bag",
    "read_bag",
    "read_flight",
    "resolve",
    "survey_bag",
]
