"""Real Chromium walks the pages of a real daemon: at both widths, in both schemes and languages, and nothing complains.

Set SCREENSHOTS to a folder to keep what it saw.
"""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from daemon import Process
from playwright.sync_api import Browser, Page, sync_playwright
from webfeed import Reply, Web, an_item, rss

CHROMIUM = shutil.which("chromium")
# Without the last four, its background requests are refused by a closed network, many at a time.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--disable-quic"]  # fmt: skip
CONFIG = """
site: {{title: 新媒体观察, base_url: "http://localhost/", language: zh-CN, timezone: Asia/Shanghai,
        description: 每天收集值得一读的文章}}
store: sqlite:///store.db
output: out
serve: {{port: 0}}
websub: {{hub: builtin}}
fetch: {{allow_private: true, min_gap_s: 0}}
sources:
  - {{name: posts, type: front-matter, path: posts, dialect: hexo}}
  - {{name: planet, type: feed, url: "{planet}", category: 星球/博客}}
  - {{name: gone, type: feed, url: "{gone}", category: 星球/博客}}
feeds:
  - {{slug: all, title: 全部文章, description: 所有来源, limit: 20}}
"""
POST = """---
title: {title}
date: 2024-03-{day:02} 08:{minute:02}:00
categories: [{categories}]
author: 小满
{link}---
<p><img src="{image}" alt=""> 读者又回到了订阅源。今天的数据说明，{title}值得一读；<a href="{image}">图片</a>也在这里。</p>
<pre><code>aggregator run --all</code></pre>
<p>{text}</p>
"""
TITLES = ("订阅源又回来了", "Docker volumes, explained", "趣头条的早晨", "一封写给读者的信", "Release 2.4 is out")


def png(red: int, green: int, blue: int) -> bytes:
    """A picture of 320 by 200 points in one colour."""
    rows = b"".join(b"\0" + bytes((red, green, blue)) * 320 for _ in range(200))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 320, 200, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder, web = tmp_path_factory.mktemp("browser"), Web()
    colours = ((66, 120, 180), (200, 130, 60), (90, 150, 110), (150, 90, 130))
    images = [
        web.put(9, f"/{n}.png", Reply(200, png(*colour), {"Content-Type": "image/png"}))
        for n, colour in enumerate(colours)
    ]
    (folder / "posts").mkdir()
    for number in range(60):
        categories = ("新媒体, 趣头条, 分类", "编程, Docker", "新媒体, 199IT")[number % 3]
        link = "" if number % 4 else f"link: http://127.0.0.9:{web.port}/{number}.html\n"
        title = f"{TITLES[number % 5]}（{number + 1}）"
        text = "“引号”与——破折号，以及 English words in between。" * 6
        post = POST.format(
            title=title,
            day=number % 28 + 1,
            minute=number,
            categories=categories,
            link=link,
            image=images[number % 4],
            text=text,
        )
        (folder / f"posts/{number}.md").write_text(post, encoding="utf-8")
    planet = web.put(
        1, "/", Reply(200, rss(*(an_item(number, title=f"Planet post {number}") for number in range(1, 9))))
    )
    (folder / "a.yaml").write_text(CONFIG.format(planet=planet, gone=web.url(2, "/")), encoding="utf-8")
    running = Process(folder)
    running.wait_for(lambda: len(running.titles()) == 20, 30)
    running.wait_for(lambda: b"<mark>" in running.get(f"/search?q={quote('订阅')}").read(), 30)
    yield running
    running.end()
    web.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def faults_of(page: Page) -> list[str]:
    """What axe-core finds in a page that is serious or worse."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}" for one in found if one["impact"] in {"serious", "critical"}]


def walk(page: Page, base: str, language: str) -> Iterator[str]:
    """Goes where a person would, by what is there to click; the name of each page."""
    zh = language.startswith("zh")
    page.goto(base)
    yield "front"
    page.get_by_role("link", name="趣头条", exact=True).click()
    page.wait_for_url("**/category/**")
    yield "category"
    page.goto(f"{base}all/")
    yield "feed"
    page.get_by_role("link", name="较早" if zh else "Older").first.click()
    page.wait_for_url("**page=2**")
    yield "feed, page 2"
    page.locator("article h2 a[href*='/posts/']").first.click()
    page.wait_for_url("**/posts/**")
    assert page.locator("article img").first.evaluate("image => image.naturalWidth") == 320
    yield "post"
    page.goto(f"{base}search")
    page.get_by_role("searchbox").fill("订阅源")
    page.get_by_role("searchbox").press("Enter")
    page.wait_for_url("**q=**")
    assert page.locator("mark").first.inner_text() == "订阅源"
    yield "search"
    page.goto(f"{base}status")
    assert page.get_by_text("gone").first.is_visible()
    yield "status"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_chromium_walks_every_page_without_a_complaint(daemon, chromium, width, scheme, language):
    base = f"http://127.0.0.1:{daemon.said('listening')[0]['port']}/"
    context = chromium.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, locale=language, device_scale_factor=2
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"{request.url} failed: {request.failure}"))
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).hostname or ""))
    for name in walk(page, base, language):
        assert page.locator("html").get_attribute("lang") == language
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than the screen"
        assert page.locator("h1").count() == 1, name
        assert faults_of(page) == [], name
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(
                path=Path(folder, f"{name.replace(', ', '-').replace(' ', '')}-{width}-{scheme}-{language}.png")
            )
    assert complaints == []
    assert {host for host in asked if not host.startswith("127.")} == set()
    context.close()
