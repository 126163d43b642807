"""Images that are asked for so that somebody is told of it: trackers, and addresses that sign a reader out.

Both are data. A tracker is known by its host, or by a path that nothing else has. The hosts are those that stand in feeds
(feedburner, feedsportal, WordPress, Medium, Blogger, Substack), that every counter's own code puts into `<noscript>`, and
that Miniflux's sanitiser and EasyPrivacy's list of mail trackers name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate

# A host, and all hosts below it; what follows the first slash is how its path begins.
_TRACKERS = (
    # --- in feeds
    *("feeds.feedburner.com/~", "feeds2.feedburner.com/~", "feedproxy.google.com/~", "feedsportal.com", "pheedo.com"),
    *("feeds.wordpress.com/1.0/", "stats.wordpress.com", "stats.wp.com", "pixel.wp.com", "medium.com/_/stat?"),
    *("blogger.googleusercontent.com/tracker/", "api.flattr.com", "counter.theconversation.com"),
    # --- on pages
    *("google-analytics.com", "googletagmanager.com", "googleadservices.com", "doubleclick.net"),
    *("facebook.com/tr?", "facebook.com/tr/", "scorecardresearch.com", "quantserve.com", "imrworldwide.com"),
    *("demdex.net", "krxd.net", "bluekai.com", "pixel.mathtag.com", "rfihub.com", "invitemedia.com", "adnxs.com"),
    *("bat.bing.com", "px.ads.linkedin.com", "analytics.twitter.com", "t.co/i/adsct", "pixel.parsely.com"),
    *("ping.chartbeat.net", "c.statcounter.com", "sitemeter.com", "histats.com", "in.getclicky.com"),
    *("mc.yandex.ru", "counter.yadro.ru", "top-fwz1.mail.ru", "counter.rambler.ru"),
    *("hm.baidu.com", "cnzz.com", "mmstat.com", "miaozhen.com", "admaster.com.cn", "ia.51.la", "users.51.la"),
    *("alog.umeng.com", "ulogs.umeng.com", "cnlogs.umeng.com", "alog.umengcloud.com", "ulogs.umengcloud.com"),
    # --- in mail, which newsletters turn into feeds
    *("substack.com/o/", "substackcdn.com/open?", "list-manage.com/track/", "mailchimp.com/mctx/opens"),
    *("sendgrid.net/wf/open", "sendgrid.net/ss/o/", "awstrack.me", "emltrk.com", "mjt.lu/oo/", "pstmrk.it/open"),
    *("convertkit-mail.com/o/", "convertkit-mail2.com", "hubspotlinks.com", "klclick.com", "sparkpostmail.com/q/"),
)
# Of those that people run below a name of their own: feedburner, Matomo, Mailchimp, SendGrid, beehiiv.
_ANYWHERE = re.compile(r"/(?:~(?:ff|4)/|(?:piwik|matomo)\.php\b|track/open\.php\?u=|wf/open\?upn=|ho\.gif$)").search
_OUT = r"(?:user)?(?:log|sign)[-_]?(?:out|off)"
_SIGNS_OUT = re.compile(
    rf"(?i)[^?#]*[/:]{_OUT}(?:\.(?:php\d?|aspx?|jsp|do|action|cgi|html?))?/?(?:[?#;].*)?"
    rf"|[^?#]*\?(?:.*[&;])?(?:\w+=)?(?:\w+:)?{_OUT}(?:[&;=#].*)?"
)


class Trackers:
    """The trackers that are known, and `more` hosts, as globs."""

    def __init__(self, more: Iterable[str] = ()) -> None:
        self._rows: dict[str, list[tuple[str, str]]] = {}
        for row in _TRACKERS:
            host, slash, path = row.partition("/")
            self._rows.setdefault(_domain(host), []).append((host, slash + path))
        globs = "|".join(translate(glob.lower()) for glob in more)
        self._more = re.compile(globs).match if globs else None

    def count(self, url: str) -> bool:
        """Whether an absolute URL is a tracker's: whoever shows it is counted, and sees nothing.

        >>> Trackers().count("https://pixel.wp.com/b.gif?host=a"), Trackers().count("https://i0.wp.com/a.example/b.gif")
        (True, False)
        """
        host, slash, path = url.partition("//")[2].partition("/")
        if not host.islower() or ":" in host or "?" in host:
            host = host.partition("?")[0].rpartition("@")[2].partition(":")[0].lower()
        for tracker, begin in self._rows.get(_domain(host), ()):
            if (host == tracker or host.endswith(f".{tracker}")) and (slash + path).startswith(begin):
                return True
        if self._more is not None and self._more(host):
            return True
        return _ANYWHERE(url) is not None


def signs_out(url: str) -> bool:
    """Whether an absolute URL is one at which a reader is signed out of a site, as soon as it is asked for.

    A picture of how that is done is none: `…/logout.png`, `…/sign-out/step-1.jpg`.

    >>> signs_out("https://e.example/wp-login.php?action=logout&x=1"), signs_out("https://e.example/a/logout.png")
    (True, False)
    """
    return ("out" in url or "off" in url or "O" in url) and _SIGNS_OUT.fullmatch(url.partition("//")[2]) is not None


def _domain(host: str) -> str:
    """The last two labels of a host, by which rows are found."""
    return ".".join(host.rsplit(".", 2)[-2:])
