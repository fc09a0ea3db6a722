"""Programs of the benchmarks: errors are one line."""

import importlib
import sys

import pytest


@pytest.mark.parametrize(
    "name", ["exported_flights", "guard_pictures", "picture_sizes", "wiring_picture"]
)
def test_a_missing_model_is_one_line(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--model", "no_such_model"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"benchmarks.{name}").main()
    assert ended.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "no_such_model" in lines[0]
