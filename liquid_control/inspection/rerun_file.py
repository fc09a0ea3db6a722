"""A flight's inspection as a recording of Rerun: pictures, maps, neurons, commands and path.

Entities, by frame on the timelines `flight` (time since the first frame) and `frame` (its index):

| entity | content |
|---|---|
| `/camera`, `/saliency` | the model's picture, and the same picture under its map; PNG, lossless |
| `/commands/AXIS/policy`, `…/recorded` | the policy's command, and that of the policy that flew |
| `/neurons/state`, `/neurons/gate`, `/neurons/time_constant_s` | one series a neuron |
| `/contributions/AXIS` | what passed through each neuron in the last second |
| `/quantities/NAME` | what was measured, such as brightness or wind |
| `/map/path`, `/map/vehicle` | the whole path, and the vehicle's pose, in the map |
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from liquid_control.dependencies import require
from liquid_control.errors import ConfigError
from liquid_control.files import atomic_write
from liquid_control.frames import quaternion_from_euler
from liquid_control.inspection.flight import AXES
from liquid_control.inspection.report import FlightInspection
from liquid_control.pages.picture_track import saliency_overlay
from liquid_control.types import Pixels

SUFFIX = ".rrd"
APPLICATION = "liquid_control"
SECONDS, FRAME = "flight", "frame"
SALIENCY_SCALE = 4


def check_rerun_file(path: Path | None) -> Any:
    """Return the module of Rerun, for a file that may be written; None without a file.

    Raises:
        ConfigError: the file is not named as Rerun's are.
        DependencyError: rerun-sdk is not installed.
    """
    if path is None:
        return None
    if path.suffix != SUFFIX:
        raise ConfigError(f"--rerun: expected a file *{SUFFIX}, got {path}")
    return require("rerun", "rerun", "write a recording of Rerun")


def write_rerun(path: Path, found: FlightInspection) -> Path:
    """Write the inspection of a flight as a file of Rerun, atomically.

    Args:
        path: of the file, `*.rrd`.
        found: the inspection.

    Raises:
        ConfigError: the file is not named as Rerun's are.
        DependencyError: rerun-sdk is not installed.
        OutputError: it cannot be written.
    """
    rerun = check_rerun_file(path)
    recording = rerun.RecordingStream(APPLICATION, recording_id=found.flight.name)
    content = recording.binary_stream()
    writer = _Writer(rerun, recording, found)
    writer.write_pictures()
    writer.write_series()
    writer.write_path()
    recording.send_blueprint(_blueprint(rerun))
    return atomic_write(path, content.read(flush=True))


def _blueprint(rerun: Any) -> Any:
    """Return the layout of the viewer: pictures and map beside the series."""
    views = rerun.blueprint
    pictures = views.Vertical(
        views.Spatial2DView(origin="/camera", name="camera"),
        views.Spatial2DView(origin="/saliency", name="saliency"),
        views.Spatial3DView(origin="/map", name="map"),
    )
    series = views.Vertical(
        *(views.TimeSeriesView(origin=f"/commands/{axis}", name=axis) for axis in AXES),
        views.TimeSeriesView(origin="/neurons/state", name="states"),
        views.TimeSeriesView(origin="/neurons/gate", name="time gates"),
    )
    return views.Blueprint(views.Horizontal(pictures, series), collapse_panels=True)


class _Writer:
    """Sends the arrays of an inspection to a recording.

    Args:
        rerun: the module.
        recording: the recording.
        found: the inspection.
    """

    def __init__(self, rerun: Any, recording: Any, found: FlightInspection) -> None:
        self._rerun, self._recording, self._found = rerun, recording, found

    def write_pictures(self) -> None:
        """Send every picture, and those under their maps where there is one."""
        flight, frames = self._found.flight, self._found.map_frames
        self._send_pictures("camera", range(len(flight)), iter(flight.pictures))
        pairs = zip(flight.pictures[frames], self._found.maps, strict=True)
        explained = (saliency_overlay(one, values, SALIENCY_SCALE) for one, values in pairs)
        self._send_pictures("saliency", frames.tolist(), explained)

    def write_series(self) -> None:
        """Send commands, neurons, contributions and quantities."""
        found, flight = self._found, self._found.flight
        for index, axis in enumerate(AXES):
            self._send_series(f"commands/{axis}/policy", flight.commands[:, [index]], ["policy"])
            recorded = flight.recorded[:, [index]]
            self._send_series(f"commands/{axis}/recorded", recorded, ["recorded"])
            if found.by_neuron is not None:
                values = found.by_neuron[:, index]
                self._send_series(f"contributions/{axis}", values, flight.state_names)
        neurons: dict[str, NDArray[np.floating] | None] = {
            "state": flight.states,
            "gate": flight.gates,
            "time_constant_s": found.time_constants,
        }
        for name, series in neurons.items():
            if series is not None:
                self._send_series(f"neurons/{name}", series, flight.state_names)
        for name, column in flight.quantities.items():
            self._send_series(f"quantities/{name}", column[:, None], [name])

    def write_path(self) -> None:
        """Send path and poses, where they are recorded."""
        poses, rerun = self._found.flight.poses, self._rerun
        known = np.flatnonzero(np.isfinite(poses).all(axis=1))
        if not len(known):
            return
        strip = rerun.LineStrips3D([poses[known, :3]])
        self._recording.log("map", rerun.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        self._recording.log("map/path", strip, static=True)
        turns = [quaternion_from_euler(0.0, 0.0, heading) for heading in poses[known, 3]]
        columns = rerun.Transform3D.columns(
            translation=poses[known, :3], quaternion=np.array(turns)
        )
        self._recording.send_columns("map/vehicle", self._times(known.tolist()), columns)
        arrow = rerun.Arrows3D(vectors=[[1.0, 0.0, 0.0]])
        self._recording.log("map/vehicle", arrow, static=True)

    def _send_pictures(self, entity: str, frames: Sequence[int], shown: Iterator[Pixels]) -> None:
        if not len(frames):
            return
        files = [_png(picture) for picture in shown]
        columns = self._rerun.EncodedImage.columns(
            blob=files, media_type=["image/png"] * len(files)
        )
        self._recording.send_columns(entity, self._times(frames), columns)

    def _send_series(
        self, entity: str, values: NDArray[np.floating], names: Sequence[str]
    ) -> None:
        """Send one series for each column of values [T, N]; none where nothing is finite."""
        if not np.isfinite(values).any():
            return
        rerun, frames = self._rerun, range(len(values))
        self._recording.log(entity, rerun.SeriesLines(names=list(names)), static=True)
        columns = rerun.Scalars.columns(scalars=np.asarray(values, np.float64))
        self._recording.send_columns(entity, self._times(frames), columns)

    def _times(self, frames: Sequence[int]) -> list[Any]:
        seconds = self._found.flight.seconds[list(frames)]
        return [
            self._rerun.TimeColumn(SECONDS, duration=seconds),
            self._rerun.TimeColumn(FRAME, sequence=list(frames)),
        ]


def _png(picture: Pixels) -> bytes:
    _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return bytes(encoded)
