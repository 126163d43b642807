"""CSS selectors on a tree, in time that grows with the tree and not with its square.

cssselect writes `div div p` as one XPath expression, which libxml2 evaluates by merging a set for every `div`: 12 s and
more on a page made for it (180 towers of 240 nested elements), where this takes 0.1 s. So XPath finds what each part
of a selector matches by itself, and how the parts stand to each other is looked at in one walk for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cssselect import HTMLTranslator, SelectorError
from cssselect import parse as parse_css
from cssselect.parser import CombinedSelector
from lxml import etree

_ATTRIBUTE = re.compile(r"@([A-Za-z_][\w:.-]*)\s*\Z")  # as the config reads it
_PSEUDO_ELEMENT = re.compile(r"::?(text|attr\(([\w:.-]+)\))\s*\Z")


@dataclass(frozen=True, slots=True)
class Selector:
    """A selector that can be asked: its alternatives, each a chain of parts and how each stands to the one before."""

    text: str
    chains: tuple[tuple[tuple[str, etree.XPath], ...], ...]
    attribute: str = ""

    def select(self, element: etree._Element) -> list[etree._Element]:
        """The elements that match, the element itself among them, in document order."""
        if not self.chains:
            return [element]
        found = [self._chain(chain, element) for chain in self.chains]
        if len(found) == 1:
            return found[0]
        matching = set().union(*found)
        return [inner for inner in element.iter() if inner in matching]

    def first(self, element: etree._Element) -> etree._Element | None:
        """The first element that matches."""
        return next(iter(self.select(element)), None)

    @staticmethod
    def _chain(chain: Iterable[tuple[str, etree.XPath]], element: etree._Element) -> list[etree._Element]:
        found: list[etree._Element] = []
        for combinator, part in chain:
            matching: list[etree._Element] = part(element)  # type: ignore[assignment]
            if combinator and found:
                related = _related(combinator, set(found), element)
                matching = [inner for inner in matching if inner in related]
            elif combinator:
                return []
            found = matching
        return found


def _related(combinator: str, found: set[etree._Element], root: etree._Element) -> set[etree._Element]:
    """The elements below `root` that stand to one of those found as the combinator says."""
    if combinator == ">":
        return {child for element in found for child in element}
    if combinator == "+":
        return {follower for element in found if element is not root and (follower := element.getnext()) is not None}
    related: set[etree._Element] = set()
    for element in root.iter():
        parent = element.getparent() if element is not root else None
        if combinator == "~":
            before = element.getprevious() if parent is not None else None
            if before is not None and (before in found or before in related):
                related.add(element)
        elif parent is not None and (parent in found or parent in related):
            related.add(element)
    return related


def compiled(selector: str) -> Selector:
    """The selector, with what may stand at its end: `@attribute`. Raises ValueError, which says what is wrong with it."""
    ending = _ATTRIBUTE.search(selector)
    attribute = ending[1].lower() if ending else ""
    css = selector[: ending.start()].strip() if ending else selector.strip()
    if not css:
        if attribute:
            return Selector(selector, (), attribute)
        raise ValueError("is empty")
    scrapy = _PSEUDO_ELEMENT.search(css)
    if scrapy:
        instead = f"end in @{scrapy[2]} instead" if scrapy[2] else "leave it out: text is what is taken"
        raise ValueError(f"ends in ::{scrapy[1]}, which CSS does not know; {instead}")
    try:
        translator = HTMLTranslator()
        chains = tuple(tuple(_parts(tree, translator)) for tree in parse_css(css))
    except SelectorError as error:
        raise ValueError(f"is no CSS selector: {error}") from error
    except (RecursionError, etree.XPathSyntaxError) as error:
        raise ValueError("is no CSS selector that can be used") from error
    return Selector(selector, chains, attribute)


def _parts(selector: Any, translator: HTMLTranslator) -> list[tuple[str, etree.XPath]]:
    """The compound selectors of a complex one from left to right, each with the combinator before it."""
    if selector.pseudo_element:
        raise ValueError(f"ends in ::{selector.pseudo_element}, which selects no element")
    tree, parts = selector.parsed_tree, []
    while isinstance(tree, CombinedSelector):
        parts.append((tree.combinator, tree.subselector))
        tree = tree.selector
    parts.append(("", tree))
    return [
        (combinator, etree.XPath(f"descendant-or-self::{translator.xpath(part)}"))
        for combinator, part in reversed(parts)
    ]


def selector_fault(selector: str, *, of_items: bool = False) -> str:
    """What is wrong with a selector of a config, as the end of a sentence; empty where it can be used.

    The selector of items selects elements, so it cannot end in an attribute.
    """
    try:
        found = compiled(selector)
    except ValueError as error:
        return str(error)
    return "ends in an attribute, but has to select elements" if of_items and found.attribute else ""
