"""Real Chromium shows images that do not show where they are linked to, in the page of a feed reader and in our own.

They are of a host that refuses who comes from the pages of others, and proxied; of one that has died since, and mirrored;
of one without TLS, for pages that have it, and wrapped. Set SCREENSHOTS to a folder to keep what it saw.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import shutil
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme
from daemon import Process
from PIL import Image, ImageOps
from playwright.sync_api import Browser, Page, sync_playwright
from servers import Server, header, response
from webfeed import Reply, Web

CHROMIUM = shutil.which("chromium")
# Names, because http at 127.0.0.1 would be secure enough for a browser. It knows no others: nothing leaves the machine.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--disable-quic", "--host-resolver-rules=MAP *.test 127.0.0.1, MAP * ~NOTFOUND"]  # fmt: skip
# The machine of the daemon has the same names, and trusts who certifies them; Python imports it at its start.
MACHINE = """
import socket, certifi
ask = socket.getaddrinfo
socket.getaddrinfo = lambda host, *more, **options: ask("127.0.0.1" if str(host).endswith(".test") else host, *more, **options)
certifi.where = lambda: {authority!r}
"""
CONFIG = """
site: {{title: Images that show, base_url: "https://feeds.test:{port}/", language: en}}
store: sqlite:///store.db
output: out
serve: {{port: 0}}
fetch: {{allow_private: true, min_gap_s: 0}}
images: {{proxy: {{cache: cache}}, rules: {rules}}}
sources:
  - {{name: posts, type: front-matter, path: posts, dialect: hexo}}
feeds:
  - {{slug: all, title: Everything}}
"""
POST = '---\ntitle: {title}\ndate: 2024-03-0{day} 08:00:00\n---\n<p><img src="{image}" alt="It does not show."></p>\n'
# As a reader in the browser does; it leaves to the browser what is told as the Referer.
READER = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A reader</title><link rel="icon" href="data:,">
<style>body {{ font: 16px sans-serif; display: flex; gap: 16px; margin: 16px }} article {{ width: 300px }}</style><script>
fetch("{feed}").then(answer => answer.json()).then(feed => {{ for (const item of feed.items)
  document.body.insertAdjacentHTML("beforeend", `<article><h3>${{item.title}}</h3>${{item.content_html}}</article>`) }})
</script>"""
PICTURES = {"shy": (300, "#4278b4"), "gone": (290, "#c8823c"), "plain": (280, "#5a966e")}  # told apart by their width
TITLES = {"shy": "Its host refuses strangers", "gone": "Its host has died", "plain": "Its host has no TLS"}
WIDTHS = [width for width, _ in PICTURES.values()]


def picture(host: str) -> bytes:
    width, colour = PICTURES[host]
    out = io.BytesIO()
    drawn = Image.effect_mandelbrot((width, 180), (-2.3, -1.2, 1.1, 1.2), 40)
    ImageOps.colorize(drawn, colour, "white").save(out, "PNG")
    return out.getvalue()


class Hosts:
    """Of the images, a wrapper, a reader and the feeds: shy, wrap, reader and feeds at one port; gone and plain at their own."""

    def __init__(self, folder: Path) -> None:
        authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        names = (f"{name}.test" for name in ("feeds", "reader", "wrap", "shy", "gone"))
        authority.issue_cert(*names).configure_cert(tls)
        self.authority = folder / "authority.pem"
        authority.cert_pem.write_to_path(self.authority)
        self.daemon_port = 0
        self.many, self.gone, self.plain = Server(self._answer, tls), Server(self._send("gone"), tls), Web()
        self.plain.pages["plain.test", "/plain.png"] = Reply(200, picture("plain"), {"Content-Type": "image/png"})
        self.images = {
            "shy": self.url("shy", "/shy.png"),
            "gone": f"https://gone.test:{self.gone.port}/gone.png",
            "plain": f"http://plain.test:{self.plain.port}/plain.png",
        }

    def url(self, name: str, path: str = "/") -> str:
        return f"https://{name}.test:{self.many.port}{path}"

    def close(self) -> None:
        for server in (self.many, self.gone, self.plain):
            server.close()

    def referers(self) -> list[str | None]:
        """What the shy host was told, by whomever."""
        return [header(one, "referer") for one in self.many.asked if one.startswith("GET /shy.png ")]

    def _answer(self, connection: ssl.SSLSocket, request: str) -> None:
        name = (header(request, "host") or "").partition(".")[0]
        answers = {"shy": self._shy, "wrap": self._wrap, "reader": self._reader, "feeds": self._feeds}
        answers[name](connection, request)

    def _send(self, host: str) -> Callable[[ssl.SSLSocket, str], None]:
        return lambda connection, _: connection.sendall(response(picture(host), "Content-Type: image/png"))

    def _shy(self, connection: ssl.SSLSocket, request: str) -> None:
        """403 with a Referer of another host; the image with one of its own, or without."""
        referer = header(request, "referer")
        if referer and urlsplit(referer).hostname != "shy.test":
            connection.sendall(response(b"no", status="403 Forbidden"))
        else:
            self._send("shy")(connection, request)

    def _wrap(self, connection: ssl.SSLSocket, request: str) -> None:
        origin = urlsplit(parse_qs(urlsplit(request.split()[1]).query)["url"][0])
        asking = http.client.HTTPConnection("127.0.0.1", origin.port, timeout=10)
        asking.request("GET", origin.path, headers={"Host": origin.netloc})
        connection.sendall(response(asking.getresponse().read(), "Content-Type: image/png"))
        asking.close()

    def _reader(self, connection: ssl.SSLSocket, _: str) -> None:
        page = READER.format(feed=self.url("feeds", "/all/feed.json")).encode()
        connection.sendall(response(page, "Content-Type: text/html"))

    def _feeds(self, connection: ssl.SSLSocket, request: str) -> None:
        """Hands on what the daemon answers, as a server in front of it does."""
        with socket.create_connection(("127.0.0.1", self.daemon_port)) as daemon:
            daemon.sendall(request.replace("Connection: keep-alive", "Connection: close").encode("latin-1"))
            while data := daemon.recv(65536):
                connection.sendall(data)


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosts]:
    made = Hosts(tmp_path)
    (tmp_path / "machine").mkdir()
    (tmp_path / "machine/sitecustomize.py").write_text(MACHINE.format(authority=str(made.authority)), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "machine"), prepend=os.pathsep)
    yield made
    made.close()


Publish = Callable[..., None]


@pytest.fixture
def publish(tmp_path: Path, hosts: Hosts) -> Iterator[Publish]:
    """Starts a daemon with rules for images; once its feed has the URLs that are expected, a host dies."""
    running: list[Process] = []

    def start(expected: dict[str, str], *rules: dict[str, str]) -> None:
        (tmp_path / "posts").mkdir()
        for number, (host, image) in enumerate(hosts.images.items()):
            post = POST.format(title=TITLES[host], day=9 - number, image=image)
            (tmp_path / f"posts/{host}.md").write_text(post, encoding="utf-8")
        (tmp_path / "a.yaml").write_text(CONFIG.format(port=hosts.many.port, rules=json.dumps(rules)), encoding="utf-8")
        daemon = Process(tmp_path)
        running.append(daemon)
        hosts.daemon_port = int(str(daemon.said("listening")[0]["port"]))
        feed = tmp_path / "out/all/feed.json"

        def is_published() -> bool:
            images = re.findall(r'src=\\"([^"]+)\\"', feed.read_text(encoding="utf-8")) if feed.exists() else []
            return len(images) == 3 and all(map(str.startswith, images, expected.values()))

        daemon.wait_for(is_published, 30)
        hosts.gone.close()

    yield start
    for daemon in running:
        daemon.end()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Seen:
    """What a page shows, and what became of its requests."""

    widths: list[int] = field(default_factory=list)
    refused: list[tuple[str, int]] = field(default_factory=list)
    failed: list[tuple[str, str | None]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)


@pytest.fixture
def look(chromium: Browser, tmp_path: Path) -> Callable[[str, str], Seen]:
    """Opens a page, waits for its three images however they end, and keeps a picture of it under a name."""

    def at(url: str, name: str) -> Seen:
        seen = Seen()
        context = chromium.new_context(viewport={"width": 980, "height": 300}, ignore_https_errors=True)
        page = context.new_page()
        watch(page, seen)
        page.goto(url)
        page.locator("img").nth(2).wait_for(state="attached")
        page.evaluate("Promise.allSettled([...document.images].map(image => image.decode()))")
        seen.widths = page.evaluate("[...document.images].map(image => image.naturalWidth)")
        for folder in filter(None, [tmp_path, os.environ.get("SCREENSHOTS")]):
            page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)
        context.close()
        return seen

    return at


def watch(page: Page, seen: Seen) -> None:
    def answered(status: int, url: str) -> None:
        if status >= 400:
            seen.refused.append((url, status))

    page.on("request", lambda request: seen.asked.add(urlsplit(request.url).hostname or ""))
    page.on("response", lambda response: answered(response.status, response.url))
    page.on("requestfailed", lambda request: seen.failed.append((request.url, request.failure)))
    page.on("console", lambda message: seen.complaints.append(message.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))


pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")]


def test_proxied_mirrored_and_wrapped_images_show(hosts, publish, look):
    own, wrapper = hosts.url("feeds"), hosts.url("wrap", "/?url=")
    publish(
        {"shy": f"{own}img/", "gone": f"{own}media/", "plain": wrapper},
        {"hosts": "shy.test", "action": "proxy"},
        {"hosts": "gone.test", "action": "mirror"},
        {"hosts": "plain.test", "wrap": f"{wrapper}{{href:q}}"},
    )
    for name, page in (("reader", hosts.url("reader")), ("page", f"{own}all/")):
        seen = look(page, f"images-{name}")
        assert seen.widths == WIDTHS, name
        assert (seen.refused, seen.failed, seen.complaints) == ([], [], []), name
        assert seen.asked <= {"reader.test", "feeds.test", "wrap.test", ""}, name  # none of the images' own hosts
    assert hosts.referers() == [None]  # one request, of the daemon, for both pages


def test_the_same_images_do_not_show_where_they_are_linked_to(hosts, publish, look):
    publish(hosts.images)
    seen = look(hosts.url("reader"), "images-linked")  # our own pages let no Referer be sent: one would show
    assert seen.widths == [0, 0, 0]
    assert seen.refused == [(hosts.images["shy"], 403)]
    assert hosts.referers() == [hosts.url("reader")]
    upgraded = hosts.images["plain"].replace("http:", "https:")  # by the browser, as the page has TLS
    assert dict(seen.failed) == {
        hosts.images["gone"]: "net::ERR_CONNECTION_REFUSED",
        upgraded: "net::ERR_SSL_PROTOCOL_ERROR",
    }
    assert hosts.plain.asks() == []
