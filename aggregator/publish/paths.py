"""Category names become directories that are safe and distinct on any file system.

The rules are the union of what Linux, macOS and Windows refuse or fold: Windows' reserved characters and device names,
its loss of trailing dots and spaces, the case-insensitivity of Windows and macOS, macOS' normalisation, and ext4's 255
bytes a name. What had to change carries a hash of the true name, so that two names never share a directory.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping

from aggregator.models import Category

ROOT_DIRECTORY = "category"
MAX_BYTES = 120  # of one segment; leaves room in 255 for `.` + `.<pid>.tmp`, and for a depth of 30 within PATH_MAX

# What may lie in a feed's directory beside the directories of its children.
DOCUMENT_NAMES = frozenset({"rss.xml", "atom.xml", "feed.json", "index.html", "feeds.opml"})

# Path syntax and Windows' reserved characters, C0 and C1 controls, line separators, bidirectional overrides (a name
# that displays as another), lone surrogates and non-characters (neither can be written as UTF-8 everywhere).
_UNSAFE = re.compile(
    r'[/\\:*?"<>|\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]'
)
# Device names are reserved with any extension, and with the superscript digits (Microsoft, "Naming Files").
_DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])\s*(?:\.|$)", re.IGNORECASE)
# What our own suffix looks like: a name that has it by itself gets another, so that it cannot meet one of ours.
_SUFFIXED = re.compile(r"~[0-9a-f]{8,}$", re.IGNORECASE)


def segment(name: str) -> str:
    """One category name as one path segment; a name that needs no change stays as it is.

    >>> segment("新媒体"), segment("C++"), segment("CI/CD")
    ('新媒体', 'C++', 'CI-CD~008315e3')
    """
    safe = _UNSAFE.sub("-", unicodedata.normalize("NFC", name)).strip(" \u3000").lstrip(". ").rstrip(". ")
    if _DEVICE.match(safe):
        safe = f"_{safe}"
    unchanged = safe == name and len(safe.encode()) <= MAX_BYTES
    if unchanged and safe and not _SUFFIXED.search(safe) and safe.casefold() not in DOCUMENT_NAMES:
        return safe
    return _suffixed(safe, name, 8)


def assign(paths: Iterable[Category], taken: Mapping[str, str]) -> dict[str, str]:
    """The directories of the categories that have none yet, by category path; what is `taken` stays as it is.

    A child lies below its parent's directory, also when nobody asked for the parent. Of two categories that one
    file system or another takes for the same, the first in sorted order keeps the plain name, unless the other has
    it already.
    """
    wanted = {category.names: path for category in paths if (path := category.path) not in taken and path}
    if not wanted:
        return {}
    known = _with_parents(taken)
    used = {_folded(directory) for directory in known.values()}
    new: dict[str, str] = {}
    for names in sorted(wanted):
        parent = ROOT_DIRECTORY
        for ancestor in Category(names).lineage():
            path = ancestor.path
            if path not in known:
                known[path] = _free(parent, ancestor.name, used)
                used.add(_folded(known[path]))
            parent = known[path]
        new[wanted[names]] = parent
    return new


def _with_parents(taken: Mapping[str, str]) -> dict[str, str]:
    """The directories already given, and those of the parents that they imply."""
    known = dict(taken)
    for path, directory in sorted(taken.items()):
        names = Category.parse(path).names
        while len(names) > 1:
            names, directory = names[:-1], directory.rpartition("/")[0]  # noqa: PLW2901 - climbs to the root
            parent = Category(names).path
            if parent in known or directory in {"", ROOT_DIRECTORY}:
                break
            known[parent] = directory
    return known


def _free(parent: str, name: str, used: set[str]) -> str:
    """A directory below the parent that no other category has."""
    plain = segment(name)
    directory = f"{parent}/{plain}"
    digits = 8
    while _folded(directory) in used:
        directory = f"{parent}/{_suffixed(_SUFFIXED.sub('', plain), name, digits)}"
        digits += 4  # 32 bits may meet among many thousands; the next try has more
    return directory


def _suffixed(safe: str, name: str, digits: int) -> str:
    """The safe name cut to what fits, `~`, and so many hex digits of the true name's hash."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()[:digits]
    room = MAX_BYTES - 1 - digits
    cut = safe.encode()[:room].decode("utf-8", "ignore").rstrip(". ")
    return f"{cut or '_'}~{digest}"


def _folded(directory: str) -> str:
    """What a case-insensitive, normalising file system compares (Unicode D145, canonical caseless matching)."""
    if directory.isascii():
        return directory.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", directory).casefold())
