"""Files that are no bags, or never end: one line, in bounded time and memory."""

import os
import resource
import threading
import time
from pathlib import Path

import pytest
import zstandard

from liquid_control.bags import open_bag
from liquid_control.bags.storage import discovery
from liquid_control.bags.storage.discovery import read_metadata
from liquid_control.bags.storage.mcap_format import MAGIC
from liquid_control.errors import BagError

pytestmark = pytest.mark.unit

SIZE = 3 * 2**30


@pytest.fixture
def sparse(tmp_path):
    def make(name: str, head: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(head)
        os.truncate(path, SIZE)
        if path.stat().st_blocks * 512 > SIZE // 2:
            pytest.skip("needs a file system with sparse files")
        return path

    return make


def opened(path):
    """Open a bag; return its error, and check the CPU time and the growth of the memory."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    message = ""
    try:
        open_bag(path)
    except BagError as error:
        message = str(error)
    assert time.process_time() - start < 2.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", ["zeros.mcap", "zeros.db3", "zeros"])
def test_gigabytes_of_zeros(sparse, name):
    expected = f"{name}: expected an MCAP or sqlite3 bag, found {SIZE} bytes that begin with zeros"
    assert opened(sparse(name, b"")).endswith(expected)


def test_zeros_after_the_magic_of_mcap(sparse):
    opened(sparse("magic.mcap", MAGIC))


def test_zeros_after_the_magic_of_zstandard(sparse):
    path = sparse("bag.mcap.zst", zstandard.FRAME_HEADER)
    assert "found nothing that decompresses" in opened(path)


def test_zeros_after_the_magic_of_sqlite(sparse):
    assert "no tables of messages can be read" in opened(sparse("a.db3", b"SQLite format 3\x00"))


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_a_device_is_not_read():
    expected = "/dev/zero: expected a file or a folder, found a device"
    assert opened(Path("/dev/zero")) == expected


def test_a_pipe_is_not_waited_for(tmp_path):
    pipe = tmp_path / "pipe.mcap"
    os.mkfifo(pipe)
    # Releases a reader that waits after all, so that the test fails and does not hang.
    releaser = threading.Timer(5.0, lambda: os.close(os.open(pipe, os.O_RDWR)))
    releaser.start()
    try:
        assert opened(pipe).endswith("pipe.mcap: expected a file or a folder, found a pipe")
    finally:
        releaser.cancel()


def test_metadata_with_an_alias_bomb_is_ignored(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    lines += ["rosbag2_bagfile_information:", "  custom_data: {bomb: *a8}"]
    (tmp_path / discovery.METADATA).write_text("\n".join(lines))
    start = time.process_time()
    assert read_metadata(tmp_path) == ({}, [])
    assert time.process_time() - start < 2.0
