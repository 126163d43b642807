#!/usr/bin/env python3
"""Writes front-matter posts for the benchmarks: well-formed, of one shape, the same bytes for the same arguments.

    posts.py OUT_DIR [--count 5000] [--seed 1]

They have the layout of a real generator that turned feeds into Hexo posts, without its faults and without the blank line
before `---`, which Hugo cannot read: three names of category, a cover and images behind a proxy, a dozen paragraphs of
Chinese; 4.3 KB a post on average, in 74 leaf categories.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

PROXY = "https://cors.zfour.workers.dev/?"
CATEGORIES = (
    *("新媒体/趣头条/分类", "新媒体/ZAKER/频道", "新媒体/199IT/首页更新", "新媒体/金色财经/快讯"),
    *("编程/Dockone/周报", "编程/掘金/标签", "编程/开源中国/资讯", "编程/V2EX/最热", "编程/V2EX/最新"),
    *("社交媒体/Mastodon/实例公共时间线（本站）", "社交媒体/知乎/知乎日报", "社交媒体/简书/首页"),
    *("二次元/Bangumi/放送列表", "二次元/Eventernote/声优活动及演唱会"),
    *(f"专题/源{source}/栏目{column}" for source in range(20) for column in range(3)),
)
WORDS = (
    *(
        "电梯",
        "步道",
        "花园",
        "社区",
        "开放日",
        "容器",
        "缓存",
        "日志",
        "消息队列",
        "前端",
        "单元测试",
        "网关",
        "快讯",
        "报告",
    ),
    *(
        "漏洞",
        "放送",
        "声優",
        "“引号”",
        "—",
        "Docker",
        "Kubernetes",
        "Redis",
        "release",
        "3.7.7",
        "beta",
        "Été",
        "naïve",
        "A&B",
    ),
)
HAN = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经"
FIRST_DAY = datetime(2021, 1, 1, tzinfo=UTC)
DAYS = 3 * 365


def posts(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Path below the folder and text of each of `count` posts."""
    source = random.Random(seed)  # noqa: S311  # the same posts each time are the point
    for index in range(count):
        category = source.choice(_below_one_top(source))
        yield f"{category.split('/')[0]}/{index:06}.md", _post(source, index, category.split("/"))


def _below_one_top(source: random.Random) -> list[str]:
    """The categories below one of the five tops, each top being as likely as the others."""
    top = source.choice(("新媒体", "编程", "社交媒体", "二次元", "专题"))
    return [category for category in CATEGORIES if category.startswith(f"{top}/")]


def _post(source: random.Random, index: int, names: list[str]) -> str:
    title = " ".join(source.sample(WORDS, source.randrange(2, 6)))
    date = format_datetime(FIRST_DAY + timedelta(seconds=source.randrange(DAYS * 86400)), usegmt=True)
    cover = PROXY + _image(source)
    lines = ["---", f"title: '{title}'", "categories: ", *(f" - {name}" for name in names)]
    lines += [f"headimg: '{cover}'", f"author: {names[1]}", "comments: false", f"date: {date}", f"thumbnail: '{cover}'"]
    return "\n".join([*lines, "---", "", f"<div>   \n{_body(source, index)}  \n</div>\n            "])


def _body(source: random.Random, index: int) -> str:
    parts = [f"<p>№{index:06} {_text(source, 60)}</p>"]
    for _ in range(source.randrange(6, 20)):
        if source.random() < 0.3:
            image = f'<img src="{PROXY}{_image(source)}" data-size="1080,810" referrerpolicy="no-referrer">'
            parts.append(f"<p>{image}</p>")
        else:
            parts.append(f"<p>{_text(source, source.randrange(40, 200))}</p>")
    return "".join(parts)


def _text(source: random.Random, length: int) -> str:
    return "".join(source.choices(HAN, k=length))


def _image(source: random.Random) -> str:
    return f"http://img{source.randrange(9)}.example.com/a/{source.getrandbits(48):012x}.jpeg"


def write_posts(folder: Path, count: int, seed: int) -> None:
    """Writes the posts below the folder, which need not exist."""
    for name, text in posts(count, seed):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    write_posts(arguments.out, arguments.count, arguments.seed)


if __name__ == "__main__":
    main()
