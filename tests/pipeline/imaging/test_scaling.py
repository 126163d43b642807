"""Images made smaller: what is gained, what is kept, and what is not even opened."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from pictures import SVG, animation, picture
from PIL import Image

from aggregator.images.raster import kind_of, size_of
from aggregator.pipeline.imaging import scaling
from aggregator.pipeline.imaging.scaling import Form, scaled

NARROW = Form(100, "", 80, 1_000_000)
WEBP = Form(None, "webp", 80, 1_000_000)
BOTH = Form(100, "avif", 80, 1_000_000)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_a_wide_image_is_made_narrower_in_its_own_format(form):
    body = picture(form, (300, 200))
    made = scaled(body, NARROW)
    assert size_of(made) == (100, 67)
    assert kind_of(made) == kind_of(body)


def test_an_image_is_encoded_where_that_saves_bytes():
    body = picture("PNG", (300, 200), mode="RGB")
    made = scaled(body, Form(None, "webp", 20, 1_000_000))
    assert kind_of(made).suffix == "webp"
    assert len(made) < len(body)
    assert scaled(made, Form(None, "avif", 100, 1_000_000)) is None
    assert scaled(made, WEBP) is None
    assert kind_of(scaled(picture("BMP", (300, 200)), BOTH)).suffix == "avif"


def test_what_is_narrow_enough_moves_or_is_no_picture_stays():
    assert scaled(picture("PNG", (99, 99)), NARROW) is None
    for form in ("GIF", "WEBP", "PNG"):
        assert scaled(animation(form, (300, 200)), BOTH) is None
    assert scaled(SVG, BOTH) is None
    assert scaled(picture("GIF", (300, 200)), NARROW) is None
    assert scaled(picture("JPEG", (300, 200))[:-2000], NARROW) is None


def test_a_photograph_is_turned_as_its_camera_says_and_tells_no_more():
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    made = scaled(picture("JPEG", (300, 200), exif=exif.tobytes()), NARROW)
    assert size_of(made) == (100, 150)
    assert not Image.open(io.BytesIO(made)).getexif()


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "I;16"])
def test_every_kind_of_colour_can_be_scaled(mode):
    for form in (NARROW, BOTH):
        assert size_of(scaled(picture("PNG", (300, 200), mode=mode), form)) == (100, 67)


def test_transparency_stays():
    out = io.BytesIO()
    Image.new("P", (300, 200)).save(out, "PNG", transparency=0)
    for form in (NARROW, BOTH):
        assert Image.open(io.BytesIO(scaled(out.getvalue(), form))).getpixel((50, 33))[3] == 0


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_what_the_decoder_stumbles_over_is_shown_as_it_is(form):
    assert scaled(picture(form, (300, 200), exif=b"Exif\0\0II*\0"), NARROW) is None  # struct.error
    whole = picture("AVIF", (300, 200))
    half = len(whole) // 2
    assert scaled(whole[:half] + bytes(len(whole) - half), NARROW) is None  # RuntimeError


def test_a_jpeg_of_many_empty_scans_is_not_opened(monkeypatch):
    def segment(marker, data):
        return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data

    table = bytes([1, *[0] * 15])
    head = b"\xff\xd8" + segment(0xDB, bytes([0, *[1] * 64]))
    head += segment(0xC2, struct.pack(">BHHB", 8, 800, 800, 1) + b"\x01\x11\0")
    head += segment(0xC4, b"\0" + table + b"\0") + segment(0xC4, b"\x10" + table + b"\xe0")
    head += segment(0xDA, b"\x01\x01\0\0\0\0") + bytes(1250)
    empty = segment(0xDA, b"\x01\x01\0\x01\x3f\0") + bytes(2)
    assert scaled(head + empty * 5 + b"\xff\xd9", NARROW) is not None
    monkeypatch.setattr(Image, "open", None)
    monkeypatch.setattr(scaling, "_made", None)
    assert not scaling.target_of(head + empty * 200 + b"\xff\xd9", NARROW)
    assert scaled(head + empty * 200 + b"\xff\xd9", NARROW) is None


def test_a_bomb_is_not_opened(monkeypatch):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(10_000_000)))
    monkeypatch.setattr(Image, "open", None)
    assert scaled(bomb, BOTH) is None
