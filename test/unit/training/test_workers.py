import os

import pytest
from toy_jobs import Dying, Refusing, Writing

from liquid_control.errors import ConfigError, OutputError
from liquid_control.training.workers import run_jobs

pytestmark = pytest.mark.unit


def test_jobs_with_a_file_are_not_run_again(tmp_path):
    jobs = [Writing(tmp_path / str(index)) for index in range(3)]
    jobs[1].path.write_text("before")
    done = []
    run_jobs(jobs, 1, 2, lambda job: done.append(job.path.name))
    assert jobs[1].path.read_text() == "before"
    assert sorted(done) == ["0", "1", "2"]
    assert jobs[0].path.read_text().split()[1] == "1"
    assert int(jobs[0].path.read_text().split()[0]) != os.getpid()


def test_workers_are_replaced(tmp_path):
    jobs = [Writing(tmp_path / str(index)) for index in range(4)]
    run_jobs(jobs, 1, 2, lambda job: None)
    workers = [job.path.read_text() for job in jobs]
    assert workers[0] == workers[1]
    assert workers[1] != workers[2]


def test_the_error_of_a_job_is_raised(tmp_path):
    with pytest.raises(ConfigError, match="seven: cannot be flown"):
        run_jobs([Refusing(tmp_path / "seven")], 1, 5, lambda job: None)


def test_a_worker_that_dies_is_one_clear_error(tmp_path):
    with pytest.raises(OutputError, match=r"a worker died while flying eight .*--resume goes on"):
        run_jobs([Dying(tmp_path / "eight")], 1, 5, lambda job: None)
