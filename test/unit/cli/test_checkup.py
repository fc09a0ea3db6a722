import pytest

from liquid_control import doctor
from liquid_control.cli.main import main
from liquid_control.doctor import SOURCES, Mark, Probe, check_machine, run_probes

pytestmark = pytest.mark.unit

WELL = {name: Probe(True, f"{name} 1.0") for name in SOURCES}


def finding(name, found):
    return next(one for one in found if one.name == name)


def test_ten_lines():
    assert len(check_machine(WELL)) == 10


def test_what_is_missing_has_a_command_that_mends_it():
    ill = {name: Probe(False, "ModuleNotFoundError: no") for name in SOURCES}
    for one in check_machine(ill):
        assert one.mend or one.mark is Mark.OK
    assert "[sim]'" in finding("simulator", check_machine(ill)).mend


def test_training_is_optional():
    probed = WELL | {"torch": Probe(False, "ModuleNotFoundError: No module named 'torch'")}
    assert finding("training", check_machine(probed)).mark is Mark.OPTIONAL


def test_a_profile_that_is_not_there(monkeypatch):
    monkeypatch.setenv("FASTDDS_DEFAULT_PROFILES_FILE", "/none/profile.xml")
    found = finding("Fast DDS profile", check_machine(WELL))
    assert (found.mark, found.found) == (Mark.MISSING, "/none/profile.xml does not exist")


def test_a_damaged_model_is_found(monkeypatch, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.yaml").write_text("schema: 99\n")
    monkeypatch.setattr(doctor, "project_file", lambda relative: tmp_path)
    found = finding("models", check_machine(WELL))
    assert found.mark is Mark.MISSING
    assert "model.yaml" in found.found


def test_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    found = finding("machine", check_machine(WELL))
    assert (found.mark, found.found) == (Mark.MISSING, "/proc/none cannot be written to")
    assert list(tmp_path.iterdir()) == []


def test_probes_tell_crashes_silence_and_failures_apart(monkeypatch):
    sources = {
        "good": "print('first'); print('fine 1.0')",
        "crash": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "absent": "print('half'); import no_such_package",
        "silent": "import time; time.sleep(60)",
    }
    monkeypatch.setattr(doctor, "SOURCES", sources)
    monkeypatch.setattr(doctor, "TIMEOUT_S", 3.0)
    assert run_probes() == {
        "good": Probe(True, "fine 1.0"),
        "crash": Probe(False, "crashed (signal 11)"),
        "absent": Probe(False, "ModuleNotFoundError: No module named 'no_such_package'"),
        "silent": Probe(False, "no answer within 3 s"),
    }


@pytest.mark.parametrize(("mark", "status"), [(Mark.OK, 0), (Mark.OPTIONAL, 0), (Mark.MISSING, 1)])
def test_status_says_whether_flying_works(monkeypatch, capsys, mark, status):
    found = [doctor.CheckResult("simulator", mark, "pybullet", "pip install it")]
    monkeypatch.setattr(doctor, "check_machine", lambda _: found)
    monkeypatch.setattr(doctor, "run_probes", dict)
    assert main(["doctor"]) == status
    assert mark.value in capsys.readouterr().out


def test_the_command_that_mends_is_shown_to_the_letter(monkeypatch, capsys):
    probed = WELL | {"torch": Probe(False, "ModuleNotFoundError: No module named 'torch'")}
    monkeypatch.setattr(doctor, "run_probes", lambda: probed)
    main(["doctor"])
    assert "[train]'" in "".join(capsys.readouterr().out.split())
