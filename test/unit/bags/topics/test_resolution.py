"""Topic roles in bags with real message layouts, and the errors for missing roles."""

import pytest
from recordings import (
    START,
    RecordingBuilder,
    camera_info,
    compressed,
    image,
    imu,
    odometry,
    position_target,
    sensor_combined,
    trajectory_setpoint,
    twist,
    twist_stamped,
    vehicle_local_position,
    vehicle_odometry,
)
from rosbags.rosbag2 import StoragePlugin

from liquid_control.bags import Role, find_roles, load_rules, open_bag, resolve
from liquid_control.bags.topics.topic_rules import Axes, VelocityFrame, preset_names
from liquid_control.errors import BagError, ConfigError

pytestmark = pytest.mark.unit

US = START // 1000


def found(tmp_path, recording, presets=(), flags=None, needed=("camera",)):
    bag = open_bag(recording.write(tmp_path / "bag"))
    return resolve(bag, load_rules(presets, flags or {}), needed)


def names(topics):
    return {role.value: source.topic for role, source in topics.sources.items()}


def px4_recording():
    return (
        RecordingBuilder()
        .add("/fmu/out/sensor_combined", sensor_combined(US), START)
        .add(
            "/fmu/out/vehicle_odometry",
            vehicle_odometry(US, (0,) * 3, (1, 0, 0, 0), (0,) * 3),
            START,
        )
        .add(
            "/fmu/out/vehicle_local_position_v1",
            vehicle_local_position(US, (0.0,) * 3, (0.0,) * 3, 0.0),
            START,
        )
        .add("/fmu/in/trajectory_setpoint", trajectory_setpoint(US, (1, 0, 0)), START)
    )


def add_realsense(recording, root="/camera/camera"):
    return (
        recording.add(f"{root}/color/image_raw", image(START))
        .add(f"{root}/color/camera_info", camera_info(START))
        .add(f"{root}/depth/image_rect_raw", image(START, "16UC1", data=[0] * 16))
        .add(f"{root}/aligned_depth_to_color/image_raw", image(START, "16UC1", data=[0] * 16))
        .add(f"{root}/imu", imu(START, force=(0, -9.81, 0)))
    )


def add_mavros(recording):
    return (
        recording.add("/mavros/imu/data", imu(START))
        .add("/mavros/imu/data_raw", imu(START))
        .add("/mavros/local_position/odom", odometry(START))
        .add("/mavros/local_position/velocity_local", twist_stamped(START))
        .add("/mavros/setpoint_velocity/cmd_vel", twist_stamped(START))
        .add("/mavros/setpoint_raw/target_local", position_target(START, (1, 0, 0), 0.0))
    )


def test_available_presets():
    assert preset_names() == ["liquid_control", "mavros", "px4", "realsense", "usb_cam"]


def test_topics_of_this_project_need_no_flag(tmp_path):
    recording = (
        RecordingBuilder().add("/camera/image_raw", image(START)).add("/imu/data", imu(START))
    )
    recording.add("/camera/camera_info", camera_info(START)).add("/odom", odometry(START))
    recording.add("/policy/cmd_vel", twist_stamped(START)).add("/cmd_vel", twist_stamped(START))
    recording.add("/perception/features", image(START, "32FC1", 1, 1, data=[0] * 4))
    topics = found(tmp_path, recording)
    assert names(topics) == {
        "camera": "/camera/image_raw",
        "camera_info": "/camera/camera_info",
        "imu": "/imu/data",
        "odometry": "/odom",
        "policy_command": "/policy/cmd_vel",
        "command": "/cmd_vel",
        "features": "/perception/features",
    }
    assert topics.sources[Role.COMMAND].frame is VelocityFrame.HEADING
    assert "imu" in topics
    assert "neurons" not in topics
    assert topics.topic("neurons") is None
    assert topics.has_commands


def test_namespace_of_the_camera_applies_to_other_roles(tmp_path):
    recording = RecordingBuilder().add("/drone1/camera/image_raw", image(START))
    recording.add("/drone1/cmd_vel", twist_stamped(START)).add("/cmd_vel_mux", twist(), START)
    recording.add("/drone1/perception/features", image(START, "32FC1", 1, 1, data=[0] * 4))
    assert names(found(tmp_path, recording)) == {
        "camera": "/drone1/camera/image_raw",
        "command": "/drone1/cmd_vel",
        "features": "/drone1/perception/features",
    }


def test_px4_with_realsense(tmp_path):
    topics = found(tmp_path, add_realsense(px4_recording()), ["px4", "realsense"])
    assert names(topics) == {
        "camera": "/camera/camera/color/image_raw",
        "camera_info": "/camera/camera/color/camera_info",
        "imu": "/fmu/out/sensor_combined",
        "odometry": "/fmu/out/vehicle_odometry",
        "policy_command": "/fmu/in/trajectory_setpoint",
    }


def test_first_preset_takes_precedence(tmp_path):
    recording = add_realsense(add_mavros(RecordingBuilder()))
    one = found(tmp_path / "one", recording, ["mavros", "realsense"])
    other = found(tmp_path / "other", recording, ["realsense", "mavros"])
    assert one.topic("imu") == "/mavros/imu/data"
    assert one.sources[Role.IMU].axes is Axes.FLU
    assert other.topic("imu") == "/camera/camera/imu"
    assert other.sources[Role.IMU].axes is Axes.OPTICAL
    for topics in (one, other):
        assert topics.topic("policy_command") == "/mavros/setpoint_velocity/cmd_vel"
        assert topics.sources[Role.POLICY_COMMAND].frame is VelocityFrame.MAP
        assert topics.topic("odometry") == "/mavros/local_position/odom"


@pytest.mark.parametrize("root", ["/camera", "/robot1/D455_1"])
def test_realsense_under_other_names(tmp_path, root):
    topics = found(tmp_path, add_realsense(RecordingBuilder(), root), ["realsense"])
    assert names(topics) == {
        "camera": f"{root}/color/image_raw",
        "camera_info": f"{root}/color/camera_info",
        "imu": f"{root}/imu",
    }


@pytest.mark.parametrize(
    ("camera", "info"),
    [
        ("/image_raw", "/camera_info"),
        ("/camera1/image_raw", "/camera1/camera_info"),
        ("/camera1/image_compressed", "/camera1/camera_info"),
        ("/image_raw/compressed", "/camera_info"),
    ],
)
def test_usb_cam(tmp_path, camera, info):
    picture = compressed(START, "jpeg", b"") if "compressed" in camera else image(START)
    recording = RecordingBuilder().add(camera, picture).add(info, camera_info(START))
    assert names(found(tmp_path, recording, ["usb_cam"])) == {
        "camera": camera,
        "camera_info": info,
    }


def test_single_camera_imu_and_odometry_are_found_by_type(tmp_path):
    recording = (
        RecordingBuilder()
        .add("/front", image(START))
        .add("/front/compressed", compressed(START, "jpeg", b""))
    )
    recording.add("/front/depth", image(START)).add("/body/inertial", imu(START))
    recording.add("/estimate", odometry(START)).add("/velocity", twist_stamped(START))
    topics = found(tmp_path, recording)
    assert names(topics) == {"camera": "/front", "imu": "/body/inertial", "odometry": "/estimate"}
    assert topics.sources[Role.IMU].axes is Axes.FLU


def test_imu_with_an_unknown_name_has_default_axes(tmp_path):
    recording = (
        RecordingBuilder().add("/camera/color/image_raw", image(START)).add("/body", imu(START))
    )
    topics = found(tmp_path, recording, ["realsense"])
    assert topics.sources[Role.IMU].axes is Axes.FLU


def test_ambiguous_cameras_are_listed_with_a_flag(tmp_path):
    recording = (
        RecordingBuilder()
        .add("/right/image_raw", image(START))
        .add("/left/image_raw", image(START))
    )
    recording.add("/left/camera_info", camera_info(START))
    with pytest.raises(
        BagError,
        match=r"two topics could be the camera: /left/image_raw, /right/image_raw; choose with "
        r"--topic camera=/left/image_raw",
    ):
        found(tmp_path / "a", recording, ["usb_cam"])
    topics = found(tmp_path / "b", recording, flags={"camera": "/right/image_raw"})
    assert names(topics) == {"camera": "/right/image_raw"}


def test_ambiguous_imus_raise_an_error(tmp_path):
    recording = RecordingBuilder().add("/camera/image_raw", image(START))
    recording.add("/a", imu(START)).add("/b", imu(START))
    with pytest.raises(BagError, match="choose with --topic imu=/a"):
        found(tmp_path / "a", recording)
    assert "imu" not in found(tmp_path / "b", recording, flags={"imu": "none"})
    assert found(tmp_path / "c", recording, flags={"imu": "/b"}).topic("imu") == "/b"


def test_missing_camera_lists_the_topics_of_the_bag(tmp_path):
    recording = RecordingBuilder().add("/chatter", twist(), START)
    with pytest.raises(
        BagError, match=r"no camera \(sensor_msgs/Image or .*\); the bag has /chatter"
    ):
        found(tmp_path, recording)


def test_command_is_optional_unless_needed(tmp_path):
    recording = (
        RecordingBuilder().add("/camera/image_raw", image(START)).add("/joy", twist(), START)
    )
    assert not found(tmp_path / "a", recording).has_commands
    with pytest.raises(
        BagError, match="no command by name; if it is /joy, pass --topic command=/joy"
    ):
        found(tmp_path / "b", recording, needed=("camera", "command"))


def test_command_before_the_guard_substitutes_for_one_after_it(tmp_path):
    recording = RecordingBuilder().add("/camera/image_raw", image(START))
    recording.add("/policy/cmd_vel", twist_stamped(START))
    topics = found(tmp_path, recording, needed=("camera", "command"))
    assert topics.topic("policy_command") == "/policy/cmd_vel"


def test_flag_takes_precedence_and_keeps_the_frame_of_the_preset(tmp_path):
    recording = add_mavros(RecordingBuilder()).add("/camera/image_raw", image(START))
    flags = {"policy_command": "mavros/local_position/velocity_local"}
    topics = found(tmp_path / "a", recording, ["mavros"], flags)
    source = topics.sources[Role.POLICY_COMMAND]
    assert (source.topic, source.frame) == (
        "/mavros/local_position/velocity_local",
        VelocityFrame.MAP,
    )
    flags = {
        "policy_command": "/mavros/setpoint_velocity/cmd_vel,heading",
        "imu": "/mavros/imu/data,frd",
    }
    topics = found(tmp_path / "b", recording, ["mavros"], flags)
    assert topics.sources[Role.POLICY_COMMAND].frame is VelocityFrame.HEADING
    assert topics.sources[Role.IMU].axes is Axes.FRD


def test_odometry_as_command_is_in_the_body_frame(tmp_path):
    recording = add_mavros(RecordingBuilder()).add("/camera/image_raw", image(START))
    flags = {"command": "/mavros/local_position/odom"}
    topics = found(tmp_path, recording, ["mavros"], flags)
    assert topics.sources[Role.COMMAND].frame is VelocityFrame.BODY


@pytest.mark.parametrize(
    ("flags", "error", "message"),
    [
        (
            {"camera": "/none"},
            BagError,
            "--topic camera=/none: no such topic; the bag has /camera/",
        ),
        ({"imu": "/cmd_vel"}, BagError, "--topic imu=/cmd_vel: expected sensor_msgs/Imu or "),
        ({"camra": "/a"}, ConfigError, "--topic camra=/a: unknown role; there are: camera, "),
        ({"imu": "/a,ned"}, ConfigError, "expected one of flu, frd, optical after the comma"),
        ({"command": "/a,optical"}, ConfigError, "one of heading, body, map, ned, frd after"),
        ({"command": "/a+/b"}, ConfigError, "expected one topic, got two joined by +"),
        ({"imu": "/a+"}, ConfigError, "expected a topic such as imu=/name"),
        ({"imu": "/a,shift=soon"}, ConfigError, r"seconds to add .* such as shift=-5\.0, got sh"),
        ({"imu": "/a,shift=nan"}, ConfigError, "expected seconds to add to the stamps"),
        ({"odometry": "/a,map"}, ConfigError, "expected nothing after the comma"),
        ({"camera": "/a,wide"}, ConfigError, "horizontal field of view after the comma"),
        ({"camera": "/a,180"}, ConfigError, "between 1 and 180 degrees"),
        ({"camera": "/"}, ConfigError, "expected a topic such as camera=/name"),
    ],
)
def test_invalid_flags_raise_one_line_errors(tmp_path, flags, error, message):
    recording = (
        RecordingBuilder().add("/camera/image_raw", image(START)).add("/cmd_vel", twist(), START)
    )
    with pytest.raises(error, match=message) as refused:
        found(tmp_path, recording, flags=flags)
    assert "\n" not in str(refused.value)


def test_preset_can_be_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("camera:\n  topics: [/nose]\ncommand:\n  topics: [/stick]\n  frame: body\n")
    recording = RecordingBuilder().add("/nose", image(START)).add("/tail", image(START))
    topics = found(tmp_path, recording.add("/stick", twist(), START), [str(path)])
    assert topics.topic("camera") == "/nose"
    assert topics.sources[Role.COMMAND].frame is VelocityFrame.BODY


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("camra:\n  topics: [/a]\n", "unknown key camra; did you mean camera"),
        ("camera:\n  topics: []\n", "camera.topics"),
        ("command:\n  topics: [/a]\n  frame: enu\n", "command.frame: input should be 'heading'"),
    ],
)
def test_invalid_preset_files_are_rejected(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_rules([str(path)])


def test_unknown_preset_lists_the_available_ones():
    with pytest.raises(ConfigError, match="one of: liquid_control, mavros, px4, realsense"):
        load_rules(["ardupilot"])


def test_topic_without_messages_is_ignored(tmp_path):
    recording = RecordingBuilder().add(
        "/camera/image_raw/compressed", compressed(START, "jpeg", b"")
    )
    bag = open_bag(recording.write(tmp_path / "bag"))
    info = bag.topics["/camera/image_raw/compressed"]
    empty = type(info)("/camera/image_raw", "sensor_msgs/msg/Image", 0, info.definition)
    both = {info.name: info, empty.name: empty}
    assert find_roles(both, load_rules())[Role.CAMERA].source.topic == info.name
    alone = find_roles({empty.name: empty}, load_rules())[Role.CAMERA]
    assert alone.source is None
    assert alone.problem == "no camera: /camera/image_raw holds no messages"


def test_topics_of_sqlite_bags_are_resolved(tmp_path):
    path = (
        px4_recording()
        .add("/camera/image_raw", image(START))
        .write(tmp_path / "bag", StoragePlugin.SQLITE3)
    )
    topics = resolve(open_bag(path), load_rules(["px4"]))
    assert topics.topic("policy_command") == "/fmu/in/trajectory_setpoint"


def test_error_suggests_a_matching_preset(tmp_path):
    recording = add_realsense(add_mavros(RecordingBuilder()))
    with pytest.raises(
        BagError, match=r"choose with --topics mavros or --topic imu=/mavros/imu/data$"
    ):
        found(tmp_path / "a", recording)
    flags = {"imu": "none"}
    with pytest.raises(
        BagError, match=r"topics could be the policy_command: .* --topics mavros or --"
    ):
        found(tmp_path / "b", recording, flags=flags, needed=("camera", "policy_command"))


def test_topic_with_a_role_is_not_suggested_for_another(tmp_path):
    recording = (
        RecordingBuilder().add("/camera/image_raw", image(START)).add("/odom", odometry(START))
    )
    recording.add("/policy/cmd_vel", twist_stamped(START))
    findings = find_roles(open_bag(recording.write(tmp_path / "bag")).topics, load_rules())
    assert findings[Role.COMMAND].problem == "no command"
    assert findings[Role.FEATURES].problem == "no features"
    assert findings[Role.IMU].problem == "no imu (sensor_msgs/Imu or px4_msgs/SensorCombined)"
