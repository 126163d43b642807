"""Trackers, and addresses that sign a reader out: what is asked for so that something happens."""

import pytest

from aggregator.images.trackers import Trackers, signs_out

TRACKERS = Trackers()


@pytest.mark.parametrize(
    "url",
    [
        "http://feeds.feedburner.com/~r/Example/~4/abc",
        "http://feeds.feedburner.com/~ff/Example?d=yIl2AUoC8zA",
        "http://feeds.wired.example/~ff/wired/index?i=x:y:V_sGLiPBpWU",
        "https://feeds.wired.example/~r/wired/index/~4/abc",
        "http://da.feedsportal.com/r/20/u/49/f/6/c/1/s/2/a2.img",
        "http://feeds.wordpress.com/1.0/gocomments/blog.wordpress.com/186/",
        "https://pixel.wp.com/b.gif?host=blog.example&feed=1",
        "http://stats.wordpress.com/b.gif?host=blog.example",
        "https://medium.com/_/stat?event=post.clientViewed&referrerSource=full_rss&postId=1",
        "https://blogger.googleusercontent.com/tracker/1-2?l=https://blog.example/",
        "https://www.google-analytics.com/collect?v=1&t=pageview",
        "https://ad.doubleclick.net/ddm/ad/N1/B2;sz=1x1",
        "https://www.facebook.com/tr?id=1&ev=PageView&noscript=1",
        "https://sb.scorecardresearch.com/p?c1=2&c2=1",
        "https://pixel.quantserve.com/pixel/p-1.gif",
        "https://hm.baidu.com/hm.gif?si=1",
        "https://s95.cnzz.com/z_stat.php?id=1",
        "https://ulogs.umeng.com/x",
        "https://eotrx.substackcdn.com/open?token=1",
        "https://x.us1.list-manage.com/track/open.php?u=1&id=2",
        "https://news.example/track/open.php?u=1",
        "//stats.example/piwik.php?idsite=1",
        "https://stats.example/matomo.php?idsite=1&rec=1",
        "https://PIXEL.wp.com:443/b.gif",
    ],
)
def test_h7_a_tracker_is_known_by_its_host_or_path(url):
    assert TRACKERS.count(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://img.example/a.jpg",
        "https://i0.wp.com/pixel.wp.com.example/b.jpg",
        "https://notpixel.wp.com/b.jpg",
        "https://miro.medium.com/max/1400/1*x.png",
        "https://medium.com/_/statistics.png",
        "https://www.facebook.com/travel/photo.jpg",
        "https://substackcdn.com/image/fetch/a.png",
        "https://users.example/~r/photo.jpg",
        "https://e.example/a.jpg?from=pixel.wp.com/b.gif",
        "https://google-analytics.com.example/logo.png",
        "https://feeds.feedburner.com/logo.png",
        "https://matomo.example/docs/matomo.phpinfo.png",
        "data:image/gif;base64,R0lG",
    ],
)
def test_what_only_looks_like_one_is_none(url):
    assert not TRACKERS.count(url)


def test_h7_more_tracker_hosts_can_be_named():
    more = Trackers(("*.count.example", "pixel[0-9].example"))
    assert more.count("https://a.count.example/x.gif")
    assert more.count("https://Pixel7.example")
    assert not more.count("https://count.example/x.gif")
    assert more.count("https://pixel.wp.com/b.gif")


@pytest.mark.parametrize(
    "url",
    [
        "https://e.example/logout",
        "https://e.example/a/sign-out/?next=%2F",
        "https://e.example/users/sign_out",
        "https://e.example/Account/LogOff.aspx",
        "https://e.example/wp-login.php?action=logout&_wpnonce=1",
        "https://e.example/index.php?a=1&logout=1",
        "https://e.example/?logout",
        "https://wiki.example/wiki/Special:UserLogout",
        "https://wiki.example/index.php?title=Special:UserLogout",
        "https://e.example/logout.php#x",
    ],
)
def test_h8_an_address_that_signs_a_reader_out_is_known(url):
    assert signs_out(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://e.example/logout.png",
        "https://e.example/sign-out/step-1.jpg",
        "https://e.example/how-to-log-out.webp",
        "https://logout.example/a.png",
        "https://e.example/blog/outdoor.jpg?page=about",
        "https://e.example/a.png?from=/logout.html.png",
    ],
)
def test_h8_a_picture_of_signing_out_is_a_picture(url):
    assert not signs_out(url)
