-- /// relation
-- id = "onset"
-- title = "When protection of a scope degraded"
-- grain = "One row per scope and episode in which at least the degraded share of its machines (and at least one) was in a gap. Where one machine makes up the share, machines that fell apart in time make episodes of their own, which may overlap."
-- reads = ["case_info", "component_region", "dependency_reach", "known_asset", "lag_profile", "machine_fall", "replication_run", "status_component"]
-- policy = ["degraded_share"]
-- limitations = "The interval rests on what each machine's records bound; machines whose bounds agree on one instant are taken to have fallen within a small part of their cadence. In simulations with cadences from 15 minutes to a day it covers the truth in 95 of 100 cases or more. A machine that was never good on record counts from its first failure."
-- [columns]
-- scope_kind = "`all`, `region`, `site`, `component` of the status page, or `dependency`: an asset that two or more affected machines depended on when their gap began."
-- scope = "The bare name: `all`, a region, a site, a component, an asset."
-- onset_at = "Best single estimate: middle of the time that lies in the intervals of most machines."
-- onset_lo = "Earliest onset: two in five of the machines whose bounds agree on the estimate were last good at this time or later."
-- onset_hi = "Latest onset: the machine that makes up the share is in a gap, or three in five of the machines whose bounds agree on the estimate are."
-- bounds_lo = "Earliest onset by the bounds of each machine alone: before it too few machines can have been in a gap to make up the share."
-- bounds_hi = "Latest onset by the bounds of each machine alone: at it the share is in a gap for certain."
-- ended_at = "The share fell below again; NULL where it had not when the record ends."
-- affected = "Machines with a gap in the episode."
-- population = "Machines of the scope with telemetry."
-- method = "`exact`: from the bounds of each machine's gap; `statistical`: at least one of them known by a rise of its lag, or of the age of its recovery points."
-- episode_no = "Number of the episode within its scope."
-- main = "Whether it is the episode of its scope with most affected machines within the window; of several, the one with most time in gaps."
-- ///
with recorded as (
    select distinct asset_id
    from replication_run
    where job_kind = 'replicate'
),

-- A measure of lag stands in where an asset has no job records.
measured as (
    select distinct lag_profile.asset_id
    from lag_profile
    anti join recorded on lag_profile.asset_id = recorded.asset_id
),

machines as (
    select
        telemetry.asset_id,
        known_asset.region,
        known_asset.site
    from (
        select asset_id from recorded
        union all
        select asset_id from measured
    ) as telemetry
    left join known_asset on telemetry.asset_id = known_asset.asset_id
),

record as (
    select max(ends_at) as ends_at
    from (
        select max(last_sample_at) as ends_at from replication_run
        union all
        select max(lag_profile.started_at) as ends_at
        from lag_profile
        inner join measured on lag_profile.asset_id = measured.asset_id
    ) as last_seen
),

components as (
    select
        component,
        region
    from component_region
    union
    select
        component,
        region
    from status_component
    where region is not null
),

members as (
    select
        'all' as scope_kind,
        'all' as scope,
        asset_id,
        null::timestamptz as valid_from,
        null::timestamptz as valid_to
    from machines
    union all by name
    select
        'region' as scope_kind,
        region as scope,
        asset_id
    from machines
    where region is not null
    union all by name
    select
        'site' as scope_kind,
        site as scope,
        asset_id
    from machines
    where site is not null
    union all by name
    select distinct
        'component' as scope_kind,
        components.component as scope,
        machines.asset_id
    from machines
    inner join components using (region)
    union all by name
    select
        'dependency' as scope_kind,
        dependency_reach.to_asset as scope,
        machines.asset_id,
        dependency_reach.valid_from,
        dependency_reach.valid_to
    from machines
    inner join dependency_reach on machines.asset_id = dependency_reach.from_asset
),

populations as (
    select
        scope_kind,
        scope,
        count(distinct asset_id) as population
    from members
    group by scope_kind, scope
),

struck as (
    select distinct
        members.scope_kind,
        members.scope,
        falls.*,
        -- A slow machine that cannot be told to have fallen before a fast one is back fell earlier
        -- than at its last bound by all odds: it counts from when 19 of 20 such would have fallen.
        falls.started_lo + (falls.started_hi - falls.started_lo) * 0.95 as counted_at
    from members
    inner join machine_fall as falls
        on
            members.asset_id = falls.asset_id
            and coalesce(members.valid_from <= falls.started_hi, true)
            and coalesce(members.valid_to > falls.started_lo, true)
),

thresholds as (
    select
        populations.scope_kind,
        populations.scope,
        populations.population,
        -- Without the small subtrahend, 0.05 × 140 would be more than 7.
        greatest(
            1, ceil(policy_number('degraded_share') * populations.population - 1e-9)
        )::bigint as enough
    from populations
    inner join struck using (scope_kind, scope)
    group by populations.scope_kind, populations.scope, populations.population
    having populations.scope_kind <> 'dependency' or count(distinct struck.asset_id) >= 2
),

-- Where one machine makes up the share, any pause of one would start an episode and swallow what
-- begins while it lasts. Falls belong together there only if they lie no further apart than the
-- wider of their intervals is wide.
apart as (
    select
        struck.*,
        coalesce(
            thresholds.enough = 1
            and struck.started_lo > greatest(
                max(struck.started_hi) over earlier + (struck.started_hi - struck.started_lo),
                max(struck.started_hi + (struck.started_hi - struck.started_lo)) over earlier
            ),
            false
        ) as is_new
    from struck
    inner join thresholds using (scope_kind, scope)
    window earlier as (
        partition by struck.scope_kind, struck.scope
        order by struck.started_lo, struck.started_hi, struck.asset_id, struck.ended_at
        rows between unbounded preceding and 1 preceding
    )
),

waves as (
    select
        *,
        count(*) filter (where is_new) over (
            partition by scope_kind, scope
            order by started_lo, started_hi, asset_id, ended_at
            rows between unbounded preceding and current row
        ) as wave_no
    from apart
),

turns_of_machines as (
    select
        scope_kind,
        scope,
        wave_no,
        counted_at as instant,
        1 as change
    from waves
    union all
    select
        scope_kind,
        scope,
        wave_no,
        ended_at as instant,
        -1 as change
    from waves
),

changes as (
    select
        scope_kind,
        scope,
        wave_no,
        instant,
        sum(change)::bigint as change
    from turns_of_machines
    group by scope_kind, scope, wave_no, instant
),

levels as (
    select
        scope_kind,
        scope,
        wave_no,
        instant,
        enough,
        population,
        sum(change) over wave >= enough as is_degraded
    from changes
    inner join thresholds using (scope_kind, scope)
    window wave as (partition by scope_kind, scope, wave_no order by instant)
),

turns as (
    select *
    from levels
    qualify is_degraded <> coalesce(
        lag(is_degraded) over (partition by scope_kind, scope, wave_no order by instant), false
    )
),

spans as (
    select
        *,
        lead(instant) over (partition by scope_kind, scope, wave_no order by instant) as ended_at
    from turns
),

episodes as (
    select
        spans.scope_kind,
        spans.scope,
        spans.enough,
        spans.population,
        spans.wave_no,
        spans.instant as begun_at,
        spans.ended_at as all_clear_at,
        if(spans.ended_at < record.ends_at, spans.ended_at, null) as ended_at,
        row_number() over (
            partition by spans.scope_kind, spans.scope order by spans.instant, spans.wave_no
        ) as episode_no
    from spans
    cross join record
    where spans.is_degraded
),

involved as (
    select
        episodes.*,
        waves.asset_id,
        waves.started_lo,
        waves.started_hi,
        waves.ended_at as asset_ended_at,
        waves.is_statistical
    from episodes
    inner join waves
        on
            episodes.scope_kind = waves.scope_kind
            and episodes.scope = waves.scope
            and episodes.wave_no = waves.wave_no
            and episodes.all_clear_at > waves.counted_at
            and episodes.begun_at < waves.ended_at
),

-- By its bounds alone, the share is surely in a gap when the machine that makes it up is.
made_up as (
    select
        scope_kind,
        scope,
        episode_no,
        started_hi,
        least(started_hi, all_clear_at) as onset_hi
    from (
        select
            scope_kind,
            scope,
            episode_no,
            enough,
            all_clear_at,
            min(started_hi) as started_hi
        from involved
        group by scope_kind, scope, episode_no, enough, all_clear_at, asset_id
    ) as fallen
    qualify row_number() over (
        partition by scope_kind, scope, episode_no order by started_hi
    ) = enough
),

-- And it cannot be before the machine that makes it up by their earliest times can have fallen.
can_be as (
    select
        scope_kind,
        scope,
        episode_no,
        started_lo as bounds_lo
    from (
        select
            scope_kind,
            scope,
            episode_no,
            enough,
            min(started_lo) as started_lo
        from involved
        group by scope_kind, scope, episode_no, enough, asset_id
    ) as earliest
    qualify row_number() over (
        partition by scope_kind, scope, episode_no order by started_lo
    ) = enough
),

bounded as (
    select
        involved.scope_kind,
        involved.scope,
        involved.episode_no,
        made_up.onset_hi,
        involved.ended_at,
        involved.population,
        count(distinct involved.asset_id) as affected,
        sum(epoch_us(involved.asset_ended_at) - epoch_us(involved.started_hi)) as lasting,
        bool_or(involved.is_statistical) as is_statistical,
        min(involved.started_lo) filter (
            where involved.started_hi = made_up.started_hi
        ) as onset_lo
    from involved
    inner join made_up using (scope_kind, scope, episode_no)
    group by
        involved.scope_kind, involved.scope, involved.episode_no, made_up.onset_hi,
        involved.ended_at, involved.population
),

-- The estimate is the time that lies in most machines' intervals. Those that made up the share
-- count as much as all others together: they alone would be few, the others belong to later waves.
clipped as (
    select
        scope_kind,
        scope,
        episode_no,
        greatest(involved.started_lo, bounded.onset_lo) as started_lo,
        least(involved.started_hi, bounded.onset_hi) as started_hi,
        1 / count(*) over (partition by scope_kind, scope, episode_no) + if(
            involved.started_hi <= bounded.onset_hi,
            1 / count(*) filter (where involved.started_hi <= bounded.onset_hi) over (
                partition by scope_kind, scope, episode_no
            ),
            0
        ) as weight
    from involved
    inner join bounded using (scope_kind, scope, episode_no)
    where involved.started_lo <= bounded.onset_hi and involved.started_hi >= bounded.onset_lo
),

edges as (
    select
        scope_kind,
        scope,
        episode_no,
        started_lo as instant,
        weight as change
    from clipped
    union all
    select
        scope_kind,
        scope,
        episode_no,
        started_hi as instant,
        -weight as change
    from clipped
),

shared as (
    select
        scope_kind,
        scope,
        episode_no,
        instant,
        lead(instant) over (
            partition by scope_kind, scope, episode_no order by instant asc, change desc
        ) as until_at,
        -- Rounded, since sums of doubles differ with their order.
        round(sum(change) over episode, 9) as weight
    from edges
    window episode as (
        partition by scope_kind, scope, episode_no
        order by instant asc, change desc
        rows between unbounded preceding and current row
    )
),

estimates as (
    select
        scope_kind,
        scope,
        episode_no,
        instant + (coalesce(until_at, instant) - instant) / 2 as onset_at
    from shared
    qualify row_number() over (
        partition by scope_kind, scope, episode_no
        order by weight desc, instant asc, until_at desc
    ) = 1
),

-- The bounds of one machine are as wide as its cadence, and the one that makes up the share may be
-- a slow one. Had the onset come earlier than this, two in five of the machines that agree on the
-- estimate would have been good after it by chance alone; had it come later, three in five would
-- have been in a gap before it.
agreed as (
    select
        involved.scope_kind,
        involved.scope,
        involved.episode_no,
        quantile_disc(involved.started_lo, 0.6) as onset_lo,
        quantile_disc(involved.started_hi, 0.6) as onset_hi
    from involved
    inner join estimates using (scope_kind, scope, episode_no)
    where estimates.onset_at between involved.started_lo and involved.started_hi
    group by involved.scope_kind, involved.scope, involved.episode_no
)

select
    scope_kind,
    scope,
    estimates.onset_at,
    agreed.onset_lo,
    least(bounded.onset_hi, agreed.onset_hi) as onset_hi,
    can_be.bounds_lo,
    bounded.onset_hi as bounds_hi,
    bounded.ended_at,
    bounded.affected,
    bounded.population,
    if(bounded.is_statistical, 'statistical', 'exact') as method,
    episode_no,
    row_number() over (
        partition by scope_kind, scope
        order by
            (
                coalesce(least(bounded.onset_hi, agreed.onset_hi) <= case_info.window_end, true)
                and coalesce(bounded.ended_at >= case_info.window_start, true)
            ) desc,
            bounded.affected desc,
            bounded.lasting desc,
            episode_no asc
    ) = 1 as main
from bounded
inner join estimates using (scope_kind, scope, episode_no)
inner join agreed using (scope_kind, scope, episode_no)
inner join can_be using (scope_kind, scope, episode_no)
cross join case_info
order by scope_kind, scope, episode_no
