"""The program of the viewers' node: what it limits before numerical libraries are imported."""

import os
import subprocess
import sys

import pytest

from liquid_control.process_pool import THREAD_LIMITS

pytestmark = pytest.mark.unit

PROGRAM = """
import os, sys, types
from liquid_control.nodes import foxglove_node
assert "numpy" not in sys.modules, "NumPy is imported before its threads are limited"
nodes = types.ModuleType("liquid_control.nodes.viewer_node")
nodes.FoxgloveNode = object
life = types.ModuleType("liquid_control.nodes.shutdown")
def main_of(build):
    import numpy
    numpy.ones((400, 400)) @ numpy.ones((400, 400))
    idle = os.sched_getscheduler(0) == os.SCHED_IDLE
    print(len(os.listdir("/proc/self/task")), idle, os.nice(0))
life.main_of = main_of
sys.modules |= {nodes.__name__: nodes, life.__name__: life}
foxglove_node.main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the idle class of processes is Linux's")
def test_the_node_has_one_numerical_thread_and_leaves_the_processor_to_the_flight():
    environment = {name: value for name, value in os.environ.items() if name not in THREAD_LIMITS}
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", PROGRAM]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    threads, idle, niceness = ran.stdout.split()
    assert (threads, idle) == ("1", "True")
    assert int(niceness) == min(os.nice(0) + 10, 19)


LOADING = """
import os, signal, sys
from liquid_control.nodes import foxglove_node
foxglove_node.limit_threads = lambda: os.kill(os.getpid(), signal.SIGTERM)
foxglove_node.main()
"""


def test_a_node_that_is_ended_while_it_loads_ends_normally():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", LOADING]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
