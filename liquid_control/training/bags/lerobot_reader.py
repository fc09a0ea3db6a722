"""Episodes of a LeRobotDataset v3.0 as recorded flights, for `train --data FOLDER`.

A dataset of `bag convert` gives the stamps, labels and IMU values of the bags it was made from.
One of another recorder needs commands of this project's form; its frames have the dataset's rate.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.bags import Loss, Losses
from liquid_control.dependencies import require
from liquid_control.errors import BagError, ModelError, ObservationError
from liquid_control.perception import CameraView, Viewfinder, fit
from liquid_control.perception.imu_window import ANGULAR_RATE_UNIT_RADPS, GRAVITY_MPS2
from liquid_control.training.bags import lerobot_format as layout
from liquid_control.training.bags.recorded_flights import Frame, RecordedFlight, Row
from liquid_control.training.training_settings import BagLabel
from liquid_control.types import NANOSECONDS, Floats, ImuWindow, Pixels

UP_MPS2 = np.array([0.0, 0.0, GRAVITY_MPS2])


@dataclass(frozen=True, slots=True)
class LerobotEpisode:
    """One episode of a dataset.

    Attributes:
        root: folder of the dataset.
        number: of the episode.
        features: of the dataset, from `info.json`.
        row: of the episode, from the table of episodes.
        origin: `meta/origin.json`; empty for a dataset of another recorder.
    """

    root: Path
    number: int
    features: Mapping[str, Mapping[str, Any]]
    row: Mapping[str, Any]
    origin: Mapping[str, Any]

    @classmethod
    def load(cls, root: Path, number: int) -> "LerobotEpisode":
        """Read the metadata of an episode.

        Raises:
            BagError: it is missing or damaged, or the features are not those of a flight.
            DependencyError: pyarrow or PyAV is not installed.
        """
        info = layout.read_info(root)
        layout.check_features(root, info["features"])
        rows = [row for row in episode_rows(root) if row.get("episode_index") == number]
        if len(rows) != 1:
            raise BagError(f"{root}: expected one episode {number}, got {len(rows)}")
        return cls(root, number, info["features"], rows[0], _origin(root))

    @property
    def source(self) -> Mapping[str, Any]:
        """The bag that the episode is from, as `bag convert` describes it; empty if unknown."""
        try:
            found: Mapping[str, Any] = self.origin["sources"][
                self.origin["episodes"][self.number]["source"]
            ]
        except (KeyError, IndexError, TypeError):
            return {}
        return found

    def flight(self, view: CameraView, label: BagLabel, losses: Losses) -> RecordedFlight:
        """Return the episode as a recorded flight, without repeated rows.

        Args:
            view: camera view of the model; larger and wider pictures are cropped and averaged.
            label: quantity to learn.
            losses: counts the pictures that do not fit the view.

        Raises:
            BagError: the episode cannot be read, or `action` is another quantity than `label`.
        """
        recorded = self.origin.get("label", BagLabel.POLICY_COMMAND.value)
        columns = self._columns()
        stamps = _stamps(columns)
        names = layout.names_of(self.features, layout.STATE)
        state = columns.get(layout.STATE, np.empty((len(stamps), 0)))
        velocity = _values(state, names, layout.VELOCITY_NAMES)
        labels = columns["action"]
        if label.value != recorded:
            if label is not BagLabel.ODOMETRY or velocity is None:
                raise BagError(
                    f"{self.root}: bags.label is {label.value}, the dataset's action is "
                    f"{recorded}: set bags.label to it, or convert the bags with --label"
                )
            labels = velocity
        new = np.concatenate([[True], np.diff(stamps) > 0])
        flight = RecordedFlight(labels=_rows(stamps[new], labels[new]))
        if velocity is not None:
            flight.velocities = _rows(stamps[new], velocity[new])
            speeds = np.linalg.norm(velocity[new, :3], axis=1, keepdims=True)
            flight.speeds = _rows(stamps[new], speeds)
        imu = _values(state, names, layout.IMU_NAMES)
        finder = Viewfinder(view, horizontal_fov_deg=self.source.get("horizontal_fov_deg"))
        pictures = self._pictures(len(stamps))
        for row, image in enumerate(pictures):
            if not new[row]:
                continue
            try:
                fitted = fit(finder.frame(image), view)
            except (ObservationError, ModelError) as error:
                losses.count(Loss.BAD_PICTURE, str(error))
                continue
            stamp_ns = int(stamps[row])
            window = ImuWindow.empty() if imu is None else _window(stamp_ns, imu[row])
            flight.frames.append(Frame(stamp_ns, fitted.copy(), window))
        return flight

    def _columns(self) -> dict[str, NDArray[Any]]:
        """Read the rows of the episode, float64 or int64, [T] or [T, C] by feature."""
        from pyarrow import ArrowInvalid, parquet

        path = self._path(layout.DATA_PATH, "data")
        wanted = {"action", layout.STATE, layout.STAMP, "timestamp"} & set(self.features)
        try:
            table = parquet.read_table(
                path, columns=sorted(wanted), filters=[("episode_index", "=", self.number)]
            )
            columns = {name: np.array(table[name].to_pylist()) for name in table.column_names}
        except (OSError, ArrowInvalid, KeyError, ValueError) as error:
            raise BagError(f"{path}: cannot be read ({error})") from error
        count = self.row.get("length")
        if table.num_rows != count or not count:
            raise BagError(
                f"{path}: expected {count} rows of episode {self.number}, got {table.num_rows}"
            )
        if not all(np.isfinite(values).all() for values in columns.values()):
            raise BagError(f"{path}: episode {self.number} has a value that is not finite")
        return columns

    def _pictures(self, count: int) -> Iterator[Pixels]:
        """Yield the pictures of the episode's rows, uint8 [H, W, 3].

        Raises:
            BagError: the video cannot be read, or has fewer pictures.
        """
        import av

        key = layout.camera_of(self.features)
        path = self._path(layout.VIDEO_PATH, f"videos/{key}", video_key=key)
        begin_s = float(self.row[f"videos/{key}/from_timestamp"])
        found = 0
        try:
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                step_s = 1.0 / float(stream.average_rate or 1)
                if stream.time_base:
                    container.seek(round(begin_s / float(stream.time_base)), stream=stream)
                for frame in container.decode(stream):
                    if frame.time is None or frame.time < begin_s - step_s / 2:
                        continue
                    yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                    found += 1
                    if found == count:
                        return
        except (OSError, IndexError, av.FFmpegError) as error:
            raise BagError(f"{path}: cannot be read ({error})") from error
        raise BagError(f"{path}: expected {count} pictures of episode {self.number}, got {found}")

    def _path(self, pattern: str, group: str, **more: str) -> Path:
        try:
            at = {key: self.row[f"{group}/{key}"] for key in ("chunk_index", "file_index")}
        except KeyError as error:
            raise BagError(f"{self.root}: episode {self.number} has no {error}") from error
        return self.root / pattern.format(**at, **more)


def episode_rows(root: Path) -> list[dict[str, Any]]:
    """Read the table of episodes, without statistics.

    Raises:
        BagError: it is missing or damaged.
        DependencyError: pyarrow or PyAV is not installed.
    """
    for module in ("pyarrow", "av"):
        require(module, "lerobot", "read a LeRobotDataset")
    from pyarrow import ArrowInvalid, parquet

    folder = root / layout.EPISODES.parents[1]
    rows: list[dict[str, Any]] = []
    try:
        for path in sorted(folder.glob("*/*.parquet")):
            names = parquet.read_schema(path).names
            kept = [name for name in names if not name.startswith("stats/")]
            rows += parquet.read_table(path, columns=kept).to_pylist()
    except (OSError, ArrowInvalid) as error:
        raise BagError(f"{folder}: cannot be read ({error})") from error
    if not rows:
        raise BagError(f"{folder}: expected the table of episodes, found none")
    return rows


def _origin(root: Path) -> Mapping[str, Any]:
    path = root / layout.ORIGIN
    if not path.exists():
        return {}
    try:
        origin = json.loads(path.read_text(encoding="utf-8"))
        return dict(origin)
    except (OSError, ValueError, TypeError) as error:
        raise BagError(f"{path}: is not what bag convert wrote ({error})") from error


def _stamps(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.int64]:
    """Return the recorded stamps, ns; for another recorder's dataset the times of its rows."""
    if layout.STAMP in columns:
        return columns[layout.STAMP].astype(np.int64)
    # The times are float32: their own resolution is far below a microsecond's thousandfold.
    return np.rint(columns["timestamp"] * 1e6).astype(np.int64) * (NANOSECONDS // 1_000_000)


def _values(state: Floats, names: tuple[str, ...], wanted: tuple[str, ...]) -> Floats | None:
    """Return columns of the state by name, [T, C]; None if one is missing."""
    if not set(wanted) <= set(names):
        return None
    return np.asarray(state[:, [names.index(name) for name in wanted]], np.float64)


def _rows(stamps_ns: NDArray[np.int64], values: NDArray[Any]) -> list[Row]:
    pairs = zip(stamps_ns.tolist(), values.tolist(), strict=True)
    return [(stamp_ns, tuple(row)) for stamp_ns, row in pairs]


def _window(stamp_ns: int, features: Floats) -> ImuWindow:
    """Return a window of one sample whose `imu_features` are given."""
    rate = features[:3] * ANGULAR_RATE_UNIT_RADPS
    force = features[3:] * GRAVITY_MPS2 + UP_MPS2
    return ImuWindow(np.array([stamp_ns], np.int64), rate[None], force[None])
