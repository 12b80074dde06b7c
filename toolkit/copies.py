"""Records that overlapping exports hold more than once, and which revision of a record is current.

A relation with a native key holds one row per record of its system: of several copies, the one that
was seen last counts, and copies with other content are revisions (relation `revision`). A relation
without one holds what was logged: rows that two sources of one format both hold, where their times
overlap, are one record; rows that one file repeats are true repeats, and stay.

A feed tells of the updates of a status page without their ids, and to the minute. Such an update is
the copy of one that another source holds with its id, if incident and state (or text) are the same
and it can have been posted at the same time. What it says of components is left out with it where
another source tells the components of that update, and is told of that update where none does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from toolkit.relations import BY_NAME, Relation
from toolkit.store import Store, columns_of

# The native identity of a record. Updates that bear no id of their own are told apart by when they
# were posted and, within that, by their order.
_KEYS: Mapping[str, str] = {
    "change": "change_id",
    "status_update": "incident_id, coalesce(update_id, posted_at || '#' || nth, "
    "sha256(concat_ws('|', state, title, body)))",
    "status_component": "incident_id, coalesce(update_id, posted_at::varchar), component, region",
    "alert": "alert_id",
    "action_item": "item_id",
    "ticket_event": "ticket_id, state, actor, occurred_at, nth",
}
# What numbers the records of one source that are alike but for what may be edited.
_ALIKE: Mapping[str, str] = {"ticket_event": "ticket_id, state, actor, occurred_at"}
# Logs, telemetry and registers, with what tells whose records they are: a log without hosts, the
# assets and changes that it names.
_SUBJECTS: Mapping[str, str] = {
    "maintenance_event": "coalesce(host, target, change_id)",
    "replication_sample": "asset_id",
    "metric_sample": "series",
    "asset_state": "asset_id",
    "approval": "change_id",
    "protection_check": "target",
    "silence": "target",
    "handover": "change_id",
    "notice": "organization",
    "statement": "source_name",
    "clock_probe": "host",
}

# A table holds a row per update and component: rows with the same words that tell of different
# components are one update; rows that are alike in these too are true repeats, and several.
_UPDATE_NUMBERS = """
    insert into update_number
    with told as (
        select source_id, record_no, list_sort(list([component, region])) as components
        from evidence.status_component
        group by all
    ),
    alike as (
        select
            held.source_id, held.record_no, held.incident_id, held.update_id, held.posted_at,
            held.state, held.title, held.body, held.kind, held.impact,
            row_number() over (
                partition by
                    held.source_id, held.incident_id, held.update_id, held.posted_at, held.state,
                    held.title, held.body, held.kind, held.impact, told.components
                order by held.record_no
            ) as repeat
        from evidence.status_update as held
        left join told on held.source_id = told.source_id and held.record_no = told.record_no
    ),
    first as (
        select
            *,
            min(record_no) over (
                partition by
                    source_id, incident_id, update_id, posted_at, state, title, body, kind, impact,
                    repeat
            ) as first_no
        from alike
    )
    select
        source_id,
        record_no,
        dense_rank() over (
            partition by source_id, incident_id, update_id, posted_at order by first_no
        ) as nth
    from first
    order by all
"""

# Of several updates that it can be: the one with the same words, else the one in its place, for a
# feed tells of the newest first. No more of them are left out than there are updates with ids.
_TOLD_WITHOUT_ID = r"""
    insert into record_copy
    with update as (
        select
            source_id, record_no, incident_id, update_id, state, posted_at, posted_lo, posted_hi,
            regexp_replace(regexp_replace(body, '<[^>]*>', ' ', 'g'), '[^\p{L}\p{N}]+', '', 'g')
                as words,
            row_number() over (
                partition by source_id, incident_id, state, posted_at order by record_no desc
            ) as nth
        from evidence.status_update
        where posted_at is not null
    ),
    fitting as (
        select
            told.source_id, told.record_no, told.nth, named.update_id,
            min(named.posted_at) as posted_at,
            bool_or(told.words = named.words) as same_words,
            max(struct_pack(source := named.source_id, record := named.record_no)) as latest
        from update as told
        inner join update as named
            on
                told.incident_id = named.incident_id
                and told.source_id <> named.source_id
                and told.posted_lo <= named.posted_hi
                and told.posted_hi >= named.posted_lo
                and (told.state = named.state or told.words = named.words)
        where told.update_id is null and named.update_id is not null
        group by all
    ),
    placed as (
        select
            *,
            count(*) over (partition by source_id, record_no) as choices,
            row_number() over (
                partition by source_id, record_no order by posted_at, update_id
            ) as place
        from fitting
    )
    select 'status_update', source_id, record_no, latest.source, latest.record
    from placed
    where nth <= choices
    qualify row_number() over (
        partition by source_id, record_no order by same_words desc nulls last, place <> nth, place
    ) = 1
    order by all
"""

_COMPONENTS_TOLD_AGAIN = """
    insert into record_copy
    select distinct
        'status_component', copy.source_id, copy.record_no, copy.of_source_id, copy.of_record_no
    from record_copy as copy
    semi join evidence.status_component as told
        on copy.source_id = told.source_id and copy.record_no = told.record_no
    inner join evidence.status_update as named
        on copy.of_source_id = named.source_id and copy.of_record_no = named.record_no
    semi join evidence.status_component as known
        on named.incident_id = known.incident_id and named.update_id = known.update_id
    where copy.relation = 'status_update'
    order by all
"""

_COMPONENTS_OF_ANOTHER = """(
    select held.* replace (
        coalesce(named.update_id, held.update_id) as update_id,
        coalesce(named.posted_at, held.posted_at) as posted_at
    )
    from evidence.status_component as held
    left join record_copy as copy
        on copy.relation = 'status_update'
        and held.source_id = copy.source_id and held.record_no = copy.record_no
    left join evidence.status_update as named
        on copy.of_source_id = named.source_id and copy.of_record_no = named.record_no
)"""


def find(store: Store) -> frozenset[str]:
    """Write the table `record_copy`: records that another source already holds.

    One row per record that is left out, with the record that stands for it. The n-th of equal
    records of one source is the copy of the n-th of the other. Returns the relations that have such
    records.
    """
    store.load(
        "record_copy",
        {
            "relation": "varchar", "source_id": "usmallint", "record_no": "bigint",
            "of_source_id": "usmallint", "of_record_no": "bigint",
        },
        [],
    )  # fmt: skip
    store.load(
        "update_number",
        {"source_id": "usmallint", "record_no": "bigint", "nth": "bigint"},
        [],
    )
    store.execute(_UPDATE_NUMBERS)
    store.describe(
        "update_number",
        comment="Which update of a status page a record tells of. One row per record.",
        comments={
            "source_id": "Source of the record.",
            "record_no": "The record.",
            "nth": "The how-manieth update that the source has of that incident, id "
            "and time; records with the same words on different components tell of one.",
        },
    )
    several = ", ".join(
        f"(select min(source_id) < max(source_id) from evidence.{name})" for name in _SUBJECTS
    )
    for (name, subject), some in zip(
        _SUBJECTS.items(), store.value(f"select [{several}]"), strict=True
    ):
        pairs = _overlapping(store, name, subject) if some else []
        if pairs:
            store.execute(_copies(BY_NAME[name], pairs))
    store.execute(_TOLD_WITHOUT_ID)
    store.execute(_COMPONENTS_TOLD_AGAIN)
    store.describe(
        "record_copy",
        comment="Copies of records in other exports. One row per record that is left out.",
        comments={
            "relation": "The relation.",
            "source_id": "Source of the copy.",
            "record_no": "Record of the copy.",
            "of_source_id": "Source of the record that stands for it.",
            "of_record_no": "The record that stands for it.",
        },
    )
    return frozenset(
        row["relation"] for row in store.rows("select distinct relation from record_copy")
    )


def current(relation: Relation, copied: Collection[str]) -> str:
    """The statement that selects what counts of a relation of evidence.

    `copied` are the relations with copies, as `find` returns them; to ask the others stays cheap.
    """
    columns = ", ".join(f'"{name}"' for name, _ in columns_of(relation))
    kept = _without_copies(relation.name, "held") if relation.name in copied else ""
    if relation.name in _KEYS:
        held, nth = f"{_held(relation.name, copied)} as held", ""
        if relation.name == "status_update":
            held += " left join update_number using (source_id, record_no)"
        elif relation.name in _ALIKE:
            nth = (
                f", row_number() over (partition by source_id, {_ALIKE[relation.name]} "
                "order by record_no) as nth"
            )
        captured = "captured_at" if "captured_at" in relation.by_column else "null::timestamptz"
        return (
            f"select {columns} from (select *, coalesce({captured}, (select try_cast("
            "source.obtained_at as timestamptz) from source where source.source_id = "
            f"held.source_id)) as seen_at{nth} from {held}{kept}) "
            f"qualify row_number() over (partition by {_KEYS[relation.name]} "
            "order by seen_at desc nulls last, source_id desc, record_no desc) = 1"
        )
    return f"select {columns} from evidence.{relation.name} as held{kept}"


def _held(name: str, copied: Collection[str]) -> str:
    """What is on record of a relation, components under the update that stands for theirs."""
    if name == "status_component" and "status_update" in copied:
        return _COMPONENTS_OF_ANOTHER
    return f"evidence.{name}"


def _without_copies(name: str, held: str) -> str:
    """The join that leaves out copies."""
    return (
        " anti join (select source_id, record_no from record_copy where relation = "
        f"'{name}') as copy on {held}.source_id = copy.source_id "
        f"and {held}.record_no = copy.record_no"
    )


def _overlapping(store: Store, name: str, subject: str) -> list[tuple[int, int]]:
    """Pairs of sources, the later first, of one format that overlap in time and in subjects.

    Sources that name no subject are not known to tell of the same one: their rows all count.
    """
    at = BY_NAME[name].at
    return [
        (row["later"], row["earlier"])
        for row in store.rows(
            f"""
            with span as (
                select source_id, min({at}) as first_at, max({at}) as last_at
                from evidence.{name}
                group by source_id
            ),
            near as (
                select later.source_id as later, earlier.source_id as earlier
                from span as later
                inner join span as earlier
                    on later.source_id > earlier.source_id
                    and later.first_at <= earlier.last_at
                    and later.last_at >= earlier.first_at
                inner join source as one on later.source_id = one.source_id
                inner join source as two on earlier.source_id = two.source_id
                where one.format = two.format
            ),
            held as (
                select distinct source_id, {subject} as subject
                from evidence.{name}
                where source_id in (select later from near union select earlier from near)
            )
            select distinct near.later, near.earlier
            from near
            inner join held as mine on near.later = mine.source_id
            inner join held as theirs on near.earlier = theirs.source_id
            where mine.subject = theirs.subject
            order by all
            """
        )
    ]


def _copies(relation: Relation, pairs: Sequence[tuple[int, int]]) -> str:
    values = ", ".join(
        f'"{column}"'
        for column, _ in columns_of(relation)
        if column not in ("source_id", "record_no")
    )
    sources = ", ".join(sorted({str(number) for pair in pairs for number in pair}))
    listed = ", ".join(f"({later}, {earlier})" for later, earlier in pairs)
    # Digests find the few records worth a comparison; the comparison itself is of the values.
    return f"""
        insert into record_copy
        with pair (later, earlier) as (values {listed}),
        digest as (
            select source_id, record_no, hash({values}) as digest
            from evidence.{relation.name}
            where source_id in ({sources})
        ),
        alike as (
            select digest from digest group by digest having min(source_id) <> max(source_id)
        ),
        held as (
            select source_id, record_no, list(struct_pack({values}) order by all) as content
            from evidence.{relation.name}
            where (source_id, record_no) in (
                select (source_id, record_no) from digest inner join alike using (digest)
            )
            group by all
        ),
        numbered as (
            select
                *, row_number() over (partition by source_id, content order by record_no) as nth
            from held
        )
        select '{relation.name}', later.source_id, later.record_no,
            min(earlier.source_id), arg_min(earlier.record_no, earlier.source_id)
        from numbered as later
        inner join numbered as earlier
            on later.content = earlier.content and later.nth = earlier.nth
        inner join pair
            on later.source_id = pair.later and earlier.source_id = pair.earlier
        group by later.source_id, later.record_no
        order by all
    """
