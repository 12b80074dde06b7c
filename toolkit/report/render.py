"""Turns a report into HTML, PDF, Markdown and JSON. The only module that renders.

Rendering reads the templates and nothing else: no file of the case, no network. Text of the
evidence is escaped by the template engine; characters that the fonts of the PDF lack are named by
their code point, so that nothing disappears.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import re
import tempfile
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, tzinfo
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any, NoReturn
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup

from toolkit import resources
from toolkit.report import markdown, pictures
from toolkit.report.brand import Brand
from toolkit.report.cited import anchors, pointers
from toolkit.report.logo import Logo
from toolkit.report.model import Kind, Picture, Report
from toolkit.report.pictures.states import in_words
from toolkit.report.templates import SandboxedEnvironment, faults_told, loader
from toolkit.report.words import moment, visible

SIGNS = {
    "exception": "■", "ok": "✓", "undetermined": "□", "not_run": "–", "not_applicable": "·",
    "satisfied": "✓", "violated": "■", "differs": "■", "pending": "□", "not_activated": "·",
    "agree": "✓", "over_claim": "■", "under_claim": "▲", "unknown": "□",
    "yes": "✓", "no": "■", "contradicted": "■",
    "kept": "✓", "broken": "■", "explicit": "✓", "partial": "▲", "absent": "■",
    "within": "✓", "outside": "■",
}  # fmt: skip


# -- HTML --------------------------------------------------------------------------------------


def html(report: Report, kind: Kind, brand: Brand) -> str:
    """One self-contained page: no request goes out, and it reads without scripts."""
    return _html(report, kind, brand, "screen")


def _html(report: Report, kind: Kind, brand: Brand, medium: str) -> str:
    environment = _environment(brand.templates)
    environment.filters["drawing"] = partial(
        _drawing, environment, zone=ZoneInfo(report.zone), numbers=count(1)
    )
    document = brand.wording.translated(report.documents[kind])
    with faults_told(brand.templates):
        template = environment.get_template("report.html.j2")
        return template.render(
            report=report, document=document, medium=medium, anchors=anchors(document),
            brand=dataclasses.replace(brand, templates=None), fixed=brand.wording.page,
        )  # fmt: skip


def _environment(own: Path | None) -> jinja2.Environment:
    environment = (SandboxedEnvironment if own else jinja2.Environment)(
        loader=loader(own),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "kind": lambda value: type(value).__name__,
        "words": in_words,
        "slug": lambda word: re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-"),
        "sign": lambda word: SIGNS.get(word, "•"),
        "pointers": pointers,
        "anchor": lambda pointer: "record-" + pointer.replace(":", "-"),
        "csp_hash": _csp_hash,
        "css": _css,
        "iso": lambda at: at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "stamp": lambda at, zone: moment(at, ZoneInfo(zone)),
    }
    return environment


def _css(text: str) -> Markup:
    """A text as a string of a style sheet, which nothing in it can end."""
    told = re.sub(r'[\x00-\x1f"\\<>&]', lambda found: f"\\{ord(found[0]):x} ", text)
    return Markup(f'"{told}"')  # noqa: S704


def _csp_hash(text: str) -> str:
    """What names one inline style or script in a Content-Security-Policy."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def _drawing(
    environment: jinja2.Environment,
    picture: Picture,
    description: str,
    *,
    zone: tzinfo,
    numbers: Iterator[int],
) -> Any:
    """A picture as inline SVG, its description as first child."""
    return _drawn(environment, picture, description, f"picture{next(numbers)}", zone)


def _drawn(
    environment: jinja2.Environment, picture: Picture, description: str, id: str, zone: tzinfo
) -> Any:
    name, drawing = pictures.place(picture, zone)
    macros: Any = environment.get_template(f"pictures/{name}.svg.j2").module
    drawn = getattr(macros, name)(drawing, description, id)
    return type(drawn)(visible(drawn))


def svg(picture: Picture, description: str, id: str, zone: tzinfo) -> str:
    """A picture as SVG that stands alone, on white paper; `id` tells its patterns from others'."""
    text = str(_drawn(_environment(None), picture, description, id, zone)).strip()
    return text.replace("<svg ", '<svg style="background:#ffffff" ', 1)


# -- PDF ---------------------------------------------------------------------------------------


def pdf(report: Report, kind: Kind, brand: Brand) -> bytes:
    """PDF/A-3a and PDF/UA-1 in one file, with the report's attachments inside.

    The same report gives the same bytes: identifier and dates come from its content.
    """
    text = within_fonts(_html(report, kind, brand, "print"))
    carried = () if report.documents[kind].public else report.attachments
    with _own_fonts():
        import weasyprint  # it looks for fonts while it is imported

        document = weasyprint.HTML(string=text, url_fetcher=partial(_fetch, brand.logo)).render()
        _mark_as_accessible(document.metadata)
        document.metadata.attachments = [
            weasyprint.Attachment(
                string=attached.data,
                name=attached.name,
                description=attached.description,
                created=report.dated,
                modified=report.dated,
                relationship="Data",
                url_fetcher=_refuse,
            )
            for attached in carried
        ]
        identifier = hashlib.sha256(text.encode())
        for attached in carried:
            identifier.update(hashlib.sha256(attached.data).digest())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # it leaves its colour profile open
            written: bytes = document.write_pdf(
                pdf_variant="pdf/a-3a",
                pdf_tags=True,
                pdf_identifier=identifier.hexdigest()[:32].encode(),
            )
    return written


def _fetch(logo: Logo | None, url: str) -> Any:
    """The logo, which the page holds itself, and nothing else."""
    if logo is None or url != logo.uri:
        _refuse(url)
    from weasyprint.urls import URLFetcherResponse

    return URLFetcherResponse(url, logo.data, {"Content-Type": logo.media_type})


def _refuse(url: str, *_: object, **__: object) -> NoReturn:
    raise ValueError(f"a report fetches nothing, and {url[:80]!r} was asked for")


@contextmanager
def _own_fonts() -> Iterator[None]:
    """Let the font library see the report's own fonts and no others, for as long as this lasts."""
    fonts = resources.templates() / "fonts"
    before = os.environ.get("FONTCONFIG_FILE")
    with tempfile.TemporaryDirectory(prefix="postmortem-fonts-") as folder:
        settings = Path(folder, "fonts.conf")
        settings.write_text(
            '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n<fontconfig>'
            f"<dir>{escape(str(fonts))}</dir><cachedir>{escape(folder)}</cachedir></fontconfig>\n",
            encoding="utf-8",
        )
        os.environ["FONTCONFIG_FILE"] = str(settings)
        try:
            yield
        finally:
            if before is None:
                del os.environ["FONTCONFIG_FILE"]
            else:
                os.environ["FONTCONFIG_FILE"] = before


@cache
def _covered() -> frozenset[int]:
    """Code points that the fonts can show and that PDF/A lets stand without a substitute."""
    from fontTools.ttLib import TTFont

    points: set[int] = set()
    for path in sorted((resources.templates() / "fonts").glob("*.ttf")):
        with TTFont(path, lazy=True) as font:
            points |= set(font.getBestCmap())
    shown = {point for point in points if unicodedata.category(chr(point))[0] != "C"}
    return frozenset(shown | {ord("\n"), ord("\t")})


def within_fonts(text: str) -> str:
    """A text with every character that the report's fonts lack named by its code point."""
    covered = _covered()
    missing = {ord(letter) for letter in set(text)} - covered
    return text.translate({point: f"[U+{point:04X}]" for point in missing})


_ACCESSIBLE = b"""<rdf:Description rdf:about=""
 xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"
 xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#"
 xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>
<pdfaSchema:schema>Identification of PDF/UA</pdfaSchema:schema>
<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">
<pdfaProperty:category>internal</pdfaProperty:category>
<pdfaProperty:name>part</pdfaProperty:name>
<pdfaProperty:valueType>Integer</pdfaProperty:valueType>
<pdfaProperty:description>Part of ISO 14289 that the file conforms to</pdfaProperty:description>
</rdf:li></rdf:Seq></pdfaSchema:property>
</rdf:li></rdf:Bag></pdfaExtension:schemas>
</rdf:Description>
<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/" pdfuaid:part="1"/>
</rdf:RDF>"""


def _mark_as_accessible(metadata: Any) -> None:
    """Name PDF/UA beside PDF/A in the metadata, which the renderer can only do one of."""
    plain: Callable[..., bytes] = metadata.generate_rdf_metadata
    metadata.generate_rdf_metadata = lambda *given: plain(*given).replace(
        b"</rdf:RDF>", _ACCESSIBLE
    )


# -- JSON and Markdown -------------------------------------------------------------------------


def as_json(report: Report, kind: Kind, brand: Brand) -> str:
    """The document as data: every block with its type, tables with columns and rows.

    Data stay English, whatever the words of the case.
    """
    told = ({"classification": brand.classification} if brand.classification else {}) | {
        "case": report.case_id,
        "title": report.title,
        "state": report.state,
        "window": report.window,
        "case_digest": report.digest,
        "as_of": report.dated,
        "document": report.documents[kind],
    }
    return json.dumps(told, default=_plain, ensure_ascii=False, indent=1) + "\n"


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {"type": type(value).__name__} | fields
    raise TypeError(f"{type(value).__name__} has no place in a report")


def as_markdown(report: Report, kind: Kind, brand: Brand) -> str:
    """The document for readers of plain text; pictures stand as their description."""
    text = markdown.document(report, brand.wording.translated(report.documents[kind]))
    return markdown.marked(text, brand.classification)


RENDERERS: Mapping[str, Callable[[Report, Kind, Brand], str | bytes]] = {
    "html": html,
    "pdf": pdf,
    "md": as_markdown,
    "json": as_json,
}
