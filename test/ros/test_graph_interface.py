"""Topics, services and parameters of running nodes are those of the page `docs/ros.md`."""

from contextlib import suppress
from pathlib import Path
from runpy import run_path

import pytest
from rcl_interfaces.srv import ListParameters

from liquid_control import message_types, topics
from liquid_control.bags import open_bag
from liquid_control.errors import OutputError
from liquid_control.graph.processes import end_processes
from liquid_control.nodes.message_classes import message_class

pytestmark = pytest.mark.ros

REFERENCE = run_path(str(Path(__file__).parents[2] / "docs" / "ros_reference.py"))
POLICY = run_path(str(Path(__file__).parents[1] / "unit" / "test_security_policy.py"))
RULES = {
    "fence_ceiling_m": 1000.0,
    "min_forward_m": 0.1,
    "min_ground_m": 0.1,
    "camera_max_age_s": 9.0,
    "imu_max_age_s": 9.0,
    "picture_max_repeats": 999,
    "min_battery": 0.01,
}
"""Rules of the guard for which it subscribes to every topic of its own."""
MESSAGES_OF_WORKSPACES = {
    topics.PX4: message_types.VEHICLE_STATUS,
    topics.MAVROS: message_types.MAVROS_STATE,
}
"""A message type of each node that needs messages which are no wheels."""
OF_RCLPY = ("use_sim_time", "start_type_description_service", "qos_overrides.")
OF_ROS = ("/parameter_events", "/rosout")
NOT_INSTALLED = {topics.TF, topics.TF_STATIC}
"""Topics that need tf2_msgs."""
NOT_HERE = {topics.COMPRESSED, topics.ADAPTATION}
"""Topics of a camera driver, and of a controller whose model has a certified box."""


@pytest.fixture
def graph(launch, probe, model, tmp_path):
    """Start every node but replay_node; it publishes what the simulator does."""
    launch(topics.GUARD, mode="realtime", **RULES)
    launch(topics.MANAGER)
    common = {"mode": "realtime", "model": str(model), "autostart": True}
    launch(topics.PERCEPTION, **common, picture_health=True)
    launch(topics.CONTROLLER, **common)
    launch(topics.RECORDER, mode="realtime", path=str(tmp_path / "flight.mcap"))
    launch(topics.SIMULATOR, mode="realtime", recorder=True, set=["trail.length_m=500"])
    probe.until(lambda: probe.node.count_publishers(topics.NEURONS), "the controller")
    probe.until(lambda: probe.node.count_publishers(topics.RESULT), "the simulator")
    probe.spin(1.0)
    yield launch
    end_processes(launch.processes)


def test_every_name_of_the_running_graph_is_on_the_page(graph, probe):
    found = dict(probe.node.get_topic_names_and_types())
    ours = {n.removeprefix("/"): kinds for n, kinds in found.items() if n not in OF_ROS}
    ours = {name: kinds for name, kinds in ours.items() if not name.endswith("transition_event")}
    documented = {name: values[0] for name, values in REFERENCE["TOPICS"].items()}
    expected = set(documented) - NOT_INSTALLED - NOT_HERE
    assert set(ours) == expected
    assert {name: [documented[name]] for name in ours} == ours

    services = {
        name.removeprefix("/"): kinds[0]
        for name, kinds in probe.node.get_service_names_and_types()
        if kinds[0].startswith("std_srvs/")
    }
    documented = {name: values[0] for name, values in REFERENCE["SERVICES"].items()}
    here = {name: kind for name, kind in documented.items() if topics.REPLAY not in name}
    assert services == here
    assert_allowed(probe)


def assert_allowed(probe) -> None:
    """Every endpoint of the nodes of a flight is in the policy file of SROS 2."""
    uses = {
        "publish": probe.node.get_publisher_names_and_types_by_node,
        "subscribe": probe.node.get_subscriber_names_and_types_by_node,
        "reply": probe.node.get_service_names_and_types_by_node,
        "request": probe.node.get_client_names_and_types_by_node,
    }
    names = (topics.GUARD, topics.MANAGER, topics.PERCEPTION, topics.CONTROLLER, topics.RECORDER)
    for node in names:
        for use, endpoints in uses.items():
            found = {name.removeprefix("/") for name, _ in endpoints(node, "/")}
            assert found or use != "reply", node
            denied = {name for name in found if node not in POLICY["users"](use, name)}
            assert not denied, (node, use)


def test_a_node_declares_the_parameters_of_the_page(launch, probe, flown):
    """Every node is started alone; the simulator and the recorder are those of a flight."""
    bag = flown("plain").flight.bag
    metadata = open_bag(bag).metadata
    declared = {
        name: set(metadata[f"parameters/{name}"]) for name in (topics.SIMULATOR, topics.RECORDER)
    }
    started = {topics.GUARD: {}, topics.MANAGER: {}, topics.PERCEPTION: {}, topics.CONTROLLER: {}}
    started[topics.REPLAY] = {"bag": str(bag)}
    started[topics.FOXGLOVE] = {}
    started[topics.MAVLINK] = {"link": "udpout://127.0.0.1:9", "connect_timeout_s": 0.0}
    started[topics.BETAFLIGHT] = {"link": "tcp://127.0.0.1:9", "connect_timeout_s": 0.0}
    for name, kind in MESSAGES_OF_WORKSPACES.items():
        with suppress(OutputError):
            message_class(kind)
            started[name] = {"connect_timeout_s": 0.0}
    for name, parameters in started.items():
        launch(name, **parameters)
        request = ListParameters.Request()
        response = probe.call(ListParameters, f"/{name}/list_parameters", request)
        declared[name] = set(response.result.names)
    own = {
        name: {one for one in found if not one.startswith(OF_RCLPY)}
        for name, found in declared.items()
    }
    models = {name: set(model.model_fields) for name, model in REFERENCE["SETTINGS"].items()}
    missing = {name for name in models if name not in own}
    assert missing <= MESSAGES_OF_WORKSPACES.keys()
    assert own == {name: models[name] for name in own}
