"""The files of a LeRobotDataset, written episode by episode: video, rows, statistics, metadata."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from liquid_control.errors import BagError
from liquid_control.training.bags import lerobot_format as layout
from liquid_control.training.bags.lerobot_format import DatasetFormat, Statistics
from liquid_control.types import Pixels

if TYPE_CHECKING:
    import pyarrow.parquet

QUALITY: dict[str, object] = {"preset": "medium", "crf": "18", "g": "2"}
"""Options of libx264; every other picture is a key frame, as in lerobot's own files."""


class Video:
    """An H.264 file of pictures at a constant rate.

    Attributes:
        path: the file.
        frames: number of pictures so far.
    """

    def __init__(self, path: Path, fmt: DatasetFormat) -> None:
        import av

        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.frames, self._size = path, 0, (fmt.width, fmt.height)
        self._container = av.open(str(path), "w", format="mp4")
        self._stream = self._container.add_stream("libx264", rate=Fraction(fmt.fps))
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = fmt.pixel_format
        self._stream.options = QUALITY

    def add(self, picture: Pixels) -> None:
        """Encode a picture, uint8 [H, W, 3].

        Raises:
            BagError: it has another size than the first one.
        """
        from av import VideoFrame

        height, width = picture.shape[:2]
        if (width, height) != self._size:
            raise BagError(
                f"expected pictures of {self._size[0]}x{self._size[1]}, got {width}x{height}: a "
                "LeRobotDataset has one size"
            )
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def close(self) -> None:
        """Write the pictures that the encoder holds, and close the file."""
        self._container.mux(self._stream.encode(None))
        self._container.close()


@dataclass
class DatasetFiles:
    """The files of a dataset that is being written; a context that closes them.

    Attributes:
        root: folder of the dataset.
        fmt: format of all episodes.
        episodes: row of each episode in the table of episodes.
        rows: number of rows of all episodes.
        tasks: index of each task, by its text.
    """

    root: Path
    fmt: DatasetFormat
    episodes: list[dict[str, Any]] = field(default_factory=list)
    rows: int = 0
    tasks: dict[str, int] = field(default_factory=dict)
    _number: int = -1
    _video: Video | None = None
    _data: "pyarrow.parquet.ParquetWriter | None" = None
    _columns: list[Mapping[str, NDArray[Any]]] = field(default_factory=list)
    _histogram: NDArray[np.int64] = field(default_factory=lambda: np.zeros((3, 256), np.int64))

    def __enter__(self) -> "DatasetFiles":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def add(
        self, columns: Mapping[str, NDArray[Any]], pictures: Iterable[Pixels], task: str
    ) -> None:
        """Write an episode.

        Args:
            columns: arrays [T] or [T, C] by feature, without those that follow from the format.
            pictures: T pictures, uint8 [H, W, 3].
            task: what is flown, in words.

        Raises:
            BagError: a picture has another size than the first one.
        """
        video, data = self._open()
        begin_s, count = video.frames / self.fmt.fps, len(columns[layout.STAMP])
        given = {**columns, **self._counters(count, task)}
        columns = {key: given[key] for key in self.fmt.features if key in given}
        histogram = np.zeros((3, 256), np.int64)
        for picture in pictures:
            video.add(picture)
            histogram += layout.histogram_of(picture)
        data.write_table(layout.column_table(columns))
        statistics = _statistics(columns, histogram, count)
        _, _, at = layout.file_paths(self._number)
        files = {"data": at, f"videos/{layout.CAMERA}": at}
        files["meta/episodes"] = {"chunk_index": 0, "file_index": 0}
        self.episodes.append(
            {
                "episode_index": len(self.episodes),
                "tasks": [task],
                "length": count,
                "dataset_from_index": self.rows,
                "dataset_to_index": self.rows + count,
                f"videos/{layout.CAMERA}/from_timestamp": begin_s,
                f"videos/{layout.CAMERA}/to_timestamp": video.frames / self.fmt.fps,
                **_joined(files),
                **_joined({f"stats/{key}": entry.plain() for key, entry in statistics.items()}),
            }
        )
        self.rows += count
        self._columns.append(columns)
        self._histogram += histogram

    def finish(self, origin: Mapping[str, Any]) -> None:
        """Close the files of rows and pictures, and write the metadata.

        Args:
            origin: content of `meta/origin.json`.
        """
        import pyarrow as pa
        from pyarrow import parquet

        self._close()
        (self.root / layout.EPISODES).parent.mkdir(parents=True, exist_ok=True)
        parquet.write_table(pa.Table.from_pylist(self.episodes), self.root / layout.EPISODES)
        parquet.write_table(layout.task_table(list(self.tasks)), self.root / layout.TASKS)
        merged = {
            key: np.concatenate([columns[key] for columns in self._columns])
            for key in self._columns[0]
        }
        statistics = _statistics(merged, self._histogram, self.rows)
        documents = {
            layout.STATS: {key: entry.plain() for key, entry in statistics.items()},
            layout.INFO: self.fmt.info(len(self.episodes), self.rows, len(self.tasks)),
            layout.ORIGIN: origin,
        }
        for path, content in documents.items():
            (self.root / path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    def _counters(self, count: int, task: str) -> dict[str, NDArray[Any]]:
        """Return the columns of an episode that follow from its length and place."""
        frames = np.arange(count, dtype=np.int64)
        task_index = self.tasks.setdefault(task, len(self.tasks))
        return {
            "timestamp": (frames / self.fmt.fps).astype(np.float32),
            "frame_index": frames,
            "episode_index": np.full(count, len(self.episodes), np.int64),
            "index": frames + self.rows,
            "task_index": np.full(count, task_index, np.int64),
        }

    def _open(self) -> "tuple[Video, pyarrow.parquet.ParquetWriter]":
        """Return the open files; new ones if there are none, or they are large enough."""
        from pyarrow import parquet

        video, data = self._video, self._data
        if video is not None and data is not None:
            data_path, video_path, _ = layout.file_paths(self._number)
            sizes = [(self.root / path).stat().st_size >> 20 for path in (data_path, video_path)]
            if sizes[0] < layout.DATA_MB and sizes[1] < layout.VIDEO_MB:
                return video, data
            self._close()
        self._number += 1
        data_path, video_path, _ = layout.file_paths(self._number)
        video = self._video = Video(self.root / video_path, self.fmt)
        (self.root / data_path).parent.mkdir(parents=True, exist_ok=True)
        data = self._data = parquet.ParquetWriter(self.root / data_path, self._schema())
        return video, data

    def _schema(self) -> Any:
        """Return the schema of the rows, from a table without rows."""
        empty: dict[str, NDArray[Any]] = {}
        for key, feature in self.fmt.features.items():
            if feature["dtype"] != "video":
                shape = (0,) if feature["shape"] == [1] else (0, *feature["shape"])
                empty[key] = np.empty(shape, feature["dtype"])
        return layout.column_table(empty).schema

    def _close(self) -> None:
        video, data, self._video, self._data = self._video, self._data, None, None
        if data is not None:
            data.close()
        if video is not None:
            video.close()


def _statistics(
    columns: Mapping[str, NDArray[Any]], histogram: NDArray[np.int64], count: int
) -> dict[str, Statistics]:
    found = {key: Statistics.of_rows(values) for key, values in columns.items()}
    return found | {layout.CAMERA: Statistics.of_pictures(histogram, count)}


def _joined(groups: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return nested values with keys of the form `group/key`."""
    return {
        f"{name}/{key}": value for name, inner in groups.items() for key, value in inner.items()
    }
