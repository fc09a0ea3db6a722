import pytest

from liquid_control.errors import ConfigError
from liquid_control.executors import Executor, executor_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((0,), r"^jobs: expected at least 1 worker, got 0$"),
        ((1, "dask"), r"^executor: expected local or ray, got 'dask'$"),
        ((1, "local", "10.0.0.1:6379"), r"^address 10\.0\.0\.1:6379: expected executor ray, got"),
        ((1, "ray", "ray://10.0.0.1:10001"), r"^address: expected HOST:PORT .*, got ray://10"),
    ],
)
def test_an_executor_is_checked(words, message):
    with pytest.raises(ConfigError, match=message):
        Executor(*words)


def test_a_number_of_workers_is_an_executor_of_this_machine():
    assert executor_of(3) == Executor(3, "local", None)
    ray = Executor(3, "ray", "10.0.0.1:6379")
    assert executor_of(ray) is ray
