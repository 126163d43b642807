"""An SVG is shown where it is a picture and nothing else."""

from __future__ import annotations

import pytest
from pictures import SVG

from aggregator.images.vector import svg_fault


def drawn(inside="", before="", attributes=""):
    return f'{before}<svg xmlns="http://www.w3.org/2000/svg" {attributes}>{inside}</svg>'.encode()


@pytest.mark.parametrize(
    "body",
    [
        SVG,
        b"\xef\xbb\xbf" + SVG,
        drawn(before='<?xml version="1.0"?>\n<!-- drawn -->\n'),
        drawn(
            before='<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
        ),
        drawn('<style>path { fill: red }</style><a href="https://e.example/"><text>on</text></a>'),
        drawn('<image href="data:image/png;base64,AAAA"/><animate attributeName="fill" to="red"/>'),
        drawn("<text>é</text>").decode().encode("utf-16"),
    ],
)
def test_a_picture_in_svg_is_one(body):
    assert svg_fault(body) == ""


@pytest.mark.parametrize(
    "body", [b"", b"<svg", b"<svg/>", b"<html></html>", b"svg", b"\xff\xfe<\0", b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_svg_is_none(body):
    assert svg_fault(body) is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (drawn("<script>alert(1)</script>"), "<script> in it"),
        (drawn('<g xmlns:s="http://www.w3.org/2000/svg"><s:script href="x.js"/></g>'), "<script> in it"),
        (drawn(attributes='onload="alert(1)"'), "onload= in it"),
        (drawn("<foreignObject/>"), "<foreignobject> in it"),
        (drawn('<b xmlns="http://www.w3.org/1999/xhtml"/>'), "<b> in it"),
        (drawn('<a href=" java&#10;script:alert(1)"/>'), "a script in a link"),
        (drawn('<use href="data:image/svg+xml,x"/>'), "a script in a link"),
        (
            drawn('<a xmlns:x="http://www.w3.org/1999/xlink"><set attributeName="x:href" to="y"/></a>'),
            "changes its links",
        ),
        (drawn(before='<?xml-stylesheet href="a.xsl" type="text/xsl"?>'), "style sheet of its own"),
        (drawn("&a;", before='<!DOCTYPE svg [<!ENTITY a "&#60;script/>">]>'), "declarations of its own"),
        (drawn(before='<!DOCTYPE svg [<!ATTLIST svg onload CDATA "alert(1)">]>'), "declarations of its own"),
    ],
)
def test_what_can_do_something_is_no_picture(body, words):
    assert words in (svg_fault(body) or "")


def test_entities_that_multiply_are_not_expanded():
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 20}">' for n in range(1, 12))
    assert svg_fault(drawn("&a11;", before=f'<!DOCTYPE svg [<!ENTITY a0 "ha">{laughs}]>')) != ""
