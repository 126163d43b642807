"""SVG, which is a document and not a picture: what in it can do something makes it none.

A browser runs nothing in an SVG that an `<img>` shows. Opened by itself it is a page of the host that served it, and a copy
on a static host comes without the headers that would forbid its scripts: so what has any is refused as a whole. Cleaning it
would be a second sanitiser, and pictures have no scripts.
"""

from __future__ import annotations

import re
from typing import Any

from aggregator.images.raster import Kind

SVG = Kind("image/svg+xml", "svg")

_NAMESPACE = "http://www.w3.org/2000/svg"
_XHTML = "http://www.w3.org/1999/xhtml"
_ACTIVE = frozenset({"script", "foreignobject", "handler", "listener", "iframe", "embed", "object", "audio", "video"})
_ANIMATIONS = frozenset({"animate", "set", "animatetransform", "animatemotion", "animatecolor", "discard"})
_SPACE = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")  # which browsers skip in the scheme of a URL
_RUNS = re.compile(r"(?i)(?:javascript|vbscript|livescript):|data:(?!image/(?:png|jpe?g|gif|webp|avif)[;,])")
_STARTS = re.compile(rb"(?s)(?:\xef\xbb\xbf)?\s*<(?:\?xml|!--|!DOCTYPE\s+svg|(?:[\w.-]+:)?svg[\s>/])")
_DECLARES = re.compile(rb"<!(?:ENTITY|ATTLIST)\b")
_WIDE = (b"\xff\xfe", b"\xfe\xff")  # UTF-16


def svg_fault(body: bytes) -> str | None:
    """Empty for an SVG that is nothing but a picture; why it may not be shown; None for what is no SVG at all."""
    if not body.startswith(_WIDE) and not _STARTS.match(body[:1000]):
        return None
    from lxml import etree  # noqa: PLC0415 - few images are SVG

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    if root.tag != f"{{{_NAMESPACE}}}svg":
        return None
    tree = root.getroottree()
    if tree.docinfo.internalDTD is not None and _DECLARES.search(etree.tostring(tree, encoding="utf-8")):
        return "an SVG with declarations of its own"  # of entities, or of attributes that every element then has
    before = root.itersiblings(preceding=True)
    if any(one.tag is etree.PI for one in (*before, *root.itersiblings(), *root.iter(etree.PI))):
        return "an SVG with a style sheet of its own"  # XSLT may make anything of it
    return next(filter(None, map(_fault, root.iter(etree.Element))), "")


def _fault(element: Any) -> str:
    """Why an element is no part of a picture; empty where it is."""
    namespace, _, name = str(element.tag).rpartition("}")
    name = name.lower()
    if name in _ACTIVE or namespace == f"{{{_XHTML}":
        return f"an SVG with <{name}> in it"
    for attribute, value in element.attrib.items():
        local = str(attribute).rpartition("}")[2].lower()
        if local.startswith("on"):
            return f"an SVG with {local}= in it"
        if local == "href" and _RUNS.match(_SPACE.sub("", str(value))):
            return "an SVG with a script in a link"
        if name in _ANIMATIONS and local == "attributename" and str(value).strip().lower().rpartition(":")[2] == "href":
            return "an SVG that changes its links"
    return ""
