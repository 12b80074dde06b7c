-- /// relation
-- id = "evidence_quality"
-- title = "Limits of the evidence"
-- grain = "One row per source, issue and subject."
-- reads = ["clock_offset", "clock_probe", "evidence.status_update", "known_asset", "maintenance_event", "onset", "operation_event", "record_copy", "reject", "skipped", "source", "statement", "status_incident", "status_update", "time_note", "value_note"]
-- limitations = "Says what the records show of themselves; whether a system altered them before their export cannot be seen."
-- [columns]
-- source_id = "The source; NULL where the issue belongs to none."
-- issue = "`reject`, `skipped`, `time_flag`, `value_note`, `sources_disagree`, `time_unknown`, `export_incomplete`, `records_missing`, `samples_elsewhere`, `chain_of_custody_missing`, `clock`, `clock_declared`, `clock_estimated`, `clock_conflict`, `undetermined_order`, `contradiction`, `unknown_asset`."
-- subject = "What it is about: a code, column, flag, host, incident or asset."
-- detail = "What is on record, in one sentence."
-- lo_seconds = "Least difference, in seconds (clock: recorded less true); NULL where it is no difference."
-- hi_seconds = "Greatest difference, in seconds."
-- count = "Records concerned; NULL where it is not a number of records."
-- ///
with flags as (
    select
        source_id,
        column_name,
        basis,
        epoch_us(hi) - epoch_us(lo) as width,
        unnest(string_split_regex(flags, '[ ,;]+')) as flag
    from time_note
),

hosts as (
    select distinct
        source_id,
        lower(trim(host)) as host
    from maintenance_event
    where host is not null
),

probes as (
    select
        lower(trim(host)) as host,
        min(source_id) as probe_source_id,
        min(offset_ms) / 1000 as lo_seconds,
        max(offset_ms) / 1000 as hi_seconds,
        count(*) as probes,
        min(probed_at) as first_at,
        max(probed_at) as last_at
    from clock_probe
    group by lower(trim(host))
),

overlapping as (
    select distinct
        one.source_id,
        one.record_no
    from operation_event as one
    inner join operation_event as other
        on
            one.operation_id = other.operation_id
            and one.occurred_lo <= other.occurred_hi
            and one.occurred_hi >= other.occurred_lo
            and (one.source_id <> other.source_id or one.record_no <> other.record_no)
    where not one.is_read_only and not other.is_read_only
),

-- The year of the window, else that of most statements, is what a statement can contradict.
years as (
    select arg_max(spoken_of.year, (spoken_of.statements, -spoken_of.year)) as usual
    from (
        select
            date_part('year', about_at at time zone 'UTC') as year,
            count(*) as statements
        from statement
        where about_at is not null
        group by date_part('year', about_at at time zone 'UTC')
    ) as spoken_of
),

episode as (
    select
        onset_lo,
        onset_hi
    from onset
    where scope_kind = 'all' and main
),

claims as (
    select
        status_update.source_id,
        status_update.incident_id,
        min(status_update.claimed_start_at) as claimed_at
    from status_update
    inner join status_incident using (incident_id)
    where status_incident.in_review
    group by status_update.source_id, status_update.incident_id
),

-- What a feed says of an update that another source holds with its id.
told_twice as (
    select
        told.source_id,
        told.record_no,
        told.incident_id,
        pointer(named.source_id, named.record_no) as other,
        unnest([
            { 'name': 'state', 'told': told.state, 'named': named.state },
            { 'name': 'title', 'told': told.title, 'named': named.title },
            { 'name': 'body', 'told': told.body, 'named': named.body },
            { 'name': 'kind', 'told': told.kind, 'named': named.kind },
            { 'name': 'impact', 'told': told.impact, 'named': named.impact }
        ]) as value
    from record_copy
    inner join evidence.status_update as told using (source_id, record_no)
    inner join evidence.status_update as named
        on
            record_copy.of_source_id = named.source_id
            and record_copy.of_record_no = named.record_no
    where record_copy.relation = 'status_update'
),

inventory as (
    select
        count(*) filter (where basis = 'stated') as stated,
        count(*) filter (where basis = 'implied') as implied,
        min(asset_id) filter (where basis = 'implied') as example
    from known_asset
),

issues as (
    select
        source_id,
        'reject' as issue,
        code as subject,
        'First at record ' || min(record_no) || ': ' || arg_min(reason, record_no) || '.' as detail,
        count(*) as records
    from reject
    group by source_id, code
    union all by name
    select
        source_id,
        'skipped' as issue,
        reason as subject,
        'Says nothing by definition; first at record ' || min(first_record_no) || '.' as detail,
        sum(records)::bigint as records
    from skipped
    group by source_id, reason
    union all by name
    select
        source_id,
        'time_flag' as issue,
        flag as subject,
        'Column ' || column_name || ', read by ' || replace(basis, '_', ' ')
        || '; the instant is known to within ' || in_words(up_to(max(width))) || '.'
            as detail,
        count(*) as records
    from flags
    where flag <> ''
    group by source_id, flag, column_name, basis
    union all by name
    select
        source_id,
        if(lower(code) = 'sources_disagree', 'sources_disagree', 'value_note') as issue,
        column_name as subject,
        code || ', first at record ' || min(record_no) || ': '
        || left(coalesce(arg_min(raw, record_no), 'no value'), 120) as detail,
        count(*) as records
    from value_note
    group by source_id, code, column_name
    union all by name
    select
        source_id,
        'sources_disagree' as issue,
        value.name as subject,
        'Of an update that two sources hold, record ' || min(record_no) || ' (incident '
        || arg_min(incident_id, record_no) || ') says “'
        || left(arg_min(value.told, record_no), 80) || '”, ' || arg_min(other, record_no)
        || ' says “' || left(arg_min(value.named, record_no), 80) || '”.' as detail,
        count(*) as records
    from told_twice
    -- Marks and white space are lost on the way to a feed; words are not.
    where
        regexp_replace(regexp_replace(value.told, '<[^>]*>', ' ', 'g'), '[^\p{L}\p{N}]+', '', 'g')
        <> regexp_replace(
            regexp_replace(value.named, '<[^>]*>', ' ', 'g'), '[^\p{L}\p{N}]+', '', 'g'
        )
    group by source_id, value.name
    union all by name
    select
        source_id,
        'time_unknown' as issue,
        'status_update' as subject,
        'Updates without a time of posting; they are in no timeline and no metric.' as detail,
        count(*) as records
    from status_update
    where posted_at is null
    group by source_id
    union all by name
    select
        source_id,
        'export_incomplete' as issue,
        path as subject,
        coalesce(export_note, 'The export is cut short.') as detail
    from source
    where not export_complete
    union all by name
    select
        source_id,
        'records_missing' as issue,
        path as subject,
        'The case expects ' || expected_records || ' records, the file holds ' || records_read
        || '.' as detail,
        expected_records - records_read as records
    from source
    where expected_records <> records_read
    union all by name
    select
        source_id,
        'samples_elsewhere' as issue,
        path as subject,
        'The samples lie in a lake, which has reduced and counted them; here are those that are '
        || 'cited.' as detail,
        accepted as records
    from source
    where reader = 'lake'
    union all by name
    select
        source_id,
        'chain_of_custody_missing' as issue,
        path as subject,
        'Not stated: ' || concat_ws(
            ', ',
            if(system_of_record is null, 'system of record', null),
            if(obtained_by is null, 'obtained by', null),
            if(obtained_at is null, 'obtained at', null),
            if(obtained_how is null, 'obtained how', null)
        ) || '.' as detail
    from source
    where
        system_of_record is null
        or obtained_by is null
        or obtained_at is null
        or obtained_how is null
    union all by name
    select
        coalesce(hosts.source_id, probes.probe_source_id) as source_id,
        'clock' as issue,
        probes.host as subject,
        if(
            probes.probes = 1,
            'Measured by one probe at ' || utc(probes.first_at) || '.',
            'Measured by ' || probes.probes || ' probes from ' || utc(probes.first_at) || ' to '
            || utc(probes.last_at) || '.'
        ) as detail,
        probes.lo_seconds,
        probes.hi_seconds,
        probes.probes as records
    from probes
    left join hosts using (host)
    union all by name
    select
        source_id,
        'clock_declared' as issue,
        path as subject,
        'The case declares the offset of the clock (' || clock_basis || '); times are corrected.'
            as detail,
        clock_offset_seconds as lo_seconds,
        clock_offset_seconds as hi_seconds
    from source
    where clock_offset_seconds <> 0
    union all by name
    select
        clock_offset.source_id,
        if(clock_offset.conflict is null, 'clock_estimated', 'clock_conflict') as issue,
        coalesce(clock_offset.host, source.path) as subject,
        coalesce(
            clock_offset.conflict,
            'By causes and effects, relative to '
            || coalesce('the clock of ' || clock_offset.relative_to, 'true time')
            || '; times are not corrected by it'
        ) || '.' as detail,
        clock_offset.lo_seconds,
        clock_offset.hi_seconds,
        clock_offset.pairs as records
    from clock_offset
    left join source on clock_offset.source_id = source.source_id
    where clock_offset.basis = 'estimated'
    union all by name
    select
        overlapping.source_id,
        'undetermined_order' as issue,
        source.path as subject,
        'Events of operations whose times do not tell which came first.' as detail,
        count(*) as records
    from overlapping
    left join source using (source_id)
    group by overlapping.source_id, source.path
    union all by name
    select
        statement.source_id,
        'contradiction' as issue,
        coalesce(statement.subject, 'statement') as subject,
        'Record ' || statement.record_no || coalesce(', ' || statement.source_name, '')
        || ', speaks of ' || strftime(statement.about_at at time zone 'UTC', '%Y-%m-%d')
        || '; the other statements speak of ' || years.usual || '.' as detail,
        1 as records
    from statement
    cross join years
    where date_part('year', statement.about_at at time zone 'UTC') <> years.usual
    union all by name
    select
        claims.source_id,
        'contradiction' as issue,
        claims.incident_id as subject,
        'The page has the impact begin at ' || utc(claims.claimed_at)
        || ', after the latest onset that the telemetry allows, '
        || utc_bound(episode.onset_hi) || '.'
            as detail,
        (epoch_us(claims.claimed_at) - epoch_us(episode.onset_hi)) / 1e6 as lo_seconds,
        (epoch_us(claims.claimed_at) - epoch_us(episode.onset_lo)) / 1e6 as hi_seconds,
        1 as records
    from claims
    cross join episode
    where claims.claimed_at > episode.onset_hi
    union all by name
    select
        null::usmallint as source_id,
        'unknown_asset' as issue,
        example as subject,
        'Assets of the telemetry that the inventory does not hold, this one first.' as detail,
        implied as records
    from inventory
    where stated > 0 and implied > 0
)

select
    source_id,
    issue,
    subject,
    detail,
    round(lo_seconds, 6) as lo_seconds,
    round(hi_seconds, 6) as hi_seconds,
    records as count
from issues
order by source_id nulls last, issue, subject, detail
