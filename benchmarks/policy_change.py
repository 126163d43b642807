#!/usr/bin/env python3
"""Another policy for images: what is rewritten of the feeds of 5,000 posts, and how long that takes.

    policy_change.py [--posts DIR] [--count 5000] [--rounds 3] [--hosts GLOB] [--dir DIR]

The posts are stored and published with links to the origins of their images. Then `images.rules` wraps them, for every host and
for one alone (`--hosts`), and then links to them again. After each change `aggregator run --no-refresh` must rewrite the documents that
hold a changed image and no others, and after the last the bytes must be those of the beginning. Its time is printed beside that of
`run --no-refresh --force`, which renders everything.
Exit code 0: just those were rewritten, every time · 1: others were, or the bytes are not those of the beginning.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import posts as generator
import timing

CONFIG = """\
site: {{title: My planet, base_url: https://feeds.example.com/, language: zh-CN, timezone: Asia/Shanghai}}
store: sqlite:///bench.db
output: feeds
sources:
  - {{name: posts, type: front-matter, path: {posts}, dialect: hexo, timezone: Asia/Shanghai,
     link: 'https://blog.example.com/{{path}}/'}}
images:
  rules: [{rules}]
"""
PREFIX = "https://wsrv.nl/?url="
WRAP = "{{hosts: '{hosts}', wrap: '" + PREFIX + "{{href:q}}'}}"
SHORT = {".xml", ".json", ".html", ".opml"}


class Bench:
    """One folder with a configuration, a store and an output."""

    def __init__(self, folder: Path, posts: Path) -> None:
        self.folder, self._posts = folder, posts
        self.wrong = 0

    def run(self, rules: str, *options: str) -> timing.Sample:
        """One `aggregator run` under these rules."""
        self._config(rules)
        return timing.measure([*timing.aggregator(), "run", "-c", "bench.yaml", *options], self.folder)

    def change(self, what: str, rules: str) -> timing.Sample:
        """The same after a change of the rules, held against the documents that hold an image that changed."""
        before = self.documents()
        sample = self.run(rules, "--no-refresh")
        after = self.documents()
        rewritten = {name for name, (_, moment) in after.items() if before.get(name, (b"", 0))[1] != moment}
        changed = {name for name, (body, _) in after.items() if before[name][0] != body}
        holding = {name for name in after if _wrapped(before[name][0]) != _wrapped(after[name][0])}
        is_right = rewritten == changed == holding
        self.wrong += not is_right
        print(
            f"{what:34} {sample.wall_s:6.2f} s  {len(rewritten):5} of {len(after)} documents rewritten, {len(holding)} hold a "
            f"changed image{'' if is_right else '  WRONG'}"
        )
        return sample

    def documents(self) -> dict[str, tuple[bytes, int]]:
        """Every document with its bytes and the moment it was written."""
        files = (
            file for file in sorted((self.folder / "feeds").rglob("*")) if file.suffix in SHORT and file.name[0] != "."
        )
        return {str(file.relative_to(self.folder)): (file.read_bytes(), file.stat().st_mtime_ns) for file in files}

    def _config(self, rules: str) -> None:
        text = CONFIG.format(posts=self._posts, rules=rules)
        (self.folder / "bench.yaml").write_text(text, encoding="utf-8")


def _wrapped(body: bytes) -> int:
    """How many images of a document are wrapped."""
    return body.count(PREFIX.encode())


def main() -> int:
    """Runs everything and prints what was rewritten, and the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=Path, help="a folder of posts, instead of generated ones")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--hosts", default="img[0-3].example.com", help="the glob for one host, or a few")
    parser.add_argument("--dir", type=Path, help="where to work")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.dir) as folder:
        posts = given.posts
        if posts is None:
            posts = Path(folder) / "posts"
            generator.write_posts(posts, given.count, seed=1)
        bench = Bench(Path(folder), posts.resolve())
        print(f"{'first run':34} {bench.run('', '--all').wall_s:6.2f} s")
        begin = bench.documents()
        for _ in range(given.rounds):
            bench.change("link -> wrap", WRAP.format(hosts="*"))
            print(
                f"{'a full regenerate (--force)':34} {bench.run(WRAP.format(hosts='*'), '--no-refresh', '--force').wall_s:6.2f} s"
            )
            bench.change("wrap -> link", "")
            bench.change(f"link -> wrap {given.hosts}", WRAP.format(hosts=given.hosts))
            bench.change("wrap -> link", "")
            bench.change("nothing changed", "")
        is_same = {name: body for name, (body, _) in bench.documents().items()} == {
            name: body for name, (body, _) in begin.items()
        }
        print(f"the bytes are {'those of the beginning' if is_same else 'NOT those of the beginning'}")
    return int(bool(bench.wrong) or not is_same)


if __name__ == "__main__":
    sys.exit(main())
