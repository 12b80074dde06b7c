-- /// relation
-- id = "machine_recovery"
-- title = "How each machine of the main onset came back"
-- grain = "One row per machine with a gap that began in the main onset of the case, or that was in a gap then and has a seed or relink on record since."
-- reads = ["alias", "asset_state", "machine_impact", "onset", "protection_gap", "replication_run"]
-- policy = ["gap_cadences"]
-- limitations = "A gap that opens after a seed or relink had ended the last one is taken to be another matter."
-- [columns]
-- asset_id = "The machine."
-- region = "Region."
-- machine_type = "Type of machine."
-- scenario = "`relinked` or `reseeded` by a job on record; `resumed` where the job itself went on; `lost` where the records say that it cannot be recovered; else `open`."
-- struck_at = "Latest start of its gap; where it was in one already, the earliest onset."
-- began_at = "First sample of its first seed or relink; NULL where none is on record."
-- recovered_at = "When its last gap was ended by a seed or relink, else by the job; NULL while open or lost."
-- lost_at = "When the records first say that it is lost; NULL where they do not."
-- hours = "From `struck_at` to recovery, in hours; NULL while open or lost."
-- attempts = "Seeds and relinks that succeeded, failed or have no end on record."
-- failures = "Those that failed."
-- is_running = "Whether a seed or relink runs when the record ends; one that reported at a pace of its own and then fell silent is not known to."
-- protected_bytes = "Bytes that it protects; NULL where not stated."
-- record_ends_at = "Last sample of any job."
-- evidence = "What ended its gap, else its last seed or relink; NULL where there is neither."
-- ///
with record as (
    select max(last_sample_at) as ends_at from replication_run
),

episode as (
    select
        onset_lo,
        coalesce(ended_at, 'infinity'::timestamptz) as ended_at
    from onset
    where scope_kind = 'all' and main
),

reseeds as (
    select
        replication_run.*,
        coalesce(
            epoch(record.ends_at - replication_run.last_sample_at)
            <= policy_number('gap_cadences')
            * epoch(replication_run.last_sample_at - replication_run.started_at)
            / nullif(replication_run.samples - 1, 0),
            true
        ) as is_reporting,
        (replication_run.started_at, replication_run.run_no, replication_run.evidence) as place
    from replication_run
    cross join episode
    cross join record
    where
        replication_run.job_kind in ('seed', 'relink')
        and replication_run.started_at >= episode.onset_lo
),

jobs as (
    select
        asset_id,
        min(started_at) as began_at,
        count(*) filter (where state in ('success', 'failure')) as finished,
        count(*) filter (where state = 'failure') as failures,
        max(last_sample_at) filter (where state = 'failure') as last_failed_at,
        arg_max(state, place) = 'running' as is_unended,
        is_unended and arg_max(is_reporting, place) as is_running,
        arg_max(last_evidence, place) as last_evidence
    from reseeds
    group by asset_id
),

gaps as (
    select
        protection_gap.asset_id,
        protection_gap.ended_at,
        protection_gap.ended_by,
        protection_gap.open,
        greatest(protection_gap.started_hi, episode.onset_lo) as struck_at,
        protection_gap.evidence[-1] as end_evidence,
        protection_gap.ended_by in ('seed', 'relink') as is_restored
    from protection_gap
    cross join episode
    left join jobs using (asset_id)
    where
        protection_gap.started_hi <= episode.ended_at
        and (
            protection_gap.started_hi >= episode.onset_lo
            or (
                jobs.asset_id is not null
                and coalesce(protection_gap.ended_at > episode.onset_lo, true)
            )
        )
),

ends as (
    select
        asset_id,
        min(struck_at) as struck_at,
        max(ended_at) as last_ended_at,
        max(ended_at) filter (where is_restored) as restored_at,
        arg_max(ended_by, (ended_at, ended_by)) filter (where is_restored) as restored_by,
        min(struck_at) filter (where open) as open_since,
        arg_max(end_evidence, (ended_at, end_evidence)) filter (
            where is_restored
        ) as restored_evidence,
        arg_max(end_evidence, (ended_at, end_evidence)) filter (
            where ended_at is not null
        ) as last_evidence
    from gaps
    group by asset_id
),

canonical as (
    select
        alias,
        min(canonical) as asset_id
    from alias
    where kind = 'asset'
    group by alias
),

removed as (
    select
        coalesce(canonical.asset_id, asset_state.asset_id) as asset_id,
        max(asset_state.observed_at) as removed_at
    from asset_state
    left join canonical on asset_state.asset_id = canonical.alias
    where asset_state.state = 'removed'
    group by coalesce(canonical.asset_id, asset_state.asset_id)
),

known as (
    select
        ends.asset_id,
        ends.struck_at,
        machine_impact.region,
        machine_impact.machine_type,
        machine_impact.recovery_class,
        machine_impact.data_at_risk_bytes,
        ends.restored_by,
        jobs.began_at,
        jobs.failures,
        jobs.finished,
        jobs.is_running,
        jobs.is_unended,
        case
            when ends.restored_at < ends.open_since or ends.open_since is null
                then coalesce(ends.restored_at, ends.last_ended_at)
        end as recovered_at,
        coalesce(jobs.last_failed_at, removed.removed_at, ends.struck_at) as given_up_at,
        case
            when recovered_at is null then jobs.last_evidence
            else coalesce(ends.restored_evidence, ends.last_evidence)
        end as evidence
    from ends
    inner join machine_impact using (asset_id)
    left join jobs using (asset_id)
    left join removed using (asset_id)
)

select
    known.asset_id,
    known.region,
    known.machine_type,
    case
        when known.recovered_at is null and known.recovery_class = 'lost' then 'lost'
        when known.recovered_at is null then 'open'
        when known.restored_by = 'relink' then 'relinked'
        when known.restored_by = 'seed' then 'reseeded'
        else 'resumed'
    end as scenario,
    known.struck_at,
    known.began_at,
    known.recovered_at,
    if(scenario = 'lost', known.given_up_at, null) as lost_at,
    round((epoch_us(known.recovered_at) - epoch_us(known.struck_at)) / 3.6e9, 6) as hours,
    coalesce(known.finished + known.is_unended::bigint, 0) as attempts,
    coalesce(known.failures, 0) as failures,
    coalesce(known.is_running, false) as is_running,
    known.data_at_risk_bytes as protected_bytes,
    record.ends_at as record_ends_at,
    known.evidence
from known
cross join record
order by known.asset_id
