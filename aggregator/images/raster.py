"""What a picture made of pixels is, told by its bytes alone: its kind and its size, without decoding a pixel.

Servers call an error page `image/png` and a WebP `image/jpeg`; the first bytes cannot be mistaken about themselves. Only
kinds that browsers show are known, and TIFF is none.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of image: its media type, and the suffix of its files without the dot."""

    type: str
    suffix: str


PNG = Kind("image/png", "png")
JPEG = Kind("image/jpeg", "jpg")
GIF = Kind("image/gif", "gif")
WEBP = Kind("image/webp", "webp")
AVIF = Kind("image/avif", "avif")
HEIC = Kind("image/heic", "heic")
BMP = Kind("image/bmp", "bmp")
ICO = Kind("image/x-icon", "ico")
KINDS = (PNG, JPEG, GIF, WEBP, AVIF, HEIC, BMP, ICO)

_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_BMP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})  # the lengths that the second header has had
_MOST_ICONS = 64  # in one file; it is a check, and real ones have a dozen
_MOST_BOXES = 1_000
# The JPEG segments that hold a size: start of frame, but for DHT, JPG and DAC, which lie among them (ITU T.81, table B.1).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length


def kind_of(body: bytes) -> Kind | None:
    """What kind of image the bytes are, whatever anybody calls them; None where they are none, and for SVG.

    >>> kind_of(b"GIF89a" + bytes(7)), kind_of(b"<!doctype html>")
    (Kind(type='image/gif', suffix='gif'), None)
    """
    if body[4:8] == b"ftyp":
        return _of_brands(body)
    for magic, kind, is_sound in _MAGIC:
        if body.startswith(magic):
            return kind if is_sound(body) else None
    return None


def size_of(body: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, as the header says; None where it says none, or the bytes are no image.

    Of an icon, those of its largest picture. Nothing is turned: what EXIF says is not looked at.
    """
    kind = kind_of(body)
    try:
        size = _SIZES[kind](body) if kind is not None else None
    except (struct.error, IndexError):
        return None
    return size if size is not None and all(size) else None


def _of_brands(body: bytes) -> Kind | None:
    """AVIF or HEIC, by the brands of an ISO base media file (ISO 14496-12 §4.3); None for a video."""
    length = int.from_bytes(body[:4], "big")
    brands = {body[at : at + 4] for at in (8, *range(16, min(length, 256), 4))}
    if brands & _AVIF_BRANDS:
        return AVIF
    return HEIC if brands & _HEIC_BRANDS else None


def _icons(body: bytes) -> Iterator[tuple[int, int]]:
    """The sizes in the directory of an icon; none where it names bytes that are not there."""
    count = int.from_bytes(body[4:6], "little")
    if not 0 < count <= _MOST_ICONS:
        return
    for at in range(6, 6 + 16 * count, 16):
        length, offset = (
            int.from_bytes(body[at + 8 : at + 12], "little"),
            int.from_bytes(body[at + 12 : at + 16], "little"),
        )
        if not length or offset < 6 + 16 * count or offset + length > len(body):
            return
        yield body[at] or 256, body[at + 1] or 256


def _png(body: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", body[16:24])
    return width, height


def _gif(body: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", body[6:10])
    return width, height


def _bmp(body: bytes) -> tuple[int, int]:
    if body[14] == 12:
        width, height = struct.unpack("<HH", body[18:22])
    else:
        width, height = struct.unpack("<ii", body[18:26])
    return abs(width), abs(height)  # a negative height says that the first row is the uppermost


def _ico(body: bytes) -> tuple[int, int] | None:
    return max(_icons(body), key=lambda size: size[0] * size[1], default=None)


def _webp(body: bytes) -> tuple[int, int]:
    if body[12:16] == b"VP8X":
        return 1 + int.from_bytes(body[24:27], "little"), 1 + int.from_bytes(body[27:30], "little")
    if body[12:16] == b"VP8L":
        (bits,) = struct.unpack("<I", body[21:25])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", body[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _jpeg(body: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(body):
        if body[at] != 0xFF:
            return None
        marker = body[at + 1]
        if marker == 0xFF:  # fill
            at += 1
        elif marker in _BARE:
            at += 2
        elif marker in _FRAMES:
            height, width = struct.unpack(">HH", body[at + 5 : at + 9])
            return width, height
        else:
            at += 2 + max(int.from_bytes(body[at + 2 : at + 4], "big"), 2)
    return None


def _isobmff(body: bytes) -> tuple[int, int] | None:
    """The largest of the sizes that the properties of an AVIF or HEIC name: that of the whole, where it is made of tiles."""
    sizes = []
    for meta in _boxes(body, b"meta"):
        for properties in _boxes(meta[4:], b"iprp"):
            for container in _boxes(properties, b"ipco"):
                sizes += [struct.unpack(">II", one[4:12]) for one in _boxes(container, b"ispe")]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _boxes(data: bytes, name: bytes) -> Iterator[bytes]:
    """What is in the boxes of a name; ends at the first that is broken (ISO 14496-12 §4.2)."""
    at = 0
    for _ in range(_MOST_BOXES):
        length, start = int.from_bytes(data[at : at + 4], "big"), at + 8
        if length == 1:
            length, start = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        end = len(data) if length == 0 else at + length
        if end < start or end > len(data):
            return
        if data[at + 4 : at + 8] == name:
            yield data[start:end]
        at = end


_SIZES = {PNG: _png, JPEG: _jpeg, GIF: _gif, WEBP: _webp, AVIF: _isobmff, HEIC: _isobmff, BMP: _bmp, ICO: _ico}

# What each kind begins with, and what else has to be there: two letters stand at the beginning of many a text.
_MAGIC: tuple[tuple[bytes, Kind, Callable[[bytes], bool]], ...] = (
    (b"\x89PNG\r\n\x1a\n", PNG, lambda body: body[12:16] == b"IHDR"),
    (b"\xff\xd8\xff", JPEG, lambda _: True),
    (b"GIF87a", GIF, lambda body: len(body) >= 13),
    (b"GIF89a", GIF, lambda body: len(body) >= 13),
    (b"RIFF", WEBP, lambda body: body[8:16] in {b"WEBPVP8 ", b"WEBPVP8L", b"WEBPVP8X"}),
    (b"BM", BMP, lambda body: int.from_bytes(body[14:18], "little") in _BMP_HEADERS),
    (b"\0\0\1\0", ICO, lambda body: any(True for _ in _icons(body))),
)
