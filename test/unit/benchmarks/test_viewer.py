"""What the benchmark of a viewer makes of CPU times and latencies."""

import io
import os
import subprocess
import sys

import pytest
from rich.console import Console

from benchmarks import viewer
from benchmarks.flight_load import BEGIN_S, FlightLoad, children, cpu_time_s

pytestmark = pytest.mark.unit

BURN = "import time\nwhile time.process_time() < 0.3: pass\nprint('done', flush=True)\ninput()\n"


def test_the_part_of_a_core_is_cpu_time_over_time_since_the_processes_have_loaded():
    now_s, times_s, called_s = [100.0], {}, []

    def processes():
        called_s.append(now_s[0])
        return {"guard_node": 7, "foxglove_node": 8, "ended": 9}

    load = FlightLoad(processes, lambda process: times_s[process], lambda: now_s[0])
    assert load.cores() == {}
    for flown_s, guard_s, node_s, ended_s in (
        (BEGIN_S - 0.1, 3.0, 5.0, 1.0),
        (BEGIN_S, 4.0, 6.0, 1.0),
        (BEGIN_S + 2.0, 4.5, 9.0, 1.1),
        (BEGIN_S + 10.0, 4.5, 7.0, 0.0),
    ):
        now_s[0] = 100.0 + flown_s
        times_s |= {7: guard_s, 8: node_s, 9: ended_s}
        load.on_progress({"time_s": flown_s})
    assert load.cores() == pytest.approx({"guard_node": 0.05, "foxglove_node": 0.1})
    assert called_s == [100.0 + BEGIN_S]


def test_the_time_of_a_child_is_read_by_the_name_of_its_module(tmp_path):
    (tmp_path / "burning.py").write_text(BURN, "ascii")
    command = [sys.executable, "-m", "burning"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout.readline() == "done\n"
            assert children(os.getpid())["burning"] == child.pid
            assert 0.25 <= cpu_time_s(child.pid) < 5.0
        finally:
            child.kill()
    assert "burning" not in children(os.getpid())
    assert cpu_time_s(child.pid) == 0.0


def pair(p50_alone, p50_viewer, guard_alone, guard_viewer, node):
    simulator = {"simulator_node": 0.2}
    return {
        "alone": {
            "latency_ms": {"p50": p50_alone},
            "cores": simulator | {"guard_node": guard_alone},
        },
        "viewer": {
            "latency_ms": {"p50": p50_viewer},
            "cores": simulator
            | {"guard_node": guard_viewer, "foxglove_node": node, "viewer_load": 0.02},
        },
    }


PAIRS = [
    pair(4.0, 4.4, 0.05, 0.06, 0.10),
    pair(5.0, 5.0, 0.05, 0.07, 0.09),
    pair(4.0, 4.2, 0.07, 0.08, 0.12),
]


def test_changes_are_paired_and_medians_are_over_pairs():
    found = viewer.summary(PAIRS)
    assert found["p50_alone_ms"] == 4.0
    assert found["change"] == pytest.approx(0.05)
    assert (found["smallest_change"], found["largest_change"]) == pytest.approx((0.0, 0.1))
    cores = viewer.cpu_summary(PAIRS)
    assert cores["alone"] == pytest.approx(
        {"simulator_node": 0.2, "guard_node": 0.05, "graph": 0.25}
    )
    # The node and its reader are no part of the flight's graph.
    assert cores["viewer"] == pytest.approx(
        {
            "simulator_node": 0.2,
            "guard_node": 0.07,
            "foxglove_node": 0.1,
            "viewer_load": 0.02,
            "graph": 0.27,
        }
    )


def test_the_table_states_what_a_viewer_adds_as_a_part_of_the_graph_alone():
    text = io.StringIO()
    Console(file=text, width=100).print(viewer.cpu_table(viewer.cpu_summary(PAIRS)))
    rows = [line.split() for line in text.getvalue().splitlines()]
    assert ["guard_node", "5.0", "7.0", "+8.0"] in rows
    assert ["graph", "25.0", "27.0", "+8.0"] in rows
    assert ["foxglove_node", "10.0", "+40.0"] in rows
    assert ["viewer_load", "2.0", "+8.0"] in rows


def test_a_flight_too_short_for_cpu_times_leaves_them_out():
    short = [{**PAIRS[0], "alone": PAIRS[0]["alone"] | {"cores": {}}}]
    assert "alone" not in viewer.cpu_summary(short)
