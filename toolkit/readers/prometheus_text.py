"""Scrapes in the Prometheus text format or OpenMetrics, and dumps of promtool."""

from __future__ import annotations

import re

from toolkit.errors import EvidenceRefused
from toolkit.ingest.container import EvidenceFile
from toolkit.ingest.keyvalue import flagged, line_text
from toolkit.ingest.metric_map import SampleWriter
from toolkit.ingest.reader import Reader, Sink, SourceSettings
from toolkit.timestamps import Instant, TimeError, TimeRule, parse, parse_epoch

_LABEL = r'[A-Za-z_][A-Za-z0-9_]*\s*=\s*"(?:[^"\\]|\\.)*"'
_SAMPLE = re.compile(
    r"(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)?"
    rf"(?:\s*\{{\s*(?P<labels>(?:{_LABEL}(?:\s*,\s*{_LABEL})*\s*,?)?)\s*\}})?"
    r"\s+(?P<value>[^\s#]+)(?:\s+(?P<time>-?[0-9.]+))?\s*(?:\s#\s*\{.*)?",
    re.ASCII,
)
_PAIR = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"', re.ASCII)
_TYPE = re.compile(
    r"^# TYPE [A-Za-z_:][\w:]* (?:counter|gauge|histogram|summary|untyped|unknown|info|stateset"
    r"|gaugehistogram)\s*$",
    re.MULTILINE | re.ASCII,
)
_UNIT = re.compile(r"# UNIT (\S+) (\S+)\s*", re.ASCII)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)
_DUMP = '{__name__="'


class PrometheusTextReader(Reader):
    name = "prometheus_text"
    title = "Prometheus scrape (text format, OpenMetrics)"
    fills = ("metric_sample", "replication_sample")
    takes_mapping = True
    obtain = 'curl -s http://HOST:9187/metrics > "$(date -u +%Y%m%dT%H%M%SZ).prom"'
    traps = (
        "a scrape prints no time: it is read from captured_at, or from a file name such as"
        " 20220309T060000Z.prom, where the Z says UTC",
        "a time in the file is milliseconds, but seconds where it ends with # EOF (OpenMetrics)",
        "NaN and Inf hold no value and are skipped",
        "a series that is missing from a scrape says nothing; its absence is not zero",
    )
    sample = (
        b"# HELP backup_last_success_seconds Time of the last backup that ended well.\n"
        b"# TYPE backup_last_success_seconds gauge\n"
        b'backup_last_success_seconds{host="fs1",job="nightly"} 1.646805e+09 1646816400250\n'
        b'backup_last_success_seconds{host="fs2",job="nightly"} NaN 1646816400250\n'
    )

    def matches(self, file: EvidenceFile) -> bool:
        if file.is_parquet or file.head.lstrip()[:1] in ("[", "<"):
            return False
        if not (_TYPE.search(file.head) or _ends(file) or file.head.startswith(_DUMP)):
            return False
        samples = [record.raw for record in file.spread if not record.raw.lstrip().startswith(b"#")]
        known = sum(
            _SAMPLE.fullmatch(raw.decode("utf-8", errors="replace")) is not None for raw in samples
        )
        return known > 0 and known >= len(samples) - 1

    def read(self, file: EvidenceFile, settings: SourceSettings, sink: Sink) -> None:
        unit_of_time = "s" if _ends(file) else "ms"
        scraped: Instant | None = None
        writer = SampleWriter(file, settings, sink)
        units: dict[str, str] = {}
        for record in file.lines():
            text = line_text(record, sink)
            if text is None:
                continue
            if not text.strip():
                sink.skip(record, "blank line")
                continue
            if text.lstrip().startswith("#"):
                unit = _UNIT.fullmatch(text)
                if unit:
                    units[unit[1]] = unit[2]
                sink.skip(record, "comment")
                continue
            match = _SAMPLE.fullmatch(text.strip())
            if match is None or not (match["name"] or match["labels"]):
                sink.reject(record, "LINE_FORM", "the line has not the form of a sample")
                continue
            labels = {
                key: _ESCAPE.sub(_unescape, value)
                for key, value in _PAIR.findall(match["labels"] or "")
            }
            if match["name"]:
                labels["__name__"] = match["name"]
            if match["time"] is None:
                if scraped is None:
                    scraped = _scrape_time(file, settings, record.number)
                at = scraped
            else:
                try:
                    at = parse_epoch(match["time"], unit_of_time)
                except TimeError as error:
                    sink.reject(record, error.code, error.reason, field="sampled_at")
                    continue
            unit_name = units.get(labels.get("__name__", ""))
            writer.send(record, labels, match["value"], at, unit=unit_name)


def _ends(file: EvidenceFile) -> bool:
    return bool(file.spread) and file.spread[-1].raw.strip() == b"# EOF"


def _unescape(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


def _scrape_time(file: EvidenceFile, settings: SourceSettings, line: int) -> Instant:
    """The time of a scrape whose samples print none."""
    try:
        if settings.captured_at is not None:
            moment = parse(settings.captured_at, TimeRule(zone=settings.zone))
            return flagged(moment, "captured_at_used")
        stamp = _STAMP.fullmatch(file.name.split(".", 1)[0])
        if stamp is not None:
            year, month, day, hour, minute, second = stamp.groups()
            moment = parse(f"{year}-{month}-{day}T{hour}:{minute}:{second}Z")
            return flagged(moment, "file_name_time")
    except TimeError as error:
        raise EvidenceRefused(
            f"{error.reason} ({error.code})",
            path=file.path,
            field="captured_at",
            remedy="give captured_at as 2022-03-09T06:00:00Z",
        ) from None
    raise EvidenceRefused(
        "the samples print no time (TIME_NONE)",
        path=file.path,
        line=line,
        field="sampled_at",
        remedy="give captured_at for this file in case.toml, or name it as 20220309T060000Z.prom",
    )
