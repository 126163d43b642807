from __future__ import annotations

import pytest
from pydantic import ValidationError

from aggregator.config.images import ImageHeaders, ImageProxy, ImageRule, Images

KEY = "0123456789abcdef"


def fault(**values):
    with pytest.raises(ValidationError) as caught:
        ImageRule(**values)
    (error,) = caught.value.errors()
    return error["msg"].removeprefix("Value error, ")


def test_a_rule_does_one_thing():
    assert ImageRule(action="drop").hosts == ("*",)
    assert ImageRule(hosts="*.sinaimg.cn", wrap="https://wsrv.nl/?url={href:q}").hosts == ("*.sinaimg.cn",)
    assert fault() == "needs one of `action` and `wrap`"
    assert "has both `action` and `wrap`" in fault(action="link", wrap="https://p.example/{href}")


@pytest.mark.parametrize("hosts", [[], "", "https://e.example/", "e.example:8080", ["e.example", "e.example/a"]])
def test_what_no_host_can_match_is_refused(hosts):
    assert "host" in fault(action="link", hosts=hosts)


def test_a_referer_is_a_url_or_none_at_all():
    assert ImageHeaders(hosts="e.example", referer="").referer == ""
    with pytest.raises(ValidationError) as caught:
        ImageHeaders(hosts="e.example", referer="e.example")
    [error] = caught.value.errors()
    assert error["loc"] == ("referer",)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("https://p.example/", "holds no origin"),
        ("https://p.example/{host}", "holds no origin"),
        ("https://p.example/{url}", "does not know {url}; there are {b64}, {b64:padded}, {camo}"),
        ("https://p.example/{href}/{href}", "names a part twice"),
        ("//p.example/{href}", "must start with http:// or https://"),
    ],
)
def test_a_template_that_loses_the_origin_is_refused(template, words):
    assert words in fault(wrap=template)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"wrap": "https://c.example/{camo}/{hex}"}, "needs a `key` to sign {camo} with"),
        ({"wrap": "https://c.example/{href}", "key": KEY}, "has a `key`, but nothing in `wrap` is signed"),
        ({"wrap": "https://i.example/{imgproxy}/{b64}", "key": KEY}, "needs a `salt` in hexadecimal for {imgproxy}"),
        ({"wrap": "https://i.example/{imgproxy}/{b64}", "key": "xyz", "salt": KEY}, "needs a `key` in hexadecimal"),
        ({"wrap": "https://c.example/{camo}/{hex}", "key": KEY, "salt": KEY}, "which only {imgproxy} has a use for"),
    ],
)
def test_signatures_need_their_keys_and_keys_a_signature(values, words):
    assert words in fault(**values)


def test_secrets_do_not_show():
    shown = repr(Images(key=KEY, rules=[{"wrap": "https://c.example/{camo}/{hex}", "key": KEY}]))
    assert KEY not in shown


@pytest.mark.parametrize("values", [{"width": 800}, {"format": "webp"}])
def test_what_needs_pillow_says_so_where_it_is_not_there(values, monkeypatch):
    assert ImageProxy.model_validate(values)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ValidationError, match=r"needs Pillow: pip install -e '\.\[images\]'"):
        ImageProxy.model_validate(values)
    assert ImageProxy.model_validate({}).width is None
