"""Text cut into words, for an index and for what people look for in it: both the same way.

Chinese, Japanese and Korean are written without spaces, and no dictionary is right for names. So a run of their signs
becomes every pair of neighbours and its last sign: 停电了 is 停电 电了 了. What is looked for is cut into pairs too, which
must then stand one after the other; a single sign is the beginning of a pair, wherever it stands.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

MAX_TERMS = 12  # of one query
MAX_QUERY = 200  # characters
LONGEST = 64  # characters of a word: what is longer is found by its beginning

# Han with extensions and compatibility signs, kana, bopomofo, hangul.
_CJK = "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u3100-\u312f\u3131-\u318f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = rf"([{_CJK}]+)|([^\W_{_CJK}]+)"  # compiled by the first who needs it: that takes longer than importing the rest


@dataclass(frozen=True, slots=True)
class Term:
    """Words that must stand one after the other; where `is_open`, the last may go on."""

    words: tuple[str, ...]
    is_open: bool = False
    run: str = ""  # of CJK, which stands within words; empty: the term is a word of its own


def cut(text: str) -> str:
    """The words of a text with a space between them.

    >>> cut("Straße: 停电了, R&D")
    'strasse 停电 电了 了 r d'
    """
    found: list[str] = []
    for match in re.finditer(_RUN, folded(text)):
        found += _pairs(match[1], closed=True) if match[1] else [match[2][:LONGEST]]
    return " ".join(found)


def terms(query: str) -> tuple[Term, ...]:
    """What a query asks for: each must be found. Anything is a query, and no sign in it has a meaning of its own.

    >>> terms("停电 Com")
    (Term(words=('停电',), is_open=False, run='停电'), Term(words=('com',), is_open=True, run=''))
    """
    text = folded(query[:MAX_QUERY])
    matches = list(re.finditer(_RUN, text))[:MAX_TERMS]
    found: list[Term] = []
    for match in matches:
        if match[1]:
            found.append(Term(_pairs(match[1], closed=False), len(match[1]) == 1, match[1]))
        else:
            is_last = match.end() == len(text)
            found.append(Term((match[2][:LONGEST],), is_last or len(match[2]) > LONGEST))
    return tuple(dict.fromkeys(found))


def folded(text: str) -> str:
    """The text as it is compared: one spelling for what looks the same, and no case."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _pairs(run: str, *, closed: bool) -> tuple[str, ...]:
    pairs = tuple(run[start : start + 2] for start in range(len(run) - 1))
    return (*pairs, run[-1]) if closed or not pairs else pairs
