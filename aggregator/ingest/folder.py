"""The files of a source's folder: which there are, and the bytes of one, never from outside the folder.

`scan` names what it saw without opening anything; `read` opens one file and checks what it opened, because a file can be
replaced by a link between the two.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from aggregator.errors import IngestError

_LATEST = 2**63 - 1  # nanoseconds since 1970 that fit a database's integer: the year 2262
_BRACES = re.compile(r"\{([^{}]*)\}")
_ANYWHERE = re.compile(r"(?:\*\*/)?\*(\.[^*?\[\]/]+)")  # `**/*.md`, which nearly every source has


class FileStat(NamedTuple):
    """One regular file: its path below the folder with `/`, spelled as the file system spells it.

    A tuple, because there may be 100,000 of them in every run: a frozen dataclass takes four times as long to make.
    """

    path: str
    size: int  # bytes
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Scan:
    """The files that match, sorted by path, and what was left out although its name matches."""

    files: tuple[FileStat, ...]
    warnings: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()  # folders that could not be listed, with `/` at the end: what is in them is not known


def scan(folder: Path, glob: str | Sequence[str] = "**/*.md") -> Scan:
    """Every regular file below the folder whose path matches one of the patterns.

    A pattern knows `*`, `?`, `[…]`, `**/` for any number of folders, and `{md,html}`; it is held against the path below the
    folder. Hidden files and folders are no part of a source. A link to a folder is not entered: what lies inside the
    source is found at its own place; a link to a file counts as a file if its target lies inside.

    Raises IngestError if the folder itself cannot be read.
    """
    walk = _Walk(os.path.realpath(folder), _matcher((glob,) if isinstance(glob, str) else glob))
    folders = [""]
    while folders:
        below = folders.pop()
        try:
            folders += walk.list_folder(below)
        except OSError as error:
            if not below:
                raise IngestError(f"cannot read the folder {shown(os.fspath(folder))}: {_reason(error)}") from error
            walk.warnings.append(f"{shown(below)}: skipped, {_reason(error)}")
            walk.unread.append(below)
    walk.files.sort(key=attrgetter("path"))
    return Scan(tuple(walk.files), tuple(sorted(walk.warnings)), tuple(walk.unread))


@dataclass(slots=True)
class _Walk:
    """One scan on its way through the folders below `root`, a path without links."""

    root: str
    matches: Callable[[str], bool]
    files: list[FileStat] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def list_folder(self, below: str) -> list[str]:
        """Takes in the files of one folder; the folders in it, each with `/` at its end."""
        inner = []
        with os.scandir(f"{self.root}/{below}") as entries:
            for entry in entries:
                if entry.name[0] == ".":
                    continue
                path = below + entry.name
                if entry.is_dir(follow_symlinks=False):
                    inner.append(f"{path}/")
                elif entry.is_symlink():
                    self._follow(entry, path)
                elif self.matches(path):
                    self._add(entry, path)
        return inner

    def _follow(self, entry: os.DirEntry[str], path: str) -> None:
        """Takes in a link to a file inside; names one that leads out, were it followed."""
        try:
            is_folder = entry.is_dir()
            if not is_folder and not self.matches(path):
                return
            if not _is_below(os.path.realpath(entry.path), self.root):
                self.warnings.append(f"{shown(path)}: skipped, it is a link out of the folder")
            elif not is_folder:
                self._add(entry, path)
        except OSError as error:
            self.warnings.append(f"{shown(path)}: skipped, {_reason(error)}")

    def _add(self, entry: os.DirEntry[str], path: str) -> None:
        """Takes in one file whose name matches, if it is a regular one."""
        if not path.isprintable() and not _is_text(path):
            self.warnings.append(f"{shown(path)}: skipped, its name is not UTF-8")
            return
        try:
            status = entry.stat()
        except OSError as error:
            self.warnings.append(f"{shown(path)}: skipped, {_reason(error)}")
            return
        if stat.S_ISREG(status.st_mode):
            self.files.append(FileStat(path, status.st_size, min(status.st_mtime_ns, _LATEST)))
        else:
            self.warnings.append(f"{shown(path)}: skipped, it is no regular file")


def read(folder: Path, path: str, max_bytes: int) -> bytes:
    """The bytes of the file that `scan` called `path`.

    Raises IngestError, naming the file, if it vanished, cannot be read, is larger than `max_bytes`, or lies outside the
    folder by the time it is opened.
    """
    if path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise IngestError(f"{shown(path)}: not read, it is no path below the folder")
    place = f"{folder if folder.is_absolute() else Path.cwd() / folder}/{path}"
    try:
        # Without O_NONBLOCK, opening a pipe that took the file's place would wait for ever.
        handle = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return _read_open(handle, place, folder, path, max_bytes)
        finally:
            os.close(handle)
    except OSError as error:
        raise IngestError(f"{shown(path)}: not read, {_reason(error)}") from error


def _read_open(handle: int, place: str, folder: Path, path: str, max_bytes: int) -> bytes:
    """The bytes behind the open handle, once it is known to be a small enough regular file inside the folder."""
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        raise IngestError(f"{shown(path)}: not read, it is no regular file")
    if not _is_inside(handle, status, place, folder):
        raise IngestError(f"{shown(path)}: not read, it is a link out of the folder")
    if status.st_size > max_bytes:
        raise IngestError(f"{shown(path)}: not read, {status.st_size} bytes are more than {max_bytes}")
    data = os.read(handle, status.st_size + 1)
    if len(data) == status.st_size:
        return data
    while len(data) <= max_bytes:  # it changed while it was read, or the system gave less than asked for
        more = os.read(handle, max_bytes + 1 - len(data))
        if not more:
            return data
        data += more
    raise IngestError(f"{shown(path)}: not read, it has more than {max_bytes} bytes")


def _is_inside(handle: int, status: os.stat_result, place: str, folder: Path) -> bool:
    """Whether the file that was opened lies inside the folder, whatever links led there.

    Linux says where an open file is: 2 µs, where resolving the path takes 30. Elsewhere, and where that place is not
    the expected one, the path is resolved and must lead to the very file that was opened.
    """
    try:
        if os.readlink(f"/proc/self/fd/{handle}") == place:  # noqa: PTH115 - a Path takes three times as long
            return True
    except OSError:
        pass
    resolved = os.path.realpath(place)
    return _is_below(resolved, os.path.realpath(folder)) and os.path.samestat(status, Path(resolved).stat())


def shown(path: str) -> str:
    """The path as it may stand in a message: one line, and text in any encoding."""
    if path.isprintable():
        return path
    escaped = "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in path
    )
    return escaped.encode("utf-8", "backslashreplace").decode()


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root if root.endswith("/") else f"{root}/")


def _is_text(path: str) -> bool:
    """Whether the name is UTF-8; bytes that are not come from the file system as lone surrogates (PEP 383)."""
    return not any("\ud800" <= character <= "\udfff" for character in path)


def _reason(error: OSError) -> str:
    """What the system says, in its own few words: `no such file or directory`."""
    if error.errno == errno.ELOOP:
        return "its links lead in a circle"
    text = error.strerror or str(error)
    return text[:1].lower() + text[1:]


def _matcher(globs: Sequence[str]) -> Callable[[str], bool]:
    """Whether a path below the folder matches one of the patterns."""
    patterns = [pattern for glob in globs for pattern in _without_braces(glob.removeprefix("./"))]
    simple = [_ANYWHERE.fullmatch(pattern) for pattern in patterns]
    if all(match is not None and match.group().startswith("**/") for match in simple):
        suffixes = tuple(match.group(1) for match in simple if match is not None)
        return lambda path: path.endswith(suffixes)
    expression = re.compile("|".join(_expression(pattern) for pattern in patterns), re.DOTALL)
    return lambda path: expression.fullmatch(path) is not None


def _without_braces(glob: str) -> Iterator[str]:
    """The patterns that a pattern with `{a,b}` stands for."""
    braces = _BRACES.search(glob)
    if braces is None:
        yield glob
        return
    for choice in braces.group(1).split(","):
        yield from _without_braces(glob[: braces.start()] + choice.strip() + glob[braces.end() :])


def _expression(glob: str) -> str:
    """The regular expression of a pattern without braces; `*` and `?` stop at a slash."""
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}

    def translated(match: re.Match[str]) -> str:
        token = match.group()
        if token[0] == "[" and len(token) > 1:
            body = token[1:-1].replace("\\", "\\\\")
            return f"[^/{body[1:]}]" if body[0] in "!^" else f"[{body}]"
        return parts.get(token) or re.escape(token)

    return re.sub(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^\]/]*\]|.", translated, glob, flags=re.DOTALL)
