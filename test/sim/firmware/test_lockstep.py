"""The preloaded clock, with a small program that keeps time as a firmware does."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from liquid_control.errors import AutopilotError, DependencyError
from liquid_control_sim.firmware import process as process_module
from liquid_control_sim.firmware.backend import Patience
from liquid_control_sim.firmware.process import (
    FirmwareProcess,
    LockstepClock,
    check_program,
    lockstep_library,
)

pytestmark = pytest.mark.sim

PROGRAM = r"""
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static volatile int newest = -1;
static int port;

static void *receive(void *unused)
{
    for (;;) {
        fd_set set;
        struct timeval wait = {0, 100000};
        char data[16];
        FD_ZERO(&set);
        FD_SET(port, &set);
        if (select(port + 1, &set, NULL, NULL, &wait) == 1 &&
            recvfrom(port, data, sizeof data, 0, NULL, NULL) == 1)
            newest = data[0];
    }
    return unused;
}

int main(int count, char **argument)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argument[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    port = socket(AF_INET, SOCK_DGRAM, 0);
    if (count < 2 || bind(port, (struct sockaddr *)&address, sizeof address) != 0)
        return 7;
    pthread_t thread;
    pthread_create(&thread, NULL, receive, NULL);
    for (;;) {
        struct timespec now, pause = {0, 100000};
        clock_gettime(CLOCK_MONOTONIC, &now);
        printf("%ld %d\n", now.tv_sec * 1000000L + now.tv_nsec / 1000, newest);
        nanosleep(&pause, NULL);
    }
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    """Compile the program; the library itself needs a C compiler too."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")
    folder = tmp_path_factory.mktemp("program")
    (folder / "clock.c").write_text(PROGRAM)
    command = [compiler, "-pthread", "-o", str(folder / "clock"), str(folder / "clock.c")]
    subprocess.run(command, check=True)
    return folder / "clock"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(program: Path, folder: Path, steps: int) -> list[tuple[int, int]]:
    """Grant steps of 1 ms, each after a datagram with its number; return what was printed."""
    clock, port = LockstepClock(), free_port()
    process = FirmwareProcess("clock", [str(program), str(port)], folder, clock=clock)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        clock.begin(Patience("clock", process.exit_message))
        for step in range(steps):
            sender.sendto(bytes((step,)), ("127.0.0.1", port))
            clock.expect()
            clock.advance((step + 1) * 1_000_000)
    finally:
        process.end()
        sender.close()
    lines = process.log.read_text().splitlines()
    return [tuple(map(int, line.split())) for line in lines if len(line.split()) == 2]


def test_time_advances_by_what_is_granted_and_data_come_first(program, tmp_path):
    """A loop of 100.2 us, so 9 or 10 in each ms, each with the datagram of its own ms."""
    printed = run(program, tmp_path, steps=20)
    times = [time_us for time_us, _ in printed]
    assert times == sorted(times)
    assert 19_800 <= times[-1] <= 20_000
    assert all(time_us // 1000 == newest for time_us, newest in printed[1:])
    assert 180 <= len(printed) <= 200


def test_two_runs_are_equal(program, tmp_path):
    assert run(program, tmp_path / "a", 10) == run(program, tmp_path / "b", 10)


def test_a_program_that_ends_is_named_with_its_status(program, tmp_path):
    clock = LockstepClock()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        command = [str(program), str(other.getsockname()[1])]
        process = FirmwareProcess("clock", command, tmp_path, clock=clock)
        with pytest.raises(AutopilotError, match=r"^clock: the firmware ended with status 7: no "):
            clock.begin(Patience("clock", process.exit_message))
        process.end()


def test_without_a_compiler_there_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(process_module, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(process_module.shutil, "which", lambda name: None)
    with pytest.raises(DependencyError, match="needs a C compiler, found no cc or gcc"):
        lockstep_library()


def test_a_missing_program_and_one_that_is_not_executable(tmp_path):
    with pytest.raises(AutopilotError, match=r"^Betaflight: there is no firmware at /no/such$"):
        check_program("Betaflight", Path("/no/such"))
    (tmp_path / "text").write_text("x")
    with pytest.raises(AutopilotError, match=r"is not a program: it is not executable$"):
        check_program("Betaflight", tmp_path / "text")
