from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aggregator.images.policy import Policy, Published, Rule
from aggregator.images.prefixes import without_prefix
from aggregator.images.templates import Template

WESERV = Template("https://wsrv.nl/?url={href:q}")
PHOTON = Template("https://i0.wp.com/{host}{path}?ssl=1")
URL = "https://wx1.sinaimg.cn/large/a.jpg"


def policy(*rules, **more):
    more = {"ways": {"proxy": "https://we.example/img/{}".format, "mirror": lambda _: None}} | more
    return Policy(rules, **more)


def test_without_a_rule_an_image_is_linked_to():
    assert policy().publish(URL, source="blog") == Published(URL, URL)


def test_the_first_rule_that_matches_wins():
    rules = policy(
        Rule("0", "drop", hosts=("ads.example",)),
        Rule("1", "proxy", hosts=("*.SINAIMG.cn",)),
        Rule("2", "wrap", template=WESERV),
    )
    assert rules.publish("https://ads.example/a.jpg", source="blog").url is None
    assert rules.publish(URL, source="blog") == Published(f"https://we.example/img/{URL}", URL, "1", "proxy")
    assert rules.publish("http://e.example/a", source="blog").url == "https://wsrv.nl/?url=http%3A%2F%2Fe.example%2Fa"


def test_a_rule_may_be_for_some_sources_or_feeds():
    rules = policy(
        Rule("0", "proxy", sources=("weibo-*",)), Rule("1", "wrap", feeds=("category/编程*",), template=WESERV)
    )
    assert rules.publish(URL, source="weibo-a").action == "proxy"
    assert rules.publish(URL, source="blog", feed="all").action == "link"
    assert rules.publish(URL, source="blog", feed="category/编程/Docker").action == "wrap"


def test_a_rule_that_cannot_do_its_job_leaves_it_to_the_next():
    rules = policy(Rule("0", "mirror"), Rule("1", "wrap", template=PHOTON), Rule("2", "proxy"))
    assert rules.publish("https://e.example/a.jpg", source="blog").rule == "1"
    assert rules.publish("https://e.example/a.jpg?x=1", source="blog").rule == "2"
    assert policy(Rule("0", "mirror")).publish(URL, source="blog").url == URL
    assert policy(Rule("0", "proxy"), ways={}).publish(URL, source="blog").url == URL


def test_what_we_put_in_front_is_taken_off_first_now_and_formerly():
    former = "https://cors.example/?"
    rules = policy(Rule("0", "wrap", template=WESERV), own=[lambda url: without_prefix(url, former)])
    once = rules.publish(URL, source="blog").url
    assert rules.publish(once, source="blog").url == once
    assert rules.publish(f"{former}{once}", source="blog") == Published(once, URL, "0", "wrap")
    assert rules.publish(f"{former}{former}{URL}", source="blog").url == once


def test_what_stood_behind_ours_is_read_as_any_other_origin_is():
    rules = policy(Rule("0", "wrap", template=PHOTON), read=lambda url: url.removeprefix("https://third.example/"))
    wrapped = PHOTON.wrap("https://third.example/https://e.example/a.jpg")
    assert rules.publish(wrapped, source="blog").origin == "https://e.example/a.jpg"


def test_what_no_post_may_show_stays_behind_whatever_made_it_look_like_ours():
    hidden = WESERV.wrap("http://192.168.1.1/reboot")
    rules = policy(Rule("0", "wrap", template=WESERV), Rule("1", "mirror"), read=lambda _: None)
    assert rules.publish(hidden, source="blog") == Published(hidden, hidden)
    assert not rules.wants_mirror(hidden, source="blog", feeds=[""])


def test_more_of_ours_than_anybody_wraps_stays_whole():
    rules, url = policy(Rule("0", "wrap", template=WESERV)), URL
    for _ in range(3):
        url = WESERV.wrap(url)
    assert rules.publish(url, source="blog").origin == URL
    deeper = WESERV.wrap(url)
    assert rules.publish(deeper, source="blog") == Published(deeper, deeper)


def test_a_dot_at_the_end_of_a_host_hides_it_from_no_rule():
    assert (
        policy(Rule("0", "drop", hosts=("bad.example",))).publish("https://bad.example./a.jpg", source="b").url is None
    )


def test_our_own_copies_stay_as_they_are():
    rules = policy(Rule("0", "wrap", template=WESERV), ours=["https://we.example/media/"])
    own = "https://we.example/media/ab/ab.jpg"
    assert rules.publish(own, source="blog") == Published(own, own)


def is_mirrored(*rules, url=URL, feeds=("", "all")):
    return policy(*rules).wants_mirror(url, source="blog", feeds=feeds)


def test_an_image_is_mirrored_where_a_mirror_rule_comes_to_it():
    mirror = Rule("m", "mirror")
    assert is_mirrored(mirror)
    assert is_mirrored(Rule("0", "link", hosts=("e.example",)), mirror)
    assert is_mirrored(Rule("0", "wrap", template=PHOTON), mirror, url=f"{URL}?x=1")
    assert not is_mirrored(Rule("0", "wrap", template=PHOTON), mirror)
    assert not is_mirrored(Rule("0", "drop"), mirror)
    assert not is_mirrored(Rule("0", "mirror", sources=("other",)))


def test_an_image_is_mirrored_where_that_is_for_one_of_the_feeds_that_its_post_is_in():
    mirror = Rule("m", "mirror")
    favourites = Rule("0", "mirror", feeds=("favourites",))
    assert is_mirrored(favourites, feeds=("", "all", "favourites"))
    assert not is_mirrored(favourites)
    assert is_mirrored(Rule("0", "link", feeds=("all",)), mirror)  # on the post's own page
    assert not is_mirrored(Rule("0", "link", feeds=("all",)), mirror, feeds=("all",))
    assert not is_mirrored(Rule("0", "link", feeds=("all",)), Rule("1", "drop", feeds=("",)), mirror)


_rules = st.lists(
    st.builds(
        lambda kind, hosts: Rule("r", "wrap" if isinstance(kind, Template) else kind, hosts=hosts, template=kind if isinstance(kind, Template) else None),
        st.sampled_from(["link", "proxy", WESERV, PHOTON]),
        st.sampled_from([("*",), ("*.cn",), ("e.example",)]),
    ),
    max_size=4,
)  # fmt: skip
_urls = st.sampled_from([URL, "http://e.example/a?b=1", "https://e.example/a.png", WESERV.wrap(URL), PHOTON.wrap(URL)])


@given(_rules, _urls)
def test_publishing_what_was_published_changes_nothing(rules, url):
    own = [lambda url: without_prefix(url, "https://we.example/img/"), WESERV.unwrap, PHOTON.unwrap]
    twice = Policy(rules, ways={"proxy": "https://we.example/img/{}".format}, own=own)
    once = twice.publish(url, source="blog").url
    assert twice.publish(once, source="blog").url == once
