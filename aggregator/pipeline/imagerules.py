"""What the configuration says about publishing images, as one value; light, because a run that renders nothing asks for it too."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from aggregator.config.images import ImageRule, Images
from aggregator.config.models import Config
from aggregator.store.codec import digest
from aggregator.store.store import Store, Transaction

_KEY = "images key"  # under which the store keeps what URLs of our own proxy are signed with


@dataclass(frozen=True, slots=True)
class ImageRules:
    """What publishing images takes, as it is handed to processes: the configuration, where we are, and the signing key."""

    images: Images
    base_url: str
    key: str = ""
    output: Path = Path()

    @property
    def change_nothing(self) -> bool:
        """Whether every image is published as it is stored."""
        return not self.images.rules and not self.images.former_prefixes

    def recipe(self, feed: str = "") -> str:
        """Names everything that decides what is published of a feed's images, or of a post's own page; empty: nothing does."""
        said = [_said(rule) for rule in self.images.rules if _is_for(rule, feed)]
        if not said and not self.images.former_prefixes:
            return ""
        takes_off = self.images.model_dump_json(include={"unwrap", "proxies", "former_prefixes"})
        return digest(repr(said), takes_off, self.base_url, self.key)


def image_rules(config: Config, tx: Transaction) -> ImageRules:
    """What is said about images; without a key, as long as none was minted."""
    given = config.images.key
    key = given.get_secret_value() if given else (tx.settings.get(_KEY) or "")
    return ImageRules(config.images, config.site.base_url, key, config.output)


def signing_key(config: Config, store: Store) -> str:
    """What URLs of our own proxy are signed with: as configured, or a key that the store keeps, minted when first needed."""
    if config.images.key is not None:
        return config.images.key.get_secret_value()
    with store.read() as tx:
        known = tx.settings.get(_KEY)
    if known is not None:
        return known
    with store.write() as tx:
        return tx.settings.minted(_KEY)


def is_proxied(images: Images) -> bool:
    """Whether any image may be published through our own proxy."""
    return any(rule.action == "proxy" for rule in images.rules)


def wants_copies(config: Config) -> bool:
    """Whether there is a rule by which images are mirrored."""
    return any(rule.action == "mirror" for rule in config.images.rules)


def _is_for(rule: ImageRule, feed: str) -> bool:
    return not rule.feeds or any(fnmatchcase(feed, glob) for glob in rule.feeds)


def _said(rule: ImageRule) -> tuple[str, str]:
    """All that a rule says of an image in a feed that it is for, its secrets as their hash."""
    secrets = (secret.get_secret_value() if secret else "" for secret in (rule.key, rule.salt))
    return (rule.model_dump_json(exclude={"key", "salt", "feeds"}), digest(*secrets))
