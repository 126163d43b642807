"""What one tag of a generator shows, from its name and its arguments, as HTML."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

_ARGUMENT = re.compile(r"""(?:(?P<key>[\w-]+)=)?(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|`([^`]*)`|(\S+))""")
_IMAGE = re.compile(r"(?:[a-z][a-z0-9+.-]*:)?//\S+|.*[^/]\.[a-zA-Z0-9]{2,5}(?:[?#].*)?|/.+", re.IGNORECASE)
_LANGUAGE = re.compile(r"[\w+#.-]+")
_URL = re.compile(r"(?:https?:)?//\S+|/\S*", re.IGNORECASE)

# By name: the address of what one identifier stands for.
_PLAYERS = {
    "youtube": "https://www.youtube.com/watch?v={}",
    "vimeo": "https://vimeo.com/{}",
    "bilibili": "https://www.bilibili.com/video/{}",
    "bili": "https://www.bilibili.com/video/{}",
    "gist": "https://gist.github.com/{}",
    "jsfiddle": "https://jsfiddle.net/{}/",
    "tweet": "https://twitter.com/i/status/{}",
    "instagram": "https://www.instagram.com/p/{}/",
}


def words(args: str) -> list[str]:
    """The arguments without the quotes around them; of `key=value`, the value."""
    return [value for _, value in _pairs(args)]


def _pairs(args: str) -> list[tuple[str, str]]:
    return [
        (match["key"] or "", next(group for group in match.groups()[1:] if group is not None))
        for match in _ARGUMENT.finditer(args)
    ]


def inline_html(name: str, args: str) -> str | None:
    """What a tag of Hexo or Jekyll without content shows; None where it is not known, or its arguments say nothing."""
    given = words(args)
    if name in {"img", "asset_img", "image", "local_image"}:
        return _image(given, name == "asset_img")
    if name in _PLAYERS:
        return _player(name, given)
    if name in {"post_link", "asset_link"} and given:
        title = " ".join(word for word in given[1:] if word not in {"true", "false"})
        if name == "post_link":  # where it leads, only the generator knows
            return html.escape(title or given[0].rpartition("/")[2], quote=False)
        return _link(quote(given[0], safe="/%:?&=#"), title or given[0])
    if name == "link" and (url := next((word for word in given if _URL.fullmatch(word)), None)):
        return _link(url, " ".join(given[: given.index(url)]) or url)
    return f'<iframe src="{html.escape(given[0])}"></iframe>' if name == "iframe" and given else None


def _image(given: list[str], is_asset: bool) -> str | None:
    """`[classes] source [width] [height] [title [alt]]`, as Hexo reads it; an asset lies beside its post."""
    at = next((index for index, word in enumerate(given) if _IMAGE.fullmatch(word)), None)
    if at is None:
        if not (is_asset and given):
            return None
        at = 0
    source = quote(given[at], safe="/%:?&=#~+,;@!") if is_asset else given[at]
    rest = given[at + 1 :]
    sizes: list[str] = []
    while rest and rest[0].isdecimal() and len(sizes) < 2:
        sizes.append(rest.pop(0))
    title, alt = _title_and_alt(rest)
    parts = [("src", source), *zip(("width", "height"), sizes, strict=False), ("title", title), ("alt", alt or title)]
    return _element("img", [(name, value) for name, value in parts if value or name == "alt"])


def _title_and_alt(rest: list[str]) -> tuple[str, str]:
    """The title and the alternative text; older posts quote both together: `"title 'alt'"`."""
    if len(rest) == 1 and (nested := re.fullmatch(r"""(.*?)\s*(["'])(.*)\2""", rest[0])):
        return nested[1].strip("\"' "), nested[3]
    return (rest[0] if rest else ""), (rest[1] if len(rest) > 1 else "")


def _player(name: str, given: list[str]) -> str | None:
    """A link to what is played or shown elsewhere; it stays a link because whether frames may stand is not ours to say."""
    if not given:
        return None
    identifier = "/".join(given[:2]) if name == "gist" and len(given) > 1 and given[1].isalnum() else given[0]
    url = identifier if _URL.fullmatch(identifier) else _PLAYERS[name].format(quote(identifier, safe="/"))
    if name == "youtube" and "playlist" in given[1:]:
        url = f"https://www.youtube.com/playlist?list={quote(identifier)}"
    return _link(url, url)


def _link(url: str, text: str) -> str:
    return f'<a href="{html.escape(url)}">{html.escape(text, quote=False)}</a>'


def _element(name: str, attributes: list[tuple[str, str]]) -> str:
    written = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes)
    return f"<{name}{written}>"


def block_html(name: str, args: str, content: str) -> str:
    """Code of `codeblock`, `code` and `highlight`, as Markdown's fences become it."""
    given = words(args)
    language = next((word.partition(":")[2] for word in given if word.startswith("lang:")), "")
    if not language and name == "highlight" and given:
        language = given[0]
    known = _LANGUAGE.fullmatch(language) is not None
    opening = f'<code class="language-{html.escape(language)}">' if known else "<code>"
    return f"<pre>{opening}{html.escape(content.strip(chr(10)), quote=False)}\n</code></pre>\n"


def attributes(name: str, args: str) -> str | None:
    """What a shortcode of Hugo without content shows; None where it is not known."""
    pairs = _pairs(args.rstrip().removesuffix("/"))
    named = {key.lower(): value for key, value in pairs if key}
    plain = [value for key, value in pairs if not key]
    if name in {"figure", "img", "image"} and (source := named.get("src") or (plain[0] if plain else "")):
        return _figure(source, named, bare=name != "figure")
    if name in _PLAYERS:
        return _player(name, plain or [value for key in ("id", "user") if (value := named.get(key))])
    return None


def _figure(source: str, named: dict[str, str], *, bare: bool) -> str:
    """An image with its link, title and caption."""
    parts = [("src", source), ("alt", named.get("alt") or named.get("caption") or named.get("title") or "")]
    parts += [(key, named[key]) for key in ("width", "height") if named.get(key, "").isdecimal()]
    image = _element("img", parts)
    if url := named.get("link"):
        image = f'<a href="{html.escape(url)}">{image}</a>'
    caption = " ".join(html.escape(named[key], quote=False) for key in ("title", "caption", "attr") if named.get(key))
    if bare and not caption:
        return image
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>" if caption else f"<figure>{image}</figure>"
