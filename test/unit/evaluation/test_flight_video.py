from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image
from toy_evaluation import toy_flight

from liquid_control.errors import OutputError
from liquid_control.evaluation.flight_video import Painter, write_gif, write_video
from liquid_control.pages.video import fit_picture

pytestmark = pytest.mark.unit


def test_video_is_h264_for_browsers_and_as_long_as_the_flight(tmp_path):
    flight = toy_flight()
    path = write_video(tmp_path / "flight.mp4", flight)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate) == (1280, 540, 20)
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(pictures) == 40
    means = [picture[:, :900].mean() for picture in pictures]
    np.testing.assert_allclose(means, 40 + np.arange(40), atol=3.0)
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert [found.name for found in tmp_path.iterdir()] == ["flight.mp4"]


def test_gif_loops_over_the_section(tmp_path):
    path = write_gif(tmp_path / "flight.gif", toy_flight(), 0.5, 1.5, width=320)
    with Image.open(path) as image:
        assert (image.size, image.n_frames, image.info["loop"]) == ((320, 135), 11, 0)


def test_pictures_do_not_depend_on_the_order_of_painting():
    flight = toy_flight()
    forward, back = Painter(flight, flight.frames), Painter(flight, flight.frames)
    stamps = [0, 700_000_000, 1_900_000_000]
    ahead = [forward.paint(stamp) for stamp in stamps]
    for stamp, picture in zip(reversed(stamps), reversed(ahead), strict=True):
        np.testing.assert_array_equal(back.paint(stamp), picture)


def test_a_square_camera_gets_bars():
    fitted = fit_picture(np.full((60, 60, 3), 200, np.uint8))
    assert fitted.shape == (540, 960, 3)
    assert (fitted[:, 210:750] == 200).all()
    assert (fitted[:, :210] < 50).all()


def test_no_frames_no_video(tmp_path):
    with pytest.raises(OutputError, match="calm: expected camera frames"):
        write_video(tmp_path / "flight.mp4", replace(toy_flight(), frames=None))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"flight\.mp4: cannot be written"):
        write_video(tmp_path / "none" / "flight.mp4", toy_flight())
