"""Exported C on other processors in emulators: bits equal to this machine's, sizes, a 30 Hz loop.

QEMU runs the instructions of a processor without its timing. Bits are equal because sums have a
fixed order and compilers do not contract products and sums.
"""

import re
import subprocess
from typing import NamedTuple

import pytest

from .conftest import PROGRAM, STRICT, compiled, need, output_of

pytestmark = pytest.mark.unit

EXACT = ("-O2", "-ffp-contract=off")
GCC, QEMU = "arm-none-eabi-gcc", "qemu-system-arm"
CORE_FLASH, CORE_RAM = 16 * 1024, 2 * 1024
"""Largest sizes of a controller of 19 neurons, bytes."""
CORE_STACK, POLICY_STACK = 1024, 4096
INSTRUCTIONS_A_CYCLE = 40
"""With -icount shift=0 an instruction takes 1 ns; the clock of both boards has 25 MHz."""


class Board(NamedTuple):
    machine: str
    cpu: str
    fpu: str


M4F = Board("mps2-an386", "cortex-m4", "fpv4-sp-d16")
M7 = Board("mps2-an500", "cortex-m7", "fpv5-sp-d16")
BOARDS = [pytest.param(M4F, id="M4F"), pytest.param(M7, id="M7")]


def linked(board, folder, sources, program, *options, stack):
    """Return the text of the map file of a bare program."""
    target = (f"-mcpu={board.cpu}", "-mthumb", "-mfloat-abi=hard", f"-mfpu={board.fpu}")
    link = ("--specs=nano.specs", "-nostartfiles", "-T", str(folder / "cortex_m.ld"))
    link += ("-Wl,--gc-sections", f"-Wl,--defsym=lc_stack_size={stack}", f"-Wl,-Map={program}.map")
    sections = ("-ffreestanding", "-ffunction-sections", "-fdata-sections", "-fstack-usage")
    paths = [str(folder / source) for source in (*sources, "cortex_m.c")]
    command = [GCC, *STRICT, *EXACT, *target, *sections, *options, *paths, *link]
    done = subprocess.run(
        [*command, "-o", str(program)],
        capture_output=True,
        text=True,
        check=False,
        cwd=program.parent,
    )
    assert done.returncode == 0, done.stderr
    return program.with_name(f"{program.name}.map").read_text()


def run_on(board, program, *options):
    """Return what a bare program prints through semihosting."""
    semihosting = ("-semihosting-config", "enable=on,target=native")
    return output_of(
        QEMU, "-M", board.machine, "-nographic", *semihosting, *options, "-kernel", program
    )


def section_sizes(text):
    """Return the sizes of the sections in a map file, bytes."""
    found = re.findall(r"^(\.\w+)\s+0x[0-9a-f]+\s+0x([0-9a-f]+)(?: load address .*)?$", text, re.M)
    return {name: int(size, 16) for name, size in found}


def test_aarch64_gives_the_bits_of_this_machine(self_test, tmp_path):
    need("aarch64-linux-gnu-gcc", "qemu-aarch64-static")
    folder, options, expected = self_test
    sources, program = (*PROGRAM, "perception_weights.c"), tmp_path / "policy_test"
    compiled("aarch64-linux-gnu-gcc", folder, sources, program, *EXACT, "-static", *options)
    assert output_of("qemu-aarch64-static", program) == expected


@pytest.mark.parametrize("board", BOARDS)
def test_cortex_m_gives_the_bits_of_this_machine(board, self_test, tmp_path):
    need(GCC, QEMU)
    folder, options, expected = self_test
    sources, program = (*PROGRAM, "perception_weights.c"), tmp_path / "policy_test"
    linked(board, folder, sources, program, *options, stack=POLICY_STACK)
    assert run_on(board, program) == expected


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("options", [(), ("-DLC_CORE_Q15",)], ids=["float", "q15"])
def test_controller_of_19_neurons_fits(board, options, project, tmp_path):
    """Flash and RAM are those of the whole program: vectors, start-up, loop, controller, stack."""
    need(GCC, QEMU)
    program = tmp_path / "core"
    text = linked(board, project, ["example_core_cortex_m.c"], program, *options, stack=CORE_STACK)
    sizes = section_sizes(text)
    flash = sizes[".text"] + sizes[".data"]
    ram = sizes[".data"] + sizes[".bss"] + sizes[".stack"]
    assert 4096 < flash <= CORE_FLASH
    assert CORE_STACK < ram <= CORE_RAM
    used = stack_used(tmp_path)
    assert 0 < used <= CORE_STACK - 256
    cycles = int(run_on(board, program, "-icount", "shift=0").split()[0])
    instructions = cycles * INSTRUCTIONS_A_CYCLE / 100
    assert 2_000 < instructions < 20_000


def stack_used(folder):
    """Return the sum of the stack frames of all functions in a program, bytes."""
    lines = [line for path in folder.glob("*.su") for line in path.read_text().splitlines()]
    assert all(line.split("\t")[2] == "static" for line in lines)
    return sum(int(line.split("\t")[1]) for line in lines)


@pytest.mark.parametrize("board", BOARDS)
def test_example_steps_the_policy_at_30_hz_on_a_bare_processor(board, small_project, tmp_path):
    need(GCC, QEMU)
    sources, program = ("example_cortex_m.c", *PROGRAM[1:], "perception_weights.c"), tmp_path / "a"
    linked(board, small_project, sources, program, stack=POLICY_STACK)
    lines = run_on(board, program, "-icount", "shift=0").splitlines()
    frames = [line.split(" command, thousandths: ") for line in lines]
    assert [int(head.split()[1]) for head, _ in frames] == list(range(1, 11))
    assert all(int(head.split()[3]) < 25_000_000 // 30 for head, _ in frames)
    assert len({command for _, command in frames}) > 1


def test_cmake_builds_the_programs_of_a_bare_processor(small_project, tmp_path):
    need(GCC, QEMU, "cmake")
    toolchain = f"-DCMAKE_TOOLCHAIN_FILE={small_project / 'cortex_m.cmake'}"
    output_of("cmake", "-S", small_project, "-B", tmp_path, toolchain, "-DLC_CPU=cortex-m7")
    output_of("cmake", "--build", tmp_path)
    assert run_on(M7, tmp_path / "policy_test.elf").endswith("passed\n")
    wrong = [
        "cmake",
        "-S",
        small_project,
        "-B",
        tmp_path / "wrong",
        toolchain,
        "-DLC_CPU=cortex-m0",
    ]
    done = subprocess.run(wrong, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "expected cortex-m4 or cortex-m7, got cortex-m0" in done.stderr


def test_section_sizes_are_read_from_a_map_file():
    text = (
        ".text           0x00000000     0x1668\n"
        " .text.main     0x00000040       0x40 a.o\n"
        ".data           0x20000000        0x8 load address 0x00001668\n"
        ".bss            0x20000008      0x108\n"
        ".stack          0x20000110      0x400\n"
    )
    assert section_sizes(text) == {".text": 0x1668, ".data": 8, ".bss": 0x108, ".stack": 0x400}
