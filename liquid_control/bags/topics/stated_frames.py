"""Compare the frame that a message states in its header with the one of the rules.

A stated frame replaces a default. It does not replace the frame of a flag or of a preset that
knows the topic: MAVROS, for example, ignores the frames of set-points. A contradiction to a preset
is a warning.
"""

from dataclasses import replace

from liquid_control.bags.topics.sources import Convention, Source, has_convention
from liquid_control.bags.topics.topic_rules import Axes, Role, VelocityFrame

WORLDS = ("map", "odom", "world", "earth", "global", "local", "enu")
BODIES = ("base_link", "base_footprint", "base_stabilized", "base", "body", "fcu", "flu")
OPTICAL, UNCLEAR = "optical", "unclear"
_LEVEL = (VelocityFrame.HEADING, VelocityFrame.BODY)


def follow(role: Role, source: Source, frame_id: str) -> tuple[Source | None, str]:
    """Return a source as its messages state it, and a warning.

    Args:
        role: role of the source; only commands and IMUs are compared.
        source: the source.
        frame_id: frame in the header of a message.

    Returns:
        the source, or None if messages in that frame cannot be converted; and a line that states
        why, or that warns of a contradiction. The line is empty if there is none.
    """
    if not has_convention(role, source.type) or source.convention is Convention.FLAG:
        return source, ""
    imu = role is Role.IMU
    stated: VelocityFrame | Axes | str | None
    stated = axes_of(frame_id) if imu else velocity_frame_of(frame_id)
    assumed = source.axes if imu else source.frame
    if stated is None or stated is assumed or (stated in _LEVEL and assumed in _LEVEL):
        return source, ""
    known = isinstance(stated, Axes if imu else VelocityFrame)
    if known and source.convention is Convention.DEFAULT:
        return _stating(source, stated), ""
    text = f"{source.name}: its messages state the frame {frame_id}"
    keep = source.flag(role, convention=assumed.value, shift_s=source.shift_s)
    if not known and not imu and stated == OPTICAL:
        return None, f"{text}, which is not converted; if they are in {assumed.value}, pass {keep}"
    if not known:
        return source, f"{text} and are read as {assumed.value}; if that is right, pass {keep}"
    other = source.flag(role, convention=_value(stated), shift_s=source.shift_s)
    return source, (
        f"{text}, but {source.topic} is known to be in {assumed.value} and is read so; to follow "
        f"the messages, pass {other}; to keep it, {keep}"
    )


def _stating(source: Source, stated: VelocityFrame | Axes | str | None) -> Source:
    if isinstance(stated, Axes):
        return replace(source, axes=stated)
    return replace(source, frame=stated if isinstance(stated, VelocityFrame) else source.frame)


def _value(stated: VelocityFrame | Axes | str | None) -> str:
    return stated.value if isinstance(stated, VelocityFrame | Axes) else ""


def velocity_frame_of(frame_id: str) -> VelocityFrame | str | None:
    """Return the frame of a velocity by the name in its header.

    Returns:
        `OPTICAL` for an optical frame, `UNCLEAR` for a name with contradictory meanings, None for
        a name that states nothing.
    """
    name = _name(frame_id)
    stem, _, axes = name.rpartition("_")
    if "optical" in name:
        return OPTICAL
    if name == "frd" or axes == "frd" or (axes == "ned" and stem in BODIES):
        return VelocityFrame.FRD
    if name == "ned" or axes == "ned":
        return VelocityFrame.NED if not stem or stem in WORLDS else UNCLEAR
    if name in WORLDS or axes == "enu":
        return VelocityFrame.MAP
    if name in BODIES or axes == "flu":
        return VelocityFrame.HEADING
    return None


def axes_of(frame_id: str) -> Axes | str | None:
    """Return the axes of an IMU by the name in its header, as `velocity_frame_of`.

    `imu_ned` is the usual name of forward-right-down axes; a frame of the world is unclear.
    """
    name = _name(frame_id)
    axes = name.rpartition("_")[2]
    if "optical" in name:
        return Axes.OPTICAL
    if axes in ("frd", "ned"):
        return Axes.FRD
    if name in WORLDS:
        return UNCLEAR
    if name in BODIES or axes == "flu":
        return Axes.FLU
    return None


def world_of(frame_id: str) -> str:
    """Return the name of a frame of the world without its axes, such as `odom`; else empty."""
    name = _name(frame_id)
    stem, _, axes = name.rpartition("_")
    world = stem if axes in ("ned", "enu") else name
    return world if world in WORLDS and world != "enu" else ""


def _name(frame_id: str) -> str:
    """Return the last component of a frame name, without a namespace, in lower case."""
    return frame_id.strip("/").rpartition("/")[2].lower()
