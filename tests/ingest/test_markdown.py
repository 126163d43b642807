"""Markdown and the tags of generators as HTML (HOSTILE row M8)."""

import pytest

from aggregator.ingest import tags
from aggregator.ingest.markdown import render


def html(text):
    return render(text).html


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# a\n\nb *c* `d`", "<h1>a</h1>\n<p>b <em>c</em> <code>d</code></p>"),
        ("~~a~~", "<p><s>a</s></p>"),
        ("```js\na < b\n```", '<pre><code class="language-js">a &lt; b\n</code></pre>'),
        ("a <b>b</b>\n\n<div>\n*c*\n</div>", "<p>a <b>b</b></p>\n<div>\n*c*\n</div>"),
        ("![a](b.png 'c')", '<p><img src="b.png" alt="a" title="c" /></p>'),
        ('"a" -- b...', "<p>&quot;a&quot; -- b...</p>"),
    ],
)
def test_m8_markdown_is_rendered(text, expected):
    assert html(text) == expected


def test_m8_tables_are_rendered():
    assert "<td>1</td>" in html("|a|b|\n|-|-|\n|1|2|")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{% raw %}<div>{{ x }} *y*</div>{% endraw %}", "<div>{{ x }} *y*</div>"),
        ("a {% raw %}{{ x }} *b*{% endraw %} *c*", "<p>a {{ x }} *b* <em>c</em></p>"),
        ("{%- raw -%}{{x}}{%- endraw -%}", "<p>{{x}}</p>"),
        ("{% raw %}\n```\n{{ x }}\n```\n{% endraw %}", "<pre><code>{{ x }}\n</code></pre>"),
        ("{% asset_img a.jpg %}", '<p><img src="a.jpg" alt=""></p>'),
        (
            "{% asset_img a b.jpg 3 2 \"T 'A<'\" %}",
            '<p><img src="b.jpg" width="3" height="2" title="T" alt="A&lt;"></p>',
        ),
        ("{% asset_img 图 片.png %}", '<p><img src="%E7%89%87.png" alt=""></p>'),
        ("{% asset_img plain %}", '<p><img src="plain" alt=""></p>'),
        ("![x]({% asset_path my pic.png %})", '<p><img src="my%20pic.png" alt="x" /></p>'),
        ("{% asset_link a.pdf The paper %}", '<p><a href="a.pdf">The paper</a></p>'),
        ("{% img left /a/b.png 10 Title %}", '<p><img src="/a/b.png" width="10" title="Title" alt="Title"></p>'),
        (
            "{% codeblock T lang:js %}\na<b {{ x }}\n{% endcodeblock %}",
            '<pre><code class="language-js">a&lt;b {{ x }}\n</code></pre>',
        ),
        ("{% highlight c++ linenos %}\n*a*\n{% endhighlight %}", '<pre><code class="language-c++">*a*\n</code></pre>'),
        (
            "{% blockquote Me <x> %}\n*a*\n{% endblockquote %}",
            "<blockquote>\n<p><em>a</em></p>\n<footer>Me &lt;x&gt;</footer>\n</blockquote>",
        ),
        ("See {% post_link 2021/foo '*T*' %}.", "<p>See *T*.</p>"),
        ("{% post_link 2021/foo %}", "<p>foo</p>"),
        (
            "{% youtube abc %}",
            '<p><a href="https://www.youtube.com/watch?v=abc">https://www.youtube.com/watch?v=abc</a></p>',
        ),
        ("{% link T https://x/ %}", '<p><a href="https://x/">T</a></p>'),
        ("{% comment %}no{% endcomment %}yes", "<p>yes</p>"),
        (
            '{{< figure src="/a.png" title="T<" >}}',
            '<figure><img src="/a.png" alt="T&lt;"><figcaption>T&lt;</figcaption></figure>',
        ),
        ('{{< figure src="a.png" link="/b" />}}', '<figure><a href="/b"><img src="a.png" alt=""></a></figure>'),
        (
            '{{< youtube id="abc" >}}',
            '<p><a href="https://www.youtube.com/watch?v=abc">https://www.youtube.com/watch?v=abc</a></p>',
        ),
        ("{{< highlight go >}}\nx<y\n{{< /highlight >}}", '<pre><code class="language-go">x&lt;y\n</code></pre>'),
        ("{{</* x */>}}", "<p>{{&lt; x &gt;}}</p>"),
        ("![a]({{ '/b.png' | relative_url }})", '<p><img src="/b.png" alt="a" /></p>'),
    ],
)
def test_m8_tags_that_are_known_become_what_they_show(text, expected):
    rendered = render(text)
    assert (rendered.html, rendered.warnings) == (expected, ())


@pytest.mark.parametrize(
    ("text", "expected", "named"),
    [
        ("{% note info %}\n**b**\n{% endnote %}", "<p><strong>b</strong></p>", "note"),
        ("{{% notice %}}\n**b**\n{{% /notice %}}", "<p><strong>b</strong></p>", "notice"),
        ("a{% include x.html %}b", "<p>ab</p>", "include"),
        ("{{ site.title }}: a", "<p>: a</p>", "{{ site.title }}"),
        ("![a]({{ site.baseurl }}/b.png)", '<p><img src="/b.png" alt="a" /></p>', "{{ site.baseurl }}"),
        ("{% x %}{% y %}{% x %}a", "<p>a</p>", "x, y"),
        ("{% raw %}never closed", "<p>never closed</p>", "raw"),
    ],
)
def test_m8_other_tags_are_dropped_with_a_warning_that_names_them(text, expected, named):
    rendered = render(text)
    assert rendered.html == expected
    assert rendered.warnings == (f"tags that are not known here were dropped: {named}",)


@pytest.mark.parametrize(
    "text",
    [
        "`{% x %}` and ``{{ y }} ` {{ z }}``",
        "```\n{% x %}\n~~~\n{{ y }}\n```",
        "~~~~ liquid\n{% raw %}\n~~~\n{{< x >}}\n~~~~",
        "- ```\n  {% x %}\n  ```",
        "> ```\n> {% x %}\n> ```",
        "a\n\n    {% x %}\n\n    {{ y }}\n\nb",
        "<pre>{{ x }}</pre>",
        "<code>{% x %}</code>",
        "$$\\frac{{a}}{{b}}$$",
        "\\frac{{a}}",
        "```\nnever closed {% x %}",
    ],
)
def test_m8_code_and_formulas_are_never_touched(text):
    rendered = render(text)
    assert rendered.warnings == ()
    assert tags.expand(text, markdown=True).text == text


def test_a_deep_line_in_a_list_is_no_code():
    assert render("- a\n\n    {% x %}\n").warnings


def test_m8_the_excerpt_is_what_stands_before_the_mark():
    rendered = render("[a]\n\n<!-- more -->\n\nrest\n\n[a]: http://x/")
    assert rendered.excerpt == '<p><a href="http://x/">a</a></p>'
    assert "more" not in rendered.html
    assert "rest" in rendered.html


def test_m8_a_mark_inside_a_paragraph_counts_and_one_in_code_does_not():
    assert render("one <!--more--> two").excerpt == "<p>one</p>"
    assert render("`<!-- more -->`\n\n```\n<!-- more -->\n```\n").excerpt == ""
    assert "more" in render("```\n<!-- more -->\n```\n").html
    assert render("<!-- more -->\n\na").excerpt == ""


def test_markdown_beyond_a_million_characters_is_cut_at_a_line(monkeypatch):
    from aggregator.ingest import markdown

    monkeypatch.setattr(markdown, "_LONGEST", 10)
    rendered = render("one\ntwo\nthree\n")
    assert rendered.html == "<p>one\ntwo</p>"
    assert rendered.warnings == ("its text was cut after 10 characters",)


@pytest.mark.parametrize("text", ["\ufdd00\ufdd1 {% img /a.png %}", "\ufdd09\ufdd1 {% img /a.png %}"])
def test_text_cannot_pretend_to_be_the_place_of_a_tag(text):
    assert html(text).count("<img") == 1


@pytest.mark.parametrize(
    "unit",
    ["{%", "{{", "{{<", "{% raw %}", "` ``", "$$", "{% highlight x %}", "<pre>", "{{ x }}", "~~~\n", "    a\n\n"],
)
@pytest.mark.parametrize("markdown", [True, False])
def test_hostile_tags_are_expanded_in_linear_time(unit, markdown):
    tags.expand(unit * (100_000 // len(unit)), markdown=markdown)


def test_a_renderer_keeps_nothing_from_one_text_to_the_next():
    html("[a]\n\n[a]: http://x/")
    assert html("[a]") == "<p>[a]</p>"
