"""The files that travel inside the PDF: the full lists behind the printed extracts."""

from __future__ import annotations

import csv
import hashlib
import io
from datetime import UTC, datetime
from typing import Any

from toolkit.report.facts import CaseFacts, Row
from toolkit.report.model import Attached

MANIFEST, DIGESTS = "manifest.jsonl", "attachments-sha256.txt"


def attachments(facts: CaseFacts) -> tuple[Attached, ...]:
    """Findings, timeline, sources, limits, policy as CSV, the SQL of every query, the manifest.

    `sha256sum manifest.jsonl` gives the case digest at the foot of every page, and
    `sha256sum -c attachments-sha256.txt` checks the others.
    """
    tables = (
        ("findings.csv", "finding", "Every finding of every status"),
        ("timeline.csv", "timeline", "Every dated event of the evidence, in order"),
        ("sources.csv", "source", "Register of the files of evidence with their account"),
        ("partners.csv", "partner_impact", "Impact on every partner"),
        ("revisions.csv", "revision", "What later captures of the same records changed"),
        ("limits.csv", "evidence_quality", "Every issue of the evidence with its source"),
        ("policy.csv", "policy", "Thresholds in force and where each comes from"),
    )
    found = [
        Attached(name, description, table(rows))
        for name, relation, description in tables
        if (rows := facts.recorded(relation))
    ]
    queries = facts.queries
    if queries:
        register = [{k: v for k, v in row.items() if k != "sql"} for row in queries]
        found.append(Attached("queries.csv", "Every query with its digests", table(register)))
        text = "\n\n".join(
            f"-- {row['query_id']}: {row['title']}\n-- sha256 of the file "
            f"{row['sha256']}\n{row['sql']};"
            for row in queries
        )
        found.append(Attached("queries.sql", "SQL of every query", (text + "\n").encode()))
    found.append(
        Attached(MANIFEST, "What the case rests on; its SHA-256 is the case digest", facts.manifest)
    )
    listed = sorted((file.name, hashlib.sha256(file.data).hexdigest()) for file in found)
    told = "".join(f"{digest}  {name}\n" for name, digest in listed)
    found.append(Attached(DIGESTS, "SHA-256 of every file attached", told.encode()))
    return tuple(found)


def table(rows: list[Row]) -> bytes:
    """CSV in UTF-8 with a header; a text that a spreadsheet would take for a formula is quoted."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow([_cell(value) for value in row.values()])
    return out.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, list):
        value = "; ".join(str(part) for part in value)
    if isinstance(value, str):
        return "'" + value if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
    return str(value)
