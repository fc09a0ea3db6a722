"""`liquid-control compare` on pages of flights; `evaluation/test_paired.py` has results."""

import json

import pytest

from liquid_control.cli.main import main
from liquid_control.pages.data_block import decode_block, read_blocks
from liquid_control.pages.flight_block import flight_block
from liquid_control.pages.flight_page import flight_page
from liquid_control.pages.flight_view import FlightView

pytestmark = pytest.mark.unit


@pytest.fixture
def flights(tmp_path):
    """Return the folders of two flights, the second with a page as a replay writes it."""
    for folder, name in (("one", "flight.html"), ("two", "report.html")):
        (tmp_path / folder).mkdir()
        page = flight_page(folder, "", [flight_block(FlightView(folder, 2.0))])
        (tmp_path / folder / name).write_text(page)
    return tmp_path / "one", tmp_path / "two"


def test_two_pages_become_one(flights, tmp_path, capsys):
    one, two = flights
    out = tmp_path / "both"
    assert main(["compare", str(one / "flight.html"), str(two), "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(out / "flights.html")
    assert "next: " in printed.err
    titles = [decode_block(block)[0]["title"] for block in read_blocks(out / "flights.html")]
    assert titles == ["one", "two"]
    assert main(["compare", str(one), str(two), "--out", str(out)]) == 2
    assert "holds flights.html of an earlier command" in capsys.readouterr().err


def test_a_damaged_page_is_one_line(flights, tmp_path, capsys):
    one, two = flights
    page = two / "report.html"
    page.write_text(page.read_text().replace('data-crc32="', 'data-crc32="0'))
    assert main(["compare", str(one), str(two), "--out", str(tmp_path / "both")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"{page}: the block of flight data is damaged: expected" in error
    assert not (tmp_path / "both").exists()


def test_pages_and_results_do_not_mix(flights, tmp_path, capsys):
    one, two = flights
    results = tmp_path / "results.json"
    results.write_text(json.dumps({"schema": 1}))
    for words, line in (
        ([one, results], "expected two results or two pages of flights"),
        ([one, two, "--first", "a"], "--first, --second: are for results.json"),
        ([results, results, "--out", tmp_path / "x"], "--out, --open: are for two pages"),
    ):
        assert main(["compare", *map(str, words)]) == 2
        assert line in capsys.readouterr().err
