import os
import signal
import subprocess
import sys
import time

import pytest

from liquid_control.command import GuardLock
from liquid_control.errors import GraphError

pytestmark = pytest.mark.unit

HOLDER = """
import sys, time
from pathlib import Path
from liquid_control.command import GuardLock
lock = GuardLock(7, "/drone/cmd_vel", Path(sys.argv[1]))
print(lock.acquire(), flush=True)
time.sleep(60)
"""


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "True\n"
    lock = GuardLock(7, "/drone/cmd_vel", tmp_path)
    assert not lock.acquire()
    assert lock.other_holder() == holder.pid
    os.kill(holder.pid, signal.SIGKILL)
    killed_s = time.monotonic()
    while not lock.acquire():
        assert time.monotonic() - killed_s < 10.0
        time.sleep(0.001)
    assert lock.other_holder() is None
    holder.wait()
    holder.stdout.close()
    lock.close()


@pytest.mark.parametrize(("domain", "topic"), [(8, "/drone/cmd_vel"), (7, "/cmd_vel")])
def test_guards_of_other_domains_and_topics_do_not_share_a_lock(tmp_path, domain, topic):
    assert GuardLock(7, "/drone/cmd_vel", tmp_path).path != GuardLock(domain, topic, tmp_path).path


def test_a_folder_that_does_not_exist_is_refused_with_its_name(tmp_path):
    with pytest.raises(GraphError, match=r"/none/.*expected a file that can be written"):
        GuardLock(7, "/cmd_vel", tmp_path / "none")
