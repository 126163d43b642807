"""Pictures of every kind, a few hundred bytes each, as cameras, editors and servers write them."""

from __future__ import annotations

import hashlib
import io
from typing import Any

from PIL import Image

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle r="4" cx="4" cy="4"/></svg>'


def picture(form: str = "PNG", size: tuple[int, int] = (30, 20), *, mode: str = "RGB", **options: Any) -> bytes:
    """A picture with a gradient in it, so that it is not all of one colour."""
    image = Image.linear_gradient("L").resize(size).convert(mode)
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def animation(form: str = "GIF", size: tuple[int, int] = (30, 20), frames: int = 3) -> bytes:
    """Frames that differ."""
    made = [Image.linear_gradient("L").rotate(30 * number).resize(size) for number in range(frames)]
    out = io.BytesIO()
    made[0].save(out, form, save_all=True, append_images=made[1:], duration=100, loop=0)
    return out.getvalue()


def path_of(body: bytes, suffix: str) -> str:
    """Where our own copy of an image lies below the output."""
    name = hashlib.blake2b(body, digest_size=16).hexdigest()
    return f"media/{name[:2]}/{name}.{suffix}"
