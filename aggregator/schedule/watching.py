"""Watching the files of sources: a post that is saved is known of at once, by what the system says of its folder."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection
from pathlib import Path

from aggregator.config.models import Config
from aggregator.config.sources import FrontMatterSource, WebSource
from aggregator.schedule.due import is_looked_at

_SETTLE_MS = 150  # an editor writes a file in several steps: what comes within this time is looked at once
_STEP_MS = 50
_AGAIN_S = 60.0  # folders that are not there, or cannot be watched, are tried again

Look = Callable[[Collection[str]], None]
Say = Callable[[str], None]


class Watcher:
    """Calls `look` with the names of the sources whose files changed, from a thread of its own.

    Folders that the system cannot watch (they are not there, there are too many, they are on a network) are named by `say`;
    the daemon looks at all files once a minute in any case.
    """

    def __init__(self, look: Look, say: Say) -> None:
        self._look, self._say = look, say
        self._places: dict[Path, set[str]] = {}
        self._inodes: dict[Path, int | None] = {}
        self._rearm = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="watcher", daemon=True)

    def start(self, config: Config) -> None:
        """Watches the files of a configuration's sources."""
        self.watch(config)
        self._thread.start()

    def watch(self, config: Config) -> None:
        """Watches the files of another configuration from now on."""
        self._places = places(config)
        self._inodes = {place: _inode(place) for place in self._places}
        self._rearm.set()

    def replaced(self) -> set[str]:
        """The names of sources whose folder is another one, came or went since the last time; it is watched anew.

        What watches a folder goes along with it when it is renamed, as those are that a script puts in its place.
        """
        now = {place: _inode(place) for place in self._places}
        changed = {place for place, inode in now.items() if inode != self._inodes.get(place)}
        if changed:
            self._inodes = now
            self._rearm.set()
        return {name for place in changed for name in self._places[place]}

    def close(self) -> None:
        """Ends the thread."""
        self._ended = True
        self._rearm.set()

    def _work(self) -> None:
        while not self._ended:
            self._rearm.clear()
            found = {place: names for place, names in self._places.items() if _inode(place) is not None}
            missing = sorted(str(place) for place in self._places.keys() - found.keys())
            if missing:  # or it lies where we may not look
                self._say(f"not watched, because it is not there: {', '.join(missing)}")
            if found:
                self._watch(found, retry=bool(missing))
            else:
                self._rearm.wait(_AGAIN_S)

    def _watch(self, found: dict[Path, set[str]], *, retry: bool) -> None:
        """Watches until the configuration is another one; for a while only where some folders could not be found."""
        import watchfiles  # noqa: PLC0415 - for daemons

        timer = threading.Timer(_AGAIN_S, self._rearm.set)
        timer.daemon = True
        if retry:
            timer.start()
        try:
            changes = watchfiles.watch(
                *found,
                debounce=_SETTLE_MS,
                step=_STEP_MS,
                stop_event=self._rearm,
                watch_filter=None,
                ignore_permission_denied=True,
                raise_interrupt=False,
            )
            for batch in changes:
                names = {name for _, path in batch for name in concerned(found, path)}
                if names:
                    self._look(names)
        except Exception as error:  # noqa: BLE001 - the limit on watches, a folder that went away, a fault of the library's own
            self._say(f"files cannot be watched ({error}): they are looked at once a minute")
            self._rearm.wait(_AGAIN_S)
        finally:
            timer.cancel()


class Glances:
    """Local feeds and lists, glanced at every second: which of them were saved since.

    An editor, or a script, puts another file in the place of the old one, and what watches a file loses it then.
    """

    def __init__(self, config: Config) -> None:
        local = (one for one in config.sources if isinstance(one, WebSource) and is_looked_at(one))
        self._files = {one.name: one.address for one in local}
        self._seen = {name: _stat(file) for name, file in self._files.items()}

    def changed(self) -> set[str]:
        """The names of the sources whose file is another than the last time."""
        now = {name: _stat(file) for name, file in self._files.items()}
        found = {name for name, stat in now.items() if stat != self._seen[name]}
        self._seen = now
        return found


def _inode(place: Path) -> int | None:
    found = _stat(str(place))
    return found[0] if found else None


def _stat(file: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - a fifth of Path's time, every second
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def places(config: Config) -> dict[Path, set[str]]:
    """The folders to watch, links resolved, with the names of the sources that they concern."""
    found: dict[Path, set[str]] = {}
    for source in config.sources:
        if isinstance(source, FrontMatterSource) and is_looked_at(source):
            found.setdefault(Path(os.path.realpath(source.path)), set()).add(source.name)
    return found


def concerned(found: dict[Path, set[str]], path: str) -> set[str]:
    """The names of the sources that a changed path belongs to."""
    changed = Path(path)
    return {name for place, names in found.items() if place in changed.parents for name in names}
