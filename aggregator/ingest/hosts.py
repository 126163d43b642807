"""Which hosts stand behind one server: where a site of many blogs says "later", it means all of them."""

from __future__ import annotations

import re

# Domains whose subdomains are people's own blogs, pages or podcasts, all served and throttled by one operator. More go here.
# Not here: hosts of tenants' own *code* (workers.dev, pages.dev, vercel.app, netlify.app, herokuapp.com, deno.dev, fly.dev,
# onrender.com, sourceforge.io, wpengine.com …). A Retry-After from there may be the tenant's own, so one of them, broken or hostile, could
# keep us from all the others for a day. Nor hosts that have their tenants in the path (ameblo.jp, www.cnblogs.com,
# youtube.com, www.jianshu.com): the host is the platform already.
PLATFORMS = frozenset(
    {
        "bandcamp.com",
        "bearblog.dev",
        "beehiiv.com",
        "bitbucket.io",
        "blog.jp",
        "blot.im",
        "buttondown.com",
        "buttondown.email",
        "canalblog.com",
        "ck.page",
        "cocolog-nifty.com",
        "codeberg.page",
        "csdn.net",
        "dreamwidth.org",
        "eklablog.com",
        "exblog.jp",
        "fandom.com",
        "fc2.com",
        "feedburner.com",
        "ghost.io",
        "github.io",
        "gitlab.io",
        "hashnode.dev",
        "hateblo.jp",
        "hatenablog.com",
        "hatenablog.jp",
        "hatenadiary.com",
        "hatenadiary.jp",
        "hatenadiary.org",
        "itch.io",
        "jimdofree.com",
        "jugem.jp",
        "libsyn.com",
        "livedoor.blog",
        "livejournal.com",
        "lofter.com",
        "mataroa.blog",
        "medium.com",
        "micro.blog",
        "myshopify.com",
        "neocities.org",
        "over-blog.com",
        "pixnet.net",
        "podbean.com",
        "posthaven.com",
        "prose.sh",
        "readthedocs.io",
        "reddit.com",
        "seesaa.net",
        "squarespace.com",
        "srht.site",
        "stackexchange.com",
        "strikingly.com",
        "substack.com",
        "surge.sh",
        "svbtle.com",
        "tistory.com",
        "tumblr.com",
        "typepad.com",
        "webflow.io",
        "webnode.page",
        "weebly.com",
        "wixsite.com",
        "wordpress.com",
        "write.as",
    }
)
# Blogger's domains, as the Public Suffix List had them until December 2024: then they had begun to lapse, one country after
# the other, to whoever takes them next. That is why each is a scope of its own, and none is widened to blogspot.com.
_BLOGGER = frozenset(
    f"blogspot.{country}"
    for country in re.findall(
        r"\S+",
        """
        com com.ar com.au com.br com.by com.co com.cy com.ee com.eg com.es com.mt com.ng com.tr com.uy co.at
        co.id co.il co.ke co.nz co.uk co.za ae al am ba be bg bj ca cf ch cl cv cz de dk fi fr gr hk hr hu ie
        in is it jp kr li lt lu md mk mr mx my nl no pe pt qa re ro rs ru se sg si sk sn td tw ug vn
        """,
    )
)
_SCOPES = PLATFORMS | _BLOGGER
_MOST_LABELS = max(scope.count(".") for scope in _SCOPES) + 1


def scope_of(host: str) -> str:
    """What a Retry-After of the host is for: the host itself, or the domain of the platform that it belongs to.

    >>> scope_of("one.substack.com"), scope_of("www.substack.com"), scope_of("blog.example.com")
    ('substack.com', 'substack.com', 'blog.example.com')

    Upper case and the root's dot make no difference; a port does but on a platform, where it is dropped. An address is
    itself, because no row is the end of one.
    """
    host = host.lower().rstrip(".")
    name, colon, port = host.rpartition(":")
    if not colon or not port.isdecimal() or ":" in name:  # an address of version 6 has colons of its own
        name = host
    labels = name.rstrip(".").rsplit(".", _MOST_LABELS)
    for start in range(len(labels) - 1):
        domain = ".".join(labels[start:])
        if domain in _SCOPES:
            return domain
    return host
