"""Bounds: what a post may cost, whatever its markup."""

import time

import pytest

from aggregator.normalize.bounds import MAX_BYTES, MAX_DEPTH
from aggregator.normalize.html import CleanHtml, HtmlCleaner

BASE = "https://blog.example/d/post"
CLEANER = HtmlCleaner(lambda _root, _resolve: ())


def test_p7_nesting_is_flattened_below_256_and_no_text_is_lost():
    result = CLEANER.clean("<div>" * 3000 + "deep" + "</div>x" * 3000, BASE)
    assert result.html.count("<div>") == MAX_DEPTH
    assert "deep" in result.html
    assert result.html.count("x") == 3000
    assert result.warnings == ("nesting deeper than 256 was flattened",)
    assert CLEANER.clean(result.html, BASE) == CleanHtml(result.html)


def test_nesting_of_256_is_left_alone():
    text = "<div>" * MAX_DEPTH + "x" + "</div>" * MAX_DEPTH
    assert CLEANER.clean(text, BASE) == CleanHtml(text)


BOMBS = {
    "elements": "<div>" * 100_000 + "x",
    "custom elements": "<p-x>" * 100_000 + "x",
    "formatting": "<p>" + "".join(f"<b title={number}>" for number in range(900)) + "</p>" + "<p>x</p>" * 3000,
    "links": "".join(f"<a href=/{number}><p>" for number in range(20_000)) + "x",
    "frames": "<iframe src=//e.example/a></iframe>" * 5000 + "x",
    "unclosed frames": "<iframe src=//e.example/a>" * 20_000 + "x",
    "dead links": "<a>x</a>" * 20_000,
    "empty elements": "<p></p>x" * 20_000,
    "tables": "<table><tr><td>" * 20_000 + "x",
    "signs": "x" + "<" * 200_000,
    "ampersands": "x" + "&" * 100_000,
    "comments": "x" + "<!--" * 100_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_p7_no_markup_takes_time_or_space_beyond_its_size(name):
    started = time.process_time()
    result = CLEANER.clean(BOMBS[name], BASE)
    assert time.process_time() - started < 5  # 0.1 to 0.5 s where this was written; 6 s to hours without the bounds
    assert "x" in result.html
    assert len(result.html) < 2 * MAX_BYTES


def test_p7_content_over_1_mb_is_cut_at_a_tag():
    result = CLEANER.clean("<p>内容<b>x</b></p>" * 100_000, BASE)
    assert MAX_BYTES * 0.9 < len(result.html.encode()) <= MAX_BYTES
    assert result.html.endswith("</p>")
    assert result.html.startswith("<p>内容<b>x</b></p>")
    assert result.warnings == ("content cut at 1 MB: it has 2.1 MB",)


def test_a_sloppy_page_keeps_its_links_and_tables():
    row = '<tr><td><b>x<td><a href="https://e.example/">y</a>'
    result = CLEANER.clean(f"<table>{row * 500}</table>", BASE)
    assert result.html.count("<a href") == 500
    assert result.html.count("<td>") == 1000
