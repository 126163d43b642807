"""What is documented exists, and what exists is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main

from aggregator.cli.commands import app
from aggregator.config.fields import signed_parts
from aggregator.config.images import ImageRule
from aggregator.config.reading import read_config
from aggregator.config.reference import reference
from aggregator.images.proxies import BUILT_IN
from aggregator.images.templates import Template

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


def test_the_reference_of_the_configuration_is_current():
    shipped = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
    assert shipped == reference(), "run: python -m aggregator.config.reference > docs/config.md"


def test_every_key_of_the_configuration_says_what_it_means():
    empty = [line for line in reference().splitlines() if re.search(r"\|\s*\|$", line) and ".type`" not in line]
    assert empty == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_each_of_its_options_is_in_the_guide(name):
    assert f"### `aggregator {name}" in GUIDE
    section = GUIDE.partition(f"### `aggregator {name}")[2].partition("\n### ")[0]
    for parameter in (each for each in COMMANDS[name].params if each.opts[0].startswith("-")):
        for option in (*parameter.opts, *parameter.secondary_opts):
            known_to_all = option in {"--config", "-c", "--help", "-h", "--refresh"}
            assert known_to_all or option in section, option


def test_every_command_in_the_guide_exists():
    assert set(re.findall(r"### `aggregator (\w+)", GUIDE)) == set(COMMANDS)


def test_the_configuration_in_the_readme_is_valid(write):
    [example] = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    config = read_config(write("config/a.yaml", example))
    assert [source.name for source in config.sources] == ["blog", "friend", "kr"]


def test_the_default_configuration_is_valid_and_runs_on_files_that_are_there():
    config = read_config(ROOT / "config" / "aggregator.yaml")
    for source in config.sources:
        assert Path(source.path if source.type == "front-matter" else source.url).exists()


def test_every_template_in_the_guide_wraps_an_image_and_gives_it_back():
    rows = re.findall(r"^\| .* \| `(https://.*)` \|$", GUIDE.partition("| `wrap:` for |")[2], re.MULTILINE)
    assert len(rows) == 11
    for template in rows:
        needs = {"key": "00" * 16} if signed_parts(template) else {}
        needs |= {"salt": "00" * 8} if "{imgproxy}" in template else {}
        rule = ImageRule(wrap=template, **needs)
        made = Template(rule.wrap, **needs)
        assert made.unwrap(made.wrap("https://e.example/a.jpg")) == "https://e.example/a.jpg"


def test_the_rules_in_the_guide_are_valid(write):
    for example in re.findall(r"```yaml\n(images:.*?)```", GUIDE, re.DOTALL):
        read_config(write("config/a.yaml", f"sources: []\n{example}"))


def test_the_readme_counts_the_proxies_right():
    assert f"from {len({proxy.name for proxy in BUILT_IN})} kinds of proxies" in README


def test_links_between_documents_lead_somewhere():
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
