import time

import pytest

from liquid_control import doctor as checks
from liquid_control.cli.main import main
from liquid_control.doctor import PROBES, CheckStatus, Probe, check_machine, run_probes
from liquid_control.doctor import machine as doctor

pytestmark = pytest.mark.unit

PASSED = {name: Probe(True, f"{name} 1.0") for name in PROBES}


def named(name, results):
    return next(result for result in results if result.name == name)


def test_check_returns_ten_results():
    assert len(list(check_machine(PASSED))) == 10


def test_every_missing_result_has_a_remedy():
    failed = {name: Probe(False, "ModuleNotFoundError: no") for name in PROBES}
    for result in check_machine(failed):
        assert result.remedy or result.status is CheckStatus.OK
    assert "[sim]'" in named("simulator", check_machine(failed)).remedy


def test_training_is_optional():
    probed = PASSED | {"torch": Probe(False, "ModuleNotFoundError: No module named 'torch'")}
    assert named("training", check_machine(probed)).status is CheckStatus.OPTIONAL


def test_missing_profile(monkeypatch):
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", "/none/profile.xml")
    result = named("Fast DDS profile", check_machine(PASSED))
    assert (result.status, result.message) == (
        CheckStatus.MISSING,
        "/none/profile.xml does not exist",
    )


def test_damaged_model(monkeypatch, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.yaml").write_text("schema: 99\n")
    monkeypatch.setattr(doctor, "project_file", lambda relative: tmp_path)
    result = named("models", check_machine(PASSED))
    assert result.status is CheckStatus.MISSING
    assert "model.yaml" in result.message


def test_folder_that_is_not_writable(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    result = named("machine", check_machine(PASSED))
    assert (result.status, result.message) == (CheckStatus.MISSING, "/proc/none is not writable")
    assert list(tmp_path.iterdir()) == []


def test_probes_distinguish_crash_timeout_and_failure(monkeypatch):
    programs = {
        "good": "print('first'); print('fine 1.0')",
        "crash": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "absent": "print('half'); import no_such_package",
    }
    assert run_probes(programs) == {
        "good": Probe(True, "fine 1.0"),
        "crash": Probe(False, "crashed (signal 11)"),
        "absent": Probe(False, "ModuleNotFoundError: No module named 'no_such_package'"),
    }
    monkeypatch.setattr(doctor, "TIMEOUT_S", 0.2)
    silent = {"silent": "import time; time.sleep(60)"}
    assert run_probes(silent) == {"silent": Probe(False, "no answer within 0.2 s")}


@pytest.mark.parametrize(
    ("given", "expected"),
    [(CheckStatus.OK, 0), (CheckStatus.OPTIONAL, 0), (CheckStatus.MISSING, 1)],
)
def test_status_is_1_if_a_required_package_is_missing(monkeypatch, capsys, given, expected):
    results = [doctor.CheckResult("simulator", given, "pybullet", "pip install it")]
    monkeypatch.setattr(checks, "check_machine", lambda _: results)
    monkeypatch.setattr(checks, "run_probes", dict)
    assert main(["doctor"]) == expected
    assert given.value in capsys.readouterr().out


def test_remedy_is_printed_verbatim(monkeypatch, capsys):
    probed = PASSED | {"torch": Probe(False, "ModuleNotFoundError: No module named 'torch'")}
    monkeypatch.setattr(checks, "run_probes", lambda _: probed)
    main(["doctor"])
    assert "[train]'" in "".join(capsys.readouterr().out.split())


def test_findings_are_printed_as_they_are_known(monkeypatch, capsys):
    printed = []

    def check(_):
        for number in range(3):
            printed.append(capsys.readouterr().out)
            yield doctor.CheckResult(f"check {number}", CheckStatus.OK, "found")

    monkeypatch.setattr(checks, "check_machine", check)
    monkeypatch.setattr(checks, "run_probes", dict)
    assert main(["doctor"]) == 0
    assert ["check 0" in printed[1], "check 1" in printed[2]] == [True, True]


def test_a_probe_is_waited_for_when_it_is_needed(monkeypatch):
    slow = {"fast": "print('1.0')", "slow": "import time; time.sleep(60)"}
    monkeypatch.setattr(doctor, "TIMEOUT_S", 0.5)
    probes = run_probes(slow)
    assert list(probes) == ["fast", "slow"]
    started = time.monotonic()
    monkeypatch.setattr(doctor, "TIMEOUT_S", 30.0)
    assert probes["fast"] == Probe(True, "1.0")
    assert time.monotonic() - started < 20.0
    monkeypatch.setattr(doctor, "TIMEOUT_S", 0.1)
    assert not probes["slow"].ok
