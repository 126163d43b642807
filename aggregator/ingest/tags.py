"""The tags that Hexo, Jekyll and Hugo put into their Markdown and HTML, as what they show.

`{% raw %}`, images, code, quotations, videos and links become HTML; any other tag goes, what stands between a pair of them
stays, and a warning names it. Code is never touched: fences, code spans, indented code, `<pre>` and `<code>`.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from dataclasses import dataclass, field

from aggregator.ingest.tagargs import attributes, block_html, inline_html, words

# Markdown must not touch what a tag became, so it stands there as a number between two noncharacters meanwhile.
_HOLE = "\ufdd0{}\ufdd1"
_HOLES = re.compile("<p>\ufdd0([0-9]+)\ufdd1</p>|\ufdd0([0-9]+)\ufdd1")
_HOLE_SIGNS = str.maketrans("", "", "\ufdd0\ufdd1")
_BLOCK = re.compile(
    r"\s*<(?:pre|figure|blockquote|div|p|table|ul|ol|h[1-6]|iframe|section|details|video|audio)\b", re.IGNORECASE
)

# No possessive quantifiers around groups: CPython gets them wrong before 3.11.5, which Debian 12 has (gh-106052).
_SHORTCODE = (
    r"\{\{(?P<kind>[<%])(?P<literal>/\*)?\s*(?P<short>/?[^\s<>%{}/*]+)?(?P<short_args>(?:(?![>%]\}\}|\{\{).)*)[>%]\}\}"
)
_TAG = r"\{%-?\s*(?P<tag>[\w-]+)(?P<args>(?:(?!%\}|\{%).)*)%\}"
_CODE = r"<(?P<element>pre|code|script|style|textarea)\b"
_OUTPUT = r"(?<![\w\\^{])\{\{-?(?P<output>(?:(?!\}\}|\{\{)[^\n])*)\}\}"
_FENCE = r"^[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)?(?P<fence>`{3,}(?=[^`\n]*$)|~{3,})"
_IN_MARKDOWN = re.compile(
    rf"{_FENCE}|(?P<ticks>`+)|{_CODE}|(?P<math>\$\$)|{_SHORTCODE}|{_TAG}|{_OUTPUT}", re.MULTILINE | re.DOTALL
)
_IN_HTML = re.compile(rf"{_CODE}|{_SHORTCODE}|{_TAG}", re.DOTALL)

_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_LIST_ITEM = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)")
_LITERAL = re.compile(r"""\s*(["'])(.*?)\1\s*(?:\|.*)?-?""", re.DOTALL)  # {{ "/a.png" | relative_url }}
_VERBATIM = frozenset(("raw", "verbatim", "comment", "codeblock", "code", "highlight"))
_QUOTES = frozenset(("blockquote", "quote", "pullquote", "centerquote", "cq"))


@dataclass(frozen=True, slots=True)
class Expanded:
    """Text whose tags are gone, the HTML that belongs into its holes, and which tags nobody knew."""

    text: str
    kept: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def fill(self, rendered: str) -> str:
        """The rendered text with its holes filled; a hole that is a paragraph becomes a block where its HTML is one."""

        def filled(match: re.Match[str]) -> str:
            if match[1] is None:
                return self._kept(match[2])
            kept = self._kept(match[1])
            return kept if _BLOCK.match(kept) else f"<p>{kept}</p>"

        return _HOLES.sub(filled, rendered) if self.kept else rendered

    def _kept(self, number: str) -> str:
        return self.kept[int(number)] if int(number) < len(self.kept) else ""


def expand(text: str, *, markdown: bool) -> Expanded:
    """The text with its tags expanded; for Markdown, the HTML of tags is kept apart, to be filled in after rendering.

    In HTML, `{{ … }}` is left alone: it is as likely to be text about templates.
    """
    work = _Expansion(text.translate(_HOLE_SIGNS), markdown)
    work.run()
    warnings: tuple[str, ...] = ()
    if work.dropped:
        names = ", ".join(dict.fromkeys(work.dropped))
        warnings = (f"tags that are not known here were dropped: {names}",)
    return Expanded("".join(work.out), tuple(work.kept), warnings)


@dataclass(slots=True)
class _Expansion:
    """One text on its way through `expand`, from left to right."""

    text: str
    markdown: bool
    out: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    unclosed: set[str] = field(default_factory=set)  # looked for to the end and not there: never looked for again

    quoted: list[str] = field(default_factory=list)  # whom the open quotations quote
    paragraph_end: int = -1  # of the paragraph that the last code span began in

    def run(self) -> None:
        """Copies the text to `out`, tag by tag."""
        tokens = _IN_MARKDOWN if self.markdown else _IN_HTML
        starts, ends = _indented_code(self.text) if self.markdown else ([], [])
        position = 0
        while match := tokens.search(self.text, position):
            self.out.append(self.text[position : match.start()])
            region = bisect_right(starts, match.start()) - 1
            if region >= 0 and match.start() < ends[region]:
                position = ends[region]
                self.out.append(self.text[match.start() : position])
                continue
            position = self._token(match)
        self.out.append(self.text[position:])

    def _token(self, match: re.Match[str]) -> int:
        """Writes what the token becomes; the position after it."""
        found = match.groupdict()
        if found.get("tag"):
            return self._tag(found["tag"], found["args"].rstrip("-").strip(), match.end())
        if found.get("kind"):
            return self._shortcode(found, match)
        if found.get("output") is not None:
            self._output(found["output"])
            return match.end()
        end = self._end_of_code(found, match)
        self.out.append(self.text[match.start() : end])
        return end

    def _end_of_code(self, found: dict[str, str | None], match: re.Match[str]) -> int:
        """Where the code or formula that begins here ends; just after its opening if nothing closes it."""
        if fence := found.get("fence"):
            closing = re.compile(rf"^[ \t>]*{fence[0]}{{{len(fence)},}}[ \t]*$", re.MULTILINE)
            end = closing.search(self.text, match.end())
            return end.end() if end else len(self.text)
        if ticks := found.get("ticks"):
            if self.paragraph_end < match.end():
                blank = _BLANK_LINE.search(self.text, match.end())
                self.paragraph_end = blank.start() if blank else len(self.text)
            run = re.compile(rf"(?<!`){ticks}(?!`)").search(self.text, match.end(), self.paragraph_end)
            return run.end() if run else match.end()
        if element := found.get("element"):
            return self._find(re.compile(rf"</{element}\s*>", re.IGNORECASE), match.end())[1]
        return self._find(re.compile(r"\$\$"), match.end())[1]

    def _find(self, closing: re.Pattern[str], start: int) -> tuple[int, int]:
        """Where the closing mark stands; twice `start` if there is none."""
        if closing.pattern not in self.unclosed:
            if end := closing.search(self.text, start):
                return end.span()
            self.unclosed.add(closing.pattern)
        return start, start

    def _keep(self, made: str) -> None:
        if self.markdown:
            self.out.append(_HOLE.format(len(self.kept)))
            self.kept.append(made)
        else:
            self.out.append(made)

    def _tag(self, name: str, args: str, position: int) -> int:
        """Expands a tag of Hexo or Liquid; the position after it, and after its content where that is no Markdown."""
        if name in _VERBATIM:
            end, after = self._find(re.compile(rf"\{{%-?\s*end{name}\s*-?%\}}"), position)
            if after > position:
                self._verbatim(name, args, self.text[position:end])
                return after
        made = inline_html(name, args)
        if made is not None:
            self._keep(made)
        elif name in _QUOTES:
            self.quoted.append(" ".join(words(args)))
            self.out.append("\n\n<blockquote>\n\n")
        elif name.removeprefix("end") in _QUOTES:
            author = html.escape(self.quoted.pop(), quote=False) if self.quoted else ""
            footer = f"<footer>{author}</footer>\n\n" if author else ""
            self.out.append(f"\n\n{footer}</blockquote>\n\n")
        elif name == "asset_path":
            self.out.append(args.strip("\"'").replace(" ", "%20"))
        elif not (name.startswith("end") and name.removeprefix("end") in {*self.dropped, *_VERBATIM}):
            self.dropped.append(name)
        return position

    def _verbatim(self, name: str, args: str, content: str) -> None:
        """Writes the content of a tag that takes it as it is."""
        if name == "comment":
            return
        if name in {"raw", "verbatim"}:
            # Jekyll writes Markdown with code in it between them, Hexo HTML.
            if self.markdown and ("`" in content or "~~~" in content):
                self.out.append(content)
            else:
                self._keep(content.strip("\n") if "\n" in content else content)
            return
        self._keep(block_html(name, args, content))

    def _shortcode(self, found: dict[str, str], match: re.Match[str]) -> int:
        """Expands a shortcode of Hugo; `{{</* x */>}}` is how one is shown."""
        name, args = found["short"] or "", found["short_args"]
        if found["literal"]:
            self._keep(html.escape(match.group().replace("/*", "", 1).replace("*/", "", 1), quote=False))
            return match.end()
        if name == "highlight":
            end, after = self._find(re.compile(r"\{\{[<%]\s*/\s*highlight\s*[>%]\}\}"), match.end())
            if after > match.end():
                self._keep(block_html(name, args.strip(), self.text[end:end] or self.text[match.end() : end]))
                return after
        made = attributes(name, args)
        if made is not None:
            self._keep(made)
        elif name and not name.startswith("/"):
            self.dropped.append(name)
        return match.end()

    def _output(self, output: str) -> None:
        """Writes what `{{ … }}` shows, if it says so itself: a text, filtered or not."""
        if literal := _LITERAL.fullmatch(output):
            self.out.append(literal[2])
        elif output.strip(" -"):
            self.dropped.append(f"{{{{ {' '.join(words(output))[:60]} }}}}")


def _indented_code(text: str) -> tuple[list[int], list[int]]:
    """Where indented code begins and ends: lines four deep after a blank line, and not inside a list (CommonMark §4.4)."""
    starts: list[int] = []
    ends: list[int] = []
    offset, in_list, blank, code = 0, False, True, False
    for line in text.split("\n"):
        after = offset + len(line) + 1
        if not line.strip():
            blank = True
        elif line.startswith(("    ", "\t")) and not in_list and (blank or code):
            if code:
                ends[-1] = after
            else:
                starts.append(offset)
                ends.append(after)
            blank, code = False, True
        else:
            in_list = bool(_LIST_ITEM.match(line)) or (in_list and (line[0] in " \t" or not blank))
            blank = code = False
        offset = after
    return starts, ends
