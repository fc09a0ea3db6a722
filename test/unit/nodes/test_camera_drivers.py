import pytest
import yaml

from liquid_control.config import project_file
from liquid_control.nodes.autopilot_settings import MavlinkNodeSettings
from liquid_control.nodes.camera_drivers import DRIVERS
from liquid_control.nodes.node_settings import GuardSettings, PerceptionSettings

pytestmark = pytest.mark.unit


def test_the_drivers_are_those_of_the_documentation():
    assert list(DRIVERS) == ["v4l2_camera", "usb_cam", "realsense2_camera", "camera_ros"]


def test_topics_lead_to_those_of_perception():
    rules = DRIVERS["v4l2_camera"].remappings("camera/image_raw", "camera/camera_info")
    assert rules == [
        ("image_raw", "camera/image_raw"),
        ("image_raw/compressed", "camera/image_raw/compressed"),
        ("camera_info", "camera/camera_info"),
    ]


def test_private_topics_of_camera_ros_and_realsense():
    own = dict(DRIVERS["camera_ros"].remappings("front", "info"))
    expected = {"~/image_raw": "front", "~/image_raw/compressed": "front/compressed"}
    assert own == {**expected, "~/camera_info": "info"}
    colour = dict(DRIVERS["realsense2_camera"].remappings("front", "info"))
    assert colour["~/color/image_raw"] == colour["color/image_raw"] == "front"
    assert colour["~/color/camera_info"] == "info"


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS)
def test_each_has_a_file_with_a_section_for_its_node(driver):
    content = yaml.safe_load(project_file(driver.file).read_text(encoding="utf-8"))
    assert list(content) == [f"/**/{driver.name}"]
    assert content[f"/**/{driver.name}"]["ros__parameters"]


@pytest.mark.parametrize("name", ["raspberry_pi_5", "jetson"])
def test_files_of_computers_have_known_nodes_and_parameters(name):
    """Parameters of our nodes are checked against their settings; those of drivers are theirs."""
    classes = {
        "mavlink_node": MavlinkNodeSettings,
        "perception_node": PerceptionSettings,
        "guard_node": GuardSettings,
    }
    drivers = {driver.name for driver in DRIVERS.values()}
    path = project_file(f"config/companion/{name}.yaml")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for section, values in content.items():
        node = section.removeprefix("/**/")
        assert node in classes.keys() | drivers
        if node in classes:
            changed = classes[node](**values["ros__parameters"])
            assert set(values["ros__parameters"]) == changed.model_fields_set
