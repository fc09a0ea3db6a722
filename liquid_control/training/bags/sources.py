"""The bags of a training run, identified by the hash of their content.

An episode of a LeRobotDataset counts as a bag.
"""

import glob
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from liquid_control.dependencies import check_installed
from liquid_control.errors import BagError, ConfigError, OutputError
from liquid_control.files import atomic_write
from liquid_control.training.bags.lerobot_format import check_features, is_dataset, read_info

SOURCES_FILE = "bags.json"
SUFFIXES = (".mcap", ".db3", ".partial")
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class BagSource:
    """One bag.

    Attributes:
        path: a file, or the folder of a rosbag2 recording or of a LeRobotDataset.
        sha256: of its content: the file's, or of names and contents of the folder's files; for an
            episode also of its number.
        episode: number of the episode of a LeRobotDataset; None for a bag.
    """

    path: str
    sha256: str
    episode: int | None = None

    @property
    def name(self) -> str:
        """Name of the file or folder, and number of the episode."""
        name = Path(self.path).name
        return name if self.episode is None else f"{name} episode {self.episode}"

    @property
    def key(self) -> str:
        """Name of its files in the run's folder."""
        return self.sha256[:16]


@dataclass(frozen=True, slots=True)
class BagData:
    """The bags of a run and the rules for their topics.

    Attributes:
        sources: in order; each content occurs once.
        presets: names or files of topic rules.
        flags: topic by role.
    """

    sources: tuple[BagSource, ...]
    presets: tuple[str, ...] = ()
    flags: Mapping[str, str] | None = None

    def save(self, folder: Path) -> None:
        """Write the list for a resumed run."""
        atomic_write(folder / SOURCES_FILE, json.dumps(asdict(self), indent=1), parents=True)

    def check_same(self, begun: "BagData") -> None:
        """Check that the run was begun with the same bags and topic rules.

        Raises:
            ConfigError: a bag or a topic rule has changed.
        """
        now, before = ([source.sha256 for source in data.sources] for data in (self, begun))
        if now != before:
            raise ConfigError(
                f"--resume: the run was begun with {len(before)} bag(s) of other content or "
                f"order than the {len(now)} of --data; leave --data out, or begin a new run"
            )
        if (self.presets, self.flags) != (begun.presets, begun.flags):
            raise ConfigError(
                "--resume: the run was begun with other --topics or --topic; "
                "leave them out, or begin a new run"
            )


def load_data(folder: Path) -> BagData | None:
    """Read the list of bags; None if the run has no bags.

    Raises:
        OutputError: the file is damaged.
    """
    path = folder / SOURCES_FILE
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text())
        sources = tuple(BagSource(**row) for row in content["sources"])
        return BagData(sources, tuple(content["presets"]), content["flags"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{path}: is not what training wrote ({error!r})") from error


def find_bags(paths: Sequence[Path]) -> list[Path]:
    """Return the bags at paths: files, folders of rosbag2, of bags or of LeRobot, or patterns.

    Raises:
        BagError: there is no bag at a path.
    """
    found: list[Path] = []
    for pattern in paths:
        matches = [Path(name) for name in sorted(glob.glob(str(pattern)))] or [pattern]
        bags = [bag for path in matches for bag in _bags_at(path)]
        if not bags:
            raise BagError(
                f"{pattern}: expected .mcap or .db3 files, a rosbag2 folder, a folder of "
                "bags, or a LeRobotDataset, found none there"
            )
        found += bags
    return found


def _bags_at(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        return []
    if (path / "metadata.yaml").exists() or is_dataset(path):
        return [path]
    inside = sorted(path.iterdir())
    return [bag for bag in inside if bag.suffix in SUFFIXES or (bag / "metadata.yaml").exists()]


def bag_data(
    paths: Sequence[Path], presets: Sequence[str] = (), flags: Mapping[str, str] | None = None
) -> tuple[BagData, list[str]]:
    """Return the bags at paths, and a line for each duplicate.

    Args:
        paths: files, rosbag2 folders, folders of bags, LeRobotDatasets, or glob patterns.
        presets: names or files of topic rules.
        flags: topic by role.

    Raises:
        BagError: there is no bag at a path, or a bag cannot be read.
    """
    sources: dict[str, BagSource] = {}
    lines = []
    for path in find_bags(paths):
        found = _sources_at(path)
        first = sources.setdefault(found[0].sha256, found[0])
        if first is not found[0]:
            lines.append(f"{path}: is the same as {first.path}, and is used once")
        sources |= {source.sha256: source for source in found[1:]}
    return BagData(tuple(sources.values()), tuple(presets), dict(flags or {})), lines


def _sources_at(path: Path) -> list[BagSource]:
    """Return a bag, or the episodes of a dataset."""
    digest = content_hash(path)
    if not is_dataset(path):
        return [BagSource(str(path), digest)]
    for module in ("pyarrow", "av"):
        check_installed(module, "lerobot", "read a LeRobotDataset")
    info = read_info(path)
    check_features(path, info["features"])
    count = info.get("total_episodes")
    if not isinstance(count, int) or count < 1:
        raise BagError(f"{path}: expected a LeRobotDataset with episodes, got {count}")
    keys = [hashlib.sha256(f"{digest} {number}".encode()).hexdigest() for number in range(count)]
    return [BagSource(str(path), key, number) for number, key in enumerate(keys)]


def content_hash(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names, sizes and contents of a folder's files.

    Raises:
        BagError: a file cannot be read.
    """
    hasher = hashlib.sha256()
    try:
        if path.is_file():
            _feed(hasher, path)
        else:
            for file in sorted(file for file in path.rglob("*") if file.is_file()):
                hasher.update(f"\0{file.relative_to(path)}\0{file.stat().st_size}\0".encode())
                _feed(hasher, file)
    except OSError as error:
        raise BagError(f"{path}: cannot be read ({error.strerror})") from error
    return hasher.hexdigest()


def _feed(hasher: "hashlib._Hash", path: Path) -> None:
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            hasher.update(block)
