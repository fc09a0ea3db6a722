"""Camera drivers that `flight.launch.py` can start, with their topics."""

from collections.abc import Mapping
from dataclasses import dataclass

IMAGE, COMPRESSED, INFO = "image", "compressed", "info"


@dataclass(frozen=True, slots=True)
class CameraDriver:
    """A driver of a camera: the node, and the names of its topics.

    Attributes:
        package: ROS package.
        executable: in the package.
        name: of the node; the section of the parameter file.
        topics: topic of the driver, to `IMAGE`, `COMPRESSED` or `INFO`; several for versions that
            differ.
    """

    package: str
    executable: str
    name: str
    topics: Mapping[str, str]

    @property
    def file(self) -> str:
        """Path of the shipped parameters in the project."""
        return f"config/drivers/{self.package}.yaml"

    def remappings(self, camera: str, camera_info: str) -> list[tuple[str, str]]:
        """Return the rules that lead from the driver's topics to those of perception.

        Args:
            camera: topic of the pictures; the compressed ones are on `…/compressed`.
            camera_info: topic of the intrinsics.
        """
        wanted = {IMAGE: camera, COMPRESSED: f"{camera}/compressed", INFO: camera_info}
        return [(topic, wanted[content]) for topic, content in self.topics.items()]


def _topics(*prefixes: str) -> dict[str, str]:
    parts = {"image_raw": IMAGE, "image_raw/compressed": COMPRESSED, "camera_info": INFO}
    return {f"{p}{part}": content for p in prefixes for part, content in parts.items()}


DRIVERS: Mapping[str, CameraDriver] = {
    driver.package: driver
    for driver in (
        CameraDriver("v4l2_camera", "v4l2_camera_node", "v4l2_camera", _topics("")),
        CameraDriver("usb_cam", "usb_cam_node_exe", "usb_cam", _topics("")),
        CameraDriver(
            "realsense2_camera",
            "realsense2_camera_node",
            "realsense",
            _topics("~/color/", "color/"),
        ),
        CameraDriver("camera_ros", "camera_node", "camera_ros", _topics("~/")),
    )
}
"""Drivers by package."""
