"""Which categories a post is in: what its source listed, read in the dialect of the source.

The dialects differ in what a list means:

- `hexo`: a list of names is one path; in a list that holds lists, every list is a path, and so is every name beside them.
- `jekyll`: every name is a category of its own; a single text is several, separated by spaces.
- `hugo`, `flat` (web feeds too): every name is a category of its own, as written; a list within the list is a path.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from hashlib import blake2b

from aggregator.models import Category
from aggregator.normalize.text import plain_text

_LONGEST = 1500  # bytes of a path


def categories(
    given: tuple[str | tuple[str, ...], ...],
    dialect: str,
    source_category: Category | None = None,
    mode: str = "fallback",
) -> tuple[Category, ...]:
    """The post's categories in the order its source listed them, without duplicates and empty names.

    `source_category` is the one configured for the source. The mode says what it does: `fallback` takes it where the
    post has none of its own, `prefix` puts it before each (alone where there is none), `replace` takes it instead.
    Names are plain text in Unicode's NFC, so that one name is one category however it was typed.
    """
    if source_category is not None and not source_category.names:
        source_category = None
    if source_category is not None and mode == "replace":
        return (source_category,)
    own = dict.fromkeys(_short(names) for names in (_names(path) for path in _paths(given, dialect)) if names)
    if source_category is None or (own and mode == "fallback"):
        return tuple(own)
    if not own:
        return (source_category,)
    return tuple(Category(source_category.names + category.names) for category in own)


def _paths(given: tuple[str | tuple[str, ...], ...], dialect: str) -> Iterator[tuple[str, ...]]:
    """The lists of names, one for each path that the dialect sees."""
    if dialect == "hexo" and all(isinstance(entry, str) for entry in given):
        yield tuple(entry for entry in given if isinstance(entry, str))
        return
    if dialect == "jekyll":
        yield from ((name,) for name in _jekyll_names(given))
        return
    for entry in given:
        yield (entry,) if isinstance(entry, str) else entry


def _jekyll_names(given: tuple[str | tuple[str, ...], ...]) -> Iterator[str]:
    """Jekyll's names, lists within the list flattened.

    Jekyll splits `categories: a b` at the space and leaves `category: a b` and `categories: [a b]` whole. What stood
    in the file is not known here, so a lone text is split when it is ASCII: names in other scripts are hardly ever written
    that way, and one that holds a space (`新媒体 News`) is then one name.
    """
    if len(given) == 1 and isinstance(given[0], str) and given[0].isascii():
        yield from given[0].split()
        return
    for entry in given:
        if isinstance(entry, str):
            yield entry
        else:
            yield from entry


def _short(names: tuple[str, ...]) -> Category:
    """The category of these names; a path that no index could hold ends in a hash of what is left out of it.

    PostgreSQL's take 2,700 bytes, of which the source's own category and the separators need some.
    """
    if len("/".join(names).encode("utf-8", "surrogatepass")) <= _LONGEST:
        return Category(names)
    kept: list[str] = []
    left = _LONGEST - 20
    for name in names:
        size = len(name.encode("utf-8", "surrogatepass")) + 2
        if size > left:
            break
        kept.append(name)
        left -= size
    rest = "/".join(names[len(kept) :])
    cut = rest.encode("utf-8", "surrogatepass")[: min(left, 200)].decode("utf-8", "ignore")
    return Category(
        (*kept, f"{cut.replace('/', ' ')}…{blake2b(rest.encode('utf-8', 'surrogatepass'), digest_size=4).hexdigest()}")
    )


def _names(path: Iterable[str]) -> tuple[str, ...]:
    """The names as plain text; a slash inside a name stays inside the name."""
    cleaned = (unicodedata.normalize("NFC", plain_text(name)) for name in path)
    return tuple(name for name in cleaned if name)
