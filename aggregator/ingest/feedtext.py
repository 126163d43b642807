"""The bytes of a document as text: which encoding they are in, and what can be mended in broken XML."""

from __future__ import annotations

import codecs
import html
import re
from html.entities import html5

from aggregator.ingest.feedguess import guess

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Labels that mean more than Python's codec of that name (https://encoding.spec.whatwg.org/#names-and-labels).
_WIDER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
}
_ALIASES = {
    "x-sjis": "cp932",
    "x-gbk": "gb18030",
    "windows-31j": "cp932",
    "x-x-big5": "big5hkscs",
    "cn-big5": "big5hkscs",
}
_TEXTLESS = re.compile(r"utf-?(?:7|16|32)|unicode[-_]escape|raw[-_]unicode[-_]escape|idna|punycode|undefined|mbcs|oem")
_MULTIBYTE = frozenset(
    {"gb18030", "big5hkscs", "cp932", "cp949", "euc_jp", "euc_jis_2004", "hz", "iso2022_jp", "johab"}
)
_IN_XML = re.compile(rb"""<\?xml[^>]{0,200}?\bencoding\s*=\s*["']([\w.:-]+)["']""", re.IGNORECASE)
_IN_HTTP = re.compile(r"""charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)


def decode(body: bytes, content_type: str = "", language: str = "") -> tuple[str, str]:
    """The text of a document, and a warning where its encoding is not the one it declares (or empty).

    A byte order mark decides. Then UTF-8 wherever the bytes are valid UTF-8: text in another encoding hardly ever is
    by accident, while feeds in UTF-8 that say latin-1 or gb2312 are many. Then what HTTP or XML declares, if every
    byte agrees; then UTF-8 with a few broken bytes; then a guess, in which `language` helps.
    """
    mark, unicode = _wide(body)
    if unicode:
        return body[mark:].decode(unicode, "replace"), ""
    declared = _declared(body, content_type)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return _legacy(body, declared, language)
    if text.isascii() or not declared or declared[0] == "utf-8":
        return text, ""
    other = _strictly(body, declared[0])
    if other is not None and declared[0] in _MULTIBYTE and not _is_surely_utf8(text):
        return other, ""
    return text, f"The document says that it is in {declared[0]}, but it is in UTF-8."


def _wide(body: bytes) -> tuple[int, str]:
    """The length of a byte order mark, and the encoding that it or a first character of two bytes tells (or empty)."""
    for mark, codec in _BOMS:
        if body.startswith(mark):
            return len(mark), codec
    for width, order, shape in (
        (4, "le", rb"[<{\[]\0\0\0"),
        (4, "be", rb"\0\0\0[<{\[]"),
        (2, "le", rb"[<{\[]\0"),
        (2, "be", rb"\0[<{\[]"),
    ):
        if re.match(shape, body):
            return 0, f"utf-{width * 8}-{order}"
    return 0, ""


def _declared(body: bytes, content_type: str) -> list[str]:
    """The encodings that HTTP and the XML declaration name, as Python's codecs, the likelier one first.

    HTTP is the authority (RFC 7303 §3.2), but a server's latin-1 is more often its default than somebody's word.
    """
    in_http = _IN_HTTP.search(content_type)
    in_xml = _IN_XML.search(body[:2048])
    http = codec_named(in_http[1]) if in_http else None
    xml = codec_named(in_xml[1].decode()) if in_xml else None
    order = (xml, http) if http == "cp1252" else (http, xml)
    return list(dict.fromkeys(codec for codec in order if codec))


def codec_named(label: str) -> str | None:
    """Python's codec for an encoding's label; None for one that is unknown or no encoding of bytes that look like XML."""
    label = label.strip().lower()
    if _TEXTLESS.match(label):
        return None
    try:
        name = codecs.lookup(_ALIASES.get(label, label)).name
        b"x".decode(name)  # zlib and the like are no encodings of text
    except (LookupError, ValueError):
        return None
    return _WIDER.get(name, name)


def _legacy(body: bytes, declared: list[str], language: str) -> tuple[str, str]:
    """The text of bytes that are not valid UTF-8."""
    for codec in declared:
        if codec not in ("cp1252", "utf-8") and (text := _strictly(body, codec)) is not None:
            return text, ""
    for codec in dict.fromkeys(("utf-8", *(codec for codec in declared if codec in _MULTIBYTE))):
        text = body.decode(codec, "replace")
        broken = text.count("\ufffd")
        if broken * 20 <= sum(char > "\x7f" for char in text) - broken:
            return text, f"{broken} characters are broken: they are not in {codec}."
    codec = guess(body, language)
    if declared == ["cp1252"] and sum(byte > 0x7F for byte in body) < 12:
        codec = "cp1252"  # too little to know better
    said = f"declares {declared[0]}" if declared else "declares no encoding"
    text = _strictly(body, codec) or body.decode("latin-1")
    return text, "" if declared == [codec] else f"The document {said}; it was read as {codec}."


def _strictly(body: bytes, codec: str) -> str | None:
    """The bytes decoded, or None if a single one does not fit."""
    for name in (codec, {"big5hkscs": "cp950", "cp932": "shift_jis_2004", "cp1252": "latin-1"}.get(codec)):
        try:
            return body.decode(name) if name else None
        except UnicodeDecodeError:
            continue
    return None


def _is_surely_utf8(text: str) -> bool:
    """Whether this much valid UTF-8 cannot be GBK or Big5 by accident: one hanzi in seven could be a letter like `ģ`."""
    wide = [char for char in text if char > "\x7f"]
    return len(wide) > 3 or any(char > "\u07ff" for char in wide)


_DOCTYPE = re.compile(r"(?:\s|<\?(?:(?!\?>).)*\?>|<!--(?:(?!-->).)*-->)*(<!DOCTYPE\b)", re.DOTALL | re.IGNORECASE)
_IN_DOCTYPE = re.compile(r"""<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)|"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[\[\]>]""", re.DOTALL)


def without_doctype(text: str) -> str:
    """The document without its DOCTYPE: no entity of its own is ever defined, so none is expanded or fetched."""
    found = _DOCTYPE.match(text)
    if not found:
        return text
    depth = 0
    for token in _IN_DOCTYPE.finditer(text, found.end()):
        depth += {"[": 1, "]": -1}.get(token[0], 0)
        if token[0] == ">" and depth <= 0:
            return text[: found.start(1)] + text[token.end() :]
    return text[: found.start(1)] + text[found.end() :]


_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SURROGATES = re.compile(r"&#(5[56]\d{3}|x[dD][89abAB][\da-fA-F]{2});&#(5[67]\d{3}|x[dD][c-fC-F][\da-fA-F]{2});")
_AMPERSAND = re.compile(
    r"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)|&(?:#(\d+|[xX][\da-fA-F]+);|([A-Za-z][A-Za-z0-9]*);)?", re.DOTALL
)
_PREFIXED = re.compile(r"<([A-Za-z_][\w.-]*):|\s([A-Za-z_][\w.-]*):[\w.-]+\s*=")
_DECLARED_PREFIX = re.compile(r"\sxmlns:([\w.-]+)\s*=")
_ROOT = re.compile(r"<[A-Za-z_][\w.:-]*")
_MAX_PREFIXES = 50
_XML_ENTITIES = ("amp", "lt", "gt", "quot", "apos")
_NAMESPACES = {
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "dcterms": "http://purl.org/dc/terms/",
    "itunes": "http://www.itunes.com/dtds/podcast-1.0.dtd",
    "media": "http://search.yahoo.com/mrss/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xhtml": "http://www.w3.org/1999/xhtml",
}


def mended(text: str) -> str:
    """Broken XML with what can be mended without guessing at its structure.

    That is: characters that XML forbids, `&` that begins nothing, HTML's entities, emoji written as two surrogates,
    and prefixes that were never declared.
    """
    text = _ILLEGAL.sub("", text)
    text = _SURROGATES.sub(
        lambda pair: chr(0x10000 + ((_number(pair[1]) & 0x3FF) << 10) + (_number(pair[2]) & 0x3FF)), text
    )
    text = _AMPERSAND.sub(_reference, text)
    used = {found[1] or found[2] for found in _PREFIXED.finditer(text)}
    undeclared = sorted(used - {"xml", "xmlns"} - set(_DECLARED_PREFIX.findall(text)))
    if 0 < len(undeclared) < _MAX_PREFIXES and (root := _ROOT.search(text)):
        known = "".join(
            f' xmlns:{prefix}="{_NAMESPACES.get(prefix, "urn:undeclared:" + prefix)}"' for prefix in undeclared
        )
        text = text[: root.end()] + known + text[root.end() :]
    return text


def _number(reference: str) -> int:
    return int(reference[1:], 16) if reference[0] in "xX" else int(reference)


def _reference(found: re.Match[str]) -> str:
    """What stands for an ampersand and what follows it."""
    whole, number, name = found[0], found[1], found[2]
    if number:
        code = _number(number) if len(number) < 9 else 0
        legal = code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0xFFFF < code < 0x110000
        return whole.replace("X", "x") if legal else ""
    if name:
        if name in _XML_ENTITIES:
            return whole
        meaning = html5.get(name + ";")
        return html.escape(meaning) if meaning else "&amp;" + whole[1:]
    return "&amp;" if whole == "&" else whole


def paragraphs(text: str) -> str:
    """Plain text as HTML that shows it: escaped, a paragraph for each blank line, `<br>` for each other break."""
    parts = re.split(r"\n[^\S\n]*\n\s*", text.replace("\r\n", "\n").replace("\r", "\n").strip())
    return "".join("<p>" + html.escape(part, quote=False).replace("\n", "<br>\n") + "</p>" for part in parts if part)


def plain_text(markup: str) -> str:
    """A short text in HTML as plain text: its tags dropped, its entities decoded once, its white space single."""
    return " ".join(html.unescape(re.sub(r"<[/!a-zA-Z][^<>]*>", "", markup)).split())
