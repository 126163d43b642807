"""What happens to image URLs: which proxies are unwrapped, what is put in front of origins, what is kept here."""

from __future__ import annotations

import importlib.util
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator

from aggregator.config.fields import ConfigPath, HttpUrl, Model, Pattern, WrapTemplate, http_url, signed_parts


def _listed(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _key(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < 16:
        raise ValueError("must have at least 16 characters")
    return value


def _with_pillow(value: Any) -> Any:
    if value is not None and importlib.util.find_spec("PIL") is None:
        raise ValueError("needs Pillow: pip install -e '.[images]'")
    return value


def _hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("must name a host, or `*` for all of them")
    for glob in value:
        if not glob or {":", "/"} & set(glob):
            raise ValueError(f"holds {glob!r}, which is no host: hosts have no scheme, port or path here")
    return value


def _referer(value: str) -> str:
    return value and http_url(value)


Globs = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Hosts = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_hosts)]
Referer = Annotated[str, AfterValidator(_referer)]


class ProxyRow(Model):
    """One image proxy to unwrap, in the form of the built-in table (`aggregator/images/proxies.py`)."""

    name: str = Field(description="What `aggregator image` calls it.")
    hosts: tuple[str, ...] = Field(
        ("*",),
        description="Globs, any of which the host must match, such as `*.workers.dev`. `*` is any host; then the URL must "
        "hold an absolute http(s) URL, and `path` should be unmistakable.",
    )
    path: Pattern = Field(
        "",
        description="A regular expression that the whole path must match; empty: any path. Without `parameter`, its groups, "
        "joined, are what the URL holds.",
    )
    parameter: str | None = Field(
        None,
        description="The query parameter that holds the origin; an empty string: the whole query; `null`: the path does.",
    )
    own: tuple[str, ...] = Field(
        (), description="The proxy's own query parameters: there ends an origin in `parameter` that was not escaped."
    )
    keep_query: bool = Field(False, description="Whether the query is the rest of an origin that the path holds.")
    decode: Literal["auto", "none", "percent", "hex", "base64"] = Field(
        "auto",
        description="`auto`: percent-decoded once when it was escaped as a whole, else verbatim; `percent`: "
        "percent-decoded once; `none`; `hex`; `base64`: URL-safe or not, with padding or without.",
    )
    value: Pattern = Field(
        "", description="A regular expression that the decoded text must match; its groups, joined, are the origin."
    )
    prefix: str = Field(
        "",
        description="What goes before an origin that is not absolute, such as `https://`; empty: it has to be absolute.",
    )
    secure: str = Field("", description="A parameter, such as `ssl=1`, that turns the `prefix` into https.")

    @model_validator(mode="after")
    def _holds_an_origin(self) -> ProxyRow:
        if self.parameter is None and not re.compile(self.path).groups:
            raise ValueError("without `parameter`, `path` needs a group around the origin")
        return self


class ImageRule(Model):
    """What is published of the images that it matches: one of `action` and `wrap`."""

    hosts: Hosts = Field(
        ("*",),
        description="Globs, any of which the origin's host must match, such as `*.sinaimg.cn`, without a port; `*` is any host.",
    )
    sources: Globs = Field((), description="Globs for names of sources whose posts it is for; empty: all.")
    feeds: Globs = Field((), description="Globs for slugs of feeds it is for, such as `category/*`; empty: all.")
    action: Literal["link", "proxy", "mirror", "drop"] | None = Field(
        None,
        description="`link`: the origin as it is; `proxy`: through our own `/img/`, which `aggregator daemon` serves; `mirror`: "
        "a copy of our own below `media/`; `drop`: no image.",
    )
    wrap: WrapTemplate | None = Field(
        None,
        description="A URL with the origin in it, such as `https://wsrv.nl/?url={href:q}`. The parts are `{href}`, `{href:q}` "
        "(percent-encoded), `{b64}`, `{b64:padded}`, `{hex}`, `{scheme}`, `{host}`, `{path}`, `{query}`, and the signatures `{camo}`, "
        "`{miniflux}`, `{imgproxy}`, `{thumbor}`.",
    )
    key: SecretStr | None = Field(
        None, description="What signatures in `wrap` are made with, such as `${CAMO_KEY}`; imgproxy's in hexadecimal."
    )
    salt: SecretStr | None = Field(None, description="imgproxy's salt, in hexadecimal.")

    @model_validator(mode="after")
    def _does_one_thing(self) -> ImageRule:
        if self.action is None and self.wrap is None:
            raise ValueError("needs one of `action` and `wrap`")
        if self.action is not None and self.wrap is not None:
            raise ValueError("has both `action` and `wrap`, and does one thing")
        signed = signed_parts(self.wrap or "")
        if signed and self.key is None:
            raise ValueError(f"needs a `key` to sign {{{signed[0]}}} with")
        if self.key is not None and not signed:
            raise ValueError("has a `key`, but nothing in `wrap` is signed")
        if "imgproxy" in signed:
            for name, secret in (("key", self.key), ("salt", self.salt)):
                if secret is None or not re.fullmatch(r"([0-9a-fA-F]{2})+", secret.get_secret_value()):
                    raise ValueError(f"needs a `{name}` in hexadecimal for {{imgproxy}}")
        elif self.salt is not None:
            raise ValueError("has a `salt`, which only {imgproxy} has a use for")
        return self


class ImageHeaders(Model):
    """What the servers of images are told that answer nobody else."""

    hosts: Hosts = Field(description="Globs for hosts, without ports.")
    referer: Referer = Field("", description="The page that they want to be asked from; empty: none.")
    user_agent: str = Field(
        "", max_length=300, description="The browser that they want to be asked by; empty: our own."
    )


class ImageProxy(Model):
    """Our own image proxy, `/img/`, for rules with `action: proxy`."""

    cache: ConfigPath = Field(
        "../var/images", validate_default=True, description="The folder in which images are kept for a while."
    )
    cache_bytes: int = Field(1_000_000_000, ge=0, description="How much of them, in bytes; the least recently used go.")
    width: Annotated[Annotated[int, Field(gt=0, le=16_384)] | None, AfterValidator(_with_pillow)] = Field(
        None, description="Widest image sent, in pixels; wider ones are scaled down. Needs the extra `images`."
    )
    format: Annotated[Literal["webp", "avif"] | None, AfterValidator(_with_pillow)] = Field(
        None, description="What images are encoded as for readers that say they take it. Needs the extra `images`."
    )
    quality: int = Field(80, ge=1, le=100, description="How much of an image's detail is kept when it is encoded.")
    max_pixels: int = Field(
        50_000_000,
        gt=0,
        le=500_000_000,
        description="Largest image that is decoded, in pixels; larger ones go as they are.",
    )


class Images(Model):
    """What happens to image URLs."""

    unwrap: bool = Field(True, description="Recover the origin of images behind known proxies.")
    proxies: tuple[ProxyRow, ...] = Field((), description="More proxies to unwrap, tried before the built-in ones.")
    placeholders: Globs = Field(
        (),
        description="More images that stand for nothing, as globs for the URL without its scheme, such as "
        "`cdn.example.com/img/wait*`; they lead no post.",
    )
    trackers: Globs = Field((), description="More hosts whose images only count readers, as globs; they are removed.")
    rules: tuple[ImageRule, ...] = Field(
        (),
        description="What is published instead of an origin; the first that matches wins, and without one it is linked to.",
    )
    former_prefixes: tuple[HttpUrl, ...] = Field(
        (),
        description="What stood before origins in what was published earlier, such as `https://cors.example.com/?`; the rest "
        "may be plain, percent-encoded, base64 or hexadecimal. It is taken off wherever it still stands.",
    )
    key: Annotated[SecretStr, AfterValidator(_key)] | None = Field(
        None,
        description="What the URLs of our own proxy are signed with; by default a key that the store keeps. With another key, the "
        "images of posts that readers have already show no more.",
    )
    max_bytes: int = Field(20_971_520, gt=0, le=1_000_000_000, description="Largest image fetched, in bytes.")
    headers: tuple[ImageHeaders, ...] = Field(
        (), description="Hosts that want a certain Referer or User-Agent, tried before the built-in ones."
    )
    proxy: ImageProxy = Field(
        default_factory=lambda: ImageProxy.model_validate({}), description="Our own image proxy, `/img/`."
    )
    mirror_bytes: int = Field(
        5_000_000_000,
        ge=0,
        description="How much of images rules with `action: mirror` may keep below `media/`, in bytes; of those that no post "
        "shows any more, the oldest go.",
    )
