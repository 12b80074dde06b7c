"""Archives and workbooks: every member and sheet is a source of its own, or is refused by name."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from test_ingest import EVENTS, GOOD, load, make_case

from toolkit.casefile import CaseFolder
from toolkit.errors import EvidenceRefused, UsageError
from toolkit.ingest import archive
from toolkit.ingest.load import Loaded
from toolkit.ingest.recognise import sniff
from toolkit.report import original_lines
from toolkit.store import Store

TABLE = (EVENTS + GOOD).encode()
SAMPLES = (
    b"sampled_at,asset_id,state\n2022-03-09T09:14:05Z,m1,success\n2022-03-09T09:19:05Z,m1,failure\n"
)
ZONE = '[[source]]\npath = "evidence/*"\nzone = "America/Denver"\n'


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as packed:
        for name, data in members.items():
            packed.writestr(zipfile.ZipInfo(name, (2022, 3, 9, 0, 0, 0)), data, method)
    return held.getvalue()


def workbook(sheets: dict[str, list[list[Any]]], change: Callable[[Workbook], None] = id) -> bytes:
    book = Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    change(book)
    held = io.BytesIO()
    book.save(held)
    return held.getvalue()


def outcomes(files: tuple[Loaded, ...]) -> dict[str, str]:
    return {file.path: file.outcome for file in files}


def only_refusal(tmp_path: Path, name: str, data: bytes) -> str:
    done = load(make_case(tmp_path / "case", {name: data}))
    (refusal,) = done.refusals
    assert not [file for file in done.files if file.outcome == "loaded"]
    assert refusal.exit_code == 3
    assert name in str(refusal)
    assert refusal.remedy
    return str(refusal)


# -- archives --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_every_member_is_a_source_with_the_digest_of_its_bytes(method: int, tmp_path: Path) -> None:
    data = zipped(
        {"a.csv": TABLE, "in/b.csv": SAMPLES, "__MACOSX/._a.csv": b"x", "in/.x": b""}, method
    )
    case = make_case(tmp_path / "case", {"exports.zip": data})
    assert outcomes(load(case).files) == {
        "evidence/exports.zip!a.csv": "loaded", "evidence/exports.zip!in/b.csv": "loaded",
    }  # fmt: skip
    with Store.open(case.database) as store:
        rows = store.rows("select path, sha256, container_sha256, bytes, accepted from source")
    assert [(row["sha256"], row["bytes"], row["accepted"]) for row in rows] == [
        (hashlib.sha256(TABLE).hexdigest(), len(TABLE), 1),
        (hashlib.sha256(SAMPLES).hexdigest(), len(SAMPLES), 2),
    ]
    assert {row["container_sha256"] for row in rows} == {hashlib.sha256(data).hexdigest()}
    assert set(outcomes(load(case).files).values()) == {"unchanged"}


def test_the_same_bytes_plain_and_in_an_archive_are_one_source(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", {"a.csv": TABLE, "b.zip": zipped({"x.csv": TABLE})})
    assert list(outcomes(load(case).files).values()) == ["loaded", "unchanged"]
    (case.path / "evidence" / "a.csv").unlink()
    assert list(outcomes(load(case).files).values()) == ["withdrawn", "loaded"]


def test_a_member_may_have_a_longer_name_than_a_file(tmp_path: Path) -> None:
    name = "one" + "x" * 300 + ".csv"
    case = make_case(tmp_path / "case", {"b.zip": zipped({name: TABLE, "y.csv": SAMPLES})})
    assert set(outcomes(load(case).files).values()) == {"loaded"}
    assert set(outcomes(load(case).files).values()) == {"unchanged"}
    with (case.path / "case.toml").open("a") as stream:
        stream.write(f'[[source]]\npath = "evidence/b.zip!{name}"\nformat = "table"\n')
    assert f"evidence/b.zip!{name}" in outcomes(load(CaseFolder.open(case.path)).files)


def test_a_member_with_a_longer_name_than_a_file_can_be_refused(tmp_path: Path) -> None:
    name = "one" + "x" * 300 + ".csv"
    case = make_case(tmp_path / "case", {"b.zip": zipped({name: b"\0\1\2", "y.csv": SAMPLES})})
    assert list(outcomes(load(case).files).values()) == ["refused", "loaded"]


def test_the_name_of_a_mapping_can_be_too_long(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", {"y.csv": SAMPLES})
    with (case.path / "case.toml").open("a") as stream:
        stream.write(f'[[source]]\npath = "evidence/y.csv"\nmapping = "{"x" * 300}.toml"\n')
    with pytest.raises(UsageError, match="no such mapping"):
        load(CaseFolder.open(case.path))


def test_a_member_that_is_gone_is_withdrawn_and_the_others_stay(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", {"b.zip": zipped({"x.csv": TABLE, "y.csv": SAMPLES})})
    load(case)
    make_case(case.path, {"b.zip": zipped({"y.csv": SAMPLES})})
    assert list(outcomes(load(case).files).values()) == ["withdrawn", "unchanged"]


def test_what_the_case_says_of_an_archive_holds_for_its_members(tmp_path: Path) -> None:
    local = b"occurred_at,action\n2022-03-09 09:14:05,seed\n"
    toml = '[[source]]\npath = "evidence/b.zip"\nzone = "UTC"\n'
    toml += '[[source]]\npath = "evidence/b.zip!y.csv"\nzone = "America/Denver"\n'
    members = {"x.csv": local, "y.csv": local + b"\n"}
    case = make_case(tmp_path / "case", {"b.zip": zipped(members)}, toml)
    load(case)
    with Store.open(case.database) as store:
        assert [row["zone"] for row in store.rows("select zone from source order by path")] == [
            "UTC", "America/Denver",
        ]  # fmt: skip


def test_a_damaged_member_is_refused_and_the_others_load(tmp_path: Path) -> None:
    data = bytearray(zipped({"x.csv": TABLE, "y.csv": SAMPLES}, zipfile.ZIP_STORED))
    at = data.index(b"success")
    data[at] ^= 1
    done = load(make_case(tmp_path / "case", {"b.zip": bytes(data)}))
    assert list(outcomes(done.files).values()) == ["refused", "loaded"]
    assert "evidence/b.zip!x.csv" in str(done.refusals[0])
    assert "damaged" in str(done.refusals[0])


@pytest.mark.parametrize(
    "name", ["../x.csv", "/etc/x.csv", "a/../../x.csv", "..\\x.csv", "C:\\x.csv", "x\n.csv"]
)
def test_a_name_that_leads_out_refuses_the_archive(name: str, tmp_path: Path) -> None:
    text = only_refusal(tmp_path, "b.zip", zipped({"a.csv": TABLE, name: SAMPLES}))
    assert "named" in text
    assert text.isprintable()


def test_links_and_secrets_refuse_the_archive(tmp_path: Path) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as packed:
        link = zipfile.ZipInfo("a.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        packed.writestr(link, "/etc/passwd")
    assert "is a link" in only_refusal(tmp_path, "b.zip", held.getvalue())
    data = bytearray(zipped({"a.csv": TABLE}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert "encrypted" in only_refusal(tmp_path / "2", "b.zip", bytes(data))


def test_archives_inside_of_archives_are_refused(tmp_path: Path) -> None:
    for number, inner in enumerate((zipped({"a.csv": TABLE}), gzip.compress(TABLE))):
        text = only_refusal(tmp_path / str(number), "b.zip", zipped({"inner": inner}))
        assert "packed itself" in text


def test_bombs_are_refused_before_they_are_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = only_refusal(tmp_path, "b.zip", zipped({"a.csv": bytes(1 << 27)}))
    assert "unpacks to 134,217,728 bytes" in text
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    many = {f"{n}.csv": TABLE for n in range(4)}
    assert "members" in only_refusal(tmp_path / "2", "b.zip", zipped(many))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:-30],
        lambda data: data + b"more",
        lambda data: b"PK\x03\x04more" + data,
        lambda data: data + zipped({"b.csv": SAMPLES}),
        lambda data: data[:40] + data[60:],
        lambda _: zipped({}),
        lambda _: b"PK\x03\x04",
    ],
)
def test_an_archive_that_is_more_or_less_than_its_listing_is_refused(
    change: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    only_refusal(tmp_path, "b.zip", change(zipped({"a.csv": TABLE})))


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    for name, data in (("a.csv", TABLE), ("b.zip", zipped({"a.csv": TABLE}))):
        path = tmp_path / name
        path.write_bytes(data)
        (part,) = archive.parts(path)
        file = part.open()
        with path.open("ab") as stream:
            stream.write(b"x")
        with pytest.raises(EvidenceRefused, match="changed while it was read"):
            file.verify_unchanged()


def test_a_member_can_be_named_and_a_choice_must_be_made(tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(zipped({"x.csv": TABLE, "y.csv": SAMPLES}))
    file, reader, _ = sniff(tmp_path / "b.zip!y.csv")
    assert (file.bytes, reader.name) == (len(SAMPLES), "table")
    with pytest.raises(EvidenceRefused, match=r"holds 2 sources; name one of them: b\.zip!x\.csv"):
        sniff(path)
    path.write_bytes(zipped({"in/x.csv": TABLE}))
    assert sniff(tmp_path / "b.zip!in/x.csv")[0].sha256 == sniff(path)[0].sha256
    with pytest.raises(EvidenceRefused, match="no such member"):
        sniff(tmp_path / "b.zip!z.csv")


# -- links and names -------------------------------------------------------------------------------


def test_a_link_out_of_the_case_is_refused_and_the_rest_loads(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_bytes(SAMPLES)
    case = make_case(tmp_path / "case", {"a.csv": TABLE})
    (case.path / "evidence" / "b.csv").symlink_to(tmp_path / "secret.csv")
    done = load(case)
    assert list(outcomes(done.files).values()) == ["loaded", "refused"]
    assert "leads out" in str(done.refusals[0])


@pytest.mark.parametrize("name", [b"a\nrefused: b.csv", b"a\x1b[31m.csv", b"a\xff.csv"])
def test_a_name_that_cannot_be_shown_is_refused(name: bytes, tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", {})
    (case.path / "evidence" / os.fsdecode(name)).write_bytes(TABLE)
    (refusal,) = load(case).refusals
    assert "rename" in str(refusal)
    assert str(refusal).isprintable()


# -- workbooks -------------------------------------------------------------------------------------

HEADER = ["occurred_at", "action", "target", "change_id", "message"]


def test_a_sheet_is_a_table_whose_records_are_its_rows(tmp_path: Path) -> None:
    rows = [
        HEADER,
        ["2022-03-09T09:14:05Z", "seed", "m1", 30142, 'two\nlines, "quoted"; and more'],
        [],
        ["2022-03-09T09:15:05Z", "seed", "m2", 1.5, None],
        ["yesterday", "seed", "m3", None, "carriage\rreturn"],
        ["2022-03-09T09:16:05Z", "seed", True, None, "=1+1 as text"],
    ]

    def as_text(book: Workbook) -> None:
        book.worksheets[0]["E6"].data_type = "s"

    case = make_case(tmp_path / "case", {"book.xlsx": workbook({"Page 1": rows}, as_text)})
    (file,) = load(case).files
    assert file.path == "evidence/book.xlsx!Page 1"
    assert (file.accepted, file.skipped, file.rejected) == (3, 1, 1), file
    with Store.open(case.database) as store:
        found = store.rows(
            "select record_no, target, change_id, message from evidence.maintenance_event"
        )
        (reject,) = store.rows("select record_no, byte_offset, field from reject")
    assert found == [
        {"record_no": 2, "target": "m1", "change_id": "30142", "message": rows[1][4]},
        {"record_no": 4, "target": "m2", "change_id": "1.5", "message": None},
        {"record_no": 6, "target": "true", "change_id": None, "message": "=1+1 as text"},
    ]
    assert reject == {"record_no": 5, "byte_offset": None, "field": "occurred_at"}
    assert [row.outcome for row in load(case).files] == ["unchanged"]


def test_every_sheet_that_holds_something_is_read(tmp_path: Path) -> None:
    samples = [line.split(",") for line in SAMPLES.decode().splitlines()]
    book = workbook({"One": [HEADER, ["2022-03-09T09:14:05Z", "x"]], "Two": samples, "Three": []})
    case = make_case(tmp_path / "case", {"book.xlsx": book})
    assert outcomes(load(case).files) == {
        "evidence/book.xlsx!One": "loaded", "evidence/book.xlsx!Two": "loaded",
    }  # fmt: skip


@pytest.mark.parametrize("mac", [False, True])
def test_dates_are_local_and_as_precise_as_they_are_shown(mac: bool, tmp_path: Path) -> None:
    moment = datetime.fromisoformat("2022-03-09T09:14:05")
    forms = {
        "yyyy-mm-dd hh:mm:ss": (moment, 999_999),
        "dd/mm/yyyy hh:mm": (moment.replace(second=0), 59_999_999),
        "d mmm yyyy": (datetime.fromisoformat("2022-03-09"), 86_399_999_999),
        "m/d/yy": (moment, 999_999),
        "hh:mm:ss.000": (moment.replace(microsecond=123_000), 999),
    }

    def typed(book: Workbook) -> None:
        if mac:
            from openpyxl.utils.datetime import CALENDAR_MAC_1904

            book.epoch = CALENDAR_MAC_1904
        for row, (form, (value, _)) in enumerate(forms.items(), start=2):
            cell = book.worksheets[0].cell(row, 1, value)
            cell.number_format = form

    rows = [HEADER, *([None, "seed"] for _ in forms)]
    case = make_case(tmp_path / "case", {"book.xlsx": workbook({"S": rows}, typed)}, ZONE)
    (file,) = load(case).files
    assert file.accepted == len(forms), file
    with Store.open(case.database) as store:
        found = store.rows(
            "select epoch_us(occurred_at) - epoch_us('2022-03-09 07:00:00+00'::timestamptz) as at, "
            "epoch_us(occurred_hi) - epoch_us(occurred_lo) as width "
            "from evidence.maintenance_event order by record_no"
        )
    midnight = datetime.fromisoformat("2022-03-09")
    assert [(row["at"], row["width"]) for row in found] == [
        (round((value - midnight).total_seconds() * 1e6), width) for value, width in forms.values()
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda book: book.worksheets[0].__setitem__("C2", "=1+1"), "formula"),
        (lambda book: book.worksheets[0].merge_cells("A2:A3"), "merged"),
        (lambda book: book.worksheets[0].__setitem__("C2", "#VALUE!"), "error"),
    ],
)
def test_what_a_sheet_says_otherwise_than_it_shows_refuses_it(
    change: Callable[[Workbook], None], words: str, tmp_path: Path
) -> None:
    rows = [HEADER, ["2022-03-09T09:14:05Z", "seed"], ["2022-03-09T09:14:06Z", "seed"]]
    text = only_refusal(tmp_path, "book.xlsx", workbook({"S": rows}, change))
    assert "book.xlsx!S" in text
    assert words in text


def altered(book: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(book)) as packed:
        members = {info.filename: packed.read(info) for info in packed.infolist()}
    members[name] = change(members[name])
    return zipped(members)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("xl/worksheets/sheet1.xml", lambda xml: xml[: len(xml) // 2]),
        ("xl/worksheets/sheet1.xml", lambda xml: xml.replace(b'<row r="3"', b'<row r="2"')),
        ("xl/worksheets/sheet1.xml", lambda xml: xml.replace(b'<row r="3"', b'<row r="9999999"')),
        ("xl/worksheets/sheet1.xml", lambda xml: xml.replace(b'r="B2"', b'r="A2"')),
        ("xl/worksheets/sheet1.xml", lambda xml: xml.replace(b'r="B2"', b'r="ZZZ2"')),
        (
            "xl/worksheets/sheet1.xml",
            lambda xml: b'<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]>' + xml,
        ),
        ("xl/workbook.xml", lambda xml: xml.replace(b"sheets", b"shoots")),
        ("xl/styles.xml", lambda xml: b""),
        ("[Content_Types].xml", lambda xml: b"<x/>"),
    ],
)
def test_a_damaged_workbook_is_refused(
    name: str, change: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    rows = [HEADER, ["2022-03-09T09:14:05Z", "seed"], ["2022-03-09T09:14:06Z", "seed"]]
    only_refusal(tmp_path, "book.xlsx", altered(workbook({"S": rows}), name, change))


def test_rows_beyond_the_stated_extent_are_read(tmp_path: Path) -> None:
    rows = [HEADER, *([f"2022-03-09T09:14:{n:02}Z", "seed"] for n in range(30))]
    book = altered(
        workbook({"S": rows}), "xl/worksheets/sheet1.xml",
        lambda xml: xml.replace(b'ref="A1:E31"', b'ref="A1:B2"'),
    )  # fmt: skip
    (file,) = load(make_case(tmp_path / "case", {"book.xlsx": book})).files
    assert file.accepted == 30


def test_the_original_line_of_a_member_is_found(tmp_path: Path) -> None:
    text = "occurred_at,action,target\r\n2022-03-09T09:14:05Z,delete,a\r\n"
    case = make_case(tmp_path, {"x.zip": zipped({"maintenance_event.csv": text.encode()})})
    load(case)
    with Store.open(case.database) as store:
        line = original_lines(store, case.path)
    assert [line(1, number) for number in (1, 2, 3)] == [*text.split("\r\n")[:2], None]
