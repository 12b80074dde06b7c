"""A logo that can do nothing but be looked at: a PNG drawn anew, or an SVG of plain shapes."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from PIL import Image

from toolkit.errors import UsageError, one_line

LARGEST = 200_000  # bytes; it stands in every HTML file, a third longer
_PIXELS = 4_000  # on a side
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_SHAPES = frozenset({
    "svg", "g", "defs", "title", "desc", "metadata", "path", "rect", "circle", "ellipse", "line",
    "polyline", "polygon", "linearGradient", "radialGradient", "stop", "clipPath", "mask", "style",
})  # fmt: skip
# What a style may not hold: a way out of the file, or a way to hide one.
_LEADS_OUT = re.compile(r"url\(\s*['\"]?\s*(?!['\"]?\s*#)|@|\\|expression\(|javascript:", re.I)


@dataclass(frozen=True, slots=True)
class Logo:
    """A picture as it is embedded; `media_type` is `image/png` or `image/svg+xml`."""

    media_type: str
    data: bytes = field(repr=False)

    @property
    def uri(self) -> str:
        """The picture as a `data:` address, which asks for nothing from outside."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode()}"


def read(path: Path) -> Logo:
    """Read a PNG or SVG of at most 200 kB; raises UsageError for one that is not safe to embed."""
    data = path.read_bytes()
    if len(data) > LARGEST:
        raise UsageError(
            f"the logo has {len(data)} bytes", path=path, remedy=f"make it {LARGEST} at most"
        )
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return Logo("image/png", _png(path, data))
    if b"<svg" in data:
        return Logo("image/svg+xml", _svg(path, data))
    raise UsageError("the logo is neither PNG nor SVG", path=path, remedy="save it as one of these")


def _png(path: Path, data: bytes) -> bytes:
    """The pixels alone, without what else a file can carry."""
    drawn = io.BytesIO()
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if max(image.size) > _PIXELS:
                raise UsageError(
                    f"the logo measures {image.size[0]} × {image.size[1]} pixels",
                    path=path,
                    remedy=f"make it {_PIXELS} at most on each side",
                )
            pixels = Image.new("RGBA", image.size)
            pixels.paste(image.convert("RGBA"))
    except (OSError, ValueError, SyntaxError) as error:
        raise UsageError(
            f"the logo cannot be read: {one_line(str(error))}", path=path, remedy="save it anew"
        ) from None
    pixels.save(drawn, "PNG", optimize=True)
    return drawn.getvalue()


def _svg(path: Path, data: bytes) -> bytes:
    """The shapes alone; what belongs to an editor is left out, what could act is refused."""
    try:
        root = fromstring(data)
    except DefusedXmlException:
        raise _refused(path, "declares entities", "save it as plain SVG") from None
    except (ET.ParseError, ValueError, LookupError) as error:
        raise UsageError(
            f"the logo is no well-formed SVG: {one_line(str(error))}",
            path=path,
            line=getattr(error, "position", (None,))[0],
            remedy="save it anew",
        ) from None
    if root.tag != f"{{{_SVG}}}svg":
        raise _refused(path, "does not begin with an svg element of SVG", "save it anew")
    if "viewBox" not in root.attrib and not {"width", "height"} <= set(root.attrib):
        raise _refused(path, "states no size", "give its svg element a viewBox")
    _check(path, root)
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    cleaned: bytes = ET.tostring(root, encoding="utf-8")
    return cleaned


def _check(path: Path, element: ET.Element) -> None:
    name = element.tag.rpartition("}")[2]
    for key, value in list(element.attrib.items()):
        owner, _, word = key.rpartition("}")
        if owner not in ("", f"{{{_XLINK}"):
            del element.attrib[key]
        elif word.lower().startswith("on"):
            raise _refused(path, f"holds a script ({word})", "take it out")
        elif word.lower() in ("href", "src") and not value.strip().startswith("#"):
            raise _refused(path, f"refers to {one_line(value, 60)!r}", "take the reference out")
        elif _LEADS_OUT.search(value):
            raise _refused(path, f"has {word}={one_line(value, 60)!r}", "take it out")
    if name == "style" and _LEADS_OUT.search("".join(element.itertext())):
        raise _refused(path, "has a style with a reference or an @-rule", "take it out")
    for child in list(element):
        if not isinstance(child.tag, str) or not child.tag.startswith(f"{{{_SVG}}}"):
            element.remove(child)  # notes of the editor that drew it
            continue
        word = child.tag.rpartition("}")[2]
        if word == "metadata":
            element.remove(child)
        elif word == "text":
            raise _refused(path, "holds text, which needs its font", "turn the text into paths")
        elif word not in _SHAPES:
            raise _refused(path, f"holds the element {one_line(word, 40)!r}", "use shapes alone")
        else:
            _check(path, child)


def _refused(path: Path, what: str, remedy: str) -> UsageError:
    return UsageError(f"the logo {what}", path=path, remedy=remedy)
