"""Read mutated bags: `python fuzzing.py SEED COUNT` prints the outcomes as JSON.

The script runs as a separate process, so that a hang is detected and memory can be measured. Any
exception other than `BagError` ends it with a traceback and the seed and number of the case.
"""

import faulthandler
import json
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import bag_files
import numpy as np
from rosbags.rosbag2 import CompressionMode, StoragePlugin

from liquid_control.bags import Losses, open_bag
from liquid_control.errors import BagError
from liquid_control.seeding import stream

HANGS_AFTER_S = 20
ADDRESS_SPACE = 4 * 2**30


def originals(folder: Path) -> dict[str, bytes]:
    """Return small complete bags of every kind, by name."""
    messages = bag_files.flight(30)
    found = {
        compression: bag_files.write_mcap(
            folder / f"{compression}.mcap", messages, compression
        ).read_bytes()
        for compression in bag_files.FORMATS
    }
    unchunked = folder / "loose.mcap"
    found["loose"] = bag_files.write_mcap(unchunked, messages, use_chunking=False).read_bytes()
    bare = bag_files.write_mcap(
        folder / "bare.mcap",
        messages,
        "zstd",
        enable_crcs=False,
        repeat_channels=False,
        repeat_schemas=False,
        use_statistics=False,
    )
    found["bare"] = bare.read_bytes()
    unchecked = bag_files.write_mcap(folder / "crc.mcap", messages, enable_crcs=False)
    found["unchecked"] = unchecked.read_bytes()
    for plugin, mode in (
        (StoragePlugin.SQLITE3, CompressionMode.NONE),
        (StoragePlugin.SQLITE3, CompressionMode.MESSAGE),
        (StoragePlugin.MCAP, CompressionMode.STORAGE),
        (StoragePlugin.MCAP, CompressionMode.FILE),
    ):
        name = f"{plugin.name}-{mode.name}".lower()
        bag = bag_files.write_rosbag2(folder / name, messages, plugin, mode)
        (file,) = (file for file in bag.iterdir() if file.name != "metadata.yaml")
        found[name] = file.read_bytes()
    return found


def bits(data: bytearray, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 20))):
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))


def runs(data: bytearray, rng: np.random.Generator) -> None:
    begin, size = int(rng.integers(len(data))), int(rng.integers(1, 600))
    fill = rng.choice(["noise", "zeros", "ones"])
    new = rng.integers(0, 256, size, dtype=np.uint8).tobytes()
    if fill != "noise":
        new = (b"\x00" if fill == "zeros" else b"\xff") * size
    data[begin : begin + size] = new[: len(data) - begin]


def cut(data: bytearray, rng: np.random.Generator) -> None:
    del data[int(rng.integers(len(data))) :]


def doubled(data: bytearray, rng: np.random.Generator) -> None:
    begin, size = int(rng.integers(len(data))), int(rng.integers(1, 3000))
    target = int(rng.integers(len(data)))
    data[target:target] = data[begin : begin + size]


def removed(data: bytearray, rng: np.random.Generator) -> None:
    begin, size = int(rng.integers(len(data))), int(rng.integers(1, 3000))
    del data[begin : begin + size]


def lengths(data: bytearray, rng: np.random.Generator) -> None:
    """Write extreme or slightly wrong numbers at random offsets."""
    for _ in range(int(rng.integers(1, 4))):
        size = int(rng.choice([2, 4, 8]))
        if len(data) <= size:
            return
        begin = int(rng.integers(len(data) - size))
        old = int.from_bytes(data[begin : begin + size], "little")
        choices = [0, 1, 255, 2**31, 2**60, 2**63, 2**64 - 1, old + 1, old - 1, old * 2, old // 2]
        new = choices[int(rng.integers(len(choices)))] % 2 ** (8 * size)
        data[begin : begin + size] = new.to_bytes(size, "little")


def length_fields(data: bytearray, rng: np.random.Generator) -> None:
    """Write extreme lengths into MCAP records."""
    places, position = [], 8
    while position + 9 <= len(data):
        places.append(position + 1)
        position += 9 + int.from_bytes(data[position + 1 : position + 9], "little")
    if not places:
        return
    begin = places[int(rng.integers(len(places)))]
    new = [0, 1, 2**31, 2**60, 2**64 - 1, len(data)][int(rng.integers(6))]
    data[begin : begin + 8] = new.to_bytes(8, "little")


MUTATIONS = (bits, runs, cut, doubled, removed, lengths, length_fields)


def mutated(original: bytes, rng: np.random.Generator) -> bytes:
    data = bytearray(original)
    for _ in range(int(rng.integers(1, 4))):
        if data:
            MUTATIONS[int(rng.integers(len(MUTATIONS)))](data, rng)
    return bytes(data)


def read_bag(path: Path) -> tuple[str, int, int]:
    """Read and decode a bag; return outcome, number of messages, number of undecodable ones."""
    losses = Losses()
    count = undecodable = 0
    try:
        bag = open_bag(path)
        for message in bag.messages(list(bag.topics), losses):
            count += 1
            try:
                bag.decode(message)
            except BagError:
                undecodable += 1
    except BagError as error:
        if "\n" in str(error):
            raise ValueError("an error of several lines") from error
        return "refused", count, undecodable
    return ("read with losses" if losses.counts else "read"), count, undecodable


def fuzz(seed: int, count: int, folder: Path) -> dict[str, object]:
    """Read `count` mutated bags; return the outcomes."""
    bags = originals(folder)
    names = sorted(bags)
    outcomes: Counter[str] = Counter()
    messages = undecodable = 0
    slowest_s, slowest = 0.0, ""
    for index in range(count):
        rng = stream(seed, f"fuzz.{index}")
        name = names[index % len(names)]
        path = folder / "mutated"
        path.write_bytes(mutated(bags[name], rng))
        faulthandler.dump_traceback_later(HANGS_AFTER_S, exit=True)
        start_s = time.perf_counter()
        try:
            outcome, read, failed = read_bag(path)
        except BaseException:
            shutil.copy(path, Path(tempfile.gettempdir()) / f"fuzz-{seed}-{index}")
            print(f"seed {seed}, case {index}, {name}", file=sys.stderr)
            raise
        faulthandler.cancel_dump_traceback_later()
        elapsed_s = time.perf_counter() - start_s
        if elapsed_s > slowest_s:
            slowest_s, slowest = elapsed_s, f"case {index}, {name}"
        outcomes[outcome] += 1
        messages += read
        undecodable += failed
    return {
        "seed": seed,
        "cases": count,
        **outcomes,
        "messages": messages,
        "undecodable": undecodable,
        "slowest_s": slowest_s,
        "slowest": slowest,
        "peak_mb": peak_mb(),
    }


def peak_mb() -> int:
    """Return the peak memory of this process; `ru_maxrss` starts with that of its parent."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps(fuzz(int(sys.argv[1]), int(sys.argv[2]), Path(place))))
