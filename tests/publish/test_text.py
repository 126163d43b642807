import time

import pytest

from aggregator.models import Category
from aggregator.publish.text import cleaned, first_words, is_active, is_ambiguous, plain, uri, without_credentials


def test_text_is_what_the_markup_says():
    markup = '<p>one<br>two</p><!-- no --><p title="a > b">th<b>ree</b> &amp;\n four &lt;b&gt;</p>'
    assert plain(markup) == "one two three & four <b>"


def test_first_words_are_cut_between_words_where_there_are_spaces():
    assert first_words("<p>the quick brown fox jumps</p>", 12) == "the quick…"
    assert first_words("<p>加装电梯、修建健身步道</p>", 4) == "加装电梯…"
    assert first_words("<p>short</p>", 12) == "short"


def test_first_words_are_found_behind_a_picture_in_the_document():
    assert first_words(f'<p><img src="data:image/png;base64,{"A" * 100_000}">word</p>', 10) == "word"


@pytest.mark.parametrize("markup", ["<" * 100_000, "<a " + "'" * 100_000, '<a b="' * 30_000, "&" * 100_000])
def test_broken_markup_takes_linear_time(markup):
    started = time.process_time()
    plain(markup)
    assert time.process_time() - started < 2


@pytest.mark.parametrize("text", ["a <b> tag", "&amp;", "&copy 2021", "</p>", "&#60;"])
def test_text_that_reads_differently_as_html_is_ambiguous(text):
    assert is_ambiguous(text)


@pytest.mark.parametrize("text", ["R&D", "1 < 2", "Q&A1", "加装电梯", "a && b"])
def test_text_that_reads_the_same_as_html_is_not_ambiguous(text):
    assert not is_ambiguous(text)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com/a?b=1&c=%E6%96%B0#d", "https://example.com/a?b=1&c=%E6%96%B0#d"),
        ("https://example.com/金 山?标=题", "https://example.com/%E9%87%91%20%E5%B1%B1?%E6%A0%87=%E9%A2%98"),
        ("https://例子.测试:8080/", "https://xn--fsqu00a.xn--0zwm56d:8080/"),
        ("https://example.com/a[1]|b", "https://example.com/a%5B1%5D%7Cb"),
        ("http://[::1]/x", "http://[::1]/x"),
        ("tag:example.com,2021:新", "tag:example.com,2021:%E6%96%B0"),
        ("https://example.com/\ud800", "https://example.com/?"),
    ],
)
def test_a_uri_has_only_the_characters_it_may_have(url, expected):
    assert uri(url) == expected


def test_h3_encoding_does_not_mend_a_broken_scheme():
    assert not uri("java\tscript://example.com/%0aalert(1)").startswith("javascript:")


@pytest.mark.parametrize("url", ["javascript:alert(1)", " JAVA\tSCRIPT:x", "\x01vbscript:x", "data:text/html,x"])
def test_h3_active_urls_are_known_however_they_are_spelt(url):
    assert is_active(url)


def test_f16_credentials_are_taken_out():
    assert without_credentials("https://me:secret@example.com/a@b") == "https://example.com/a@b"
    assert without_credentials("https://example.com/a@b") == "https://example.com/a@b"


def test_cleaning_reaches_into_dataclasses_and_tuples():
    assert cleaned((Category(("a\x00b", "c\ud800")), 1, None)) == (Category(("ab", "c")), 1, None)
