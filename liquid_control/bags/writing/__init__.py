"""Write MCAP and sqlite3 bags; an unfinished bag has a `.partial` name and stays readable."""

from liquid_control.bags.writing.background_writer import BackgroundBag, Prepare, unchanged
from liquid_control.bags.writing.mcap_writer import BagWriter
from liquid_control.bags.writing.messages import definition_of, is_common, type_hash
from liquid_control.bags.writing.picture_compression import FORMATS, PictureCompressor
from liquid_control.bags.writing.sink import BagSink, open_sink
from liquid_control.bags.writing.sqlite_writer import SqliteBagWriter

__all__ = [
    "FORMATS",
    "BackgroundBag",
    "BagSink",
    "BagWriter",
    "PictureCompressor",
    "Prepare",
    "SqliteBagWriter",
    "definition_of",
    "is_common",
    "open_sink",
    "type_hash",
    "unchanged",
]
