"""What pages say themselves, in English and in Chinese."""

from __future__ import annotations

import re
from collections.abc import Mapping

ENGLISH, CHINESE = "en", "zh-CN"
LANGUAGES = (ENGLISH, CHINESE)

# The two languages side by side, so that neither is forgotten. `{}` is a number, or what the key says.
_WORDS: Mapping[str, tuple[str, str]] = {
    "feeds": ("Feeds", "订阅源"),
    "categories": ("Categories", "分类"),
    "all": ("All feeds", "全部订阅源"),
    "home": ("All feeds", "全部订阅源"),
    "site": ("Site", "站点"),
    "subscribe": ("Subscribe", "订阅"),
    "subscribe_in": ("Subscribe in a reader", "在阅读器中订阅"),
    "own_reader": ("another reader", "其他阅读器"),
    "opml": ("All feeds as OPML", "全部订阅源（OPML）"),
    "via": ("via", "来自"),
    "by": ("by", "作者："),
    "empty": ("Nothing here yet.", "暂无内容。"),
    "one": ("1 post", "1 篇"),
    "many": ("{} posts", "{} 篇"),
    "updated": ("updated", "更新于"),
    "skip": ("Skip to the content", "跳到正文"),
    "pages": ("Pages", "分页"),
    "newer": ("Newer", "较新"),
    "older": ("Older", "较早"),
    "page": ("Page {}", "第 {} 页"),
    "of": ("of {}", "共 {} 页"),
    "origin": ("Read at its origin", "阅读原文"),
    "source": ("Source", "来源"),
    "files": ("Files", "附件"),
    "search": ("Search", "搜索"),
    "search_for": ("Search posts", "搜索文章"),
    "results": ("Posts with “{}”", "包含“{}”的文章"),
    "no_results": ("No post holds all of these words.", "没有文章同时包含这些词。"),
    "ask": ("Every word has to be found, in the title or the text; the newest come first.", "标题或正文须包含每个词，最新的在前。"),
    "too_long": ("So many posts hold these words that finding the newest took too long. Add a rarer word.", "包含这些词的文章太多，查找超时。请加一个更少见的词。"),
    "status": ("Status", "状态"),
    "sources": ("Sources", "来源"),
    "all_well": ("All {} sources are well.", "全部 {} 个来源正常。"),
    "some_sick": ("{} of {} sources need attention.", "{} 个来源需要注意，共 {} 个。"),
    "no_sources": ("There are no sources.", "还没有来源。"),
    "faults": ("The newest configuration was refused; the one before is in force.", "新配置有误，仍在使用旧配置。"),
    "problem": ("It does not work as it should", "运行异常"),
    "failing": ("failing", "失败"),
    "gone": ("gone", "已消失"),
    "never": ("never asked", "尚未抓取"),
    "waiting": ("waiting", "等待中"),
    "well": ("well", "正常"),
    "former": ("left", "已移除"),
    "last": ("Last result", "最近结果"),
    "next": ("Next", "下次"),
    "checked": ("Checked", "检查于"),
    "posts": ("Posts", "文章"),
    "now": ("now", "现在"),
    "each_run": ("always", "随时"),
    "thirty_days": ("Posts a day, 30 days", "每日文章，30 天"),
    "in_thirty_days": ("{} in 30 days", "30 天内 {} 篇"),
    "fetches": ("Fetches in the last day", "最近一天的抓取"),
    "hour": ("Hour", "小时"),
    "as_table": ("The same as a table", "以表格显示"),
    "no_fetches": ("Nothing was fetched in the last day.", "最近一天没有抓取。"),
    "outcome_new": ("new posts", "有新文章"),
    "outcome_unchanged": ("nothing new", "无新文章"),
    "outcome_not-modified": ("not modified", "未修改"),
    "outcome_failed": ("failed", "失败"),
    "outcome_waiting": ("asked to wait", "要求等待"),
    "due": ("sources due", "待抓取"),
    "asking": ("being asked", "抓取中"),
    "figures": ("Figures", "数据"),
    "pages_cached": ("pages kept", "已缓存页面"),
    "pages_bytes": ("KB of pages kept", "页面缓存 KB"),
    "pages_hits": ("pages from the cache", "缓存命中"),
    "pages_made": ("pages made", "生成页面"),
    "documents_cached": ("documents in memory", "内存中的文档"),
    "documents_kb": ("KB of documents", "文档 KB"),
    "images_cached": ("images kept", "已缓存图片"),
    "images_kb": ("KB of images", "图片 KB"),
    "images_fetched": ("images fetched", "抓取图片"),
    "images_failed": ("images not to be had", "无法获取的图片"),
    "images_not_written": ("images that the disk did not take", "未能写入磁盘的图片"),
    "copies": ("images mirrored", "已镜像图片"),
    "copies_kb": ("KB of mirrored images", "镜像图片 KB"),
    "copies_waiting": ("images to be mirrored", "待镜像图片"),
    "copies_failed": ("images that could not be had", "未能获取的图片"),
    "failed_times": ("failed {} times in a row", "连续失败 {} 次"),
    "well_at": ("last well {}", "上次成功：{}"),
    "private": ("private", "私密"),
    "unpublished": ("not published", "未发布"),
    "feed": ("Feed", "订阅源"),
    "missing": ("There is nothing here", "这里什么都没有"),
    "missing_why": ("The address may be mistyped, or what was here is no longer published.", "地址可能有误，或者这里的内容已不再发布。"),
    "locked": ("Only with a token", "需要令牌"),
    "locked_why": ("This page is for those who know its token.", "此页面只对知道令牌的人开放。"),
    "refused": ("That is not the token", "令牌不正确"),
    "refused_why": ("Look for it in the configuration, at status.token.", "请查看配置中的 status.token。"),
    "token": ("Token", "令牌"),
    "show": ("Show", "查看"),
}  # fmt: skip

# How a refresh went, as the store keeps it (`SourceResult.in_words`), for those who do not read English.
_RESULTS = (
    (re.compile(r"nothing new"), "无更新"),
    (re.compile(r"not modified"), "未修改"),
    (re.compile(r"never refreshed"), "尚未抓取"),
    (re.compile(r"failed"), "失败"),
    (re.compile(r"asked to wait until (.*)"), r"要求等待至 \1"),
    (re.compile(r"asked to wait"), "要求等待"),
    (re.compile(r"no longer in the configuration"), "已不在配置中"),
    (re.compile(r"no longer in its list; its posts stay"), "已不在列表中，文章保留"),
    (re.compile(r"left the configuration: (\d+) withdrawn"), r"已移出配置，撤下 \1 篇"),
    (re.compile(r"(\d+) new"), r"\1 篇新文章"),
    (re.compile(r"(\d+) changed"), r"\1 篇有改动"),
    (re.compile(r"(\d+) withdrawn"), r"撤下 \1 篇"),
    (re.compile(r"(\d+) feeds?"), r"\1 个订阅源"),
)


def spoken(language: str) -> str:
    """The one of the two languages that somebody reads who reads this one: English where neither is meant.

    >>> spoken("zh-TW"), spoken("EN-gb"), spoken("fr"), spoken("")
    ('zh-CN', 'en', 'en', 'en')
    """
    return CHINESE if language.partition("-")[0].lower() == "zh" else ENGLISH


def words_in(language: str) -> dict[str, str]:
    """What pages say, by key."""
    number = LANGUAGES.index(spoken(language))
    return {key: both[number] for key, both in _WORDS.items()}


def result_in(language: str, result: str) -> str:
    """How a refresh went, in a language.

    >>> result_in("zh-CN", "3 new, 1 changed")
    '3 篇新文章，1 篇有改动'
    """
    if spoken(language) == ENGLISH:
        return result
    return "，".join(_translated(part) for part in result.split(", "))


def _translated(part: str) -> str:
    for pattern, said in _RESULTS:
        if match := pattern.fullmatch(part):
            return match.expand(said)
    return part
