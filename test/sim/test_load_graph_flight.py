"""Flight data for reports from the files of a flight: a record and a bag."""

from dataclasses import replace

import numpy as np
import pytest
from rosbags.typesys import Stores, get_typestore

from liquid_control.bags import BagWriter
from liquid_control.errors import OutputError
from liquid_control.evaluation import CampaignEntry, plan_flights, save_record
from liquid_control.graph import GraphFlight, load_graph_flight
from liquid_control.types import FlightRecord, FlightResult
from liquid_control_sim.place.forest import generate_forest

pytestmark = pytest.mark.sim

TYPES = get_typestore(Stores.ROS2_JAZZY)
STATISTICS = {
    "rtf": 2.5,
    "frames": 40,
    "frames_lost": 3,
    "latency_ms": {"p50": 1.4, "p99": 1.9, "max": 4.0},
}


@pytest.fixture
def flight(tmp_path):
    home = tmp_path / "calm-7"
    record = save_record(home / "flight.npz", make_record())
    bag = write_bag(home / "flight.mcap")
    return GraphFlight(make_record().result, STATISTICS, record, bag)


@pytest.fixture
def job():
    (job,) = plan_flights(
        [CampaignEntry(name="calm", seeds="7", set={"trail.length_m": 20})], ["m"]
    )
    return job


def make_record():
    zeros = np.zeros(4)
    return FlightRecord(
        stamp_ns=np.arange(4, dtype=np.int64) * 25_000_000,
        position=np.zeros((4, 3)),
        quaternion=np.tile([0.0, 0.0, 0.0, 1.0], (4, 1)),
        velocity=np.zeros((4, 3)),
        command=np.zeros((4, 4)),
        framed=np.array([True, False, True, False]),
        wind=np.zeros((4, 3)),
        progress_m=zeros,
        cross_track_m=zeros,
        clearance_m=zeros + 1.0,
        result=FlightResult(True, "completed", 20.0, 0.1, 1.0, 0.075),
    )


def header(stamp_ns):
    time = TYPES.types["builtin_interfaces/msg/Time"](sec=0, nanosec=stamp_ns)
    return TYPES.types["std_msgs/msg/Header"](stamp=time, frame_id="camera_optical_frame")


def write_bag(path):
    make = TYPES.types
    vector = make["geometry_msgs/msg/Vector3"](x=1.0, y=0.0, z=0.0)
    twist = make["geometry_msgs/msg/Twist"](linear=vector, angular=vector)
    topics = {
        "camera/image_raw": "sensor_msgs/msg/Image",
        "cmd_vel": "geometry_msgs/msg/TwistStamped",
        "policy/neurons": "sensor_msgs/msg/JointState",
    }
    with BagWriter(path, topics) as bag:
        for stamp in (0, 50_000_000):
            grey = np.full(2 * 3 * 3, 1 + stamp // 10_000_000, np.uint8)
            image = make["sensor_msgs/msg/Image"](header(stamp), 2, 3, "rgb8", 0, 9, grey)
            order = make["geometry_msgs/msg/TwistStamped"](header(stamp), twist)
            values = np.array([0.5, -0.5])
            neurons = make["sensor_msgs/msg/JointState"](
                header(stamp), ["inter_0", "motor_0"], values, values + 0.5, np.array([])
            )
            for (topic, kind), message in zip(
                topics.items(), (image, order, neurons), strict=True
            ):
                bag.write(topic, bytes(TYPES.serialize_cdr(message, kind)), stamp)
    return path


def test_flight_data_has_record_bag_and_forest(tmp_path, job, flight):
    data = load_graph_flight(job, flight, tmp_path)
    assert data.record.result == make_record().result
    assert [int(image[0, 0, 0]) for image in data.frames.images] == [1, 6]
    assert data.neurons.names == ("inter_0", "motor_0")
    np.testing.assert_array_equal(data.neurons.gate, [[1.0, 0.0]] * 2)
    forest = generate_forest(job.scenario, 7)
    np.testing.assert_array_equal(data.map.trunks, forest.trunks)
    np.testing.assert_allclose(data.map.trail[-1], forest.trail.point(20.0))
    assert data.links == (("bag", "flight.mcap"), ("video", "flight.mp4"))
    assert (data.folder, data.weights) == ("calm-7", None)
    assert dict(data.facts) == {
        "flown at": "2.5 × real time",
        "camera to command, p50 and p99": "1.4, 1.9 ms",
        "frames not answered": "3 of 40",
    }


def test_without_a_bag_there_are_no_pictures(tmp_path, job, flight):
    data = load_graph_flight(job, replace(flight, bag=None), tmp_path)
    assert (data.frames, data.neurons, data.links) == (None, None, ())


def test_a_damaged_record_is_reported_with_its_path(tmp_path, job, flight):
    flight.record.write_bytes(b"PK damaged")
    with pytest.raises(OutputError, match=r"flight\.npz: is not a flight record"):
        load_graph_flight(job, flight, tmp_path)


def test_a_flight_without_answers_has_no_latency(flight):
    statistics = {"latency_ms": {"p50": None, "p99": None, "max": None}}
    assert replace(flight, statistics=statistics).latency_ms is None
    assert flight.latency_ms == (1.4, 1.9)
