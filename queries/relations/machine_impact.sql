-- /// relation
-- id = "machine_impact"
-- title = "What each impacted machine suffered"
-- grain = "One row per asset with a protection gap that overlaps the window."
-- reads = ["alias", "asset_state", "case_info", "known_asset", "machine_gap", "onset", "protection_gap", "replication_run"]
-- policy = ["gap_cadences", "lost_words"]
-- limitations = "The recovery class says what the records show: where the job itself went on without a seed or relink on record, it is unknown."
-- [columns]
-- asset_id = "The machine."
-- organization = "Organization that it serves."
-- region = "Region."
-- machine_type = "Type of machine."
-- gap_hours = "Time within the window in which at least one of its jobs was in a gap, from the latest start of each, in hours."
-- data_at_risk_bytes = "Bytes that it protects, which had no current copy on at least one target; NULL where not stated."
-- data_lost_bytes = "Bytes that it protects, where the records say that it is lost; NULL where not stated, and where no record says that anything is lost."
-- recovery_points_missed = "Recovery points planned within its gaps in the window and not made; NULL where a job of it has no known cadence."
-- failover_blocked_hours = "Time within the window from a lost link, failure, removal or failed failover test to the next healthy state, relink or passed test, in hours; NULL where no record says."
-- links_lost = "How often its link was recorded as lost within the window; NULL where its state is not on record."
-- links_remade = "Relinks that succeeded within the window."
-- seeds_completed = "Seeds that succeeded within the window."
-- recovery_class = "`relinked` or `reseeded` by a job on record; `reseeding` while a seed runs and reports; `lost` where it was removed, or the error of its last seed or relink says so; else `unknown`."
-- recovered_at = "End of its last gap; NULL while one is open."
-- site = "Site."
-- criticality = "How critical it is."
-- gaps = "Gaps that overlap the window."
-- first_gap_lo = "Earliest start of the first of them; NULL where the record holds no good sample before."
-- first_gap_at = "Latest start of the first of them."
-- onset_gap_lo = "Earliest start of the first of them that began in the main onset of the case; NULL where none did."
-- onset_gap_at = "Latest start of that gap."
-- onset_relation = "`struck`: a gap can have begun at the onset of its region, else of all, or was open then and did not end by the job itself; `later`: the first one of the main onset began after that onset, so that whether it belongs to it is not known; `apart`: none of these; NULL where the case has no onset."
-- open = "Whether a gap was open when the record ends."
-- rpo_breaches = "Gaps that exceeded the recovery point objective; NULL where none is stated."
-- evidence = "Rows that bound its gaps, and its last seed or relink."
-- ///
with review as (
    select
        coalesce(window_start, '-infinity'::timestamptz) as starts_at,
        coalesce(window_end, 'infinity'::timestamptz) as ends_at
    from case_info
),

episode as (
    select
        onset_lo,
        onset_hi,
        coalesce(ended_at, 'infinity'::timestamptz) as ended_at
    from onset
    where scope_kind = 'all' and main
),

-- Machines struck together have bounds in common, the onset of their region among them.
region_onset as (
    select
        onset.scope as region,
        onset.onset_lo,
        onset.onset_hi
    from onset
    inner join episode on onset.onset_lo <= episode.ended_at and onset.onset_hi >= episode.onset_lo
    where onset.scope_kind = 'region'
    qualify row_number() over (
        partition by onset.scope
        order by onset.main desc, onset.onset_lo asc, onset.episode_no asc
    ) = 1
),

gaps as (
    select
        protection_gap.*,
        coalesce(
            protection_gap.started_hi between episode.onset_lo and episode.ended_at, false
        ) as in_onset,
        review.starts_at,
        review.ends_at,
        coalesce(region_onset.onset_lo, episode.onset_lo) as struck_lo,
        coalesce(region_onset.onset_hi, episode.onset_hi) as struck_hi,
        case
            when protection_gap.started_hi >= struck_lo
                then coalesce(protection_gap.started_lo, protection_gap.started_hi) <= struck_hi
            else
                coalesce(protection_gap.ended_at > struck_hi, true)
                and coalesce(protection_gap.ended_by in ('seed', 'relink'), true)
        end as is_struck
    from protection_gap
    cross join review
    left join episode on true
    left join region_onset on protection_gap.region = region_onset.region
    where
        protection_gap.started_hi < review.ends_at
        and coalesce(protection_gap.ended_at, protection_gap.record_ends_at) > review.starts_at
),

gap_time as (
    select
        machine_gap.asset_id,
        sum(
            greatest(
                0,
                epoch_us(least(machine_gap.ended_at, review.ends_at))
                - epoch_us(greatest(machine_gap.started_hi, review.starts_at))
            )
        )::bigint as microseconds
    from machine_gap
    cross join review
    group by machine_gap.asset_id
),

impacted as (
    select
        asset_id,
        count(*) as gaps,
        arg_min(started_lo, (started_hi, started_lo)) as first_gap_lo,
        min(started_hi) as first_gap_at,
        arg_min(started_lo, (started_hi, started_lo)) filter (where in_onset) as onset_gap_lo,
        min(started_hi) filter (where in_onset) as onset_gap_at,
        case
            when not bool_or(struck_lo is not null) then null
            when bool_or(is_struck) then 'struck'
            when bool_or(in_onset) then 'later'
            else 'apart'
        end as onset_relation,
        case
            when bool_and(cadence_minutes is not null)
                then sum(
                    greatest(
                        0,
                        epoch_us(least(coalesce(ended_at, record_ends_at), ends_at))
                        - epoch_us(greatest(coalesce(started_lo, started_hi), starts_at))
                    ) // greatest(1, (60e6 * cadence_minutes)::bigint)
                )::bigint
        end as recovery_points_missed,
        bool_or(open) as open,
        max(ended_at) as last_ended_at,
        arg_max(ended_by, (ended_at, ended_by)) filter (
            where ended_by in ('seed', 'relink')
        ) as restored_by,
        count(*) filter (where rpo_breach) as breaches,
        bool_or(rpo_breach is not null) as has_objective,
        flatten(list(evidence order by started_hi, job_id, target_asset)) as evidence
    from gaps
    group by asset_id
),

last_sample as (
    select max(last_sample_at) as taken_at from replication_run
),

-- A seed that reported at a pace of its own and then fell silent is not known to run any more.
recovery as (
    select
        replication_run.*,
        coalesce(
            epoch(last_sample.taken_at - last_sample_at)
            <= policy_number('gap_cadences') * epoch(last_sample_at - started_at)
            / nullif(samples - 1, 0),
            true
        ) as is_reporting
    from replication_run
    cross join last_sample
    where job_kind in ('seed', 'relink')
    qualify row_number() over (
        partition by asset_id
        order by last_sample_at desc, job_kind asc, job_id asc, run_no desc, evidence asc
    ) = 1
),

remade as (
    select
        replication_run.asset_id,
        count(*) filter (where replication_run.job_kind = 'relink') as links_remade,
        count(*) filter (where replication_run.job_kind = 'seed') as seeds_completed
    from replication_run
    cross join review
    where
        replication_run.job_kind in ('seed', 'relink')
        and replication_run.state = 'success'
        and replication_run.started_at between review.starts_at and review.ends_at
    group by replication_run.asset_id
),

canonical as (
    select
        alias,
        min(canonical) as asset_id
    from alias
    where kind = 'asset'
    group by alias
),

observed as (
    select
        coalesce(canonical.asset_id, asset_state.asset_id) as asset_id,
        asset_state.observed_at,
        asset_state.state,
        row_number() over asset as state_no,
        lag(asset_state.state) over asset as before_state
    from asset_state
    left join canonical on asset_state.asset_id = canonical.alias
    window asset as (
        partition by coalesce(canonical.asset_id, asset_state.asset_id)
        order by asset_state.observed_at, asset_state.source_id, asset_state.record_no
    )
),

states as (
    select
        observed.asset_id,
        arg_max(observed.state, observed.state_no) as last_state,
        count(*) filter (
            where
            observed.state = 'link_lost'
            and observed.before_state is distinct from 'link_lost'
            and observed.observed_at between review.starts_at and review.ends_at
        ) as links_lost
    from observed
    cross join review
    group by observed.asset_id
),

-- Whether a machine could be failed over, by each record that says so.
failover as (
    select
        asset_id,
        observed_at as instant,
        state <> 'healthy' as is_blocked
    from observed
    where state in ('healthy', 'link_lost', 'failed', 'removed')
    union all
    select
        asset_id,
        started_at as instant,
        state = 'failure' as is_blocked
    from replication_run
    where
        (job_kind = 'failover_test' and state in ('success', 'failure'))
        or (job_kind = 'relink' and state = 'success')
),

failover_turns as (
    select
        *,
        lead(instant) over (partition by asset_id order by instant, is_blocked) as until_at
    from failover
),

record as (
    select max(instant) as ends_at
    from (
        select max(last_sample_at) as instant from replication_run
        union all
        select max(observed_at) as instant from asset_state
    ) as ends
),

blocked as (
    select
        failover_turns.asset_id,
        coalesce(
            sum(
                greatest(
                    0,
                    epoch_us(
                        least(coalesce(failover_turns.until_at, record.ends_at), review.ends_at)
                    )
                    - epoch_us(greatest(failover_turns.instant, review.starts_at))
                )
            ) filter (where failover_turns.is_blocked),
            0
        )::bigint as microseconds
    from failover_turns
    cross join record
    cross join review
    group by failover_turns.asset_id
),

words as (
    select policy_list('lost_words') as lost
),

classed as (
    select
        impacted.asset_id,
        recovery.evidence,
        case
            when not impacted.open and impacted.restored_by = 'relink' then 'relinked'
            when not impacted.open and impacted.restored_by = 'seed' then 'reseeded'
            when not impacted.open then 'unknown'
            when states.last_state = 'removed' then 'lost'
            when
                recovery.state = 'failure'
                and len(
                    list_filter(words.lost, lambda word: contains(lower(recovery.error), word))
                ) > 0
                then 'lost'
            when
                recovery.job_kind = 'seed' and recovery.state = 'running' and recovery.is_reporting
                then 'reseeding'
            else 'unknown'
        end as recovery_class
    from impacted
    cross join words
    left join states using (asset_id)
    left join recovery
        on
            impacted.asset_id = recovery.asset_id
            and impacted.first_gap_at <= recovery.last_sample_at
)

select
    impacted.asset_id,
    known_asset.organization,
    known_asset.region,
    known_asset.machine_type,
    round(coalesce(gap_time.microseconds, 0) / 3.6e9, 6) as gap_hours,
    known_asset.protected_bytes as data_at_risk_bytes,
    if(classed.recovery_class = 'lost', known_asset.protected_bytes, null) as data_lost_bytes,
    impacted.recovery_points_missed,
    round(blocked.microseconds / 3.6e9, 6) as failover_blocked_hours,
    states.links_lost,
    coalesce(remade.links_remade, 0) as links_remade,
    coalesce(remade.seeds_completed, 0) as seeds_completed,
    classed.recovery_class,
    if(impacted.open, null, impacted.last_ended_at) as recovered_at,
    known_asset.site,
    known_asset.criticality,
    impacted.gaps,
    impacted.first_gap_lo,
    impacted.first_gap_at,
    impacted.onset_gap_lo,
    impacted.onset_gap_at,
    impacted.onset_relation,
    impacted.open,
    if(impacted.has_objective, impacted.breaches, null) as rpo_breaches,
    list_filter(
        list_append(impacted.evidence, classed.evidence), lambda cited: cited is not null
    ) as evidence
from impacted
inner join classed using (asset_id)
left join gap_time using (asset_id)
left join known_asset using (asset_id)
left join states using (asset_id)
left join blocked using (asset_id)
left join remade using (asset_id)
order by impacted.asset_id
