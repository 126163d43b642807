"""Hosts of images that answer only who comes from a certain page, and what that page is.

There are three kinds. Some want their own site as the Referer (i.pximg.net, cdnfile.sspai.com: none at all is a 403); some
refuse the sites of others and take none (hdslb.com, qpic.cn, zhimg.com), for which asking without one, as we do of every host
that is not here, is enough; and some refuse browsers without one and take their own (sinaimg.cn). Rows come from readers and
proxies that people use: Miniflux (`referer_override.go`), Folo (`imageRefererMatches`), issues of RSSHub and Miniflux, and
lists for browsers such as userChromeJS' RefererChange; of jianshu.io and byteimg.com it is the page their images stand on.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple


class Row(NamedTuple):
    """The Referer that a host wants, by a glob; an empty one: it wants none, not even its own site."""

    host: str
    referer: str


BUILT_IN = (
    Row("*.sinaimg.cn", "https://weibo.com/"),
    Row("*.weibocdn.com", "https://weibo.com/"),
    Row("*.hdslb.com", "https://www.bilibili.com/"),
    Row("*.zhimg.com", "https://www.zhihu.com/"),
    Row("*.qpic.cn", ""),
    Row("*.qlogo.cn", ""),
    Row("*.doubanio.com", "https://movie.douban.com/"),
    Row("*.pximg.net", "https://www.pixiv.net/"),
    Row("*.cdninstagram.com", "https://www.instagram.com/"),
    Row("*.fbcdn.net", "https://www.instagram.com/"),
    Row("*.jianshu.io", "https://www.jianshu.com/"),
    Row("*.byteimg.com", "https://juejin.cn/"),
    Row("cdnfile.sspai.com", "https://sspai.com/"),
    Row("*.beekka.com", "https://sspai.com/"),
    Row("moyu.im", "https://i.jandan.net/"),
    Row("*.moyu.im", "https://i.jandan.net/"),
    Row("img.hellogithub.com", "https://hellogithub.com/"),
    Row("*.xhscdn.com", "https://www.xiaohongshu.com/"),
    Row("imgsrc.baidu.com", "https://tieba.baidu.com/"),
    Row("tiebapic.baidu.com", "https://tieba.baidu.com/"),
    Row("img.cnbeta.com", "https://www.cnbeta.com/"),
    Row("*.autoimg.cn", "https://club.autohome.com.cn/"),
    Row("*webtoon-phinf.pstatic.net", "https://www.webtoons.com/"),
    Row("appinn.com", "https://appinn.com/"),
    Row("*.appinn.com", "https://www.appinn.com/"),
    Row("*.bjp.org.cn", "https://www.bjp.org.cn/"),
    Row("www.parkablogs.com", "https://www.parkablogs.com/"),
)


def referer_of(host: str) -> str | None:
    """The Referer that a host is known to want: empty for none; None where nothing is known of it."""
    name = host.lower().rstrip(".")
    return next((row.referer for row in BUILT_IN if fnmatchcase(name, row.host)), None)
