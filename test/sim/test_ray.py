"""Flights, campaigns and training on a real Ray cluster of two nodes, one of which is killed."""

import io
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console
from toy_flight import ToyExpert
from toy_flight import fly as toy_fly
from toy_run import toy_settings

import liquid_control
from liquid_control import ray_pool
from liquid_control.cli.pilots import PilotOf
from liquid_control.errors import ConfigError, OutputError
from liquid_control.evaluation import RecordingOptions, plan_flights, scenario_campaign
from liquid_control.evaluation.runner import run_flights
from liquid_control.executors import Executor, run_tasks
from liquid_control.process_pool import WorkerError
from liquid_control.progress import Reporter
from liquid_control_sim import fly

ray = pytest.importorskip("ray", reason="Ray is not installed (extra `ray`)")
import ray_tasks  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402

pytestmark = [pytest.mark.sim, pytest.mark.slow, pytest.mark.timeout(900)]

NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}
ONE, TWO = Executor(1, "ray"), Executor(2, "ray")


@pytest.fixture(scope="module")
def cluster():
    """Return a cluster of one node, to which this process is connected."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        one = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
        options = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
        ray.init(address=one.address, **options)
        yield one
        ray.shutdown()
        one.shutdown()


def folders_of_workers():
    return sorted(Path(tempfile.gettempdir()).glob(f"{ray_pool._PREFIX}*"))


def wait_until(condition):
    deadline = time.monotonic() + 120.0
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_flights_of_a_killed_node_are_flown_again_and_rows_are_those_of_local_flights(
    cluster, tmp_path
):
    """The node is killed while its first flight runs, when the other has returned a row."""
    keys = {"trail.length_m": 6, "forest.trees": 3, "time_limit_s": 1}
    campaign = scenario_campaign("trail", keys).with_seeds("20000:20003")
    pilots = {name: PilotOf(name) for name in ("expert", "models/trail_cfc19")}
    jobs = plan_flights(campaign.entries, list(pilots), keys)
    node = cluster.add_node(**NODE)
    marks, received = tmp_path / "marks", []
    marks.mkdir()

    def on_row(row):
        received.append((row.model, row.seed))
        if len(received) == 1:
            wait_until(lambda: [*marks.glob(f"*-{node.node_id}")])
            cluster.remove_node(node, allow_graceful=False)

    flyer = partial(ray_tasks.fly_marked, str(marks), node.node_id)
    bags = RecordingOptions(tmp_path / "ray", image="jpeg")
    rows = run_flights(jobs, flyer, pilots, TWO, on_row, recording=bags)
    assert sorted(received) == sorted((job.model, job.seed) for job in jobs)
    (lost,) = marks.glob(f"*-{node.node_id}")
    flown = [path.name.rpartition("-")[0] for path in marks.iterdir()]
    assert (len(flown), flown.count(lost.name.rpartition("-")[0])) == (len(jobs) + 1, 2)
    local = RecordingOptions(tmp_path / "local", image="jpeg")
    assert rows == run_flights(jobs, fly, pilots, recording=local)
    for job in jobs:
        assert bags.path(job).read_bytes() == local.path(job).read_bytes()


def test_training_on_ray_writes_the_files_of_local_training(cluster, tmp_path):
    from liquid_control.export import model_graphs
    from liquid_control.training import Actors, train

    settings = toy_settings(
        flights={"cloning": 2, "dagger": 1, "rounds": 1, "expert_share": [0.5]},
        learner={"cloning_steps": 3, "dagger_steps": 3, "windows": 2, "burn_in_steps": 1},
        validation={"flights": 1, "final_flights": 0, "conditions": {"calm": {}}},
    )
    found = {}
    for name, executor in (("local", None), ("ray", ONE)):
        quiet, actors = Reporter(Console(file=io.StringIO())), Actors(toy_fly, ToyExpert)
        out = tmp_path / name
        train(settings, out, model_graphs, actors, reporter=quiet, executor=executor)
        written = [*(out / "dataset").rglob("*"), *(out / "validation").rglob("*")]
        written += out.glob("candidates/*/weights.npz")
        found[name] = {
            str(path.relative_to(out)): path.read_bytes() for path in written if path.is_file()
        }
    assert len(found["local"]) == 3 + 2 + 2
    assert found["ray"] == found["local"]


def test_folders_are_sent_and_files_come_back_and_workers_are_replaced(cluster, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a.txt").write_text("content")
    out, received = tmp_path / "out", {}
    read, write = ("read", tmp_path / "model"), ("write", out / "deep" / "b.txt", "written")
    tasks = [("pid",), read, write, ("pid",)]
    results = run_tasks(tasks, ray_tasks.prepare, ONE, received.__setitem__, 3, writes=out)
    assert received == dict(enumerate(results))
    (first, limits), (content, place), _, (second, _) = results
    assert limits == ["1", "1"]
    assert first != second != os.getpid()
    assert content == {"a.txt": "content"}
    assert not Path(place).is_relative_to(tmp_path)
    assert [path.name for path in out.rglob("*")] == ["deep", "b.txt"]
    assert (out / "deep" / "b.txt").read_text() == "written"
    assert folders_of_workers() == []


def test_a_folder_that_is_too_large_is_refused(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_pool, "FOLDER_LIMIT_BYTES", 1 << 20)
    (tmp_path / "large").write_bytes(bytes(3 << 20))
    with pytest.raises(ConfigError, match=r"expected a folder of at most 1 MiB .* got 3 MiB$"):
        run_tasks([("read", tmp_path)], ray_tasks.prepare, ONE)


def test_errors_of_tasks_are_raised_as_they_were_raised(cluster, capfd):
    with pytest.raises(ConfigError, match=r"^jobs: expected 1, got 2$"):
        run_tasks([("error",)], ray_tasks.prepare, ONE)
    with pytest.raises(OutputError, match=r"^/d: cannot be written \(No space left on device\)$"):
        run_tasks([("full",)], ray_tasks.prepare, ONE)
    with pytest.raises(WorkerError, match=r"ended with status 1 .* task 0;") as raised:
        run_tasks([("bug",)], ray_tasks.prepare, ONE)
    assert raised.value.index == 0
    assert "ZeroDivisionError: a bug" in capfd.readouterr().err


def test_a_task_that_kills_each_worker_is_one_clear_error(cluster, monkeypatch):
    monkeypatch.setattr(ray_pool, "MOST_LOSSES", 1)
    with pytest.raises(WorkerError, match=r"a worker was lost 2 times \(.+\) .* task 0") as raised:
        run_tasks([("kill",)], ray_tasks.prepare, ONE)
    assert (raised.value.index, raised.value.status) == (0, None)


def test_an_interrupt_ends_the_workers(cluster):
    pids = []

    def interrupted(index, result):
        pids.append(result[0])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tasks([("pid",), ("pid",)], ray_tasks.prepare, ONE, interrupted)
    wait_until(lambda: not Path(f"/proc/{pids[0]}").exists())


@pytest.mark.parametrize("name", ["version", "source"])
def test_workers_of_another_version_are_refused(cluster, monkeypatch, name):
    changed = {"version": "liquid_control", "source": "liquid_control source"}[name]
    versions = {**ray_pool.source_versions(), changed: "other"}
    monkeypatch.setattr(ray_pool, "source_versions", lambda: versions)
    message = rf"^executor ray: node \S+ has {changed} \S+, this machine has other: expected"
    with pytest.raises(ConfigError, match=message):
        run_tasks([("pid",)], ray_tasks.prepare, ONE)


WITHOUT_RAY = """
import sys
sys.modules["ray"] = None
from liquid_control.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("command", ["evaluate", "train"])
def test_without_ray_one_line_names_the_extra(tmp_path, command):
    words = {
        "evaluate": ["--model", "expert", "--scenario", "trail"],
        "train": ["config/train/smoke.yaml"],
    }
    out = ["--executor", "ray", "--out", str(tmp_path / "out")]
    root = Path(liquid_control.__file__).resolve().parents[1]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_RAY, command, *words[command], *out],
        capture_output=True,
        text=True,
        cwd=root,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "ray is not installed and is needed to run tasks on a Ray cluster" in line
    assert "[ray]" in line
    assert not (tmp_path / "out").exists()


def test_an_address_without_a_cluster_is_one_clear_error():
    program = (
        "from liquid_control.executors import Executor, run_tasks; import ray_tasks\n"
        "run_tasks([('pid',)], ray_tasks.prepare, Executor(1, 'ray', '127.0.0.1:9'))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_gcs_rpc_server_connect_timeout_s": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    assert "LiquidControlError: --address 127.0.0.1:9: expected a Ray cluster" in done.stderr
