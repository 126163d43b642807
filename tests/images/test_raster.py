"""Images are known by their bytes: each kind as Pillow writes it, and what only pretends to be one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import SVG, animation, picture

from aggregator.images.raster import kind_of, size_of

KINDS = [
    ("PNG", "image/png", "png", {}),
    ("JPEG", "image/jpeg", "jpg", {"exif": bytes(4000)}),
    ("JPEG", "image/jpeg", "jpg", {"progressive": True}),
    ("GIF", "image/gif", "gif", {}),
    ("WEBP", "image/webp", "webp", {}),
    ("WEBP", "image/webp", "webp", {"lossless": True}),
    ("WEBP", "image/webp", "webp", {"exif": bytes(30)}),
    ("AVIF", "image/avif", "avif", {}),
    ("BMP", "image/bmp", "bmp", {}),
]


@pytest.mark.parametrize(("form", "media_type", "suffix", "options"), KINDS)
def test_a_picture_is_what_its_bytes_say_and_so_large(form, media_type, suffix, options):
    body = picture(form, (300, 20), **options)
    assert kind_of(body) == (media_type, suffix)
    assert size_of(body) == (300, 20)


def test_an_icon_is_as_large_as_its_largest_picture():
    body = picture("ICO", (64, 64), sizes=[(16, 16), (48, 48)])
    assert kind_of(body) == ("image/x-icon", "ico")
    assert size_of(body) == (48, 48)


def test_the_brands_of_a_film_and_of_a_phones_picture_are_told_apart():
    def file(*brands):
        return (16 + 4 * len(brands)).to_bytes(4, "big") + b"ftyp" + brands[0] + bytes(4) + b"".join(brands) + bytes(8)

    assert kind_of(file(b"heic", b"mif1")) == ("image/heic", "heic")
    assert kind_of(file(b"mif1", b"avif")) == ("image/avif", "avif")
    assert kind_of(file(b"isom", b"mp42")) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html><title>404</title>",
        b'{"error": "not found"}',
        b"alert(1)//\xff\xd8\xff",
        b"BM is how this sentence begins, and no bitmap",
        b"\x89PNG\r\n\x1a\n<script>alert(1)</script>",
        b"\0\0\1\0\1\0" + bytes(16),
        b"RIFF\x10\0\0\0WAVEfmt ",
        b"GIF89a",
        SVG,
    ],
)
def test_what_is_no_picture_is_none(body):
    assert kind_of(body) is None
    assert size_of(body) is None


@given(st.sampled_from([picture(form) for form in ("PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP", "ICO")]), st.data())
def test_bytes_that_are_cut_or_changed_raise_nothing(body, data):
    cut = bytearray(body[: data.draw(st.integers(0, len(body)))])
    for _ in range(data.draw(st.integers(0, 4)) if cut else 0):
        cut[data.draw(st.integers(0, min(len(cut), 300) - 1))] = data.draw(st.integers(0, 255))
    kind_of(bytes(cut))
    size_of(bytes(cut))


def test_an_animation_has_the_size_of_its_canvas():
    assert size_of(animation("GIF", (40, 30))) == (40, 30)
    assert size_of(animation("WEBP", (40, 30))) == (40, 30)
