"""Which encoding bytes are in that declare none and are not UTF-8.

Text of one language read in another's encoding gives rare characters, so the encoding is the one in which the bytes
are what people write: the common hanzi stand in a block of their own in GB 2312 and in Big5, Japanese has kana,
Russian is mostly lower case, and accented letters of western languages stand alone among ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_SAMPLE = 20_000  # bytes outside ASCII are looked at no further than this
_HINTS = (  # by the language that the feed or its source names
    (re.compile(r"zh-(?:tw|hk|mo|hant)", re.IGNORECASE), ("big5hkscs",)),
    (re.compile(r"zh|cn", re.IGNORECASE), ("gb18030",)),
    (re.compile(r"ja|jp", re.IGNORECASE), ("cp932", "euc_jp")),
    (re.compile(r"ko|kr", re.IGNORECASE), ("cp949",)),
    (re.compile(r"ru|uk|bg|be|sr|mk", re.IGNORECASE), ("cp1251", "koi8_r")),
    (re.compile(r"pl|cs|sk|hu|sl|hr|ro", re.IGNORECASE), ("cp1250",)),
    (re.compile(r"el", re.IGNORECASE), ("cp1253",)),
    (re.compile(r"tr", re.IGNORECASE), ("cp1254",)),
    (re.compile(r"he|iw", re.IGNORECASE), ("cp1255",)),
    (re.compile(r"th", re.IGNORECASE), ("cp874",)),
)
_LANGUAGE = re.compile(rb"""<(?:dc:)?language>\s*([A-Za-z-]{2,12})|xml:lang\s*=\s*["']([A-Za-z-]{2,12})""")


def guess(body: bytes, language: str = "") -> str:
    """The name of the codec in which the bytes make the best sense; `cp1252` where none makes much."""
    sample = _sample(body)
    if not language and (named := _LANGUAGE.search(body)):
        language = (named[1] or named[2]).decode()
    hinted = next((codecs for pattern, codecs in _HINTS if pattern.match(language)), ())
    best, best_score = "cp1252", 0.5
    for codec, share in _MEASURES.items():
        text = _decoded(body, sample, codec)
        if text is None:
            continue
        score = share(text) + (0.3 if codec in hinted else 0)
        if score > best_score:
            best, best_score = codec, score
    alone = [codec for codec in hinted if codec not in _MEASURES and _decoded(body, sample, codec) is not None]
    return alone[0] if alone and best == "cp1252" else best


def _sample(body: bytes) -> bytes:
    """The part of the body that holds enough to judge by, cut where ASCII stands."""
    wide = re.compile(rb"[\x80-\xff]{2,}[\x00-\x3f]")
    end = size = 0
    for run in wide.finditer(body):
        end, size = run.end(), size + len(run[0])
        if size > _SAMPLE:
            return body[:end]
    return body


def _decoded(body: bytes, sample: bytes, codec: str) -> str | None:
    """The sample decoded, if the whole body can be."""
    try:
        body.decode(codec)
        return sample.decode(codec, "ignore")
    except UnicodeDecodeError:
        return None


def _share(text: str, common: Callable[[str], bool]) -> float:
    """Which part of the letters outside ASCII is common; none where there are no letters at all."""
    letters = [char for char in text if char > "\x7f" and char not in _PUNCTUATION]
    return sum(map(common, letters)) / len(letters) if letters else 0.0


def _lead(char: str, codec: str) -> int:
    """The first byte of a character in a double-byte encoding; 0 where it has none of two."""
    data = char.encode(codec, "ignore")
    return data[0] if len(data) == 2 else 0


def _chinese(codec: str, first: int, last: int) -> Callable[[str], float]:
    return lambda text: _share(text, lambda char: first <= _lead(char, codec) <= last)


def _japanese(text: str) -> float:
    """Kana and common kanji; text without kana is not Japanese, and with a seventh of them it is."""
    kana = _share(text, _is_kana)
    common = _share(text, lambda char: _is_kana(char) or 0x88 <= _lead(char, "cp932") <= 0x97)
    return common + 0.2 if kana > 0.15 else 0.0


def _is_kana(char: str) -> bool:
    return "\u3040" <= char <= "\u30ff"


def _korean(text: str) -> float:
    """The common hangul: Chinese text is seldom all of that when read as Korean, but Korean read as Chinese looks good.

    What tells them apart is that Korean puts spaces between its words.
    """
    hangul = _share(text, lambda char: 0xB0 <= _lead(char, "euc_kr") <= 0xC8)
    words = _WIDE_RUN.findall(text)
    return hangul + 0.2 if hangul > 0.95 and sum(map(len, words)) < 5 * len(words) else hangul


def _russian(text: str) -> float:
    """Small letters that stand together."""
    letters = [char for char in text if char > "\x7f" and char not in _PUNCTUATION]
    return sum(map(len, _CYRILLIC_WORD.findall(text))) / len(letters) if letters else 0.0


def _western(text: str) -> float:
    """Letters that stand alone among ASCII, or punctuation alone."""
    runs = _WIDE_RUN.findall("".join(char for char in text if char not in _PUNCTUATION))
    return 0.95 * sum(len(run) == 1 for run in runs) / sum(map(len, runs)) if runs else 0.95


_WIDE_RUN = re.compile(r"[^\x00-\x7f]+")
_CYRILLIC_WORD = re.compile("[\u0430-\u0451]{2,}")
_PUNCTUATION = frozenset("\u3000、。「」『』《》！（），：；？～·…—–“”‘’«»„‚•€£©®™°§№\xa0")
_MEASURES: dict[str, Callable[[str], float]] = {
    "gb18030": _chinese("gb2312", 0xB0, 0xD7),
    "big5hkscs": _chinese("big5", 0xA4, 0xC6),
    "cp932": _japanese,
    "euc_jp": _japanese,
    "cp949": _korean,
    "cp1251": _russian,
    "koi8_r": _russian,
    "cp1252": _western,
}
