"""The tables in which sources and their records are accounted for, with what each column holds."""

from __future__ import annotations

from collections.abc import Mapping

# How the rows of a source are accounted for, and what was noted while they were read.
BOOKKEEPING = """\
create schema evidence;
create table schema_version (version integer);
create table source (
    source_id usmallint primary key,
    sha256 varchar not null,
    path varchar not null,
    container_sha256 varchar,
    format varchar not null,
    reader varchar not null,
    reader_version integer not null,
    detected_by varchar not null,
    zone varchar,
    year integer,
    asset_id varchar,
    mapping varchar,
    mapping_sha256 varchar,
    declaration_sha256 varchar not null,
    bytes bigint not null,
    encoding varchar not null,
    records_read bigint not null,
    accepted bigint not null,
    continued bigint not null,
    skipped bigint not null,
    rejected bigint not null,
    first_at timestamptz,
    last_at timestamptz,
    clock_offset_seconds double not null,
    clock_basis varchar not null,
    export_complete boolean not null,
    export_note varchar,
    system_of_record varchar,
    obtained_by varchar,
    obtained_at varchar,
    obtained_how varchar,
    expected_records bigint,
    check (records_read = accepted + continued + skipped + rejected)
);
create table reject (
    source_id usmallint, record_no bigint, byte_offset bigint, field varchar, code varchar,
    reason varchar, raw blob
);
create table skipped (source_id usmallint, reason varchar, records bigint, first_record_no bigint);
create table time_note (
    source_id usmallint, record_no bigint, column_name varchar, raw varchar, basis varchar,
    flags varchar, lo timestamptz, hi timestamptz
);
create table value_note (
    source_id usmallint, record_no bigint, column_name varchar, code varchar, raw varchar
);
create table source_column (
    source_id usmallint, relation varchar, column_name varchar, format varchar, basis varchar,
    readings bigint, deviating bigint
);
"""
COMMENTS = {
    "schema_version": "One row: the version of the layout of this database.",
    "source": "One row per file of evidence, with its account and chain of custody.",
    "reject": "One row per record that could not be read, with its bytes.",
    "skipped": "One row per source and reason for which records say nothing by definition.",
    "time_note": "One row per time that was not read in the way usual for its source and column.",
    "value_note": "One row per word or value that was accepted, but not as it stood.",
    "source_column": "One row per source and time column: how its times were read.",
}
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "source": {
        "source_id": "Number of the file, as records are cited: `source_id:record_no`.",
        "sha256": "Digest of its bytes, as they were read.",
        "path": "Where it lies in the case; FILE!NAME for a member of an archive.",
        "container_sha256": "Digest of the archive that it is a member of.",
        "format": "Format that it was read in.",
        "reader": "Reader that read it.",
        "reader_version": "Version of that reader.",
        "detected_by": "How its format is known: `declared`, `mapping` or `detected`.",
        "zone": "Zone that the case declares for times without one.",
        "year": "Year of its first record, where the case declares it.",
        "asset_id": "Asset that the case declares it to tell of.",
        "mapping": "Mapping that it was read with.",
        "mapping_sha256": "Digest of that mapping.",
        "declaration_sha256": "Digest of all that the case declares of it.",
        "bytes": "Its size.",
        "encoding": "Encoding of its text.",
        "records_read": "Records found: the sum of the next four.",
        "accepted": "Records that became rows.",
        "continued": "Records that continue the one before them.",
        "skipped": "Records that say nothing by definition: see skipped.",
        "rejected": "Records that could not be read: see reject.",
        "first_at": "Earliest time of a row.",
        "last_at": "Latest time of a row.",
        "clock_offset_seconds": "What the case declares, and was taken off the times.",
        "clock_basis": "`declared` where that is so, else `none`.",
        "export_complete": "False where the export hit a known limit of its system.",
        "export_note": "That limit.",
        "system_of_record": "System that it comes from, by the case.",
        "obtained_by": "Who made the export, by the case.",
        "obtained_at": "When it was made, by the case.",
        "obtained_how": "How it was made, by the case.",
        "expected_records": "Records that it should hold, by the case.",
    },
    "reject": {
        "source_id": "The source.",
        "record_no": "The record, counted from 1.",
        "byte_offset": "Where it begins in the file; NULL where a file has no such places.",
        "field": "Column that could not be filled.",
        "code": "What was wrong, in a word that does not change.",
        "reason": "What was wrong, in a sentence.",
        "raw": "The record as it stands in the file.",
    },
    "skipped": {
        "source_id": "The source.",
        "reason": "Why they say nothing.",
        "records": "How many.",
        "first_record_no": "The first of them.",
    },
    "time_note": {
        "source_id": "The source.",
        "record_no": "The record.",
        "column_name": "Column that holds the time.",
        "raw": "The time as it stands in the record.",
        "basis": "Where its zone is from: `epoch`, `utc`, `offset`, `zone_in_record`, "
        "`zone_declared`.",
        "flags": "What was unusual, such as `year_inferred` or `dst_ambiguous`.",
        "lo": "Earliest instant that it can mean.",
        "hi": "Latest instant that it can mean.",
    },
    "value_note": {
        "source_id": "The source.",
        "record_no": "The record.",
        "column_name": "Column that holds the value.",
        "code": "What was done with it.",
        "raw": "The value as it stands in the record.",
    },
    "source_column": {
        "source_id": "The source.",
        "relation": "Relation that the column belongs to.",
        "column_name": "Column that holds a time.",
        "format": "Form or order that is declared for its times, else `as written`.",
        "basis": "Where the zone of most of them is from.",
        "readings": "Times read.",
        "deviating": "Those that were read in another way: see time_note.",
    },
}
