"""Where a post's own page lies: `posts/<name>/`.

The name is the post's id in base32 with the digits 0-9 and a-v (RFC 4648 §7): 13 signs where decimal needs up to 19, the same
on file systems that ignore case, never a reserved name, and in the order of ids.
"""

from __future__ import annotations

from base64 import b32hexdecode, b32hexencode

DIRECTORY = "posts"
_PADDING = "==="  # 8 bytes are 13 digits and this


def post_directory(post_id: int) -> str:
    """Where a post's page lies below the output.

    >>> post_directory(4711)
    'posts/000000000096e'
    """
    return f"{DIRECTORY}/{b32hexencode(post_id.to_bytes(8, 'big')).decode().rstrip('=').lower()}"


def post_id_of(name: str) -> int | None:
    """The id that `post_directory` wrote as this name; None for any other name, so that each page has one URL.

    >>> post_id_of("000000000096e"), post_id_of("000000000096E"), post_id_of("4711")
    (4711, None, None)
    """
    try:
        found = int.from_bytes(b32hexdecode(name.upper() + _PADDING), "big")
    except ValueError:
        return None
    return found if found < 2**63 and post_directory(found) == f"{DIRECTORY}/{name}" else None
