-- /// finding
-- id = "EQ-05"
-- slug = "claim-contradicted"
-- title = "A claimed state is contradicted by telemetry, or by another record of the same job"
-- rule_class = "D"
-- level = "evidence"
-- severity = "high"
-- criteria = "What operators, wrappers and the status page state agrees with what was measured."
-- effect = "Those who relied on the statement could take the protection of data to be better than it was."
-- recommendation = "Let statements of state quote the measurement that they rest on."
-- questions = [
--     "Did the statement speak of another part than the telemetry covers?",
--     "Was the statement true when it was made, and the telemetry late?",
-- ]
-- controls = ["csf2.0:RS.AN-06", "soc2:CC7.4", "nist800-53r5:IR-5"]
-- needs = ["maintenance_event|status_update", "replication_sample"]
-- reads = ["alias", "asset_state", "dependency", "job_claim", "known_asset", "machine_fall",
--     "maintenance_event", "onset", "protection_gap", "reduced_run", "replication_run",
--     "replication_sample", "status_component", "status_region", "status_update"]
-- policy = ["claim_actions", "claim_words", "degraded_share",
--     "missed_cadence_factor", "safe_words"]
-- limitations = """
-- A claim is known by its action or by plain words; a claim in other words is not tested. Telemetry
-- counts up to the time at which the next copy is due after the claim. Two records are taken to be of
-- one job by nearness in time and by what they name."""
-- ///
with

job_run as (
    select
        replication_run.*,
        lower(replication_run.asset_id) as asset,
        asset_name(replication_run.target_asset) as target_name,
        concat_ws(
            '|', replication_run.asset_id, replication_run.job_kind, replication_run.job_id,
            replication_run.target_asset
        ) as series,
        to_microseconds((
            replication_run.cadence_minutes * policy_number('missed_cadence_factor') * 60000000
        )::bigint) as next_cadence
    from replication_run
),

record_end as (
    select max(replication_run.last_sample_at) as ends_at from replication_run
),

-- A run tells of the machine that is protected, and of the target that holds the copy.
subject_run as (
    select
        job_run.asset as subject,
        job_run.*
    from job_run
    union all
    select
        job_run.target_name as subject,
        job_run.*
    from job_run
    where job_run.target_name <> job_run.asset
),

-- 1. Operators: a repair, a restoration or the like is stated as done.

stated as (
    select
        maintenance_event.change_id,
        maintenance_event.target,
        asset_name(maintenance_event.target) as asset,
        maintenance_event.occurred_at,
        maintenance_event.occurred_lo,
        maintenance_event.occurred_hi,
        maintenance_event.action,
        maintenance_event.message,
        pointer(maintenance_event.source_id, maintenance_event.record_no) as event
    from maintenance_event
    where
        maintenance_event.target is not null
        and maintenance_event.outcome is distinct from 'failure'
        and (
            (
                maintenance_event.outcome = 'success'
                and list_contains(
                    policy_list('claim_actions'), lower(trim(maintenance_event.action))
                )
            )
            or (
                len(list_filter(
                    policy_list('claim_words'),
                    lambda words: contains(lower(maintenance_event.message), words)
                )) > 0
                -- Said to be so, not that it is not so, or is to be so.
                and not regexp_matches(
                    lower(maintenance_event.message),
                    '\b(not|no|never|cannot|until|before|unless|once|if|will|to be)\b'
                )
            )
        )
),

-- Of a run that began before the claim, the samples that lie after it.
straddling as (
    select
        stated.event,
        stated.occurred_hi,
        job_run.asset_id,
        job_run.job_id,
        job_run.target_asset,
        job_run.state,
        job_run.last_sample_at,
        job_run.evidence
    from stated
    inner join subject_run as job_run
        on
            stated.asset = job_run.subject
            and job_run.job_kind = 'replicate'
            and job_run.worth in ('bad', 'stale')
            and stated.occurred_hi >= job_run.started_at
            and stated.occurred_hi < job_run.last_sample_at
),

recorded_as as (
    select distinct
        straddling.asset_id,
        straddling.asset_id as recorded
    from straddling
    union
    select
        straddling.asset_id,
        alias.alias as recorded
    from straddling
    inner join alias on straddling.asset_id = alias.canonical and alias.kind = 'asset'
),

-- A lake hands over runs alone, so that theirs are not counted.
later as (
    select
        straddling.event,
        straddling.evidence,
        count(*) as samples
    from straddling
    inner join recorded_as on straddling.asset_id = recorded_as.asset_id
    inner join replication_sample
        on
            recorded_as.recorded = replication_sample.asset_id
            and coalesce(replication_sample.job_kind, 'replicate') = 'replicate'
            and coalesce(straddling.job_id = replication_sample.job_id, straddling.job_id is null)
            and straddling.target_asset is not distinct from replication_sample.target_asset
            and straddling.state = replication_sample.state
            and straddling.occurred_hi < replication_sample.sampled_at
            and straddling.last_sample_at >= replication_sample.sampled_at
    where
        replication_sample.source_id not in (select reduced_run.source_id from reduced_run)
    group by straddling.event, straddling.evidence
),

-- What each job of the subject shows by the time that its next copy is due.
answer as (
    select
        stated.event,
        job_run.series,
        bool_or(
            job_run.worth = 'good'
            and (
                (
                    job_run.started_at > stated.occurred_hi
                    and job_run.started_at <= stated.occurred_hi + job_run.next_cadence
                )
                or (
                    job_run.last_sample_at > stated.occurred_hi
                    and job_run.started_at <= stated.occurred_hi
                )
            )
        ) as is_good,
        bool_or(
            job_run.worth in ('bad', 'stale')
            and job_run.started_at <= stated.occurred_lo + job_run.next_cadence
            and job_run.last_sample_at > stated.occurred_hi
        ) as is_bad,
        any_value(job_run.next_cadence) as next_cadence,
        min(job_run.started_at) filter (
            where job_run.worth = 'good' and job_run.started_at > stated.occurred_hi
        ) as good_at,
        max(job_run.last_sample_at) as ends_at,
        arg_max(
            {
                'job': coalesce(job_run.job_id || ' of ', '') || job_run.asset_id,
                'reads': if(job_run.worth = 'stale', 'a copy beyond the limit', job_run.state),
                'samples':
                if(job_run.started_at > stated.occurred_hi, job_run.samples, later.samples),
                'last_at': job_run.last_sample_at
            },
            (
                coalesce(
                    if(job_run.started_at > stated.occurred_hi, job_run.samples, later.samples), 0
                ),
                job_run.last_sample_at, job_run.evidence
            )
        ) filter (
            where job_run.worth in ('bad', 'stale')
            and job_run.started_at <= stated.occurred_lo + job_run.next_cadence
            and job_run.last_sample_at > stated.occurred_hi
        ) as longest,
        -- Of a run that began before the claim the end alone is known to lie after it.
        list(if(
            job_run.started_at > stated.occurred_hi, job_run.evidence, job_run.last_evidence
        )) filter (
            where job_run.worth <> 'good'
            and job_run.started_at <= stated.occurred_lo + job_run.next_cadence
            and job_run.last_sample_at > stated.occurred_hi
        ) as evidence
    from stated
    inner join subject_run as job_run
        on
            stated.asset = job_run.subject
            and job_run.job_kind = 'replicate'
    left join later on stated.event = later.event and job_run.evidence = later.evidence
    group by stated.event, job_run.series
    -- Jobs whose records begin after the claim say nothing of it.
    having min(job_run.started_at) <= any_value(stated.occurred_hi + job_run.next_cadence)
),

-- A job that says nothing more is in a gap that goes on.
continued as (
    select
        answer.event,
        answer.series,
        list(gap.evidence order by gap.evidence) as evidence
    from answer
    inner join stated on answer.event = stated.event
    cross join record_end
    inner join protection_gap as gap
        on
            concat_ws('|', gap.asset_id, 'replicate', gap.job_id, gap.target_asset) = answer.series
            and stated.occurred_lo >= gap.started_hi
            and coalesce(gap.ended_at, 'infinity') > stated.occurred_hi + answer.next_cadence
            and record_end.ends_at >= stated.occurred_hi + answer.next_cadence
    group by answer.event, answer.series
),

measured as (
    select
        answer.event,
        count(*) as jobs,
        count(*) filter (where answer.is_good) as good,
        count(*) filter (
            where not coalesce(answer.is_good, false)
            and (answer.is_bad or continued.event is not null)
        ) as bad,
        min(answer.good_at) as good_at,
        max(answer.ends_at) as ends_at,
        arg_max(
            answer.longest,
            (coalesce(answer.longest.samples, 0), answer.longest.last_at, answer.series)
        ) filter (where not coalesce(answer.is_good, false)) as longest,
        -- The gap is cited where the job says nothing after the claim.
        pointers(list(coalesce(answer.evidence, flatten(continued.evidence), [])) filter (
            where not coalesce(answer.is_good, false)
        )) as evidence
    from answer
    left join continued on answer.event = continued.event and answer.series = continued.series
    group by answer.event
),

state as (
    select
        asset_name(asset_state.asset_id) as asset,
        asset_state.state,
        asset_state.observed_at,
        asset_state.observed_lo,
        asset_state.observed_hi,
        pointer(asset_state.source_id, asset_state.record_no) as state_row
    from asset_state
    where asset_state.state <> 'unknown'
),

-- For what has no jobs, the state that was observed before the claim and next after it.
observed as (
    select
        stated.event,
        arg_max(state.state, (state.observed_at, state.state_row)) filter (
            where state.observed_hi < stated.occurred_lo
        ) as state_before,
        arg_min(state.state, (state.observed_at, state.state_row)) filter (
            where state.observed_lo > stated.occurred_hi
        ) as state_after,
        arg_max(state.state, (state.observed_at, state.state_row)) as last_state,
        min(state.observed_at) filter (where state.observed_lo > stated.occurred_hi)
            as after_at,
        arg_min(
            state.state_row, (state.observed_at, state.state_row)
        ) filter (where state.observed_lo > stated.occurred_hi) as after_row
    from stated
    inner join state on stated.asset = state.asset
    group by stated.event
),

operator_claim as (
    select
        stated.change_id,
        stated.target as subject,
        case
            when measured.bad > 0 and measured.good = 0 then 'exception'
            when measured.good > 0
                then if(
                    measured.bad >= policy_number('degraded_share') * measured.jobs
                    and measured.bad > 0,
                    'undetermined', 'ok'
                )
            when measured.event is not null then 'undetermined'
            -- What was taken away on purpose is in no state that a claim could be about.
            when observed.last_state = 'removed' then 'not_applicable'
            when observed.state_after = 'healthy' then 'ok'
            when observed.state_after is not null and observed.state_before <> 'healthy'
                then 'exception'
            when observed.event is not null then 'undetermined'
            else 'not_applicable'
        end as status,
        stated.occurred_at,
        stated.event,
        'The record of ' || stated.action || ' on ' || stated.target || ' at '
        || utc(stated.occurred_at) || ' states "' || coalesce(stated.message[:120], stated.action)
        || '"; ' || case
            when measured.bad > 0 and measured.good = 0
                then
                    if(
                        measured.jobs = 1, 'its job shows no good copy',
                        'none of the ' || measured.jobs
                        || ' jobs that tell of it shows a good copy'
                    )
                    || coalesce(
                        ' until ' || utc(measured.good_at),
                        ' after it, up to the end of the record at ' || utc(measured.ends_at)
                    )
                    || coalesce(
                        '; ' || measured.longest.job || ': '
                        || case
                            when measured.longest.samples = 1 then 'one sample after it reads '
                            when measured.longest.samples > 1
                                then measured.longest.samples || ' samples after it read '
                            else 'what is recorded after it reads '
                        end
                        || measured.longest.reads || ', the last at '
                        || utc(measured.longest.last_at),
                        ''
                    )
            when measured.event is not null
                then
                    measured.good || ' of the ' || measured.jobs || ' jobs that tell of it show a '
                    || 'good copy by the time that the next is due, and ' || measured.bad
                    || ' show none'
            when observed.last_state = 'removed' then 'the asset was removed'
            when observed.state_after is not null
                then
                    'the state observed next, at ' || utc(observed.after_at) || ', is '
                    || observed.state_after
            when observed.event is not null then 'no state of that asset was observed after it'
            else 'no telemetry of it from that time is on record'
        end || '.' as reason,
        list_concat(
            [stated.event, if(measured.event is null, observed.after_row, null)],
            coalesce(measured.evidence[:20], [])
        ) as evidence
    from stated
    left join measured on stated.event = measured.event
    left join observed on stated.event = observed.event
),

-- 2. Operators: a target is stated to be safe to remove.

safe as (
    select
        maintenance_event.change_id,
        maintenance_event.target,
        asset_name(maintenance_event.target) as asset,
        maintenance_event.occurred_at,
        maintenance_event.occurred_hi,
        maintenance_event.message,
        pointer(maintenance_event.source_id, maintenance_event.record_no) as event
    from maintenance_event
    where
        maintenance_event.target is not null
        and maintenance_event.outcome is distinct from 'failure'
        and len(list_filter(
            policy_list('safe_words'),
            lambda words: contains(lower(maintenance_event.message), words)
        )) > 0
        and not regexp_matches(
            lower(maintenance_event.message), '\b(not|never|cannot|until|unless|once|if|will)\b'
        )
),

edge as (
    select
        asset_name(dependency.from_asset) as asset,
        asset_name(dependency.to_asset) as needed,
        dependency.valid_from,
        dependency.valid_to
    from dependency
),

-- Jobs that name the target of the claim tell its use from that of others.
aimed as (
    select distinct
        job_run.asset,
        job_run.target_name
    from job_run
    where job_run.target_name is not null
),

used as (
    select
        safe.event,
        count(distinct edge.asset) as dependents,
        count(distinct edge.asset) filter (
            where job_run.state in ('success', 'running', 'connected')
            and job_run.started_at <= safe.occurred_hi + job_run.next_cadence
            and job_run.last_sample_at > safe.occurred_hi
        ) as in_use,
        list_sort(list(distinct job_run.last_evidence) filter (
            where job_run.state in ('success', 'running', 'connected')
            and job_run.started_at <= safe.occurred_hi + job_run.next_cadence
            and job_run.last_sample_at > safe.occurred_hi
        )) as evidence,
        count(job_run.series) as runs
    from safe
    inner join edge
        on
            safe.asset = edge.needed
            and coalesce(safe.occurred_at >= edge.valid_from, true)
            and coalesce(safe.occurred_at < edge.valid_to, true)
    left join aimed on edge.asset = aimed.asset and safe.asset = aimed.target_name
    left join job_run
        on
            edge.asset = job_run.asset
            and coalesce(aimed.target_name = job_run.target_name, true)
    group by safe.event
),

safety_claim as (
    select
        safe.change_id,
        safe.target as subject,
        case
            when used.in_use > 0 then 'exception'
            when used.event is null then 'ok'
            when used.runs = 0 then 'undetermined'
            else 'ok'
        end as status,
        safe.occurred_at,
        safe.event,
        'The record of ' || utc(safe.occurred_at) || ' states of ' || safe.target || ' "'
        || safe.message[:120] || '"; ' || case
            when used.event is null then 'the register names no dependent at that time'
            when used.runs = 0 then 'its dependents have no telemetry on record'
            else
                used.in_use || ' of ' || used.dependents
                || ' dependents show use after it, by the time that their next is due'
        end || '.' as reason,
        list_concat([safe.event], coalesce(used.evidence[:20], [])) as evidence
    from safe
    left join used on safe.event = used.event
),

-- 3. Status page: a component or region is stated as operational, or an incident as resolved.

posted as (
    select
        coalesce(status_region.component, status_region.region) as subject,
        status_region.region,
        status_region.posted_at,
        status_region.posted_lo,
        status_region.posted_hi,
        status_region.state,
        status_region.evidence as event
    from status_region
    where
        status_region.posted_at is not null
        and coalesce(
            status_region.component_status,
            if(status_region.state = 'resolved', 'operational', 'unknown')
        ) = 'operational'
    union all
    select
        coalesce(status_update.title, status_update.incident_id) as subject,
        null as region,
        status_update.posted_at,
        status_update.posted_lo,
        status_update.posted_hi,
        status_update.state,
        pointer(status_update.source_id, status_update.record_no) as event
    from status_update
    where
        status_update.posted_at is not null
        and status_update.state = 'resolved'
        and coalesce(status_update.kind, 'incident') = 'incident'
        and not exists (
            select 1
            from status_component
            where status_component.incident_id = status_update.incident_id
        )
),

watched as (
    select
        known_asset.region,
        min(job_run.started_at) as first_at,
        max(job_run.last_sample_at) as last_at
    from job_run
    inner join known_asset on job_run.asset = lower(known_asset.asset_id)
    where known_asset.region is not null
    group by known_asset.region
    union all
    select
        null as region,
        min(job_run.started_at) as first_at,
        max(job_run.last_sample_at) as last_at
    from job_run
),

degraded as (
    select
        posted.event,
        posted.subject,
        posted.region,
        any_value(posted.posted_hi) as posted_hi,
        min(onset.onset_lo) as onset_lo,
        min(onset.onset_hi) as onset_hi,
        max(onset.population) as population,
        bool_or(
            onset.onset_hi < posted.posted_lo
            and coalesce(onset.ended_at > posted.posted_hi, true)
        ) as is_sure
    from posted
    inner join onset
        on
            onset.scope_kind = if(posted.region is null, 'all', 'region')
            and onset.scope = coalesce(posted.region, 'all')
            and posted.posted_hi >= onset.onset_lo
            and coalesce(posted.posted_lo <= onset.ended_at, true)
    group by posted.event, posted.subject, posted.region
),

-- The machines that were down when the post was made, and what the telemetry says of some of them.
down as (
    select
        degraded.event,
        degraded.subject,
        degraded.region,
        machine_fall.asset_id,
        bool_or(machine_fall.is_statistical) as is_statistical
    from degraded
    inner join machine_fall
        on
            degraded.posted_hi >= machine_fall.started_hi
            and degraded.posted_hi < machine_fall.ended_at
    left join known_asset on machine_fall.asset_id = known_asset.asset_id
    where coalesce(degraded.region = known_asset.region, degraded.region is null)
    group by degraded.event, degraded.subject, degraded.region, machine_fall.asset_id
),

shown as (
    select
        down.event,
        down.subject,
        down.region,
        gap.evidence
    from down
    inner join degraded
        on
            down.event = degraded.event
            and down.subject = degraded.subject
            and down.region is not distinct from degraded.region
    inner join protection_gap as gap
        on
            down.asset_id = gap.asset_id
            and degraded.posted_hi >= gap.started_hi
            and coalesce(gap.ended_at, 'infinity') > degraded.posted_hi
    qualify row_number() over (
        partition by down.event, down.subject, down.region
        order by down.asset_id, gap.started_hi, gap.evidence
    ) <= 7
),

told as (
    select
        degraded.event,
        degraded.subject,
        degraded.region,
        degraded.is_sure,
        case
            when degraded.is_sure
                then
                    'measured protection of ' || coalesce(degraded.region, 'all machines')
                    || ' had been degraded since ' || utc_bound(degraded.onset_hi)
                    || ' at the latest'
            else
                'measured protection of ' || coalesce(degraded.region, 'all machines')
                || ' began to be degraded between ' || utc(degraded.onset_lo) || ' and '
                || utc_bound(degraded.onset_hi)
        end || '; at the time of the update ' || count(down.asset_id) || ' of '
        || degraded.population || if(degraded.population = 1, ' machine was', ' machines were')
        || ' in a gap' || if(bool_or(down.is_statistical), ', or behind', '') as words
    from degraded
    left join down
        on
            degraded.event = down.event
            and degraded.subject = down.subject
            and degraded.region is not distinct from down.region
    group by
        degraded.event, degraded.subject, degraded.region, degraded.is_sure, degraded.onset_lo,
        degraded.onset_hi, degraded.population
),

cited as (
    select
        shown.event,
        shown.subject,
        shown.region,
        pointers(list(shown.evidence)) as evidence
    from shown
    group by shown.event, shown.subject, shown.region
),

page_claim as (
    select
        null::varchar as change_id,
        posted.subject,
        case
            when watched.last_at is null then 'undetermined'
            when posted.posted_lo < watched.first_at or posted.posted_hi > watched.last_at
                then 'undetermined'
            when told.is_sure then 'exception'
            when told.event is not null then 'undetermined'
            else 'ok'
        end as status,
        posted.posted_at as occurred_at,
        posted.event,
        'The update of ' || utc(posted.posted_at) || ' states ' || posted.subject || ' as '
        || if(posted.state = 'resolved', 'resolved', 'operational') || '; ' || case
            when watched.last_at is null
                then
                    'no telemetry of ' || coalesce('region ' || posted.region, 'any machine')
                    || ' is on record'
            when posted.posted_lo < watched.first_at or posted.posted_hi > watched.last_at
                then
                    'the telemetry covers ' || utc(watched.first_at) || ' to '
                    || utc(watched.last_at)
            when told.event is not null then told.words
            else
                'no degradation of ' || coalesce(posted.region, 'all machines')
                || ' was measured at that time'
        end || '.' as reason,
        list_concat([posted.event], coalesce(cited.evidence, [])) as evidence
    from posted
    left join watched on posted.region is not distinct from watched.region
    left join told
        on
            posted.event = told.event
            and posted.subject = told.subject
            and posted.region is not distinct from told.region
    left join cited
        on
            posted.event = cited.event
            and posted.subject = cited.subject
            and posted.region is not distinct from cited.region
),

-- 4. Jobs: a wrapper states success, the tool's own record of the job does not.

wrapper_claim as (
    select
        job_claim.change_id,
        job_claim.subject,
        case
            when not job_claim.is_decided then 'undetermined'
            when job_claim.tool_state = 'success' then 'ok'
            else 'exception'
        end as status,
        job_claim.occurred_at,
        job_claim.event,
        'The record of ' || job_claim.action || ' at ' || utc(job_claim.occurred_at)
        || ' states success' || coalesce(' ("' || job_claim.message[:80] || '")', '') || '; '
        || case
            when job_claim.tool_state is null then 'no other record of the job lies near it'
            when job_claim.tool_at is null
                then 'the records of the tool before and after it state ' || job_claim.tool_state
            else
                'the record of the tool at ' || utc(job_claim.tool_at) || ' states '
                || job_claim.tool_state || coalesce(' ("' || job_claim.tool_error[:80] || '")', '')
        end || '.' as reason,
        [job_claim.event, job_claim.tool_evidence] as evidence
    from job_claim
),

claim as (
    select * from operator_claim
    union all
    select * from safety_claim
    union all
    select * from page_claim
    union all
    select * from wrapper_claim
)

select
    null::varchar as operation_id,
    claim.change_id,
    claim.subject,
    claim.status,
    claim.occurred_at,
    claim.event,
    claim.reason,
    list_filter(claim.evidence, lambda each: each is not null) as evidence
from claim
order by claim.occurred_at, claim.event, claim.subject, claim.reason
