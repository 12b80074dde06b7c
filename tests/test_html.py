"""The page on screen: opened in Chromium, with scripts and without, and with hostile text."""

from __future__ import annotations

import mimetypes
import os
import re
import shutil
import subprocess
import sys
import zoneinfo
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests import golden
from tests.browser import Browser, Page, chromium
from toolkit import report
from toolkit.casefile import CaseFolder
from toolkit.ingest.load import ingest
from toolkit.rebuild import rebuild
from toolkit.report import model
from toolkit.report.brand import Brand
from toolkit.report.cited import anchors, pointers
from toolkit.report.render import html
from toolkit.store import Store

AXE = next(iter(Path(sys.prefix, "axe").glob("*/axe.min.js")), None)
needs_axe = pytest.mark.skipif(AXE is None, reason="axe-core is not here; `make test` fetches it")

HOSTILE = [
    "<script>window.hit=1</script>",
    "</style></title></svg></pre><script>window.hit=1</script>",
    '"><img src=x onerror="window.hit=1">',
    "' onmouseover='window.hit=1' x='",
    '<svg onload="window.hit=1"><a xlink:href="javascript:window.hit=1">x</a></svg>',
    '<a href="javascript:window.hit=1">here</a><style>*{display:none}</style>',
    '<iframe srcdoc="<script>parent.hit=1</script>"></iframe><base href="http://192.0.2.1/">',
    '=HYPERLINK("http://192.0.2.1/"),{{ 7 * 7 }},${hit=1}',
    "\u202egnp.exe\u2066\u200b\ufeff<!-- --><![CDATA[",
]
ELEMENTS = re.compile(
    "html|head|meta|title|style|body|header|nav|main|section|footer|script|h[1-6]|p|a|ol|ul|li|"
    "dl|dt|dd|div|span|code|strong|pre|figure|figcaption|table|caption|colgroup|col|thead|tbody|"
    "tr|th|td|button|input|svg|g|defs|pattern|rect|line|path|text|tspan|circle|polygon"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if chromium() is None:
        pytest.skip("Chromium is not here: apt-get install chromium")
    opened = Browser()
    yield opened
    opened.close()


# -- a report made by hand ---------------------------------------------------------------------

START = datetime(2022, 3, 1, tzinfo=UTC)


def _report(word: str = "word", count: int = 20) -> model.Report:
    """A document with every kind of block; `word` stands wherever evidence is shown."""
    rows = tuple(
        (
            f"{word} {n}",
            f"{(n * 7) % count}\u00a0000" if n else "none",
            f"2022-03-{1 + (n * 3) % 28:02} 08:00",
            model.Code("3:7, 3:9" if n % 2 else f"{n}:{word}"),
        )
        for n in range(count)
    )
    table = model.Table(
        f"Rows {word}",
        model.columns("Name {30} | Amount {number 20} | Time {time 20} | Record {code}"),
        rows,
        "query",
        note=word,
    )
    spans = model.Table(
        "Durations",
        model.columns("Name | Took {number}"),
        (("a", "2\u00a0d 3\u00a0h"), ("b", "59\u00a0min"), ("c", "−1\u00a0s"), ("d", "30\u00a0h")),
    )
    marks = tuple(
        model.Mark(START + timedelta(hours=8 * n), "event", f"{word} {n}", n + 1) for n in range(9)
    )
    end = START + timedelta(days=4)
    stretch = (model.Stretch(START, end, "operational"),)
    pictures: tuple[model.Picture, ...] = (
        model.Swimlanes(START, end, (model.Lane(word, marks),), ((START, 3), (end, 1))),
        model.Strips(START, end, (model.Strip(word, stretch, stretch, stretch),)),
        model.Bars(((word, (("lost", 3), ("relinked", 2))),)),
        model.HeatMap((date(2022, 3, 1), date(2022, 3, 2)), ((word, (0.2, None)),), word),
        model.BlastRadius(
            (
                model.Node("a", word, 0, "cannot_be_undone"),
                model.Node("b", word, 1, "affected", 9),
            ),
            (("b", "a", word),),
        ),
        model.Barriers(word, (model.Barrier(word, "absent", word),), word),
    )
    blocks: list[model.Block] = [
        model.Paragraph((word, model.Strong(word), model.Code(word), model.Status("ok")), word),
        model.Listing((word, word), ordered=True),
        model.Facts(((word, word), ("Evidence", model.Code("3:7")))),
        table,
        spans,
        model.Table("To fill in", model.columns("Who | When"), (("", ""),), form=True),
        model.Record("3:7", f"evidence/{word}.log, record 7", f"the original line {word}"),
        *(model.Figure(word, f"shows {word}", picture, word) for picture in pictures),
    ]
    document = model.Document(
        "review",
        "Internal review",
        f"What {word}",
        (model.Section("one", f"Section {word}", tuple(blocks)),),
        records=(model.Record("3:9", "evidence/x.log, record 9", f"another line {word}"),),
    )
    return model.Report(
        f"case-{word}", f"Title {word}", "draft", "2022", "0" * 64, START, "America/Denver",
        {"review": document}, (),
    )  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "review.html"
    path.write_text(html(_report(), "review", Brand()), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser, written: Path) -> Iterator[Page]:
    opened = browser.page(written)
    yield opened
    assert opened.complaints() == []
    opened.close()


def _column(page: Page, place: int, table: str = "table.long") -> list[str]:
    return page.run(  # type: ignore[no-any-return]
        f"[...document.querySelector('{table}').tBodies[0].rows].filter(row => !row.hidden)"
        f".map(row => row.cells[{place}].textContent)"
    )


def _click_head(page: Page, place: int, table: str = "table.long") -> str | None:
    return page.run(  # type: ignore[no-any-return]
        f"(() => {{ const head = document.querySelector('{table}').tHead.rows[0].cells[{place}];"
        "head.querySelector('button').click(); return head.getAttribute('aria-sort'); })()"
    )


# -- pointers ----------------------------------------------------------------------------------


def test_only_a_text_of_pointers_is_cut() -> None:
    assert pointers("3:7, 12:1 …")[1::2] == ["3:7", "12:1"]
    assert pointers("12:30 UTC") == ["12:30 UTC"]
    assert pointers("10:20:30") == ["10:20:30"]
    assert pointers("") == [""]


def test_a_record_is_linked_to_where_it_is_printed_first() -> None:
    first = model.Record("1:1", "a", "b")
    again = model.Record("1:1", "a", "c")
    section = model.Section("s", "S", (first, again))
    document = model.Document("review", "T", "", (section,), records=(model.Record("2:2", "", ""),))
    assert list(anchors(document)) == ["1:1", "2:2"]
    assert anchors(document)["1:1"] is first


def test_a_cited_record_is_one_step_away(page: Page) -> None:
    links = page.run(
        "[...document.querySelectorAll('td a')].map(a => [a.textContent, a.getAttribute('href')])"
    )
    assert ["3:7", "#record-3-7"] in links
    assert ["3:9", "#record-3-9"] in links
    page.run("document.querySelector('td a').click()")
    shown = page.run("document.querySelector(':target').textContent")
    assert "3:7" in shown
    assert "the original line word" in shown


# -- without scripts ---------------------------------------------------------------------------

OUTLINE = "[...document.querySelectorAll('h1,h2,h3,caption,tbody tr,figcaption,a,pre')].length"


def test_the_document_is_the_same_without_scripts(browser: Browser, written: Path) -> None:
    plain, full = browser.page(written, scripts=False), browser.page(written)
    assert plain.run("document.querySelectorAll('button, input').length") == 0
    assert full.run("document.querySelectorAll('button, input').length") > 0
    assert plain.run(OUTLINE) == full.run(OUTLINE)
    assert plain.run("document.querySelectorAll('[hidden]').length") == 0
    assert plain.run("document.querySelectorAll('.scroll:not([tabindex=\"0\"])').length") == 0
    for opened in (plain, full):
        assert opened.requests() == [written.as_uri()]
        opened.close()


def test_references_lead_somewhere_and_headings_go_down_by_one(page: Page) -> None:
    assert page.run(
        "[...document.querySelectorAll('a')].every(a => a.getAttribute('href')[0] === '#' "
        "&& document.getElementById(a.getAttribute('href').slice(1)))"
    )
    assert page.run(
        "(() => { const ids = [...document.querySelectorAll('[id]')].map(e => e.id);"
        "return ids.length === new Set(ids).size })()"
    )
    levels = page.run("[...document.querySelectorAll('h1,h2,h3,h4,h5')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


# -- tables ------------------------------------------------------------------------------------


def test_numbers_sort_as_numbers_and_what_is_none_stands_last(page: Page) -> None:
    before = _column(page, 1)
    assert _click_head(page, 1) == "ascending"
    up = _column(page, 1)
    assert up[-1] == "none"
    values = [int(text.replace("\u00a0", "")) for text in up[:-1]]
    assert values == sorted(values)
    assert _click_head(page, 1) == "descending"
    down = _column(page, 1)
    assert down == [*sorted(up[:-1], key=lambda t: -int(t.replace("\u00a0", ""))), "none"]
    assert _click_head(page, 1) is None
    assert _column(page, 1) == before


def test_times_words_and_durations_sort_by_what_they_mean(page: Page) -> None:
    _click_head(page, 2)
    assert _column(page, 2) == sorted(_column(page, 2))
    assert _click_head(page, 0) == "ascending"
    assert _column(page, 0) == [f"word {n}" for n in range(20)]  # 2 before 10
    heads = "document.querySelector('table.long').querySelectorAll('[aria-sort]').length"
    assert page.run(heads) == 1
    table = "table:not(.long):not(.form)"
    _click_head(page, 1, table)
    assert _column(page, 0, table) == ["c", "b", "d", "a"]


def test_a_filter_says_how_many_rows_are_left(page: Page) -> None:
    fields = page.run("[...document.querySelectorAll('input')].map(e => e.ariaLabel)")
    assert fields == ["Filter rows of: Rows word"]
    status = "document.querySelector('.tools:has(input) [role=status]').textContent"
    assert page.run(status) == "20 rows"
    page.run("document.querySelector('input').focus()")
    page.call("Input.insertText", text="16:WORD 03-")
    assert _column(page, 0) == ["word 16"]
    assert page.run(status) == "1 of 20 rows shown"
    page.call("Input.insertText", text=" nothing")
    assert _column(page, 0) == []
    assert page.run(status) == "0 of 20 rows shown"


# -- pictures ----------------------------------------------------------------------------------

VIEW = "document.querySelector('figure[data-start] .plot').getAttribute('viewBox').split(' ')"
SIGN = "document.querySelector('figure[data-start] .bubble').getBoundingClientRect().width"


def _view(page: Page) -> tuple[float, float]:
    view = [float(part) for part in page.run(VIEW)]
    return view[0], view[2]


def test_keys_zoom_and_move_the_timeline(page: Page) -> None:
    x, whole = _view(page)
    sign = page.run(SIGN)
    page.run("document.querySelector('figure[data-start] [tabindex]').focus()")
    page.press("+", "+")
    page.press("+", "+")
    assert _view(page)[1] == pytest.approx(whole / 4)
    assert page.run(SIGN) == pytest.approx(sign, abs=0.1)  # closer, yet no wider
    middle = _view(page)[0]
    page.press("ArrowLeft")
    assert _view(page)[0] < middle
    told = page.run("document.querySelector('figure [role=status]').textContent")
    assert re.match(r"Shown: 1 Mar 2022, \d\d:\d\d to 2 Mar 2022", told)  # in the zone of the case
    for _ in range(9):
        page.press("ArrowRight")
    x_late, width = _view(page)
    assert x_late + width == pytest.approx(x + whole)  # and no further
    page.press("0", "0")
    assert _view(page) == (x, whole)


def test_buttons_and_drags_move_the_timeline(page: Page) -> None:
    _, whole = _view(page)
    page.run("document.querySelector('figure[data-start] button').click()")
    before, width = _view(page)
    assert width == pytest.approx(whole / 2)
    page.run("document.querySelector('figure[data-start]').scrollIntoView()")
    box = page.run(
        "(() => { const b = document.querySelector('figure[data-start] .plot')"
        ".getBoundingClientRect(); return [b.x + b.width / 2, b.y + 20] })()"
    )
    page.mouse("mousePressed", *box, button="left", clickCount=1)
    page.mouse("mouseMoved", box[0] - 80, box[1], button="left", buttons=1)
    page.mouse("mouseReleased", box[0] - 80, box[1], button="left", clickCount=1)
    assert _view(page)[0] > before
    labels = page.run(
        "[...document.querySelectorAll('figure[data-start] .plot text.muted')]"
        ".filter(t => t.getAttribute('display') !== 'none').map(t => t.textContent)"
    )
    assert "12:00" in labels or "06:00" in labels  # finer than the days of the whole picture


# -- the reader's side -------------------------------------------------------------------------

PAPER = "getComputedStyle(document.documentElement).backgroundColor"


def test_colours_follow_the_system_and_the_switch(browser: Browser, written: Path) -> None:
    light, dark = "rgb(255, 255, 255)", "rgb(21, 27, 35)"
    for is_dark, at_first, after in ((False, light, dark), (True, dark, light)):
        opened = browser.page(written, dark=is_dark)
        assert opened.run(PAPER) == at_first
        opened.run("document.querySelector('.theme').click()")
        assert opened.run(PAPER) == after
        pressed = opened.run("document.querySelector('.theme').getAttribute('aria-pressed')")
        assert pressed == str(not is_dark).lower()
        opened.close()


def test_a_small_screen_scrolls_tables_and_not_the_page(browser: Browser, written: Path) -> None:
    opened = browser.page(written, width=400, height=800)
    assert opened.run("document.documentElement.scrollWidth") == 400
    opened.close()


def test_the_first_stop_of_the_keyboard_skips_to_the_report(page: Page) -> None:
    page.press("Tab")
    assert page.run("document.activeElement.textContent") == "Skip to the report"
    page.press("Enter", "\r")
    assert page.run("location.hash + ' ' + document.activeElement.tagName") == "#report MAIN"


def _violations(page: Page) -> list[Any]:
    assert AXE is not None
    page.run(AXE.read_text(encoding="utf-8") + ";0")
    found = page.run(
        "axe.run({resultTypes: ['violations']}).then(told => told.violations.map("
        "v => [v.impact, v.id, v.nodes.slice(0, 3).map(n => n.html.slice(0, 200))]))"
    )
    return [told for told in found if told[0] in ("serious", "critical")]


@needs_axe
@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("dark", [False, True])
def test_no_barrier_is_found(browser: Browser, written: Path, scripts: bool, dark: bool) -> None:
    path = written
    if not scripts:  # the checker is a script itself: it sees the page as it is without its own
        text = written.read_text(encoding="utf-8")
        path = written.with_name("plain.html")
        path.write_text(re.sub(r"<script>.*?</script>", "", text, flags=re.S), encoding="utf-8")
    opened = browser.page(path, dark=dark)
    assert (opened.run("document.querySelectorAll('button').length") > 0) is scripts
    assert _violations(opened) == []
    opened.close()


@needs_axe
@pytest.mark.slow
@pytest.mark.parametrize("sample", ["flagship", "standby"])
def test_no_barrier_is_found_in_a_sample(
    browser: Browser, sample: str, request: pytest.FixtureRequest
) -> None:
    case: Path = request.getfixturevalue(sample)
    for kind in report.KINDS:
        path = case / "output" / f"{kind}.html"
        opened = browser.page(path)
        assert _violations(opened) == [], kind
        assert opened.run("document.documentElement.scrollWidth <= innerWidth"), kind
        assert opened.complaints() == []
        assert opened.requests() == [path.as_uri()]
        opened.close()


@needs_axe
@pytest.mark.slow
@pytest.mark.parametrize("name", ["status-only", "telemetry-only", "went-well"])
def test_no_barrier_is_found_where_much_is_absent(
    browser: Browser, name: str, tmp_path: Path
) -> None:
    folder = tmp_path / name
    shutil.copytree(Path(__file__).parent / "cases" / name, folder)
    case = CaseFolder.open(folder)
    with Store.create() as store:
        ingest(store, case)
        rebuild(store, case)
        told = report.build(store)
    for kind in report.KINDS:
        [path] = report.write(told, kind, ["html"], tmp_path)
        opened = browser.page(path)
        assert _violations(opened) == [], kind
        assert opened.complaints() == []
        opened.close()


# -- hostile text ------------------------------------------------------------------------------


def _inert(opened: Page, path: Path) -> None:
    assert opened.run("window.hit === undefined")
    assert opened.requests() == [path.as_uri()]
    assert opened.complaints() == []
    names = set(opened.run("[...document.querySelectorAll('*')].map(e => e.localName)"))
    assert {name for name in names if not ELEMENTS.fullmatch(name)} == set()
    assert opened.run("document.querySelectorAll('script').length") == 1
    assert opened.run("document.querySelectorAll('style').length") == 1
    assert (
        opened.run(
            "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames())"
            ".filter(name => name.startsWith('on') || name === 'style' || name === 'src')"
        )
        == []
    )
    assert opened.run(
        "[...document.querySelectorAll('[href]')].every(a => a.getAttribute('href')[0] === '#')"
    )


@pytest.mark.parametrize("word", [*HOSTILE, "\0<b>"], ids=lambda w: ascii(w[:12]))
def test_a_hostile_word_in_any_place_stays_a_word(
    browser: Browser, tmp_path: Path, word: str
) -> None:
    path = tmp_path / "review.html"
    path.write_text(html(_report(word, 14), "review", Brand()), encoding="utf-8")
    opened = browser.page(path)
    _inert(opened, path)
    assert opened.run("document.querySelectorAll('table').length") == 3
    opened.close()


def test_a_word_of_a_megabyte_breaks_no_page(browser: Browser, tmp_path: Path) -> None:
    word = "W" * 1_000_000
    table = model.Table("T", model.columns("Name | Record {code}"), ((word, model.Code("1:1")),))
    blocks = (model.Paragraph(word), table, model.Record("1:1", "evidence/x.log", word))
    document = model.Document("review", "R", "", (model.Section("s", "S", blocks),))
    told = replace(_report(), documents={"review": document})
    path = tmp_path / "review.html"
    path.write_text(html(told, "review", Brand()), encoding="utf-8")
    opened = browser.page(path, width=400)
    assert opened.run("document.documentElement.scrollWidth") == 400
    assert opened.run("document.querySelector('pre').textContent.length") == len(word)
    opened.close()


def test_the_policy_lets_no_other_script_or_style_run(browser: Browser, written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    path = written.with_name("tampered.html")
    added = "<script>window.hit=1</script><img src=x onerror='window.hit=1'><b style='color:red'>"
    path.write_text(text.replace("<main", added + "<main"), encoding="utf-8")
    opened = browser.page(path)
    assert opened.run("window.hit === undefined")
    assert len([line for line in opened.complaints() if "Content Security Policy" in line]) >= 3
    assert "unsafe" not in text[: text.index("<style>")]
    opened.close()


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


@pytest.fixture(scope="module")
def hostile_case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case whose every free text is hostile: names, identifiers, titles, posts, messages."""
    words = [_quoted(word) for word in HOSTILE]
    source = tmp_path_factory.mktemp("hostile") / "source"
    source.mkdir()

    def table(name: str, head: str, row: str) -> None:
        lines = [row.format(n, w=word, d=f"2022-03-{n + 1:02}") for n, word in enumerate(words)]
        (source / f"{name}.csv").write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")

    table(
        "change",
        "change_id,title,kind,requested_by,implementer,window_start,window_end,targets,procedure",
        "{w},{w},{w},{w},{w},{d}T08:00:00Z,{d}T09:00:00Z,{w},{w}",
    )
    table("approval", "change_id,approver,decision,decided_at", "{w},{w},approved,{d}T07:00:00Z")
    table(
        "maintenance_event",
        "occurred_at,action,target,change_id,step,actor,session_id,host,flags,message",
        "{d}T08:30:00Z,{w},{w},{w},{w},{w},{w},{w},{w},{w}",
    )
    table(
        "status_update",
        "posted_at,incident_id,state,update_id,title,body,component,region,component_status",
        "{d}T10:00:00Z,{w},investigating,u{0},{w},{w},{w},{w},partial_outage",
    )
    table("alert", "alert_id,fired_at,target,severity", "{w},{d}T08:31:00Z,{w},{w}")
    table("asset", "asset_id,kind,region,organization", "{w},machine,{w},{w}")
    table("replication_sample", "sampled_at,asset_id,state,error", "{d}T08:00:00Z,{w},failure,{w}")
    table("statement", "published_at,claim,source_name", "{d}T11:00:00Z,{w},{w}")
    table("notice", "organization,sent_at,channel,subject,body", "{w},{d}T11:00:00Z,{w},{w},{w}")
    (source / "case.toml").write_text("title = '''" + HOSTILE[1] + HOSTILE[3] + "'''\n")
    case, store = golden.build(source, tmp_path_factory.mktemp("case") / "hostile")
    told = report.build(store, originals=report.original_lines(store, case.path))
    for kind in report.KINDS:
        report.write(told, kind, ["html"], case.path / "output")
    store.close()
    return case.path


@pytest.mark.parametrize("kind", report.KINDS)
def test_a_hostile_case_stays_inert(browser: Browser, hostile_case: Path, kind: str) -> None:
    path = hostile_case / "output" / f"{kind}.html"
    opened = browser.page(path)
    _inert(opened, path)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\ufeff]", path.read_text("utf-8"))
    opened.close()


# -- rendering touches nothing else ------------------------------------------------------------

WATCHED = """
import sys, tempfile
from pathlib import Path
seen, sockets = set(), []
def watch(name, given):
    if name == "open" and isinstance(given[0], (str, bytes, Path)):
        seen.add(given[0].decode() if isinstance(given[0], bytes) else str(given[0]))
    elif name.startswith("socket."):
        sockets.append(name)
case, out = Path(sys.argv[1]), Path(sys.argv[2])
from toolkit import report
from toolkit.store import Store
sys.addaudithook(watch)
with Store.open(case / "case.duckdb") as store:
    told = report.build(store, originals=report.original_lines(store, case))
for kind in report.KINDS:
    report.write(told, kind, ["html", "pdf"] if kind == "summary" else ["html"], out)
assert not sockets, sockets
print(*sorted(str(Path(path).resolve()) for path in seen), sep="\\n")
"""


def _without_network() -> list[str]:
    """A prefix that takes the network away, where the system lets us."""
    prefix = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") is None:
        return []
    tried = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    return [] if tried.returncode else prefix


def test_rendering_opens_no_socket_and_no_foreign_file(hostile_case: Path, tmp_path: Path) -> None:
    command = [*_without_network(), sys.executable, "-c", WATCHED, hostile_case, tmp_path / "out"]
    root = golden.FOLDER.parents[1]
    ours = {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=root, env=os.environ | ours, check=False
    )
    assert done.returncode == 0, done.stderr
    python = [sys.prefix, sys.base_prefix, os.devnull, *mimetypes.knownfiles, *zoneinfo.TZPATH]
    known = [Path(path).resolve() for path in (hostile_case, tmp_path, root, *python)]
    opened = [Path(path) for path in done.stdout.splitlines()]
    assert any(path.name == "case.duckdb" or path.suffix == ".j2" for path in opened)
    assert [path for path in opened if not any(map(path.is_relative_to, known))] == []
