"""Text that may stand in any document (HOSTILE rows H5, P9 and P10)."""

import sys
import unicodedata
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.normalize.text import clean_text, decode_entities, escape, first_words, plain_text, text_to_html


def test_p10_every_character_that_clean_text_lets_through_may_stand_in_xml():
    kept = clean_text("".join(map(chr, range(sys.maxunicode + 1))), lines=True)
    assert ET.fromstring(f"<a>{escape(kept)}</a>").text == kept
    assert not {unicodedata.category(character) for character in kept} & {"Cs"}


def test_p10_controls_noncharacters_and_lone_surrogates_are_removed():
    assert clean_text("a\x00b\x08c\x7fd\x9fe\ufffef\uffffg\ud800h\U0001fffei\ufeffj") == "abcdefghij"


def test_p10_two_halves_of_one_character_become_it():
    assert clean_text("\ud83d\ude00 \ude00\ud83d!") == "😀 !"


def test_a_single_line_field_is_folded_and_other_text_keeps_its_lines():
    assert clean_text("  a\n\tb\u2028c\u3000d\x85e  ") == "a b c d e"
    assert clean_text("a\r\n b\rc\u2029d", lines=True) == "a\n b\nc\nd"


@pytest.mark.parametrize("text", ["Ã©tude", "e\u0301", "é", "👨\u200d👩\u200d👧", "ﬁ", "Ｆ"])
def test_p9_letters_are_kept_as_they_are(text):
    assert clean_text(text) == text


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<script>alert(1)</script>Hi", "Hi"),
        ("<SCRIPT type=x>alert('</b>')</SCRIPT >Hi<style>p{}</style>", "Hi"),
        ("Hi<script>never closed", "Hi"),
        ("<b>bold</b> <i class='x'>it</i>", "bold it"),
        ("one<br>two<p>three</p>four", "one two three four"),
        ("a<b>b</b>c", "abc"),
        ("&amp;lt;", "&lt;"),
        ("&lt;b&gt;x&lt;/b&gt;", "<b>x</b>"),
        ("Q&amp;A, AT&T, &notit; &#123;x&#125; &#x4e2d;", "Q&A, AT&T, &notit; {x} 中"),
        ("a&section=1&copy=2", "a&section=1&copy=2"),
        ("Vec<T> and a < b > c", "Vec<T> and a < b > c"),
        ("Option<A>, x <y", "Option<A>, x <y"),
        ("old<B>bold</B>", "oldbold"),
        ("<foo> <me@example.com>", "<foo> <me@example.com>"),
        ("a<!-- no -->b<!-- open", "ab"),
        ("<![CDATA[a < b]]>", "a < b"),
        ("&#0;&#x1;&#xD800;a&#8;", "\ufffd\ufffda"),
        ("&#99999999;", "&#99999999;"),
        ("x &nbsp; y\n z", "x y z"),
        ("", ""),
    ],
)
def test_h5_markup_becomes_what_a_reader_sees(markup, expected):
    assert plain_text(markup) == expected


def test_h5_entities_are_decoded_once_and_only_once():
    assert decode_entities("&amp;amp;amp;") == "&amp;amp;"


@given(st.text())
def test_plain_text_always_gives_one_clean_line(markup):
    shown = plain_text(markup)
    assert clean_text(shown) == shown


@given(st.text(alphabet="<>&;b/p!-#x1 \n"))
def test_text_to_html_shows_exactly_the_text(text):
    assert plain_text(text_to_html(text)) == " ".join(text.split())


def test_text_becomes_paragraphs_and_lines():
    assert text_to_html("a < b\r\nc\n \n\nd & e\n") == "<p>a &lt; b<br>\nc</p>\n<p>d &amp; e</p>"
    assert text_to_html(" \n ") == ""


def test_escaped_text_may_stand_in_an_attribute():
    assert escape("""<a "b" 'c' &>""") == "&lt;a &quot;b&quot; &#x27;c&#x27; &amp;&gt;"


def test_first_words_end_between_words_and_chinese_between_characters():
    assert first_words("<p>The quick brown fox</p>", 12) == "The quick…"
    assert first_words("<p>The quick</p> brown", 9) == "The quick…"
    assert first_words("<p>的一是在不了</p>", 3) == "的一是…"
    assert first_words("<p>short</p>", 12) == "short"
    assert first_words("x" * 50, 10) == "x" * 10 + "…"


def test_first_words_of_a_long_body_show_no_half_of_a_tag():
    assert "<" not in first_words("<p>a</p>" + "<img src='" + "x" * 50_000 + "'>", 60)
