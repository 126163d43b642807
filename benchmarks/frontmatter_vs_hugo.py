#!/usr/bin/env python3
"""Front-matter posts to every category's feeds, against Hugo writing its feeds from the same posts.

    frontmatter_vs_hugo.py [--posts DIR] [--count 5000] [--rounds 5] [--dir DIR]

Ours reads the posts, cleans them, unwraps their images, stores them and writes RSS, Atom and JSON of 50 posts for every
category at every depth. Hugo reads the same folder, renders no page and writes one RSS of 50 items for every name of a
category; it keeps no state, so it starts over each time. Our posts have links, so that we write no pages of them either.
Cold: our store and output are empty. One post changed: one of the newest posts gets another body, and the change must
show in our feed of everything.
Exit code 0: all budgets hold · 1: one is exceeded, or a side failed.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import posts as generator
import timing

OURS = """\
site: {title: My planet, base_url: https://feeds.example.com/, language: zh-CN, timezone: Asia/Shanghai}
store: sqlite:///store/bench.db
output: feeds
sources:
  - {name: posts, type: front-matter, path: ../posts, dialect: hexo, timezone: Asia/Shanghai,
     link: 'https://blog.example.com/{path}/'}
feeds:
  - {slug: all, title: Everything, limit: 50, formats: [rss, atom, json]}
by_category: {enabled: true, depth: 3, min_posts: 1, limit: 50, formats: [rss, atom, json]}
"""
HUGO = """\
baseURL: https://feeds.example.com/
title: My planet
timeZone: Asia/Shanghai
contentDir: ../posts
disableKinds: [sitemap, robotsTXT, "404"]
taxonomies: {category: categories}
rssLimit: 50
outputs: {term: [RSS], taxonomy: [], home: [RSS], section: []}
cascade:
  - _build: {render: never, list: always}
    _target: {kind: page}
"""


class Bench:
    """A folder that holds the posts and, beside them, one folder for each side."""

    def __init__(self, folder: Path, hugo: str) -> None:
        self.posts, self.ours, self.theirs = (folder / name for name in ("posts", "ours", "hugo"))
        self._hugo = hugo
        for side, name, config in ((self.ours, "bench.yaml", OURS), (self.theirs, "config.yaml", HUGO)):
            side.mkdir(parents=True)
            (side / name).write_text(config, encoding="utf-8")

    def run_ours(self) -> timing.Sample:
        """One `aggregator run` over every source, with whatever store and output are there."""
        (self.ours / "store").mkdir(exist_ok=True)
        return timing.measure([*timing.aggregator(), "run", "-c", "bench.yaml", "--all"], self.ours)

    def run_ours_cold(self) -> timing.Sample:
        """The same with an empty store and an empty output."""
        for name in ("store", "feeds"):
            shutil.rmtree(self.ours / name, ignore_errors=True)
        return self.run_ours()

    def run_hugo(self) -> timing.Sample:
        """One `hugo`, from nothing."""
        for name in ("public", "resources"):
            shutil.rmtree(self.theirs / name, ignore_errors=True)
        return timing.measure([self._hugo, "--quiet"], self.theirs)

    def change(self, file: Path, text: str) -> None:
        """Writes another body into a post, below the front matter it has."""
        front_matter, _, _ = file.read_text(encoding="utf-8").partition("\n---\n")
        file.write_text(f"{front_matter}\n---\n\n<p>{text}</p>\n", encoding="utf-8")

    def outputs(self) -> str:
        """What both sides wrote; exits where that is not what is measured."""
        names = ("rss.xml", "atom.xml", "feed.json")
        ours = {name: sum(1 for _ in self.ours.glob(f"feeds/**/{name}")) for name in names}
        theirs = sum(1 for _ in self.theirs.glob("public/**/index.xml"))
        if len(set(ours.values())) > 1 or ours["rss.xml"] < theirs:
            sys.exit(f"we wrote {ours}, Hugo wrote {theirs} RSS files: these are not the feeds this measures")
        return f"ours: {ours['rss.xml']} feeds in 3 formats · Hugo: {theirs} in RSS"

    def published(self) -> str:
        """Our feed of everything, as RSS."""
        return (self.ours / "feeds/all/rss.xml").read_text(encoding="utf-8")


def newest(folder: Path, count: int) -> list[Path]:
    """The posts with the latest RFC 2822 dates, which every feed that they belong to holds."""
    dated = ((_date(file), file) for file in folder.rglob("*.md"))
    return [file for _, file in sorted(dated, reverse=True)[:count]]


def _date(file: Path) -> datetime:
    match = re.search(r"^date: (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    try:
        return parsedate_to_datetime(match[1]).astimezone(UTC) if match else datetime.min.replace(tzinfo=UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def compare(bench: Bench, rounds: int, tell: Callable[[str], None]) -> list[timing.Comparison]:
    """Every budget, one after the other in each round, Hugo before us each time."""
    cold = timing.Comparison("cold", 2.5)
    unchanged = timing.Comparison("nothing changed", 0.6)
    changed = timing.Comparison("one post changed", 0.7)
    candidates = newest(bench.posts, rounds)
    for number, file in enumerate(candidates, start=1):
        tell(f"round {number} of {rounds}")
        timing.in_turn(cold, bench.run_ours_cold, bench.run_hugo)
        timing.in_turn(unchanged, bench.run_ours, bench.run_hugo)
        text = f"changed in round {number}"
        bench.change(file, text)
        timing.in_turn(changed, bench.run_ours, bench.run_hugo)
        if text not in bench.published():
            sys.exit(f"{file} changed, and feeds/all/rss.xml does not show it")
    return [cold, unchanged, changed]


def fill(folder: Path, given: Path | None, count: int) -> int:
    """Puts the posts into the folder, generated or copied, and returns how many there are."""
    if given:
        shutil.copytree(given, folder, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("*.json"))
    else:
        generator.write_posts(folder, count, seed=1)
    return sum(1 for _ in folder.rglob("*.md"))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=Path, help="posts made elsewhere, with RFC 2822 dates; they are copied")
    parser.add_argument("--count", type=int, default=5000, help="posts to make where none are given")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dir", type=Path, help="where it makes the folder it works in")
    arguments = parser.parse_args()
    hugo = timing.required("hugo", "apt-get install hugo")
    with tempfile.TemporaryDirectory(prefix="aggregator-bench-", dir=arguments.dir) as scratch:
        bench = Bench(Path(scratch), hugo)
        count = fill(bench.posts, arguments.posts, arguments.count)
        tell = _tell if sys.stderr.isatty() else _quiet
        bench.run_hugo()  # once for the page cache and for our byte code
        bench.run_ours_cold()
        written = bench.outputs()
        comparisons = compare(bench, arguments.rounds, tell)
    print(f"{count:,} front-matter posts → store → every category's feeds · {timing.machine()}")
    print(f"{written} · median (best-worst) of {arguments.rounds} rounds, both sides in turn\n")
    print(timing.table(comparisons, "hugo"))
    return 0 if all(comparison.holds for comparison in comparisons) else 1


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


def _quiet(_: str) -> None:
    pass


if __name__ == "__main__":
    sys.exit(main())
