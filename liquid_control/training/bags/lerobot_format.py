"""Layout of a LeRobotDataset v3.0: paths, features, statistics and tables.

The layout is that of `lerobot` 0.4 to 0.6 (https://github.com/huggingface/lerobot): rows of all
episodes in Parquet files, pictures in MP4 files, and below `meta/` the features, statistics, tasks
and one row for each episode. Nothing here needs `lerobot`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import BagError
from liquid_control.types import Pixels

if TYPE_CHECKING:
    import pyarrow

VERSION = "v3.0"
INFO = Path("meta/info.json")
STATS = Path("meta/stats.json")
TASKS = Path("meta/tasks.parquet")
EPISODES = Path("meta/episodes/chunk-000/file-000.parquet")
ORIGIN = Path("meta/origin.json")
"""Bags that the dataset was made from; other programs ignore the file."""

CAMERA = "observation.images.camera"
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
FILES_PER_CHUNK = 1000
DATA_MB, VIDEO_MB = 100, 200
"""Sizes of a data file and a video file after which the next episode begins new files."""

COMMAND_NAMES = ("forward_mps", "left_mps", "up_mps", "yaw_rate_radps")
"""`Command.values`: heading frame."""
VELOCITY_NAMES = tuple(f"measured_{name}" for name in COMMAND_NAMES)
IMU_NAMES = ("rate_x", "rate_y", "rate_z", "force_x", "force_y", "force_z")
"""`perception.imu_features`."""
STATE = "observation.state"
STAMP = "stamp_ns"
COUNTERS = ("frame_index", "episode_index", "index", "task_index")
QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}


@dataclass(frozen=True, slots=True)
class DatasetFormat:
    """Format of all episodes of a dataset.

    Attributes:
        fps: rows a second.
        width: of the pictures, pixels.
        height: of the pictures, pixels.
        state: names of the values in `observation.state`; empty for a dataset without it.
    """

    fps: int
    width: int
    height: int
    state: tuple[str, ...]

    @property
    def pixel_format(self) -> str:
        """Pixel format of the video: yuv420p needs an even width and height."""
        return "yuv444p" if self.width % 2 or self.height % 2 else "yuv420p"

    @property
    def features(self) -> dict[str, dict[str, Any]]:
        """The features, as in `info.json`."""
        vectors = {"action": COMMAND_NAMES} | ({STATE: self.state} if self.state else {})
        features: dict[str, dict[str, Any]] = {
            key: {"dtype": "float32", "shape": [len(names)], "names": list(names)}
            for key, names in vectors.items()
        }
        features[CAMERA] = {
            "dtype": "video",
            "shape": [self.height, self.width, 3],
            "names": ["height", "width", "channels"],
            "info": {
                "video.height": self.height,
                "video.width": self.width,
                "video.codec": "h264",
                "video.pix_fmt": self.pixel_format,
                "video.is_depth_map": False,
                "video.fps": self.fps,
                "video.channels": 3,
                "has_audio": False,
            },
        }
        features["timestamp"] = _scalar("float32")
        return features | {key: _scalar("int64") for key in (*COUNTERS, STAMP)}

    def info(self, episodes: int, frames: int, tasks: int) -> dict[str, Any]:
        """Return the content of `info.json`."""
        return {
            "codebase_version": VERSION,
            "robot_type": "quadrotor",
            "total_episodes": episodes,
            "total_frames": frames,
            "total_tasks": tasks,
            "chunks_size": FILES_PER_CHUNK,
            "data_files_size_in_mb": DATA_MB,
            "video_files_size_in_mb": VIDEO_MB,
            "fps": self.fps,
            "splits": {"train": f"0:{episodes}"},
            "data_path": DATA_PATH,
            "video_path": VIDEO_PATH,
            "features": self.features,
        }


def _scalar(dtype: str) -> dict[str, Any]:
    return {"dtype": dtype, "shape": [1], "names": None}


def file_paths(number: int) -> tuple[Path, Path, dict[str, int]]:
    """Return the paths of the data and video files of a number, and their indices."""
    chunk, file = divmod(number, FILES_PER_CHUNK)
    at = {"chunk_index": chunk, "file_index": file}
    return Path(DATA_PATH.format(**at)), Path(VIDEO_PATH.format(video_key=CAMERA, **at)), at


def column_table(columns: Mapping[str, NDArray[Any]]) -> "pyarrow.Table":
    """Return arrays as a table: a column of numbers for [T], of fixed-size lists for [T, C]."""
    import pyarrow as pa

    arrays = {
        key: pa.array(values)
        if values.ndim == 1
        else pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
        for key, values in columns.items()
    }
    return pa.table(arrays)


def task_table(tasks: Sequence[str]) -> "pyarrow.Table":
    """Return the table of tasks; its metadata makes the text the index of a pandas frame."""
    import pyarrow as pa

    def column(name: str, pandas_type: str, numpy_type: str) -> dict[str, Any]:
        types = {"pandas_type": pandas_type, "numpy_type": numpy_type, "metadata": None}
        return {"name": name, "field_name": name, **types}

    pandas = {
        "index_columns": ["task"],
        "column_indexes": [],
        "columns": [column("task_index", "int64", "int64"), column("task", "unicode", "object")],
    }
    table = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": list(tasks)})
    return table.replace_schema_metadata({"pandas": json.dumps(pandas)})


@dataclass(frozen=True, slots=True)
class Statistics:
    """Statistics of one feature over some rows.

    Attributes:
        values: minimum, maximum, mean, standard deviation and quantiles by name, float64, with
            the shape of one row; [3, 1, 1] in units of 255 for pictures.
        count: number of rows.
    """

    values: Mapping[str, NDArray[np.float64]]
    count: int

    @classmethod
    def of_rows(cls, rows: NDArray[Any]) -> "Statistics":
        """Return the statistics of rows, [T] or [T, C]."""
        columns = rows.reshape(len(rows), -1).astype(np.float64)
        values = {
            "min": columns.min(axis=0),
            "max": columns.max(axis=0),
            "mean": columns.mean(axis=0),
            "std": columns.std(axis=0),
        }
        quantiles = np.quantile(columns, list(QUANTILES.values()), axis=0)
        return cls(values | dict(zip(QUANTILES, quantiles, strict=True)), len(rows))

    @classmethod
    def of_pictures(cls, histogram: NDArray[np.int64], pictures: int) -> "Statistics":
        """Return the statistics of all pixels, from the histogram of each channel, [3, 256].

        A quantile is the smallest value that this share of the pixels does not exceed.
        """
        levels = np.arange(256) / 255.0
        shares = histogram / histogram.sum(axis=1, keepdims=True)
        mean = shares @ levels
        deviation = np.sqrt((shares * (levels - mean[:, None]) ** 2).sum(axis=1))
        below = np.cumsum(histogram, axis=1)
        values = {"min": levels[(below > 0).argmax(axis=1)], "mean": mean, "std": deviation}
        values["max"] = levels[(below == below[:, -1:]).argmax(axis=1)]
        for name, share in QUANTILES.items():
            values[name] = levels[(below >= share * below[:, -1:]).argmax(axis=1)]
        return cls({name: value.reshape(3, 1, 1) for name, value in values.items()}, pictures)

    def plain(self) -> dict[str, Any]:
        """Return the statistics as lists, as in `stats.json`."""
        return {name: value.tolist() for name, value in self.values.items()} | {
            "count": [self.count]
        }


def histogram_of(image: Pixels) -> NDArray[np.int64]:
    """Return the number of pixels of each level in each channel, int64 [3, 256]."""
    return np.stack([np.bincount(image[..., c].reshape(-1), minlength=256) for c in range(3)])


def is_dataset(path: Path) -> bool:
    """Return whether a path is the folder of a LeRobotDataset."""
    return (path / INFO).is_file()


def read_info(root: Path) -> dict[str, Any]:
    """Read `info.json`.

    Raises:
        BagError: it cannot be read, or is of another version.
    """
    try:
        info: dict[str, Any] = json.loads((root / INFO).read_text(encoding="utf-8"))
        version, fps = str(info["codebase_version"]), info["fps"]
        if not (isinstance(info["features"], dict) and fps > 0):
            raise ValueError("no features or no fps")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BagError(f"{root / INFO}: is not that of a LeRobotDataset ({error!r})") from error
    if version.lstrip("v").split(".")[0] != VERSION[1]:
        raise BagError(
            f"{root}: expected a LeRobotDataset of version {VERSION}, got {version}; convert it "
            "with lerobot's own script"
        )
    return info


def check_features(root: Path, features: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that the features of a dataset are those of a flight.

    Raises:
        BagError: `action` is not a velocity command, or there is not one video.
    """
    names = names_of(features, "action")
    if names != COMMAND_NAMES:
        raise BagError(
            f"{root}: expected the feature action with the values "
            f"{', '.join(COMMAND_NAMES)}, got {', '.join(names) or 'none with names'}"
        )
    camera_of(features, str(root))


def camera_of(features: Mapping[str, Mapping[str, Any]], where: str = "") -> str:
    """Return the key of the pictures.

    Raises:
        BagError: there are several videos, or none.
    """
    videos = [key for key, feature in features.items() if feature.get("dtype") == "video"]
    if CAMERA in videos:
        return CAMERA
    if len(videos) != 1:
        listed = ", ".join(videos) or "none"
        raise BagError(f"{where}: expected one video or {CAMERA}, got {listed}")
    return videos[0]


def names_of(features: Mapping[str, Mapping[str, Any]], key: str) -> tuple[str, ...]:
    """Return the names of the values of a feature; none if it has no list of them."""
    names = features.get(key, {}).get("names")
    return tuple(map(str, names)) if isinstance(names, list) else ()
