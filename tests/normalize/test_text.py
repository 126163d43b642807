"""Text that may stand in any document (HOSTILE rows H5, P9 and P10)."""

import html
import sys
import unicodedata
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.normalize.text import clean_text, decode_entities, plain_text


def test_p10_every_character_that_clean_text_lets_through_may_stand_in_xml():
    kept = clean_text("".join(map(chr, range(sys.maxunicode + 1))), lines=True)
    assert ET.fromstring(f"<a>{html.escape(kept)}</a>").text == kept
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


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Vue 中 <template> 与 <slot> 的用法", "Vue 中 <template> 与 <slot> 的用法"),
        ("The <canvas> element & a <b>bold</b> title", "The <canvas> element & a bold title"),
        ("<section>a part</section> of it", "a part of it"),
        ('watch <video src="x"> now', "watch now"),
        ("one<br>two <hr>", "one two"),
    ],
)
def test_elements_that_a_title_is_about_stay_in_it(title, shown):
    assert plain_text(title) == shown
