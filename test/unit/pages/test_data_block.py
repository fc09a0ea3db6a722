import base64
import re
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liquid_control.errors import OutputError
from liquid_control.pages.data_block import TYPES, decode_block, encode_block, read_blocks

pytestmark = pytest.mark.unit

CONTENT = {"title": "</script><b>", "values": [1, None, "é"]}


def parts(block):
    """Return size, checksum and text of a block."""
    return re.fullmatch(
        r'<script [^>]*data-bytes="(\d+)" data-crc32="(\w{8})">(.*)</script>', block
    ).groups()


def test_the_layout_is_the_documented_one():
    block = encode_block({"a": 1}, [np.array([1.5, -2.0], np.float32)])
    size, checksum, text = parts(block)
    whole = base64.b64decode(text)
    assert (len(whole), f"{zlib.crc32(whole):08x}") == (int(size), checksum)
    begin = 8 + int.from_bytes(whole[4:8], "little")
    assert whole[:4] == b"LCF1"
    assert begin % 8 == 0
    assert whole[begin : begin + 8] == b"\x00\x00\xc0\x3f\x00\x00\x00\xc0"


@given(
    st.lists(st.tuples(st.sampled_from(TYPES), st.integers(0, 5), st.integers(0, 3)), max_size=5)
)
def test_arrays_come_back_bit_for_bit(shapes):
    rng = np.random.default_rng(len(shapes))
    arrays = [(100 * rng.standard_normal(shape)).astype(kind) for kind, *shape in shapes]
    content, found = decode_block(encode_block(CONTENT, arrays))
    assert content == CONTENT
    for one, other in zip(arrays, found, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_equal_arrays_are_stored_once():
    clock = np.arange(1000.0)
    one = encode_block({}, [clock])
    assert len(encode_block({}, [clock, clock.copy()])) < len(one) + 120


def test_other_types_and_numbers_are_refused():
    with pytest.raises(OutputError, match=r"expected an array of float64, .* got int64"):
        encode_block({}, [np.arange(3)])
    with pytest.raises(OutputError, match="expected finite numbers"):
        encode_block({"end_s": float("nan")}, [])


def test_text_of_the_content_never_ends_the_element():
    assert encode_block(CONTENT, []).count("</script>") == 1


def changed(block, how):
    _, checksum, text = parts(block)
    middle = len(text) // 2
    if how == "letter":
        other = "A" if text[middle] != "A" else "B"
        return block.replace(text, text[:middle] + other + text[middle + 1 :])
    if how == "shorter":
        return block.replace(text, text[: middle // 4 * 4])
    if how == "not base64":
        return block.replace(text, text[:middle] + "!" + text[middle + 1 :])
    if how == "no end":
        return block[:-12]
    return block.replace(checksum, "00000000")


DAMAGES = {
    "letter": "expected [0-9]+ bytes with checksum",
    "shorter": "expected [0-9]+ bytes with checksum",
    "not base64": "not base64",
    "checksum": "checksum 00000000, got",
}


@pytest.mark.parametrize("how", DAMAGES)
def test_every_damage_is_one_line(how, tmp_path):
    block = changed(encode_block(CONTENT, [np.arange(100.0)]), how)
    with pytest.raises(OutputError, match=DAMAGES[how]):
        decode_block(block)
    page = tmp_path / "flight.html"
    page.write_text(f"<p>{block}</p>")
    with pytest.raises(OutputError, match=rf"flight\.html: .*{DAMAGES[how]}") as caught:
        read_blocks(page)
    assert "\n" not in str(caught.value)


def test_pages_give_their_blocks(tmp_path):
    blocks = [encode_block({"n": n}, [np.arange(float(n))]) for n in (1, 2)]
    page = tmp_path / "flight.html"
    page.write_text("<html>" + "\n".join(blocks) + "</html>")
    assert read_blocks(page) == blocks
    page.write_text(page.read_text()[:-40])
    with pytest.raises(OutputError, match="it has no end"):
        read_blocks(page)
    page.write_text("<html></html>")
    with pytest.raises(OutputError, match="found no data"):
        read_blocks(page)
    page.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OutputError, match="got another file"):
        read_blocks(page)
    with pytest.raises(OutputError, match="cannot be read"):
        read_blocks(tmp_path / "none.html")


def test_another_format_is_named():
    whole = b"LCF9" + bytes(12)
    block = (
        f'<script type="application/octet-stream" class="flight-data" data-bytes="16" '
        f'data-crc32="{zlib.crc32(whole):08x}">{base64.b64encode(whole).decode()}</script>'
    )
    with pytest.raises(OutputError, match="format LCF1, got b'LCF9'"):
        decode_block(block)
