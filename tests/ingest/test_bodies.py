"""Which bodies are HTML already, and what becomes of them (HOSTILE row M8)."""

import subprocess
import sys

import pytest

from aggregator.ingest.bodies import Body, looks_like_html, read_body


@pytest.mark.parametrize(
    "body",
    [
        "<div>   \n<p>a</p>  \n</div>",
        "<p>a</p>\n\n<p>b</p>",
        "<div>\n<p>a\n\nb</p>\n\n    <p>c</p></div>",
        "<img src=x>\n\n<p>b</p>",
        "<!-- c --><div>x</div>\n\n<ul><li>a\n\n</li></ul>",
        "<pre>\n\n# no heading\n\n</pre>",
        "<p>a\n\n<p>b",
        "<table><tr><td>a</td></tr>\n\n<tr><td>b</td></tr></table>",
        "<center>x</center>text",
    ],
)
def test_html_is_kept_as_it_is(body):
    assert read_body(f"\n \n{body}\n   ", is_html=False).html == body


@pytest.mark.parametrize(
    ("body", "html"),
    [
        ("<div>\n\n**b**\n\n</div>", "<div>\n<p><strong>b</strong></p>\n</div>"),
        ("<div>a</div>\n\n- list", "<div>a</div>\n<ul>\n<li>list</li>\n</ul>"),
        ("<p>a</p>\n\n*text*", "<p>a</p>\n<p><em>text</em></p>"),
        ("<b>bold</b> text", "<p><b>bold</b> text</p>"),
        ("<https://example.com/>", '<p><a href="https://example.com/">https://example.com/</a></p>'),
        ("<divider> is *no* element", "<p><divider> is <em>no</em> element</p>"),
        ("", ""),
    ],
)
def test_everything_else_is_markdown(body, html):
    assert read_body(body, is_html=False).html == html


def test_m8_tags_are_expanded_in_html_and_vue_s_braces_stay():
    body = read_body("<p>{% asset_img a.png %} {{ vue }} {% zzz %}</p>", is_html=False)
    assert body.html == '<p><img src="a.png" alt=""> {{ vue }} </p>'
    assert body.warnings == ("tags that are not known here were dropped: zzz",)


def test_m8_the_part_before_the_mark_is_the_excerpt():
    assert read_body("<p>a</p><!--MORE--><p>b</p>", is_html=False) == Body("<p>a</p><p>b</p>", "<p>a</p>")
    assert read_body("<!-- more --><p>b</p>", is_html=True) == Body("<p>b</p>")


def test_a_folder_of_html_posts_never_imports_the_markdown_library():
    program = (
        "import sys; from aggregator.ingest.frontmatter import read_post\n"
        "read_post(b'---\\ntitle: a\\n---\\n\\n<div>a</div>\\n', 'a.md'); print('markdown_it' in sys.modules)\n"
        "read_post(b'---\\ntitle: a\\n---\\n\\na\\n', 'a.md'); print('markdown_it' in sys.modules)"
    )
    assert subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split() == ["False", "True"]


@pytest.mark.parametrize("unit", ["<div>", "<!--", "<!---->", "<pre>", "</p>", "<div>\n\n", "<", "<p>\n\nb</p>"])
def test_hostile_markup_is_looked_at_in_linear_time(unit):
    looks_like_html("<div>\n\n" + unit * (300_000 // len(unit)))
    looks_like_html(unit * (300_000 // len(unit)))
