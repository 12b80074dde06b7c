"""How a case has its reports look: what is taken, what is refused, and what stays as it is."""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from tests.tools import verapdf
from toolkit import report, resources
from toolkit.errors import UsageError
from toolkit.report import brand, fixed, logo
from toolkit.report.model import (
    Document,
    Facts,
    Paragraph,
    Report,
    Section,
    Status,
    Table,
    columns,
)

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 10">{}'
    '<path d="M0 0h40v10z" fill="#1f5582"/></svg>'
)
BLOCKS = (
    Paragraph("A sentence that states a result."),
    Facts((("Kind", "decommission"),)),
    Table("Events in order", columns("Time {time 30} | Subject"), (("noon", Status("ok")),)),
)
DATED = datetime(2022, 3, 12, tzinfo=UTC)
TOLD = Report(
    "small", "Small case", "draft", "March 2022", "0" * 64, DATED, "UTC",
    {kind: Document(kind, "Internal review", "What is known", (Section("s", "Summary", BLOCKS),))
     for kind in report.KINDS},
    (),
)  # fmt: skip


@pytest.fixture
def case(tmp_path: Path) -> Path:
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "logo.svg").write_text(SVG.format(""))
    return folder


def _branded(case: Path, text: str) -> brand.Brand:
    (case / "brand.toml").write_text(text, encoding="utf-8")
    return brand.load(case)


def _html(look: brand.Brand) -> str:
    return report.render(TOLD, "review", "html", look).decode()


def _png(size: tuple[int, int] = (40, 10)) -> bytes:
    out = io.BytesIO()
    Image.new("RGBA", size, (200, 30, 30, 128)).save(out, "PNG")
    return out.getvalue()


# -- brand.toml ------------------------------------------------------------------------------------


def test_a_case_without_a_brand_looks_as_delivered(case: Path) -> None:
    look = brand.load(case)
    assert look == brand.Brand()
    for form in report.FORMATS:
        assert report.render(TOLD, "review", form, look) == report.render(TOLD, "review", form)
    assert "brand.toml" not in _html(look)


FAULTS = {
    'papper = "A4"': (1, "papper", "did you mean 'paper'?"),
    'paper = "A5"': (1, "paper", "'A4' or 'Letter'"),
    '\n[colours]\nacent = "#000000"': (3, "colours.acent", "did you mean 'accent'?"),
    '[colours]\ninc = "#000000"': (2, "colours.inc", "did you mean 'ink'?"),
    '[colours]\nink = "red; } body { display: none"': (2, "colours.ink", "match pattern"),
    '[colours]\nmuted = "#999999"': (2, "colours.muted", "contrast of 2.8:1; text needs 4.5:1"),
    '[colours]\ntint = "#777777"': (2, "colours.tint", "on tint #777777"),
    '[dark]\naccent = "#1f5582"': (2, "dark.accent", "on paper #151b23"),
    'logo = "logo.svg"': (None, "", "logo_text"),
    'logo = "../logo.svg"\nlogo_text = "x"': (1, "logo", "leads out of the case"),
    '\nlogo = "none.svg"\nlogo_text = "x"': (2, "logo", "there is no file"),
    'title_text = \n[a]': (1, "", "not valid TOML"),
}  # fmt: skip


@pytest.mark.parametrize("text", FAULTS)
def test_a_fault_is_one_line_with_its_place(case: Path, text: str) -> None:
    line, field, words = FAULTS[text]
    with pytest.raises(UsageError) as refused:
        _branded(case, text)
    told = str(refused.value)
    assert (refused.value.line, refused.value.field or "") == (line, field), told
    assert words in told and "\n" not in told


def test_a_logo_behind_a_link_that_leads_out_is_refused(case: Path) -> None:
    (case.parent / "outside.svg").write_text(SVG.format(""))
    (case / "link.svg").symlink_to(case.parent / "outside.svg")
    with pytest.raises(UsageError, match="leads out of the case"):
        _branded(case, 'logo = "link.svg"\nlogo_text = "x"')


def test_contrast_is_that_of_the_guidelines() -> None:
    assert brand.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert brand.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def test_the_colours_as_delivered_would_pass(case: Path) -> None:
    shipped = brand.delivered()
    assert {"ink", "muted", "accent", "tint", "paper", "bad", "warn", "good"} <= set(shipped)
    common = (resources.templates() / "common.css").read_text(encoding="utf-8")
    assert all(f"--{name}: {light};" in common for name, (light, _) in shipped.items())
    for side, table in enumerate(("colours", "dark")):
        mine = [f'{name} = "{shipped[name][side]}"\n' for name in brand.Palette.model_fields]
        _branded(case, f"[{table}]\n" + "".join(mine))


# -- logo ------------------------------------------------------------------------------------------

UNSAFE = {
    "<script>alert(1)</script>": "script",
    '<image href="http://x.example/a.png"/>': "image",
    '<g onload="alert(1)"/>': "script",
    '<path d="M0 0" fill="url(http://x.example/a.svg#b)"/>': "fill=",
    "<style>@import 'http://x.example/a.css';</style>": "style",
    "<style>path { fill: u\\72l(http://x.example) }</style>": "style",
    '<foreignObject><p xmlns="http://www.w3.org/1999/xhtml"/></foreignObject>': "foreignObject",
    '<linearGradient xmlns:l="http://www.w3.org/1999/xlink" l:href="file:///x"/>': "refers",
    '<a href="#x"><path d="M0 0"/></a>': "element 'a'",
    '<use href="#x"/>': "element 'use'",
    "<text>Name</text>": "paths",
    '<path style="background: url( \'data:x\' )"/>': "style=",
}  # fmt: skip


@pytest.mark.parametrize("part", UNSAFE)
def test_an_svg_that_could_act_is_refused(case: Path, part: str) -> None:
    path = case / "logo.svg"
    path.write_text(SVG.format(part))
    with pytest.raises(UsageError, match=UNSAFE[part]):
        logo.read(path)


def test_what_an_editor_leaves_in_an_svg_is_left_out(case: Path) -> None:
    path = case / "logo.svg"
    path.write_text(
        SVG.format(
            "<!-- by hand --><metadata>Ada</metadata>"
            '<n:view xmlns:n="http://editor.example/ns" n:path="/home/ada"/>'
            '<g xmlns:n="http://editor.example/ns" n:label="ada" fill="url(#a)"/>'
        )
    )
    told = logo.read(path).data.decode().lower()
    assert "ada" not in told and "by hand" not in told
    assert 'fill="url(#a)"' in told


def test_entities_of_an_svg_are_refused(case: Path) -> None:
    path = case / "logo.svg"
    path.write_text('<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG.format("&a;"))
    with pytest.raises(UsageError, match="declares entities"):
        logo.read(path)


def test_a_png_is_drawn_anew(case: Path) -> None:
    path = case / "logo.png"
    out = io.BytesIO()
    from PIL.PngImagePlugin import PngInfo

    notes = PngInfo()
    notes.add_text("Author", "ada.example")
    Image.new("RGB", (40, 10)).save(out, "PNG", pnginfo=notes)
    path.write_bytes(out.getvalue())
    assert b"ada.example" in path.read_bytes()
    assert b"ada.example" not in logo.read(path).data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GIF89a", "neither PNG nor SVG"),
        (_png()[:40], "cannot be read"),
        (_png((5000, 1)), "5000 × 1 pixels"),
        (b"<svg" + b" " * logo.LARGEST, "bytes"),
        (b"<svg><path></svg>", "no well-formed SVG"),
        (b"<svg/>", "does not begin with"),
    ],
)
def test_a_file_that_is_no_logo_is_refused(case: Path, data: bytes, words: str) -> None:
    path = case / "logo.bin"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=words):
        logo.read(path)


# -- pages -----------------------------------------------------------------------------------------

FULL = """
logo = "logo.svg"
logo_text = "Example Hosting"
title_text = "Prepared for the board </p><script>alert(1)</script>"
classification = "Confidential \\u202e <b>"
paper = "Letter"
words = "words.toml"
[colours]
accent = "#7a1f5c"
"""
WORDS = """
[page]
contents = "Inhalt"
page_of = "Seite {page} von {pages}"
[headings]
summary = "Zusammenfassung"
[captions]
events_in_order = "Ereignisse der Reihe nach"
[columns]
time = "Zeit"
[labels]
kind = "Art"
"""


def test_the_page_carries_what_the_case_asks_for(case: Path) -> None:
    (case / "words.toml").write_text(WORDS)
    page = _html(_branded(case, FULL))
    assert page.count("Confidential ") == 2, "at the head and at the foot"
    assert "\u202e" not in page and "<b>" not in page
    assert "<script>alert" not in page
    assert 'alt="Example Hosting"' in page and "img-src data:" in page
    assert not re.search(r"""(?:src|href)=["'](?!#|data:image/svg\+xml;base64,)""", page)
    assert "--accent: #7a1f5c;" in page and "--accent: light-dark(#7a1f5c, #7fb4dd)" in page
    for word in ("Inhalt", "Zusammenfassung", "Ereignisse der Reihe nach", "Zeit", "Art"):
        assert f">{word}<" in page, word
    assert "A sentence that states a result." in page
    told = report.render(TOLD, "review", "md", brand.load(case)).decode()
    assert "Zusammenfassung" in told and told.count("Confidential ") == 2
    data = json.loads(report.render(TOLD, "review", "json", brand.load(case)))
    assert data["classification"].startswith("Confidential ")
    assert data["document"]["sections"][0]["title"] == "Summary"


def test_the_pdf_carries_it_on_every_page_and_conforms(case: Path, tmp_path: Path) -> None:
    (case / "words.toml").write_text(WORDS)
    (case / "logo.png").write_bytes(_png())
    pages = (Section(str(at), "Summary", BLOCKS, new_page=True) for at in range(3))
    document = Document("review", "Internal review", "What is known", tuple(pages))
    told = Report(**{
        name: getattr(TOLD, name) for name in TOLD.__slots__ if name != "documents"
    }, documents={"review": document})  # fmt: skip
    made = []
    for picture in ("logo.svg", "logo.png"):
        look = _branded(case, FULL.replace("logo.svg", picture))
        written = report.render(told, "review", "pdf", look)
        assert written == report.render(told, "review", "pdf", look), "the same bytes again"
        made.append(tmp_path / f"{picture}.pdf")
        made[-1].write_bytes(written)
        done = subprocess.run(["pdftotext", "-layout", made[-1], "-"], capture_output=True)
        texts = done.stdout.decode().split("\f")[:-1]
        assert len(texts) >= 3
        for number, text in enumerate(texts, start=1):
            # On the cover it also stands above the title.
            assert text.count("Confidential") == (3 if number == 1 else 2), text
            assert f"Seite {number} von {len(texts)}" in text
            assert "0" * 64 in text
    with pikepdf.open(made[1]) as opened:
        assert [float(side) for side in opened.pages[0].MediaBox] == [0, 0, 612, 792]
        images = [
            each
            for each in opened.objects
            if isinstance(each, pikepdf.Stream) and each.get("/Subtype") == "/Image"
        ]
        assert images and not any(each.get("/Interpolate", False) for each in images)
    try:
        good, words = verapdf.check(made)
    except verapdf.Unavailable as missing:
        pytest.skip(f"veraPDF cannot run here: {missing}")
    assert good, words


# -- words -----------------------------------------------------------------------------------------


def test_missing_words_stay_english_and_are_listed(case: Path) -> None:
    (case / "words.toml").write_text(WORDS)
    missing = _branded(case, 'words = "words.toml"').wording.missing
    assert "headings.timeline" in missing and "headings.summary" not in missing
    every = sum(len(words) for words in fixed.english().values())
    assert len(missing) == every - 6
    assert brand.Brand().wording.missing == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[headings]\nsumary = "x"', "toml:2: headings.sumary: .*did you mean 'summary'"),
        ('[heading]\nsummary = "x"', "toml:1: heading: .*did you mean 'headings'"),
        ("[headings]\nsummary = 3", "toml:2: headings.summary: "),
        ('[page]\npage_of = "Seite {page}"', "toml:2: page.page_of: .*each once"),
        ('page = "x"', "toml:1: page: a group is a table"),
    ],
)
def test_words_that_do_not_fit_are_refused(case: Path, text: str, words: str) -> None:
    (case / "words.toml").write_text(text)
    with pytest.raises(UsageError, match=words):
        _branded(case, 'words = "words.toml"')


def test_words_cannot_leave_the_style_sheet(case: Path) -> None:
    (case / "words.toml").write_text(
        "[page]\npage_of = '{page}\"; } </style><b> \\ {pages}'\ndigest = '</style>'\n"
    )
    from toolkit.report.render import _html as made

    page = made(TOLD, "review", _branded(case, 'words = "words.toml"'), "print")
    assert page.count("</style>") == 1 and "<b>" not in page


def test_the_catalogue_holds_words_that_the_reports_use() -> None:
    """A heading that was renamed in toolkit/report is renamed in words/en.toml too."""
    folder = Path(report.__file__).parent
    source = "\n".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    source = re.sub(r'"\s*\n\s*f?"', "", source)
    gone = [
        f"{group}.{key}"
        for group, words in fixed.english().items()
        if group != "page"
        for key, word in words.items()
        if word not in source
    ]
    assert not gone, "no report says this any more"


# -- templates of the case -------------------------------------------------------------------------


@pytest.fixture
def own(case: Path) -> Callable[[str, str], brand.Brand]:
    def write(name: str, text: str) -> brand.Brand:
        (case / "report_templates").mkdir(exist_ok=True)
        (case / "report_templates" / name).write_text(text, encoding="utf-8")
        return brand.load(case)

    return write


def test_a_template_of_the_case_wins_and_can_add_to_the_one_delivered(
    own: Callable[[str, str], brand.Brand],
) -> None:
    page = _html(own("common.css", '{% include "shipped/common.css" %}\n.own { color: inherit; }'))
    assert ".own { color: inherit; }" in page and "--ink: #1b2430" in page
    assert "Summary" in page


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("report.html.j2", "<p>\n{% if %}", 2, "Expected an expression"),
        ("report.html.j2", "<p>\n\n{{ repport.title }}", 3, "'repport' is undefined"),
        ("report.html.j2", "\n{{ ''.__class__.__mro__ }}", 2, "unsafe"),
        ("report.html.j2", "\n{{ brand.templates.joinpath('a') }}", 2, "None"),
        ("report.html.j2", '\n{% include "../case.toml" %}', 2, "lies in this folder"),
        ("report.html.j2", '\n{% include "/etc/passwd" %}', 2, "lies in this folder"),
        ("report.html.j2", '\n{% include "link.html" %}', 2, "lies in this folder"),
        ("report.html.j2", "\n{{ 1 / 0 }}", 2, "division by zero"),
        ("common.css", "a\n{{ nothing }}", 2, "'nothing' is undefined"),
    ],
)
def test_a_fault_of_a_template_is_one_line_with_its_place(
    own: Callable[[str, str], brand.Brand],
    case: Path,
    name: str,
    text: str,
    line: int,
    words: str,
) -> None:
    look = own(name, text)
    (case / "secret.txt").write_text("a secret")
    (case / "report_templates" / "link.html").symlink_to(case / "secret.txt")
    with pytest.raises(UsageError) as refused:
        _html(look)
    told = str(refused.value)
    assert told.startswith(f"{case / 'report_templates' / name}:{line}: "), told
    assert words in told and "\n" not in told


def test_the_look_is_sealed_with_the_case(case: Path, own: Callable[[str, str], object]) -> None:
    own("common.css", "")
    (case / "words.toml").write_text(WORDS)
    (case / "report_templates" / "link").symlink_to(Path(__file__))
    _branded(case, FULL)
    names = [path.relative_to(case).as_posix() for path in brand.files(case)]
    assert names == ["brand.toml", "logo.svg", "words.toml", "report_templates/common.css"]
