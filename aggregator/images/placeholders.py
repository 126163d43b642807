"""Which images stand for nothing: what a page shows until the real one is loaded, or where there is none."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

BLANK_DATA_CHARS = 256  # a one-pixel GIF takes 80, a one-pixel PNG 120, and no picture worth showing fits

_RANDOM = (
    *("picsum.photos", "placehold.it", "placehold.co", "placeholder.com", "dummyimage.com", "placekitten.com"),
    *("placeimg.com", "fakeimg.pl", "loremflickr.com", "lorempixel.com"),
)
_HOSTS = re.compile(rf"(?:[\w-]+\.)*(?:{'|'.join(map(re.escape, _RANDOM))})(?::\d+)?")
_NAME = re.compile(
    r"(?:img|image|pic|icon|bg)?[-_]?"
    r"(?:loading|loadimg|load|loader|lazy|lazyload|blank|spacer|placeholder|transparent|trans|pixel|clear|empty|gr[ae]y"
    r"|dot|1x1|0x0|1px|none|nopic|noimage|no-image)"
    r"[-_]?(?:img|image|pic|icon|bg|lazy|\d{1,4}(?:x\d{1,4})?)?\.(?:gif|png|jpe?g|svg|webp)"
    r"|undefined|null|none|nan"
)


def is_placeholder(url: str, more: Iterable[str] = ()) -> bool:
    """Whether a URL leads to a placeholder: a blank, a spinner, a random or a missing picture.

    `more` are globs for the URL without its scheme (`cdn.example.com/img/wait*`), beside the well-known ones.
    """
    text = url.strip().lower()
    if text.startswith("data:"):
        return len(text) < BLANK_DATA_CHARS or text.startswith("data:image/svg")
    if text in {"", "#", "about:blank"}:
        return True
    address = text.partition("//")[2] or text
    path = address.partition("?")[0].partition("#")[0]
    host = path.partition("/")[0]
    if host.partition(":")[0].endswith(_RANDOM) and _HOSTS.fullmatch(host):
        return True
    if _NAME.fullmatch(path.rpartition("/")[2]):
        return True
    return any(fnmatchcase(address, glob.lower()) for glob in more)
