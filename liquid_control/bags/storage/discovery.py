"""Find and open the files of a recording; formats are recognised by content, not by name."""

import io
import shutil
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import BinaryIO, cast

import zstandard
from yaml import YAMLError

from liquid_control.bags.losses import Loss, Losses
from liquid_control.bags.storage.mcap_format import MAGIC as MCAP
from liquid_control.bags.storage.mcap_part import McapPart
from liquid_control.bags.storage.part import Contents, Part, RawMessage
from liquid_control.bags.storage.sqlite import SqlitePart
from liquid_control.config.yaml_files import parse_yaml
from liquid_control.errors import BagError

SQLITE = b"SQLite format 3\x00"
ZSTD = b"\x28\xb5\x2f\xfd"
ROS1 = b"#ROSBAG V"
ULOG = b"ULog\x01\x12\x35"
DATAFLASH = b"\xa3\x95\x80"
"""First message of an ArduPilot DataFlash log: two header bytes and the type FMT."""
MAVLINK = b"\xfe\xfd"
"""First bytes of MAVLink packets of versions 1 and 2; in a telemetry log after 8 bytes of time."""
TELEMETRY_TIMES_US = range(946_684_800 * 10**6, 4_102_444_800 * 10**6)
"""Plausible times in a telemetry log, big-endian microseconds: 2000 to 2100."""
METADATA = "metadata.yaml"
SUFFIXES = (".mcap", ".db3")
PACKED = ".zstd"
MAX_METADATA_BYTES = 2**24
HEAD_BYTES = 4096
"""Bytes that describe a file of no known format."""

MAX_COMPRESSION_RATIO = 1000
MIN_DECOMPRESSED_LIMIT = 2**26
"""A compressed part may grow by this ratio, and always up to this size in bytes."""

MAX_SILENT_BYTES = 2**24
"""Compressed bytes without any content, after which decompression stops."""


def files_of(path: Path) -> list[Path]:
    """Return the files of a recording; for a folder, the bag files in it.

    Raises:
        BagError: there are no files.
    """
    try:
        if not path.is_dir():
            if not path.exists():
                raise BagError(f"{path}: expected a bag, found nothing there")
            if not path.is_file():
                raise BagError(f"{path}: expected a file or a folder, found a {_special(path)}")
            return [path]
        files = [file for file in sorted(path.iterdir()) if file.is_file() and _is_part(file)]
    except OSError as error:
        raise BagError(f"{path}: cannot be read ({error.strerror})") from error
    if not files:
        raise BagError(f"{path}: expected a folder with .mcap or .db3 files, found none in it")
    return files


def _special(path: Path) -> str:
    """Return what a path is that is neither a file nor a folder; reading it may never end."""
    mode = path.stat().st_mode
    if stat.S_ISFIFO(mode):
        return "pipe"
    return "socket" if stat.S_ISSOCK(mode) else "device"


def _is_part(file: Path) -> bool:
    """Return whether a file in a folder is a bag, by suffix or by content."""
    if file.suffix in SUFFIXES:
        return True
    try:
        return bool(kind_of(file))
    except OSError:
        return False


def open_parts(
    paths: Sequence[Path],
) -> tuple[list[Path], list[Part], dict[str, str], Losses]:
    """Open the files of a recording.

    An unreadable part is counted as a loss if another part is readable.

    Returns:
        paths and opened parts, custom data of `metadata.yaml`, and losses.

    Raises:
        BagError: no part is readable.
    """
    if not paths:
        raise BagError("expected the path of a bag, got none")
    files: list[Path] = []
    listed: set[Path] = set()
    custom: dict[str, str] = {}
    losses = Losses()
    problem: BagError | None = None
    for path in paths:
        try:
            files += files_of(path)
        except BagError as error:
            problem = _count_missing(error, losses, problem)
            continue
        values, names = read_metadata(path)
        custom |= values
        listed |= {path / name for name in names}
    found = without_twins(files, listed, losses)
    for file in sorted(listed - set(found)):
        if not any(stem_of(file) == stem_of(other) for other in found):
            losses.count(Loss.MISSING_PART, f"{file}")
    files, parts = [], []
    for file in found:
        part = _opened(file)
        if isinstance(part, BagError):
            problem = _count_missing(part, losses, problem)
        else:
            parts.append(part)
            files.append(file)
    if not parts and problem is not None:
        raise problem
    return files, parts, custom, losses


def without_twins(files: Sequence[Path], listed: Collection[Path], losses: Losses) -> list[Path]:
    """Return the files without those that hold the same part as another one.

    A part can lie next to its compressed copy, or next to a copy in the other format: such files
    have the same name up to their suffixes. The one that `metadata.yaml` lists is read, otherwise
    an uncompressed one.

    Args:
        files: files of the recording, in order.
        listed: files that `metadata.yaml` lists.
        losses: receives a warning for each file that is not read.
    """
    kept: dict[Path, Path] = {}
    for file in files:
        other = kept.setdefault(stem_of(file), file)
        if other == file:
            continue
        best = min(other, file, key=lambda path: (path not in listed, path.suffix == PACKED))
        kept[stem_of(file)] = best
        (twin,) = {other, file} - {best}
        losses.warn(f"{twin}: is not read; {best.name} holds the same part of the recording")
    return list(kept.values())


def stem_of(file: Path) -> Path:
    """Return the path of a part without the suffixes of its format and its compression."""
    plain = file.with_suffix("") if file.suffix == PACKED else file
    return plain.with_suffix("") if plain.suffix in SUFFIXES else plain


def _opened(path: Path) -> Part | BagError:
    try:
        return open_part(path)
    except BagError as error:
        return error


def _count_missing(error: BagError, losses: Losses, before: BagError | None) -> BagError:
    losses.count(Loss.MISSING_PART, str(error))
    return before or error


def kind_of(path: Path) -> bytes:
    """Return the magic bytes of a supported format; empty for other files."""
    with path.open("rb") as stream:
        head = stream.read(16)
        stream.seek(-min(len(MCAP), path.stat().st_size), io.SEEK_END)
        tail = stream.read(len(MCAP))
    for magic in (MCAP, SQLITE, ZSTD, ROS1):
        if head.startswith(magic):
            return magic
    return MCAP if tail == MCAP else b""


def open_part(path: Path, name: str | None = None) -> Part:
    """Open one file of a recording.

    Args:
        path: the file.
        name: its name in messages; None for the path.

    Raises:
        BagError: the file is not a bag, or no part of it can be read.
    """
    name = name or str(path)
    try:
        size, kind = path.stat().st_size, kind_of(path)
        if kind == MCAP:
            return McapPart(name, path)
        if kind == SQLITE:
            return SqlitePart(name, path)
        if kind == ZSTD:
            return CompressedPart(name, path)
    except OSError as error:
        raise BagError(f"{name}: cannot be read ({error.strerror})") from error
    if kind == ROS1:
        raise BagError(
            f"{name}: is a ROS 1 bag; convert it with "
            f"`rosbags-convert --src {name} --dst {Path(name).stem}`"
        )
    if advice := foreign_log(path):
        raise BagError(f"{name}: {advice}")
    raise BagError(f"{name}: expected an MCAP or sqlite3 bag, found {_unknown(path, size)}")


def _unknown(path: Path, size: int) -> str:
    """Describe a file of no known format."""
    if size == 0:
        return "an empty file"
    with path.open("rb") as stream:
        zeros = not any(stream.read(HEAD_BYTES))
    return f"{size} bytes that " + ("begin with zeros" if zeros else "are neither")


def foreign_log(path: Path) -> str:
    """Return what a log of an autopilot is, and the tool that converts it; else empty."""
    with path.open("rb") as stream:
        head = stream.read(9)
    time_us = int.from_bytes(head[:8], "big")
    if head.startswith(ULOG):
        return (
            "is a PX4 ULog, which has no pictures; `ulog2ros2bag` of pyulog converts it to a bag"
        )
    if head.startswith(DATAFLASH):
        kind = "an ArduPilot DataFlash log (.bin)"
    elif head[8:] and head[8] in MAVLINK and time_us in TELEMETRY_TIMES_US:
        kind = "a MAVLink telemetry log (.tlog)"
    else:
        return ""
    return (
        f"is {kind}, which has no pictures; `mavlogdump.py --format csv` of "
        "pymavlink converts it to tables, and MAVROS with `ros2 bag record` records a bag"
    )


class CompressedPart:
    """A file that was compressed as a whole. It is decompressed while it is read.

    Args:
        name: name of the file in messages.
        path: path of the compressed file.
    """

    def __init__(self, name: str, path: Path) -> None:
        self._name, self._path = name, path
        with decompressed(name, path, Losses()) as plain:
            self.contents: Contents = open_part(plain, name).contents

    def messages(
        self, topics: Collection[str], losses: Losses, start_ns: int
    ) -> Iterator[RawMessage]:
        """Yield messages by log time; see `Part`."""
        with decompressed(self._name, self._path, losses) as plain:
            yield from open_part(plain, self._name).messages(topics, losses, start_ns)


class _Counted:
    """Compressed bytes, read until `MAX_SILENT_BYTES` of them have given no content."""

    def __init__(self, source: io.BufferedReader) -> None:
        self._source, self.silent = source, 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        data = self._source.read(size)
        self.silent += len(data)
        if self.silent > MAX_SILENT_BYTES:
            raise zstandard.ZstdError(f"{MAX_SILENT_BYTES} bytes without content")
        return data


@contextmanager
def decompressed(name: str, path: Path, losses: Losses) -> Iterator[Path]:
    """Decompress a file, as far as possible, into a temporary file for a `with` block.

    Raises:
        BagError: the file would fill the disk, or nothing can be decompressed.
    """
    allowed = max(MIN_DECOMPRESSED_LIMIT, MAX_COMPRESSION_RATIO * path.stat().st_size)
    with NamedTemporaryFile(suffix=".bag") as target:
        allowed = min(allowed, shutil.disk_usage(Path(target.name).parent).free // 2)
        with path.open("rb") as source:
            counted = _Counted(source)
            reader = zstandard.ZstdDecompressor().stream_reader(
                cast(BinaryIO, counted), read_across_frames=True
            )
            try:
                while data := reader.read(2**20):
                    counted.silent = 0
                    allowed -= len(data)
                    if allowed < 0:
                        raise BagError(f"{name}: grows too large when it is decompressed")
                    target.write(data)
            except zstandard.ZstdError as error:
                losses.count(Loss.ENDS_EARLY, f"{name}: does not decompress ({error})")
        target.flush()
        if target.tell() == 0:
            raise BagError(f"{name}: expected a compressed bag, found nothing that decompresses")
        yield Path(target.name)


def read_metadata(path: Path) -> tuple[dict[str, str], list[str]]:
    """Return the custom data and the listed file names of a folder's `metadata.yaml`."""
    try:
        with (path / METADATA).open("rb") as stream:
            content = parse_yaml(stream.read(MAX_METADATA_BYTES), twice=True)
        info = content["rosbag2_bagfile_information"]
        custom = info.get("custom_data") or {}
        files = [Path(str(file)).name for file in info.get("relative_file_paths") or []]
        return {str(key): str(value) for key, value in custom.items()}, files
    except (OSError, ValueError, TypeError, KeyError, AttributeError, YAMLError):
        return {}, []
