from __future__ import annotations

import pytest

from aggregator.schedule.daemon import _FOLDERS


@pytest.mark.parametrize(
    ("problem", "shown"),
    [
        (
            "cannot write /srv/feeds/all/rss.xml: No space left on device",
            "cannot write rss.xml: No space left on device",
        ),
        (
            "the store sqlite:////var/lib/a.db is locked by another program",
            "the store a.db is locked by another program",
        ),
        ("all/rss.xml: Permission denied; all/atom.xml: Permission denied", None),
        ("nothing was scheduled for 300 seconds", None),
    ],
)
def test_what_is_wrong_is_told_to_anybody_without_the_folders_of_this_machine(problem, shown):
    assert _FOLDERS.sub("", problem) == (shown or problem)
