"""What is known of hosts that want a Referer."""

from __future__ import annotations

import pytest

from aggregator.images.referers import BUILT_IN, referer_of


@pytest.mark.parametrize(
    ("host", "referer"),
    [
        ("wx3.sinaimg.cn", "https://weibo.com/"),
        ("I.PXIMG.NET", "https://www.pixiv.net/"),
        ("mmbiz.qpic.cn.", ""),
        ("webtoon-phinf.pstatic.net", "https://www.webtoons.com/"),
        ("postfiles.pstatic.net", None),
        ("sinaimg.cn.evil.example", None),
        ("e.example", None),
    ],
)
def test_a_host_is_known_by_its_name(host, referer):
    assert referer_of(host) == referer


def test_every_row_is_a_page_or_none():
    assert all(
        row.referer == "" or (row.referer.startswith("https://") and row.referer.endswith("/")) for row in BUILT_IN
    )
