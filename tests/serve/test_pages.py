"""Pages over HTTP, on a server of their own with real sockets and a daemon that is only said to run."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import brotli
import pytest
import uvicorn
from builders import NOON, a_post, an_entry
from lxml import html
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from aggregator.config.models import Config
from aggregator.models import State
from aggregator.pipeline.regenerate import Regenerator
from aggregator.pipeline.searching import index_posts
from aggregator.pipeline.standing import read_status
from aggregator.publish.permalinks import post_directory
from aggregator.serve.pages import routes
from aggregator.serve.running import Queue
from aggregator.store.sources import SourceState
from aggregator.store.store import Store


@dataclass
class Daemon:
    """What a server may ask of a daemon."""

    config: Config
    store: Store
    faults: tuple[str, ...] = ()
    is_ready: bool = True
    queue: Queue = field(default_factory=lambda: Queue(3, 1))
    due: dict[str, datetime | None] = field(default_factory=dict)
    trouble: str = ""

    def now(self) -> datetime:
        return NOON

    def problem(self) -> str:
        return self.trouble

    def next_due(self) -> dict[str, datetime | None]:
        return self.due


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def tree(self) -> Any:
        return html.fromstring(self.body)

    def hrefs(self, path: str) -> list[str]:
        return [str(href) for href in self.tree.xpath(path)]


@pytest.fixture
def store(sqlite_store, tmp_path) -> Iterator[Store]:
    """SQLite alone: what differs between databases is tested with the store."""
    shutil.copyfile(sqlite_store, tmp_path / "store.db")
    opened = Store(f"sqlite:///{tmp_path / 'store.db'}")
    opened.open()
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here has to outlive a power cut."""
    monkeypatch.setattr("os.fsync", lambda _: None)


@pytest.fixture
def make_config(tmp_path, store):
    def make(**more: Any) -> Config:
        data = {
            "site": {"title": "行星", "base_url": "https://feeds.example.com/", "language": "zh-CN"},
            "store": store.url,
            "output": "out",
            "feeds": [{"slug": "both", "title": "Both", "categories": ["a", "b"]}],
            **more,
        }
        return Config.model_validate(data, context={"folder": tmp_path})

    return make


@pytest.fixture
def daemon(make_config, store) -> Daemon:
    return Daemon(make_config(), store)


class Listening:
    """A server whose application is put in by each test: starting one takes a tenth of a second, and stopping it, too."""

    def __init__(self) -> None:
        self.app: Any = None
        self.socket = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(
            self, log_level="critical", lifespan="off", http="h11", loop="asyncio", interface="asgi3"
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],))
        self.thread.start()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.socket.close()


@pytest.fixture(scope="module")
def listening() -> Iterator[Listening]:
    server = Listening()
    yield server
    server.close()


@pytest.fixture
def ask(daemon, listening) -> Any:
    """Asks a server for a path; it answers 404 with `documents` for what falls through."""
    fallback = Route("/{path:path}", lambda _: PlainTextResponse("documents", 404))
    listening.app = Starlette(routes=[*routes(daemon, figures=lambda: {"documents": 7}), fallback])

    def get(path: str, method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection(*listening.socket.getsockname(), timeout=10)
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = Answer(connection.getresponse())
        connection.close()
        return answer

    return get


def put(daemon, *posts):
    with daemon.store.write() as tx:
        tx.posts.put([an_entry(post) for post in posts], {}, NOON)
    list(Regenerator(daemon.config, daemon.store, lambda: None).regenerate())
    while index_posts(daemon.store):
        pass


def test_the_front_page_lists_feeds_in_the_language_of_the_reader(daemon, ask):
    put(daemon, a_post("a/b"))
    chinese = ask("/")
    english = ask("/", accept_language="fr, en-GB;q=0.8, zh;q=0.5")
    assert (chinese.headers["content-language"], english.headers["content-language"]) == ("zh-CN", "en")
    assert "订阅源" in chinese.body.decode()
    assert "Categories" in english.body.decode()
    assert (english.tree.get("lang"), english.tree.xpath("//h1/@lang")) == ("en", ["zh-CN"])
    assert {"all/", "both/", "category/a/", "category/a/b/"} <= set(english.hrefs("//a/@href"))
    assert english.headers["vary"] == "Accept-Language, Accept-Encoding"
    assert english.hrefs("//form/@action") == ["./search"]


def test_every_link_of_a_page_leads_to_a_page_or_a_document(daemon, ask):
    put(daemon, a_post("a/b", link=None))
    for href in ask("/").hrefs("//div[@class='feed']/a[@class='name']/@href"):
        page = ask(f"/{href}")
        assert page.status == 200
        (post,) = page.hrefs("//article/h2/a/@href")
        assert post.startswith("../" * href.count("/") + "posts/")
        assert ask("/" + post.replace("../", "")).status == 200
        assert page.hrefs("//nav/a/@href") == ["../" * href.count("/")]


def test_a_page_is_sent_once_and_then_only_when_it_changed(daemon, ask):
    put(daemon, a_post("a"))
    first = ask("/all/")
    assert first.headers["cache-control"] == "public, max-age=60"
    again = ask("/all/", if_none_match=f'W/{first.headers["etag"]}, "x"')
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    put(daemon, a_post("a", title="new"))
    changed = ask("/all/", if_none_match=first.headers["etag"])
    assert changed.status == 200
    assert b"new" in changed.body
    assert ask("/all/", if_none_match="nonsense").status == 200
    assert ask("/all/", if_none_match="*").status == 304


def test_head_says_what_get_would(daemon, ask):
    put(daemon, a_post("a"))
    get, head = ask("/all/"), ask("/all/", "HEAD")
    assert head.body == b""
    assert head.headers["etag"] == get.headers["etag"]
    assert head.headers["content-length"] == str(len(get.body))
    assert ask("/all/", "POST").status == 405


@pytest.mark.parametrize(("coding", "unpack"), [("gzip", gzip.decompress), ("br", brotli.decompress)])
def test_pages_are_compressed_and_each_coding_has_a_validator_of_its_own(daemon, ask, coding, unpack):
    put(daemon, a_post("a"))
    plain, packed = ask("/all/"), ask("/all/", accept_encoding=coding)
    assert packed.headers["content-encoding"] == coding
    assert unpack(packed.body) == plain.body
    assert packed.headers["etag"] != plain.headers["etag"]
    assert ask("/all/", accept_encoding=coding, if_none_match=packed.headers["etag"]).status == 304


def test_a_popular_page_is_made_once(daemon, ask, monkeypatch):
    put(daemon, a_post("a"))
    ask("/all/")
    monkeypatch.setattr("aggregator.pipeline.showing.feed_page", None)
    assert ask("/all/").status == 200
    assert ask("/category/a/").status == 500


def test_a_reloaded_configuration_counts_at_once(daemon, ask, make_config):
    put(daemon, a_post("a"))
    assert "行星" in ask("/").body.decode()
    daemon.config = make_config(site={"title": "Other", "base_url": "https://feeds.example.com/"})
    assert "Other" in ask("/").body.decode()


def test_a_feed_goes_on_beyond_its_limit_on_further_pages(daemon, ask):
    put(daemon, *(a_post("a", title=f"t{n}", published=NOON - timedelta(hours=n)) for n in range(120)))
    titles = [ask(f"/both/?page={number}").tree.xpath("//article/h2/a/text()") for number in (1, 2, 3)]
    assert [len(page) for page in titles] == [50, 50, 20]
    assert [title for page in titles for title in page] == [f"t{n}" for n in range(120)]
    middle = ask("/both/?page=2")
    assert middle.hrefs("//link[@rel='prev']/@href | //link[@rel='next']/@href") == ["./", "?page=3"]
    for page in ("4", "0", "-1", "x", "1e9", "99999999"):
        assert ask(f"/both/?page={page}").status == 404


def test_a_post_in_both_categories_of_a_feed_is_there_once(daemon, ask):
    both = a_post("a", "b", title="both")
    put(daemon, both, a_post("b", title="one"))
    assert ask("/both/").tree.xpath("//article/h2/a/text()") == ["one", "both"]


def test_what_is_no_page_falls_through_to_the_documents(daemon, ask):
    put(daemon, a_post("a"))
    for path in ("/nowhere/", "/private/0123456789abcdef/mine/", "/all/rss.xml", "/both", "/feeds.opml", "/x/y/"):
        assert ask(path).body == b"documents"


@pytest.mark.parametrize(
    "path",
    [
        "/category/x/",
        "/category/../",
        "/category//",
        "/category/%00/",
        "/posts/x/",
        "/posts/000000000000a/",
        "/posts/%F0%9F%99%82/",
    ],
)
def test_s1_what_does_not_exist_is_not_found(daemon, ask, path):
    put(daemon, a_post("a"))
    assert ask(path).status in {400, 404}


def test_a_category_in_any_script_has_its_page(daemon, ask):
    put(daemon, a_post("新媒体/趣头条"))
    assert ask("/category/%E6%96%B0%E5%AA%92%E4%BD%93/").status == 200


def test_private_feeds_are_listed_nowhere_and_left_to_the_documents(daemon, ask, make_config):
    daemon.config = make_config(
        feeds=[{"slug": "mine", "title": "Secret", "private": True, "token": "0123456789abcdef"}]
    )
    put(daemon, a_post("a"))
    seen = ask("/").body + ask("/status").body + ask("/status.json").body
    assert b"0123456789abcdef" not in seen
    assert b"mine" not in seen
    assert b"Secret" not in seen
    assert ask("/mine/").body == b"documents"


def test_s6_a_forged_host_changes_nothing(daemon, ask):
    put(daemon, a_post("a"))
    honest = ask("/all/")
    forged = ask("/all/", host="evil.example", x_forwarded_host="evil.example", x_forwarded_proto="ftp")
    assert forged.body == honest.body
    assert b"evil" not in forged.body
    assert honest.hrefs("//link[@rel='canonical']/@href") == ["https://feeds.example.com/all/"]


def test_a_posts_page_shows_it_whole_while_it_is_live(daemon, ask):
    post = a_post("a", content="<p>whole</p>")
    put(daemon, post, a_post("a", title="held", state=State.HELD, key="held"))
    path = f"/{post_directory(post.id)}/"
    page = ask(path)
    assert page.hrefs("//link[@rel='canonical']/@href") == [post.link]
    assert page.tree.xpath("//div[@class='content']/p/text()") == ["whole"]
    assert page.hrefs("//a[@rel='tag']/@href") == ["../../category/a/"]
    with daemon.store.write() as tx:
        tx.posts.withdraw([post.id], NOON)
    assert ask(path).status == 404
    assert ask(f"/{post_directory(a_post('a', key='held').id)}/").status == 404


def test_the_links_of_pages_that_are_files_lead_to_posts_as_well(daemon, ask, make_config):
    post = a_post("a", content="<p>whole</p>")
    put(daemon, post)
    path = f"/{post_directory(post.id)}"
    assert ask(f"{path}/index.html").body == ask(f"{path}/").body
    moved = ask(path)
    assert (moved.status, moved.headers["location"]) == (301, f"{path}/")
    daemon.config = make_config(site={"base_url": "https://example.com/planet/"})
    assert ask(path).headers["location"] == f"/planet{path}/"
    for nothing in ("/posts/x", "/posts/x/index.html", f"/{post_directory(1)}"):
        assert ask(nothing).status == 404


def test_posts_are_found_and_their_words_marked(daemon, ask):
    put(
        daemon,
        a_post("a", title="小区停电了"),
        a_post("a", title="Docker"),
        *(a_post("a", title=f"x {n}") for n in range(25)),
    )
    page = ask("/search?q=%E5%81%9C%E7%94%B5")
    assert page.tree.xpath("//mark/text()") == ["停电"]
    assert page.tree.xpath("//input/@value") == ["停电"]
    assert len(ask("/search?q=x").tree.xpath("//article")) == 20
    assert ask("/search?q=x").hrefs("//nav[@class='pager']//a/@href") == ["search?q=x&page=2"]
    assert len(ask("/search?q=x&page=2").tree.xpath("//article")) == 5
    assert [ask(f"/search?q=x&page={page}").status for page in (3, 99)] == [404, 404]
    assert "没有文章" in ask("/search?q=zzz").body.decode()
    assert ask("/search").status == 200


@pytest.mark.parametrize(
    "query", ["%22", "'", "%00", "%ff%fe", "a" * 10_000, "%3Cscript%3E", "a+AND+(", "*", "%EF%BF%BE"]
)
def test_s5_hostile_queries_find_nothing_and_break_nothing(daemon, ask, query):
    put(daemon, a_post("a"))
    page = ask(f"/search?q={query}")
    assert page.status == 200
    assert b"<script" not in page.body


def test_a_slash_too_many_leads_to_the_page_all_the_same(daemon, ask, make_config):
    assert [ask("/status/").status, ask("/status/").headers["location"]] == [301, "/status"]
    daemon.config = make_config(site={"base_url": "https://example.com/planet/"})
    assert ask("/search/?q=a%20b").headers["location"] == "/planet/search?q=a%20b"


def test_search_can_be_switched_off(daemon, ask, make_config):
    daemon.config = make_config(serve={"search": False})
    assert ask("/search?q=x").status == 404
    assert ask("/").hrefs("//form/@action") == []


SOURCES = [
    {"name": name, "type": "feed", "url": f"https://{name}.example/feed?key=hunter2secret"}
    for name in ("well", "sick", "new")
]


@pytest.fixture
def watched(daemon, make_config) -> Daemon:
    """A daemon with one source that is well, one that fails, and one that was never asked."""
    daemon.config = make_config(sources=SOURCES)
    daemon.due = {"well": NOON + timedelta(minutes=5), "sick": NOON + timedelta(hours=2)}
    day = timedelta(days=1)
    put(daemon, *(a_post("a", source="well", published=NOON - day * n) for n in (0, 0, 1, 29, 30, 400)))
    with daemon.store.write() as tx:
        tx.sources.put([
            SourceState(name="well", checked_at=NOON, ok_at=NOON, result="3 new"),
            SourceState(name="new", result="asked to wait"),
            SourceState(name="sick", checked_at=NOON, ok_at=NOON - day, result="failed", error="timed out <b>", failures=4),
        ])  # fmt: skip
        tx.fetches.count(NOON, {"new": 3, "failed": 1})
        tx.fetches.count(NOON - timedelta(hours=23), {"not-modified": 5})
    return daemon


def test_the_status_tells_of_the_sick_first_in_plain_words(watched, ask):
    page = ask("/status", accept_language="en")
    rows = page.tree.xpath("//section[h2/@id='sources']//tbody/tr")
    assert [row.xpath("string(th/text()[1])") for row in rows] == ["sick", "new", "well"]
    assert [row.xpath("string(.//span)") for row in rows] == ["failing", "never asked", "well"]
    assert "timed out <b>" in rows[0].text_content()
    assert "failed 4 times in a row" in rows[0].text_content()
    assert "2024-05-01 14:00" in rows[0].text_content()
    assert "1 of 3 sources need attention" in page.tree.xpath("string(//header/p)")
    assert page.headers["cache-control"] == "no-store"


def test_the_status_shows_posts_a_day_and_fetches_by_the_hour_also_in_words(watched, ask):
    page = ask("/status", accept_language="en")
    assert page.tree.xpath("//svg[@class='spark']/@aria-label") == ["4 in 30 days"]
    assert page.tree.xpath("//svg[@class='plot']/@aria-label") == [
        "Fetches in the last day: 3 new posts, 5 not modified, 1 failed"
    ]
    cells = [row.xpath("th/text() | td/text()") for row in page.tree.xpath("//details//tbody/tr")]
    assert len(cells) == 24
    assert cells[-1] == ["12:00", "3", "0", "0", "0", "1"]
    assert cells[0] == ["13:00", "0", "0", "5", "0", "0"]
    figures = dict(zip(page.tree.xpath("//dt/text()"), page.tree.xpath("//dd/text()"), strict=True))
    assert (figures["sources due"], figures["being asked"], figures["documents"]) == ("3", "1", "7")


def test_the_status_speaks_chinese(watched, ask):
    text = ask("/status").tree.text_content()
    assert "3 篇新文章" in text
    assert "连续失败 4 次" in text
    assert "要求等待" in text
    assert "asked to wait" not in text


def test_f16_no_secret_stands_in_the_status(watched, ask):
    assert b"hunter2secret" not in ask("/status").body + ask("/status.json").body


def test_of_a_local_source_strangers_see_the_files_name_alone(daemon, ask, make_config):
    daemon.config = make_config(sources=[{"name": "local", "type": "feed", "url": "folder/planet.xml"}])
    seen = ask("/status").body + ask("/status.json").body
    assert seen.count(b"planet.xml") == 2
    assert b"folder" not in seen


def test_strangers_see_what_failed_and_not_where_on_this_machine(daemon, ask, make_config, tmp_path):
    files = [{"name": "posts", "type": "front-matter", "path": "acme secret/posts"}]
    daemon.config = make_config(sources=[*files, {"name": "web", "type": "feed", "url": "https://web.example/feed"}])
    states = [
        SourceState(name="posts", checked_at=NOON, error=f"there is no folder {tmp_path}/acme secret/posts", failures=1),
        SourceState(name="web", checked_at=NOON, url="https://me:pw@other.example/a/b?token=s3cret",
                    error="unexpected OSError: '/srv/acme/x.pem'", note="https://other.example/a/b failed; it is asked again"),
    ]  # fmt: skip
    with daemon.store.write() as tx:
        tx.sources.put(states)
    page, data = ask("/status").tree.text_content(), ask("/status.json").body.decode()
    for seen in (page, data):
        assert "there is no folder posts" in seen
        assert "unexpected OSError: 'x.pem'" in seen
        assert "https://other.example/a/b failed" in seen
        assert not any(word in seen for word in ("acme", str(tmp_path), "s3cret", "me:pw"))
    assert json.loads(data)["sources"][1]["asked_at"] == "https://other.example/a/b?token=***"
    for row in read_status(daemon.config, daemon.store, lambda *_: None, lambda *_: True).sources:
        assert "acme" in row["error"]


def test_r6_a_refused_configuration_is_told_at_the_top(watched, ask):
    watched.faults, watched.trouble = ("a.yaml:3: feeds: <wrong>",), "its clock stands still"
    page = ask("/status")
    assert page.tree.xpath("//div[@role='alert']//li/text()") == ["a.yaml:3: feeds: <wrong>"]
    assert json.loads(ask("/status.json").body)["faults"] == ["a.yaml:3: feeds: <wrong>"]
    assert "its clock stands still" in page.tree.text_content()


def test_the_status_as_json_has_what_the_command_says(watched, ask):
    data = json.loads(ask("/status.json").body)
    assert [source["name"] for source in data["sources"]] == ["sick", "new", "well"]
    sick = data["sources"][0]
    assert (sick["error"], sick["next_due"], sick["is_due"]) == ("timed out <b>", "2024-05-01T14:00:00Z", False)
    assert data["queue"] == {"due": 3, "asking": 1}
    assert {feed["slug"] for feed in data["feeds"]} >= {"all", "both", "category/a"}


def test_the_status_can_be_switched_off(daemon, ask, make_config):
    daemon.config = make_config(status={"enabled": False})
    assert (ask("/status").status, ask("/status.json").status) == (404, 404)
    assert "status" not in ask("/").hrefs("//a/@href")


def test_f16_the_status_can_be_for_those_who_know_its_token(daemon, ask, make_config):
    token = "s3cret-token-of-mine"
    sources = [{"name": f"s{n}", "type": "feed", "url": f"https://{n}.example/"} for n in range(201)]
    daemon.config = make_config(status={"token": token}, sources=sources)
    for path in ("/status", "/status.json"):
        refused = ask(path)
        assert (refused.status, refused.headers["www-authenticate"]) == (401, 'Bearer realm="status"')
        assert ask(f"{path}?token=wrong").status == 401
        assert ask(path, authorization=f"Basic {token}").status == 401
        assert ask(path, authorization=f"Bearer {token}").status == 200
    page = ask("/status?token=%22%3E%26x=1", authorization=f"Bearer {token}")
    assert page.hrefs("//nav[@class='pager']//a/@href") == ["status?page=2"]
    page = ask(f"/status?token={token}")
    assert page.hrefs("//nav[@class='pager']//a/@href") == [f"status?token={token}&page=2"]
    assert ask("/" + page.hrefs("//nav[@class='pager']//a/@href")[0]).status == 200
    assert ask("/").hrefs("//footer//a/@href") == []


def test_a_status_of_many_sources_stays_small(daemon, ask, make_config):
    sources = [{"name": f"source-{n:04}", "type": "feed", "url": f"https://{n}.example/feed"} for n in range(2000)]
    daemon.config = make_config(sources=sources)
    states = [
        SourceState(name=f"source-{n:04}", checked_at=NOON, result="failed", error="x" * 200) for n in range(2000)
    ]
    with daemon.store.write() as tx:
        tx.sources.put(states)
    pages = [ask("/status"), ask("/status?page=10")]
    assert all(page.status == 200 and len(page.body) < 500_000 for page in pages)
    assert ask("/status?page=11").status == 404


def test_all_pages_have_one_heading_landmarks_and_labels(watched, ask):
    post = a_post("a", link=None)
    put(watched, post)
    for path in ("/", "/all/", f"/{post_directory(post.id)}/", "/search?q=text", "/status"):
        tree = ask(path).tree
        assert [len(tree.xpath(f"//{tag}")) for tag in ("h1", "header", "main", "footer")] == [1, 1, 1, 1], path
        assert tree.xpath("//script") == []
        ids = tree.xpath("//@id")
        assert len(ids) == len(set(ids))
        assert all(label.get("for") in ids for label in tree.xpath("//label"))
        assert re.search(r"^zh", tree.get("lang"))
        assert tree.xpath("//a[@class='skip']/@href") == ["#main"]


def test_moments_are_said_in_the_sites_zone(watched, ask, make_config):
    zone = {"title": "x", "base_url": "https://feeds.example.com/", "timezone": "Asia/Shanghai"}
    watched.config = make_config(sources=SOURCES, site=zone)
    assert "2024-05-01 20:00" in ask("/status").tree.text_content()
    assert datetime(2024, 5, 1, 12, tzinfo=UTC) == NOON


def test_s2_a_demand_that_no_page_meets_is_kept_by_no_cache(ask):
    refused = ask("/", if_match='"another"')
    assert refused.status == 412
    assert "public" not in (refused.headers["cache-control"] or "")
