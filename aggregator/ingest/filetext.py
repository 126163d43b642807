"""The text of a file in whatever encoding it was saved; nothing that is text is refused."""

from __future__ import annotations

import codecs
import re

_MAGIC = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"%PDF-": "a PDF",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "gzip data",
    b"\x7fELF": "a program",
}
_LOOKED_AT = 8192  # bytes that say whether it is text
_NEVER_TEXT = bytes(set(range(32)) - {8, 9, 10, 12, 13, 27})
_LONE_HIGH = re.compile(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])")
_HIGH = re.compile(rb"[\x80-\xff]")


def decode(data: bytes) -> tuple[str | None, str]:
    r"""The text with `\n` at line ends and no byte order mark, and what had to be guessed about it (empty: nothing).

    UTF-8 is believed where every byte agrees, even if the text looks mis-encoded: `Ã©` may be meant. Otherwise a byte
    order mark decides, then the shape of the bytes: UTF-16 without a mark, UTF-8 with a few broken bytes, Windows-1252
    (bytes above 127 stand alone among ASCII), GB18030. None, with the reason, where the file is no text.
    """
    text, warning = _decoded(data)
    if text is None:
        return None, warning
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.lstrip("\ufeff")
    return (text, warning) if text.strip() else (None, "the file is empty")


def _decoded(data: bytes) -> tuple[str | None, str]:
    """The text as it was saved, byte order mark and all."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    if text and "\0" not in text:
        return text, ""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace"), "the file is UTF-16, not UTF-8"
    if encoding := _unmarked_utf16(data):
        return data.decode(encoding, "replace"), "the file is UTF-16 without a byte order mark"
    if kind := _binary(data):
        return None, kind
    return (text, "") if text or not data else _not_utf8(data)


def _not_utf8(data: bytes) -> tuple[str, str]:
    """The text of bytes that are not UTF-8 throughout, and no UTF-16 either."""
    replaced = data.decode(errors="replace")
    broken, foreign = replaced.count("\ufffd"), sum(not character.isascii() for character in replaced)
    if broken <= foreign * 0.1:
        return replaced, f"{broken} bytes that are not UTF-8 were replaced"
    if len(_LONE_HIGH.findall(data)) * 2 > len(_HIGH.findall(data)):
        return data.decode("cp1252", "replace"), "the file is not UTF-8; it was read as Windows-1252"
    try:
        return data.decode("gb18030"), "the file is not UTF-8; it was read as GB18030"
    except UnicodeDecodeError:
        return data.decode("gb18030", "replace"), "the file is in an unknown encoding; it was read as GB18030"


def _unmarked_utf16(data: bytes) -> str:
    """Which UTF-16 the bytes are in: the ASCII in it, line ends at least, leaves zeros on one side, where a letter such as `一` leaves few on the other."""
    head = data[:_LOOKED_AT]
    odd, even = head[1::2].count(0), head[::2].count(0)
    if data.startswith(tuple(_MAGIC)) or min(odd, even) * 4 > max(odd, even) or max(odd, even) < max(len(head) / 40, 8):
        return ""
    return "utf-16-le" if odd > even else "utf-16-be"


def _binary(data: bytes) -> str:
    """What a file that is no text is, in words; empty if it is text."""
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return f"the file is {kind}, not text"
    head = data[:_LOOKED_AT]
    odd = len(head) - len(head.translate(None, _NEVER_TEXT))
    return "the file is binary, not text" if odd > len(head) * 0.02 + 4 else ""
