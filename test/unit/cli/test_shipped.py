from pathlib import Path

import pytest

from liquid_control.config import project_file
from liquid_control.config.locations import shipped

pytestmark = pytest.mark.unit

CAMPAIGN = Path("config/campaigns/trail.yaml")


def test_what_comes_with_the_package_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shipped(CAMPAIGN) == project_file(str(CAMPAIGN))


def test_what_lies_here_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CAMPAIGN.parent.mkdir(parents=True)
    CAMPAIGN.write_text("name: mine")
    assert shipped(CAMPAIGN) == CAMPAIGN


def test_what_is_nowhere_stays_as_it_was_said():
    assert shipped(Path("models/none")) == Path("models/none")
    assert shipped(Path("/models/none")) == Path("/models/none")
