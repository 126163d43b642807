"""What a value of the configuration may be: names, zones, intervals, URLs and paths, each with its own words of refusal."""

from __future__ import annotations

import importlib.util
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

Format = Literal["rss", "atom", "json"]
ALL_FORMATS: tuple[Format, ...] = ("rss", "atom", "json")

RESERVED_SLUGS = frozenset(
    [
        "category",
        "feeds",
        "healthz",
        "img",
        "index",
        "media",
        "metrics",
        "posts",
        "private",
        "readyz",
        "search",
        "static",
        "status",
        "websub",
    ]
)
LINK_PARTS = frozenset({"path", "name", "year", "month", "day"})  # of the template for posts without a link
# Parts of an origin in a template that wraps it, and signatures over it.
ORIGIN_PARTS = frozenset({"href", "href:q", "b64", "b64:padded", "hex", "scheme", "host", "path", "query"})
SIGNED_PARTS = frozenset({"camo", "miniflux", "imgproxy", "thumbor"})
ADAPTIVE = "adaptive"  # `every`: as often as the source's posts come
_URI = "!#$%&'()*+,/:;=?@[]~"  # what may stand in a URI beside letters, digits, `-`, `.` and `_` (RFC 3986 §2)
_ROUTE = r"/[^?#\s]*"
_ATTRIBUTE = re.compile(r"@[A-Za-z_][\w:.-]*\s*\Z")  # `img@data-src`: what it takes of what it selects
_POSTGRESQL = re.compile(r"([^@]*@)?(\[[^@]*\]|[^@:]*)(:\d+)?")  # where it is, and who asks
_INTERVAL = re.compile(r"(\d+)\s*([smhdw])")
_LONGEST = {"s": 31_536_000, "m": 525_600, "h": 8_760, "d": 365, "w": 52}  # a year, whatever is written
_SOME_DAY = datetime(2000, 1, 1, tzinfo=UTC)  # whether a day ever comes does not depend on when that is asked
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]{1,100}", value):
        raise ValueError("may hold only lower-case letters, digits and hyphens, 100 at the most")
    return value


def _slug(value: str) -> str:
    if _name(value) in RESERVED_SLUGS:
        raise ValueError("is reserved for our own use; choose another")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("is no time zone of the IANA database, such as Asia/Shanghai or UTC") from error
    return value


def _base_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", value):
        raise ValueError("must be an absolute http:// or https:// URL without query or fragment")
    value = re.sub(r"^(https?://[^/]+)/+", r"\1/", _uri(value))  # a link to `//status` would lead to another host
    return value if value.endswith("/") else value + "/"


def _hub(value: str) -> str:
    if value == "builtin":
        return value
    if not re.fullmatch(r"https?://[^/?#\s]\S*", value, re.IGNORECASE):
        raise ValueError("must be `builtin`, or the http:// or https:// URL of a hub")
    return _uri(value)


def _uri(url: str) -> str:
    """A URL as documents and HTTP headers want it: the host in IDNA, and the rest percent-encoded where it is not yet."""
    scheme, _, rest = url.partition("://")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        if not host.isascii():
            netloc = host.encode("idna").decode() + (f":{port}" if port else "")
            rest = rest.replace(parts.netloc, netloc, 1)
    except ValueError as error:
        raise ValueError("names a host that cannot be one") from error
    return f"{scheme.lower()}://{quote(rest, safe=_URI)}"


def http_url(value: str) -> str:
    """The value, if it begins as an http(s) URL, with its scheme in lower case; raises ValueError."""
    value = value.strip()
    match = re.match(r"(https?://)([^/?#]+)", value, re.IGNORECASE)
    if match is None:
        raise ValueError("must start with http:// or https://")
    port = re.search(r":([0-9]+)$", match[2])
    if re.search(r"\s", match[2]) or (port and not 0 < int(port[1][:6]) < 65_536):
        raise ValueError("names a host or port that cannot be one")
    return match[1].lower() + value[len(match[1]) :]


def _language(value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*", value):
        raise ValueError("is no language tag (RFC 5646), such as zh-CN or en")
    return value


def _every(value: str) -> str:
    if value == ADAPTIVE or interval(value) is not None:
        return value
    trigger = _cron(value)
    if trigger is None:
        raise ValueError("is neither `adaptive`, an interval such as 30m, nor a cron expression of five fields")
    # It would be looked for as far as the year 9999, which takes half a second, whenever it is asked what is due.
    if trigger.get_next_fire_time(None, _SOME_DAY) is None:
        raise ValueError("is a cron expression for a day that never comes, such as 30 February")
    return value


def _cron(value: str) -> Any:
    """The trigger of a cron expression, or None for what is none."""
    if len(value.split()) != 5:
        return None
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - a fifth of a second that few configs need

    try:
        return CronTrigger.from_crontab(value, timezone=UTC)
    except ValueError:
        return None


def interval(every: str) -> timedelta | None:
    """The interval that `every` names, or None where it is a cron expression."""
    match = _INTERVAL.fullmatch(every.strip())
    if match is None or not int(match[1]):
        return None
    return timedelta(**{_UNITS[match[2]]: min(int(match[1]), _LONGEST[match[2]])})


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error.msg}") from error
    return value


def _path(value: Any, info: ValidationInfo) -> Any:
    """A path written in the file, made absolute against the folder of that file."""
    if not isinstance(value, str) or not value:
        return value
    if "\0" in value:
        raise ValueError("holds a NUL character")
    try:
        return Path((info.context or {}).get("folder", "."), Path(value).expanduser())
    except RuntimeError as error:  # ~nobody/posts
        raise ValueError("starts with the home folder of a user who is not known here") from error


def _url_or_path(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, str):
        return value
    value = value.strip()
    # feed:https://… and feed://… are how some pages and readers write a feed's address; the latter means http.
    value = re.sub(r"^feed:(//)?(?=https?://)", "", value, flags=re.IGNORECASE)
    value = re.sub(r"^feed://", "http://", value, flags=re.IGNORECASE)
    if re.match(r"https?://", value, re.IGNORECASE):
        return http_url(value)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", value):
        raise ValueError("must be an http:// or https:// URL, or the path of a local file")
    return str(_path(value, info))


def _store(value: Any, info: ValidationInfo) -> Any:
    """A store's URL, with SQLite's relative path made absolute and PostgreSQL's driver named."""
    if not isinstance(value, str):
        return value
    if value.startswith("sqlite:///"):
        path = value.removeprefix("sqlite:///")
        if not path or path == ":memory:":
            raise ValueError("needs a file: a store in memory would forget everything between two runs")
        return f"sqlite:///{_path(path, info)}"
    scheme, separator, rest = value.partition("://")
    if separator and scheme in {"postgresql", "postgres", "postgresql+psycopg"}:
        if not _is_of_postgresql(value):
            raise ValueError("is no URL; a password in it needs `/`, `@` and `:` percent-encoded")
        if importlib.util.find_spec("psycopg") is None:
            raise ValueError("needs psycopg: pip install -e '.[postgresql]'")
        return f"postgresql+psycopg://{rest}"
    raise ValueError("must be sqlite:///PATH or postgresql://USER@HOST/NAME")


def _is_of_postgresql(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket that is not of an IPv6 address
        return False
    return "@" not in parts.path and bool(_POSTGRESQL.fullmatch(parts.netloc))


def _route(value: str) -> str:
    leaves_path = re.search(r"/\.{1,2}(/|$)", value)  # the instance's own
    if leaves_path or not re.fullmatch(_ROUTE, value):
        raise ValueError(
            "must be a path such as /36kr/newsflashes; what would stand behind its ? goes into `parameters`"
        )
    return value


def _selector(value: str) -> str:
    """A CSS selector, with or without `@attribute` at its end; that it can be read is found out here."""
    selector = _ATTRIBUTE.sub("", value).strip()
    if not selector:  # the attribute of the item itself, or nothing at all
        return value
    from cssselect import GenericTranslator, SelectorError  # noqa: PLC0415 - for sources that are pages

    try:
        GenericTranslator().css_to_xpath(selector)
    except SelectorError as error:
        place = re.search(r" at (\d+)>?$", str(error))  # the rest of the message may repeat the value
        where = f": it cannot be read from character {int(place[1]) + 1} on" if place else ""
        raise ValueError(f"is no CSS selector{where}") from None
    return value


def _expression(value: str) -> str:
    """A JMESPath expression; that it can be read is found out here."""
    if not value:
        return value
    import jmespath  # noqa: PLC0415 - for sources that are JSON APIs

    try:
        tree = jmespath.compile(value).parsed
    except jmespath.exceptions.JMESPathError as error:
        place = getattr(error, "lex_position", None) or getattr(error, "lexer_position", None)
        where = f": it cannot be read from character {place + 1} on" if place else ""
        raise ValueError(f"is no JMESPath expression{where}") from None
    known = jmespath.functions.Functions.FUNCTION_TABLE
    nodes = [tree]
    for node in nodes:  # which grows meanwhile
        nodes.extend(child for child in node["children"] if isinstance(child, dict))
        if node["type"] == "function_expression" and node["value"] not in known:
            raise ValueError("calls a function that JMESPath does not have")
    return value


class OrText:
    """Says of a mapping that a text may stand for it, where no type does: to editors, and to the reference."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Text, or what the model says of itself."""
        return {"anyOf": [{"type": "string"}, handler(core)]}


Name = Annotated[str, AfterValidator(_name)]
Slug = Annotated[str, AfterValidator(_slug)]
Zone = Annotated[str, AfterValidator(_zone)]
Language = Annotated[str, AfterValidator(_language)]
Every = Annotated[str, AfterValidator(_every)]
Formats = Annotated[tuple[Format, ...], Field(min_length=1)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
Hub = Annotated[str, AfterValidator(_hub)]
HttpUrl = Annotated[str, AfterValidator(http_url)]
UrlOrPath = Annotated[str, BeforeValidator(_url_or_path)]
StoreUrl = Annotated[str, BeforeValidator(_store)]
Route = Annotated[str, AfterValidator(_route), WithJsonSchema({"type": "string", "pattern": f"^{_ROUTE}$"})]
Selector = Annotated[str, AfterValidator(_selector)]
Expression = Annotated[str, AfterValidator(_expression)]


def _link_template(value: str) -> str:
    unknown = sorted(set(re.findall(r"\{(\w*)\}", value)) - LINK_PARTS)
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in sorted(LINK_PARTS))
        raise ValueError(f"does not know {{{unknown[0]}}}; there are {known}")
    return http_url(value)


def _wrap_template(value: str) -> str:
    parts = template_parts(value)
    if unknown := [part for part in parts if part not in ORIGIN_PARTS | SIGNED_PARTS]:
        known = ", ".join(f"{{{name}}}" for name in sorted(ORIGIN_PARTS | SIGNED_PARTS))
        raise ValueError(f"does not know {{{unknown[0]}}}; there are {known}")
    if {"href", "href:q", "b64", "b64:padded", "hex"}.isdisjoint(parts) and not {"host", "path"} <= set(parts):
        raise ValueError("holds no origin: it needs {href}, {href:q}, {b64} or {hex}, or else {host} and {path}")
    if len(parts) != len(set(parts)):
        raise ValueError("names a part twice")
    if "#" in value:
        raise ValueError("has a fragment, which no server is sent")
    return http_url(value)


def template_parts(template: str) -> list[str]:
    """The names between braces, in order."""
    return re.findall(r"\{([^{}]*)\}", template)


def signed_parts(template: str) -> list[str]:
    """The signatures that a template wants, in order."""
    return [part for part in template_parts(template) if part in SIGNED_PARTS]


WrapTemplate = Annotated[str, AfterValidator(_wrap_template)]
LinkTemplate = Annotated[str, AfterValidator(_link_template)]
Pattern = Annotated[str, AfterValidator(_pattern)]
ConfigPath = Annotated[Path, BeforeValidator(_path)]


class Model(BaseModel):
    """Frozen, and closed: a key that is not declared is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
