"""The kinds of source, one model each: where posts come from, and what they are asked with."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema, model_validator

from aggregator.config.fields import (
    ConfigPath,
    Every,
    Expression,
    HttpUrl,
    Language,
    LinkTemplate,
    Model,
    Name,
    OrText,
    Route,
    Selector,
    UrlOrPath,
    Zone,
)


class SourceBase(Model):
    """What every kind of source has."""

    name: Name = Field(description="Stable and unique key of the source, `[a-z0-9-]+`. Renaming it makes new posts.")
    category: str | None = Field(
        None, description="A category path such as `编程/Dockone`; `category_mode` says what it does to the posts."
    )
    category_mode: Literal["fallback", "prefix", "replace"] = Field(
        "fallback",
        description="`fallback`: `category` is for posts without one of their own. `prefix`: it is joined before theirs. "
        "`replace`: it stands instead of theirs.",
    )
    every: Every | None = Field(
        None,
        description="How often the source is due: an interval (`30m`, `2h`, `1d`), a cron expression of five fields, or "
        "`adaptive`: twice as often as its posts come, between 15 minutes and a day, and ever more seldom once it falls "
        "silent. By default `adaptive`, and files on this machine at every run.",
    )
    timezone: Zone | None = Field(None, description="Time zone of dates without one; by default the site's.")
    language: Language | None = Field(
        None, description="Language of posts that do not say; by default the site's for files, and none for web feeds."
    )
    future: Literal["hold", "publish"] = Field(
        "hold", description="Posts dated in the future are held until they are due, or published at once."
    )


class FrontMatterSource(SourceBase):
    """A folder of files with front matter: the posts of a Hexo, Jekyll or Hugo site."""

    type: Literal["front-matter"] = Field(description="The kind of source.")
    path: ConfigPath = Field(description="The folder, relative to the file this stands in. Nothing outside it is read.")
    glob: str = Field(
        "**/*.{md,markdown,html}", description="Which files below the folder are posts; `{a,b}` means either."
    )
    dialect: Literal["hexo", "jekyll", "hugo", "flat"] = Field(
        "hexo",
        description="How `categories:` reads. Hexo: a list is one path, a list of lists is several. Jekyll, Hugo and flat: "
        "several categories of one name each.",
    )
    link: LinkTemplate | None = Field(
        None,
        description="Link of posts that carry none, such as `https://blog.example.com/{path}/`. `{path}` is the file's path "
        "in the folder without its suffix, `{name}` its last part, `{year}`, `{month}` and `{day}` the post's date.",
    )
    max_bytes: int = Field(
        20_000_000, gt=0, le=1_000_000_000, description="Files larger than this are skipped, by name."
    )


def _secrets(value: Any) -> Any:
    """Numbers and truth values as the text that is sent: `query: {page: 2}`."""
    if not isinstance(value, dict):
        return value
    return {key: str(item).lower() if isinstance(item, bool | int) else item for key, item in value.items()}


def _headers(value: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
    for name, secret in value.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise ValueError("holds a name that no header can have")
        if re.search(r"[\0\r\n]", secret.get_secret_value()):
            raise ValueError("holds a value with a line break, which no header can have")
    return value


def _fulltext(value: bool) -> bool:
    if value and importlib.util.find_spec("trafilatura") is None:
        raise ValueError("needs trafilatura: pip install -e '.[fulltext]'")
    return value


_WRITTEN = WithJsonSchema({"type": "object", "additionalProperties": {"type": ["string", "integer", "boolean"]}})
Secrets = Annotated[Mapping[str, SecretStr], BeforeValidator(_secrets), _WRITTEN]
Headers = Annotated[Mapping[str, SecretStr], BeforeValidator(_secrets), AfterValidator(_headers), _WRITTEN]


class Auth(Model):
    """User and password for HTTP's basic authentication."""

    username: str = Field(description="The user.")
    password: SecretStr = Field(SecretStr(""), description="The password; best from the environment: `${NAME}`.")
    password_file: ConfigPath | None = Field(None, description="A file that holds the password, and nothing else.")

    @model_validator(mode="after")
    def _one_password(self) -> Auth:
        if self.password.get_secret_value() and self.password_file:
            raise ValueError("has both `password` and `password_file`")
        return self


class WebSource(SourceBase):
    """What every source has that is asked over HTTP. Credentials go to the host of its URL and to no other."""

    auth: Auth | None = Field(None, description="User and password (basic authentication).")
    headers: Headers = Field({}, description='Headers to send, such as `{X-Api-Key: "${KEY}"}`.')
    headers_file: ConfigPath | None = Field(None, description="A file with more headers: a line `Name: value` each.")
    cookies: Secrets = Field({}, description="Cookies to send, by name.")
    cookies_file: ConfigPath | None = Field(None, description="A file with more cookies: a line `name: value` each.")
    query: Secrets = Field({}, description='Parameters to add to the URL\'s query, such as `{key: "${KEY}"}`.')
    query_file: ConfigPath | None = Field(None, description="A file with more parameters: a line `name: value` each.")
    allow_private: bool | None = Field(
        None, description="Whether addresses of private networks may be asked; by default what `fetch` says."
    )
    ca_bundle: ConfigPath | None = Field(
        None, description="A PEM file with the certificate authorities to trust, instead of the public ones."
    )
    max_items: int = Field(
        500, gt=0, le=100_000, description="Newest items of one document that are read; the others are left out."
    )
    fulltext: Annotated[bool, AfterValidator(_fulltext)] = Field(
        False,
        description="Fetch the page that a new post links to, once, and take its article as the content. "
        "Needs `pip install -e '.[fulltext]'`; where there is no article, the source's own content stays.",
    )
    robots: bool = Field(
        True, description="Whether the site's robots.txt is respected when pages are asked (`page`, `fulltext`)."
    )

    @property
    def address(self) -> str:
        """Where it is asked, as it is configured."""
        return str(getattr(self, "url", ""))


class FeedSource(WebSource):
    """A web feed: RSS, Atom or JSON Feed."""

    type: Literal["feed"] = Field(description="The kind of source.")
    url: UrlOrPath = Field(
        description="`http://`, `https://` or `feed://`, or the path of a local file, relative to the file this stands "
        "in. A page that names its feed is followed to it."
    )

    @property
    def is_local(self) -> bool:
        """True where the feed is a file on this machine."""
        return not self.url.startswith(("http://", "https://"))


def _instance(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


class RsshubInstance(Model):
    """One RSSHub to ask: its URL, or a mapping of URL and access key."""

    url: HttpUrl = Field(description="Where the instance is reachable, such as `https://rsshub.example.com`.")
    access_key: SecretStr = Field(
        SecretStr(""), description="Its `ACCESS_KEY`; what is sent is the code made from it and the route."
    )
    access_key_file: ConfigPath | None = Field(None, description="A file that holds the access key, and nothing else.")
    allow_private: bool | None = Field(None, description="Whether it may lie in a private network.")


Instances = tuple[Annotated[RsshubInstance, BeforeValidator(_instance), OrText()], ...]
Parameter = str | int | bool


class RsshubSource(WebSource):
    """A route of RSSHub, asked of the first instance that answers."""

    type: Literal["rsshub"] = Field(description="The kind of source.")
    path: Route = Field(description="The route, such as `/36kr/newsflashes`, without a query.")
    instances: Instances = Field((), description="Instances to ask, best first; by default those of `rsshub`.")
    parameters: Mapping[str, Parameter] = Field(
        {}, description="RSSHub's own parameters, passed on: `limit`, `filter_title`, `mode: fulltext`, …"
    )
    access_code: SecretStr = Field(SecretStr(""), description="An access code for this route alone.")

    @property
    def address(self) -> str:
        """The route, whatever instance is asked for it."""
        return f"rsshub:/{self.path}"


class OpmlSource(WebSource):
    """A subscription list (OPML); each of its outlines becomes a web feed, its folders become categories.

    What else stands here holds for each of the feeds; credentials are for the list alone.
    """

    type: Literal["opml"] = Field(description="The kind of source.")
    category_mode: Literal["fallback", "prefix", "replace"] = Field(
        "prefix",
        description="What `category` and the folders do to the posts; here by default they stand before theirs.",
    )
    path: UrlOrPath = Field(
        description="`http://` or `https://`, or the path of a local file. It is read again on its schedule: what "
        "left it is asked no more, and keeps its posts."
    )
    feeds_every: Every | None = Field(None, description="How often each of its feeds is due; by default `adaptive`.")

    @property
    def is_local(self) -> bool:
        """True where the list is a file on this machine."""
        return not self.path.startswith(("http://", "https://"))

    @property
    def address(self) -> str:
        """Where the list is."""
        return self.path


class PageSource(WebSource):
    """A web page without a feed: its items, by CSS selectors.

    A selector may end in `@attribute`; otherwise it gives what a person would read there, or for links and images the URL.
    """

    type: Literal["page"] = Field(description="The kind of source.")
    url: HttpUrl = Field(description="The page.")
    item: Selector = Field(min_length=1, description="Selects each item; the other selectors look within it.")
    title: Selector = Field("", description="The title; by default the text of the link.")
    link: Selector = Field("", description="The link; by default the first one with a text.")
    date: Selector = Field("", description="The date: the `datetime` of a `time` element, or its text.")
    content: Selector = Field("", description="The content, as HTML.")
    image: Selector = Field("", description="The lead image.")


class JsonSource(WebSource):
    """A JSON API: its items, by JMESPath expressions (jmespath.org)."""

    type: Literal["json"] = Field(description="The kind of source.")
    url: HttpUrl = Field(description="The address of the API.")
    item: Expression = Field(min_length=1, description="Selects the list of items, such as `data.list`.")
    title: Expression = Field("title", description="The title, within an item.")
    link: Expression = Field(
        "url || link", description="The link; one that is relative is made absolute against `url`."
    )
    date: Expression = Field("", description="The date: text, or seconds or milliseconds since 1970.")
    content: Expression = Field("", description="The content, as HTML.")
    image: Expression = Field("", description="The lead image.")
    id: Expression = Field("id", description="What names the item for good; where there is nothing, its link does.")


Source = FrontMatterSource | FeedSource | RsshubSource | OpmlSource | PageSource | JsonSource
AskedSource = FeedSource | RsshubSource | PageSource | JsonSource  # those that give posts from the web
