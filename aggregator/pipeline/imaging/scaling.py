"""Images made smaller for those who read them: narrower, or in a format that takes fewer bytes. Needs Pillow."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aggregator.config.images import ImageProxy
from aggregator.images.raster import AVIF, BMP, GIF, JPEG, PNG, WEBP, kind_of, size_of

if TYPE_CHECKING:
    from PIL import Image

# What is decoded, and what Pillow calls it. Icons, drawings and pictures of phones are shown as they are.
_FORMS = {PNG: "PNG", JPEG: "JPEG", GIF: "GIF", WEBP: "WEBP", AVIF: "AVIF", BMP: "BMP"}
_AGAIN = frozenset({"PNG", "JPEG", "WEBP", "AVIF"})  # what may be written in the format it came in
_SCAN = b"\xff\xda"  # begins a scan of a JPEG; in the data of one, zero follows 0xFF (ITU T.81, §B.1.1.5)
# Encoders make a dozen. Each goes over all pixels, however few bytes it has: a thousand, in 195 KB, took 13 s.
_MOST_SCANS = 100
_FEWER = 0.95  # of the bytes it had: for less, no detail is given away


@dataclass(frozen=True, slots=True)
class Form:
    """What an image is made into: at most `width` pixels wide, in `format` (empty: its own)."""

    width: int | None
    format: str
    quality: int
    max_pixels: int

    def __str__(self) -> str:
        """What tells one form from another, in the name under which it is kept."""
        return f"{self.width or ''}{self.format}{self.quality}"


def form_of(proxy: ImageProxy, *, takes_format: bool) -> Form | None:
    """What the configuration makes of images for a reader, who may take its format or not; None: nothing."""
    form = Form(proxy.width, (proxy.format or "") if takes_format else "", proxy.quality, proxy.max_pixels)
    return form if form.width or form.format else None


def target_of(body: bytes, form: Form) -> str:
    """What Pillow calls the format to write an image in; empty where it should be shown as it is, as its header tells.

    Which is so where nothing can be gained, and where it has more pixels than may be decoded, or a JPEG too many scans.
    """
    kind, size = kind_of(body), size_of(body)
    if kind not in _FORMS or size is None or size[0] * size[1] > form.max_pixels:
        return ""
    is_wide = form.width is not None and size[0] > form.width
    target = (form.format or _FORMS[kind]).upper()
    if target not in _AGAIN or (not is_wide and target == _FORMS[kind]):
        return ""
    return "" if kind == JPEG and body.count(_SCAN) > _MOST_SCANS else target


def scaled(body: bytes, form: Form) -> bytes | None:
    """The image in another form; None where it should be shown as it is.

    Which is so where its header says so (`target_of`), where it moves, where nothing was gained, and where it is broken:
    browsers show the half of a picture that is there.
    """
    kind, target = kind_of(body), target_of(body, form)
    if kind is None or not target:
        return None
    from PIL import Image  # noqa: PLC0415 - an extra

    Image.MAX_IMAGE_PIXELS = form.max_pixels  # Pillow raises for twice as many
    try:
        with Image.open(io.BytesIO(body), formats=[_FORMS[kind]]) as image:
            if getattr(image, "is_animated", False) or image.width * image.height > form.max_pixels:
                return None
            is_wide = form.width is not None and image.width > form.width
            made = _made(image, form, target)
    except Exception:  # noqa: BLE001 - on foreign bytes its decoders raise whatever they like: RuntimeError, struct.error …
        return None
    return made if is_wide or len(made) < len(body) * _FEWER else None


def _made(image: Image.Image, form: Form, target: str) -> bytes:
    from PIL import Image, ImageOps  # noqa: PLC0415

    profile = (
        image.info.get("icc_profile") if image.mode in {"RGB", "RGBA"} else None
    )  # of other colours it says nothing
    if form.width is not None:
        image.draft(None, (form.width, form.width))  # a JPEG is decoded at the half, quarter or eighth that is enough
    upright = ImageOps.exif_transpose(_plain(image))  # the turn that EXIF asks for, because what EXIF says is not kept
    if form.width is not None and upright.width > form.width:
        height = max(round(upright.height * form.width / upright.width), 1)
        upright = upright.resize((form.width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    if target == "JPEG" and upright.mode != "L":
        upright = upright.convert("RGB")
    options: dict[str, Any] = {"quality": form.quality} if target != "PNG" else {"optimize": True}
    if profile:
        options["icc_profile"] = profile
    out = io.BytesIO()
    upright.save(out, target, **options)
    return out.getvalue()


def _plain(image: Image.Image) -> Image.Image:
    """The image in red, green and blue, with its transparency where it has one: palettes cannot be scaled."""
    if image.mode in {"L", "RGB", "RGBA"} and "transparency" not in image.info:
        return image
    has_alpha = "transparency" in image.info or image.mode in {"LA", "PA", "La", "RGBa"}
    return image.convert("RGBA" if has_alpha else "RGB")
