"""Image proxies as rows of a table, and what a URL that points at one unwraps to.

A proxy is known by its host, or, where people run their own, by a path that nothing else has. Every family is data: no
proxy has code of its own, so that a row in the configuration can say all that a built-in row can.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate
from typing import NamedTuple
from urllib.parse import quote, unquote

MAX_DEPTH = 3
MAX_CHARS = 8192  # no image server takes a longer URL, and every pattern runs over it

# Strings, which `re` compiles and keeps at their first use: compiled here, they would be most of what importing costs.
_URL = r"(?s)[hH][tT]{2}[pP][sS]?://(?:[^/?#@]*@)?([^/?#:]*)(?::\d*)?([^?#]*)(\?[^#]*)?(#.*)?"
_PLAIN = (
    r"https?://(?:[a-z0-9-]+\.)+([a-z]{2,24})(?::\d{1,5})?(?:[/?#][!#-;=?-\[\]-_a-z{-~]*)?"  # by far the most origins
)
_ABSOLUTE = r"(?i)(https?):/+(?=[^/])"  # servers and caches fold `//` in a path into `/`
_ENCODED = r"(?i)https?%3a"
_LABEL = r"[^\s./?#@:%\[\]<>\"\\]+"
_ORIGIN = rf"(?s)https?://({_LABEL}(?:\.{_LABEL})+)\.?(?::\d{{1,5}})?(?:[/?#].*)?"
_UNSAFE = r"[^!#-;=?-\[\]-_a-z{-~]+"  # space, quotes, <>, \, controls and all that is not ASCII
_DOTTED = r"(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})"
_PRIVATE = (
    r"(?:0|10|127)\.|169\.254\.|192\.168\.|192\.0\.0\.|172\.(?:1[6-9]|2\d|3[01])\.|198\.1[89]\.|2(?:2[4-9]|[3-5]\d)\."
    r"|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\."
)
_PRIVATE_NAMES = frozenset({"localhost", "local", "localdomain", "internal"})

_WESERV = ("images.weserv.nl", "*.weserv.nl")
_WESERV_OWN = (
    *(
        "w",
        "h",
        "dpr",
        "fit",
        "contain",
        "cover",
        "a",
        "we",
        "output",
        "q",
        "l",
        "il",
        "n",
        "page",
        "maxage",
        "default",
    ),
    *("errorredirect", "filename", "bg", "cbg", "rbg", "mask", "mbg", "mtrim", "mod", "blur", "con", "filt", "flip"),
    *("flop", "gam", "hue", "ro", "sat", "sharp", "tint", "trim", "crop", "precrop", "cx", "cy", "cw", "ch", "af", "t"),
)
_GADGET_OWN = (
    *("container", "gadget", "no_expand", "resize_w", "resize_h", "resize_q", "rewriteMime", "refresh"),
    *("fallback_url", "sanitize", "debug", "nocache"),
)
_DUCKDUCKGO = ("external-content.duckduckgo.com", "proxy.duckduckgo.com", "images.duckduckgo.com")
_CAMO = r"/[0-9a-f]{32,64}/((?:[0-9a-f]{2})+)"
_FETCH = r"/(?:.*/)?(?:image|video)/fetch/(?:.*?/)?(https?(?::|%3[Aa]).+)"


@dataclass(frozen=True, slots=True)
class Proxy:
    """One kind of image proxy: how to know its URLs, and where in them the origin stands.

    Attributes:
        name: What `aggregator image` calls it.
        hosts: Globs, any of which the host must match: `wsrv.nl`, `*.workers.dev`, `i[0-9].wp.com`. `*` is any host;
            then the URL must hold an absolute http(s) URL, and `path` should be unmistakable.
        path: A regular expression that the whole path must match; empty for any path. Where `parameter` is None, its
            groups, joined, are what the URL holds.
        parameter: The query parameter that holds the origin; an empty string: the whole query; None: the path does.
        own: The proxy's own query parameters: there ends an origin in `parameter` that was not escaped.
        keep_query: Whether the query is the rest of an origin that the path holds.
        decode: `auto`: percent-decoded once when it was escaped as a whole (`http%3A%2F%2F…`), else verbatim;
            `percent`: percent-decoded once; `none`; `hex`; `base64`: URL-safe or not, with padding or without.
        value: A regular expression that the whole decoded text must match; its groups, joined, are the origin.
        prefix: What goes before an origin that is not absolute, such as `https://`; empty: it has to be absolute.
        secure: A parameter, such as `ssl=1`, that turns the `prefix` into https.
    """

    name: str
    hosts: tuple[str, ...] = ("*",)
    path: str = ""
    parameter: str | None = None
    own: tuple[str, ...] = ()
    keep_query: bool = False
    decode: str = "auto"
    value: str = ""
    prefix: str = ""
    secure: str = ""

    def compiled(self) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
        """The regular expressions for host, path and value."""
        hosts = "|".join(translate(glob.lower()) for glob in self.hosts)
        return re.compile(hosts), re.compile(self.path or ".*"), re.compile(self.value or "(.*)", re.DOTALL)


class Unwrapped(NamedTuple):
    """An origin, and the names of the proxies around it, outermost first; without any, the URL as it was."""

    origin: str
    rules: tuple[str, ...] = ()


BUILT_IN: tuple[Proxy, ...] = (
    # --- one host, or a few
    Proxy("zfour-worker", ("cors.zfour.workers.dev",), parameter=""),
    Proxy("worker-url=", ("*.workers.dev",), parameter="url"),
    Proxy("worker-path", ("*.workers.dev",), path=r"/(https?(?::|%3[Aa]).+)", keep_query=True),
    Proxy("worker-query", ("*.workers.dev",), parameter=""),
    Proxy("weserv-ssl", _WESERV, parameter="url", own=_WESERV_OWN, value=r"ssl:(.+)", prefix="https://"),
    Proxy("weserv", _WESERV, parameter="url", own=_WESERV_OWN, prefix="https://"),
    Proxy("wsrv", ("wsrv.nl",), parameter="url", own=_WESERV_OWN, prefix="https://"),
    Proxy("wp-photon", ("i[0-9].wp.com",), path=r"/([^/]+\.[^/]+/.+)", prefix="http://", secure="ssl=1"),
    Proxy("camo", ("camo.githubusercontent.com", "user-content.gitlab-static.net", "camo.*"), path=_CAMO, decode="hex"),
    Proxy("camo-url=", ("camo.*",), path=r"/[0-9a-f]{40,64}", parameter="url"),
    Proxy("inoreader", ("*.inoreader.com", "inoreader.com"), path=r"/camo/[^/]+,b64/([\w-]+=*)", decode="base64"),
    Proxy("cloudinary-fetch", ("*.cloudinary.com",), path=_FETCH, keep_query=True),
    Proxy("substack", ("substackcdn.com", "cdn.substack.com"), path=_FETCH, keep_query=True),
    Proxy("duckduckgo", _DUCKDUCKGO, path=r"/iu/?", parameter="u", own=("f", "nofb", "ipt", "ipo", "s", "h")),
    Proxy("google-gadget", ("*.googleusercontent.com",), path=r"/gadgets/proxy", parameter="url", own=_GADGET_OWN),
    Proxy("corsproxy.io", ("corsproxy.io", "*.corsproxy.io"), parameter="url"),
    Proxy("corsproxy.io-bare", ("corsproxy.io", "*.corsproxy.io", "cors.io", "corsproxy.org"), parameter=""),
    Proxy("allorigins", ("*.allorigins.win",), path=r"/(?:raw|get)", parameter="url", own=("charset", "callback")),
    Proxy("codetabs", ("api.codetabs.com",), path=r"/v1/proxy/?", parameter="quest"),
    Proxy("thingproxy", ("thingproxy.freeboard.io",), path=r"/fetch/(.+)", keep_query=True),
    Proxy("statically", ("cdn.statically.io",), path=r"/img/([^/]+/)(?:[^/]*=[^/]*/)?(.+)", prefix="https://"),
    Proxy("xuehua", ("*.xuehuaimg.com",), path=r"/proxy/(?:[^./:%]+/)?(.+)", keep_query=True, prefix="https://"),
    Proxy("pimg", ("imageproxy.pimg.tw",), parameter="url", own=("width", "height", "w", "h")),
    Proxy("imagekit-web", ("ik.imagekit.io",), path=r"/[^/]+/(?:tr:[^/]+/)?(https?(?::|%3[Aa]).+)"),
    Proxy("imagekit-own", ("ik.imagekit.io",), path=r"/([^/]+/)?tr:[^/]+/(.+)", prefix="https://ik.imagekit.io/"),
    Proxy("pocket", ("pocket-image-cache.com", "*.pocket-image-cache.com"), path=r"/.*?/?(https?(?::|%3[Aa]).+)"),
    Proxy("baidu-down", ("image.baidu.com",), path=r"/search/down", parameter="url", own=("tn", "word", "ie", "fr")),
    Proxy("baidu-src", ("gimg[0-9].baidu.com",), path=r"/image_search/(?:[^&]*&)*src=([^&]+)(?:&.*)?"),
    Proxy("naver", ("search.pstatic.net",), path=r"/(?:common|sunny)/?", parameter="src", own=("type", "opt")),
    Proxy("noobzone", ("img.noobzone.ru",), path=r"/getimg\.php", parameter="url"),
    # --- any host: people run these themselves
    Proxy("cors-anywhere", path=r"/+(https?(?::/|%3[Aa]%2[Ff]).+)", keep_query=True),
    Proxy("next-image", path=r"/(?:.*/)?_next/image/?", parameter="url", own=("w", "q")),
    Proxy("miniflux", path=r"/(?:.*/)?proxy/[\w-]{4,}={0,2}/([\w-]+={0,2})", decode="base64"),
    Proxy("imgproxy-plain", path=r"/[^/]+/(?:[^/]*/)*?plain/(https?(?::|%3[Aa]).+?)(?:@[a-z0-9]{2,5})?"),
    Proxy("imgproxy-base64", path=r"/[^/]+/(?:[a-z_]+:[^/]*/)+([\w/-]+={0,2})(?:\.[a-z0-9]{2,5})?", decode="base64"),
    Proxy("thumbor", path=r"/(?:unsafe|[\w-]{27}=)/(?:.*?/)?(https?(?::/|%3[Aa]).+)", keep_query=True),
)


class ProxyTable:
    """The proxies that are unwrapped; rows for a host win over rows for any host, and then earlier ones over later ones.

    A row's regular expressions are compiled when the first URL of its hosts comes by, because compiling all of them
    would cost a run in which nothing changed several milliseconds.
    """

    def __init__(self, rows: Iterable[Proxy] = BUILT_IN) -> None:
        self._by_domain: dict[str, list[_Row]] = {}
        self._anywhere: list[_Row] = []  # only these look at every URL
        for proxy in rows:
            row = _Row(proxy)
            for domain in dict.fromkeys(_domain(host) for host in proxy.hosts):
                wild = any(character in domain for character in "*?[")
                (self._anywhere if wild else self._by_domain.setdefault(domain, [])).append(row)

    def unwrap(self, url: str) -> Unwrapped:
        """The origin behind every proxy around a URL, or the URL as it was where it is none, or is none to trust.

        Taken off are at most `MAX_DEPTH` proxies, and only such as leave an http(s) URL of a public host. With more
        around it the URL stays whole, so that unwrapping what was unwrapped never changes it.
        """
        rules: list[str] = []
        origin = url
        while (step := self._step(origin)) is not None:
            if len(rules) == MAX_DEPTH:
                return Unwrapped(url, ())
            origin, rule = step
            rules.append(rule)
        return Unwrapped(origin, tuple(rules))

    def _step(self, url: str) -> tuple[str, str] | None:
        """What one proxy holds, and its name; None where the URL is no proxy's."""
        start = url.find("://") + 3
        rest = url[start:]
        host = rest.partition("/")[0].lower()
        rows = self._by_domain.get(_domain(host), ())
        if not rows and ":" not in host and not _holds_url(rest):
            return None  # by far the most URLs, at 1 µs each
        parts = re.fullmatch(_URL, url)
        if parts is None or len(url) > MAX_CHARS:
            return None
        if parts[1] != host:  # with a port, a user, or no path
            host = parts[1].lower()
            rows = self._by_domain.get(_domain(host), ())
        for row in (*rows, *self._anywhere):
            origin = row.origin(host, parts[2], parts[3] or "", parts[4] or "")
            if origin is not None and origin != url:
                return origin, row.proxy.name
        return None


class _Row:
    """A proxy with its regular expressions compiled, from the first URL on."""

    __slots__ = ("_hosts", "_path", "_value", "proxy")

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self._hosts: re.Pattern[str] | None = None

    def origin(self, host: str, path: str, query: str, fragment: str) -> str | None:
        """The origin that the parts of a URL hold by this row; None where it is not of this kind."""
        proxy = self.proxy
        if self._hosts is None:
            self._hosts, self._path, self._value = proxy.compiled()
        if host not in proxy.hosts and not self._hosts.match(host):
            return None
        found = self._path.fullmatch(path)
        if found is None:
            return None
        if proxy.parameter is None:
            text = "".join(group or "" for group in found.groups()) + (query + fragment if proxy.keep_query else "")
        elif proxy.parameter:
            text = _parameter(query, proxy.parameter, proxy.own)
        else:
            text = query[1:] + fragment
        decoded = _decoded(text, proxy.decode)
        if decoded is None:
            return None
        if proxy.value:
            value = self._value.fullmatch(decoded)
            if value is None:
                return None
            decoded = "".join(group or "" for group in value.groups())
        prefix = proxy.prefix
        if proxy.secure and proxy.secure in query[1:].split("&"):
            prefix = prefix.replace("http:", "https:")
        return _public(decoded, prefix)


def _holds_url(rest: str) -> bool:
    """Whether the path may hold an absolute URL: plain or escaped, in base64, or in hex."""
    return "http" in rest or "aHR0c" in rest or "68747470" in rest


def _domain(host: str) -> str:
    """The last two labels of a host, by which rows are found."""
    return ".".join(host.rsplit(".", 2)[-2:])


def _parameter(query: str, name: str, own: tuple[str, ...]) -> str:
    """The value of a query parameter, still escaped; one that was never escaped runs on to the proxy's own ones."""
    start = re.search(rf"[?&]{re.escape(name)}=", query)
    if start is None:
        return ""
    text = query[start.end() :]
    value = text.partition("&")[0]
    if "/" not in value or re.match(_ENCODED, value):
        return value
    end = re.search(rf"&(?:{'|'.join(map(re.escape, own))})(?:[=&]|$)", text) if own else None
    return text[: end.start()] if end else text


def _decoded(text: str, rule: str) -> str | None:
    """The text after the decoding that a row names; None where it cannot be decoded, or is empty."""
    if rule == "hex":
        try:
            return bytes.fromhex(text).decode() or None
        except ValueError:
            return None
    if rule == "base64":
        letters = text.rstrip("=").replace("/", "").replace("+", "-")  # imgproxy splits it with slashes
        try:
            return base64.b64decode(letters + "=" * (-len(letters) % 4), altchars=b"-_", validate=True).decode() or None
        except ValueError:
            return None
    if rule == "percent" or (rule == "auto" and ("/" not in text or re.match(_ENCODED, text))):
        return unquote(text) or None
    return text or None


def _public(held: str, prefix: str) -> str | None:
    """The absolute URL that was held, if it leads to a public host; None for everything else."""
    plain = re.fullmatch(_PLAIN, held)
    if plain is not None and plain[1] not in _PRIVATE_NAMES:
        return held
    scheme = re.match(_ABSOLUTE, held)
    if scheme is not None:
        url = f"{scheme[1].lower()}://{held[scheme.end() :]}"
    elif held.startswith("//"):
        url = "https:" + held
    elif prefix:
        url = prefix + held
    else:
        return None
    parts = re.fullmatch(_ORIGIN, url)
    if parts is None or _is_private(parts[1]):
        return None
    return re.sub(_UNSAFE, lambda match: quote(match[0], safe="", errors="replace"), url)


def _is_private(host: str) -> bool:
    """Whether a host is, or may be, on a private network; every address in an unusual spelling counts as one.

    That is too strict for a request, and right for unwrapping: at worst the proxied URL stays as it was.
    """
    name = host.lower() if host.isascii() else unicodedata.normalize("NFKC", host).lower()
    last = name.rpartition(".")[2]
    if last in _PRIVATE_NAMES:
        return True
    if not re.fullmatch(r"\d+|0x[0-9a-f]*", last):
        return False
    return re.fullmatch(_DOTTED, name) is None or re.match(_PRIVATE, name) is not None
