-- /// relation
-- id = "incident_phase"
-- title = "Phases of the incident, as far as records show them"
-- grain = "One row per scope and phase of which there is a record."
-- reads = ["alert", "alias", "dependency_reach", "known_asset", "machine_gap", "onset", "operation_event", "protection_gap", "replication_run", "silence", "status_incident", "status_region", "status_text", "status_update", "ticket_event"]
-- limitations = "The trigger is the irreversible event nearest to the onset on something that affected machines depended on; that it lies near does not show that it brought the onset about. An alert counts as detection when it fired, whether or not anyone saw it. Where the telemetry shows no onset, posts count only if the page has one incident in review. `closed` is when the status page closed the incident, for a region by posts that name it or no region at all; its basis says what the telemetry shows at that time. `recovery` begins with the first seed or relink that ended in success; where none did, with the first end of a gap by the job itself."
-- [columns]
-- scope = "`all`, or a region."
-- phase = "`latent` (first irreversible event of the operation of the trigger), `trigger`, `onset`, `detection`, `disclosure`, `diagnosis`, `mitigation`, `recovery`, `closed`."
-- started_at = "Best estimate of the start."
-- started_lo = "Earliest start."
-- started_hi = "Latest start."
-- ended_at = "First start of a phase further down the list, at or after its own; NULL for the last one."
-- basis = "The record that shows the start, in one sentence."
-- phase_no = "Position of the phase in the list above."
-- evidence = "That record, for a region the row that names it; NULL where it is derived from many."
-- ///
with scopes as (
    select
        scope_kind,
        scope,
        onset_at,
        onset_lo,
        onset_hi,
        coalesce(ended_at, 'infinity'::timestamptz) as ended_at,
        affected,
        population
    from onset
    where main and scope_kind in ('all', 'region')
    union all by name
    select
        'all' as scope_kind,
        'all' as scope
    where not exists (select 1 as one from onset)
    union all by name
    select distinct
        'region' as scope_kind,
        region as scope
    from status_region
    where region is not null and not exists (select 1 as one from onset)
),

-- Without an onset nothing tells which of several incidents of a page is meant.
reviewed as (
    select
        incident_id,
        regions
    from status_incident
    where in_review
    qualify count(*) over () = 1 or exists (select 1 as one from onset)
),

affected as (
    select distinct
        scopes.scope_kind,
        scopes.scope,
        machine_gap.asset_id
    from scopes
    inner join known_asset on scopes.scope_kind = 'all' or scopes.scope = known_asset.region
    inner join machine_gap using (asset_id)
    where machine_gap.started_hi < scopes.ended_at and machine_gap.ended_at > scopes.onset_hi
),

canonical as (
    select
        alias,
        min(canonical) as asset_id
    from alias
    where kind = 'asset'
    group by alias
),

irreversible as (
    select
        operation_event.*,
        coalesce(canonical.asset_id, operation_event.target) as asset_id
    from operation_event
    left join canonical on operation_event.target = canonical.alias
    where
        operation_event.is_irreversible
        and coalesce(operation_event.outcome, 'unknown') <> 'failure'
        and operation_event.target is not null
),

struck as (
    select
        irreversible.source_id,
        irreversible.record_no,
        affected.scope_kind,
        affected.scope,
        count(distinct affected.asset_id) as machines
    from irreversible
    inner join dependency_reach
        on
            irreversible.asset_id = dependency_reach.to_asset
            and coalesce(irreversible.occurred_hi >= dependency_reach.valid_from, true)
            and coalesce(irreversible.occurred_lo < dependency_reach.valid_to, true)
    inner join affected on dependency_reach.from_asset = affected.asset_id
    group by
        irreversible.source_id, irreversible.record_no, affected.scope_kind, affected.scope
),

triggers as (
    select
        struck.scope_kind,
        struck.scope,
        struck.machines,
        irreversible.operation_id,
        irreversible.occurred_at,
        irreversible.occurred_lo,
        irreversible.occurred_hi,
        irreversible.action,
        irreversible.target,
        irreversible.change_id,
        irreversible.evidence
    from struck
    inner join irreversible using (source_id, record_no)
    inner join scopes using (scope_kind, scope)
    where
        irreversible.occurred_lo < scopes.onset_hi
        and struck.machines >= least(2, scopes.affected)
    qualify row_number() over (
        partition by struck.scope_kind, struck.scope
        order by
            irreversible.occurred_hi >= scopes.onset_lo desc,
            abs(epoch_us(irreversible.occurred_at) - epoch_us(scopes.onset_at)) asc,
            irreversible.source_id asc,
            irreversible.record_no asc
    ) = 1
),

latent as (
    select
        triggers.scope_kind,
        triggers.scope,
        irreversible.occurred_at,
        irreversible.occurred_lo,
        irreversible.occurred_hi,
        irreversible.action,
        irreversible.target,
        irreversible.change_id,
        irreversible.evidence
    from triggers
    inner join irreversible using (operation_id)
    where irreversible.occurred_hi < triggers.occurred_lo
    qualify row_number() over (
        partition by triggers.scope_kind, triggers.scope
        order by irreversible.occurred_at, irreversible.source_id, irreversible.record_no
    ) = 1
),

-- What a scope is about: its machines, and what they depended on.
subjects as (
    select
        scope_kind,
        scope,
        asset_id
    from affected
    union
    select
        affected.scope_kind,
        affected.scope,
        dependency_reach.to_asset as asset_id
    from affected
    inner join dependency_reach on affected.asset_id = dependency_reach.from_asset
),

-- The silence under which an alert fired.
hushed as (
    select
        alert.source_id,
        alert.record_no,
        min(pointer(silence.source_id, silence.record_no)) as evidence
    from alert
    left join canonical on alert.target = canonical.alias
    inner join silence
        on
            coalesce(alert.fired_hi >= silence.starts_at, true)
            and coalesce(alert.fired_lo < silence.ends_at, true)
    left join canonical as silenced on silence.target = silenced.alias
    where
        coalesce(canonical.asset_id, alert.target)
        = coalesce(silenced.asset_id, silence.target)
    group by alert.source_id, alert.record_no
),

signals as (
    select
        'alert' as kind,
        coalesce(canonical.asset_id, alert.target) as asset_id,
        alert.fired_at as instant,
        alert.fired_lo as instant_lo,
        alert.fired_hi as instant_hi,
        'Alert ' || alert.alert_id || coalesce(' on ' || alert.target, '') || ' fired'
        || coalesce(' under a silence on its target (' || hushed.evidence || ')', '')
        || coalesce(
            '; acknowledged at ' || utc(alert.acked_at), '; no acknowledgement is on record'
        ) as basis,
        pointer(alert.source_id, alert.record_no) as evidence
    from alert
    left join canonical on alert.target = canonical.alias
    left join hushed
        on alert.source_id = hushed.source_id and alert.record_no = hushed.record_no
    union all
    select
        'ticket' as kind,
        coalesce(canonical.asset_id, ticket_event.target) as asset_id,
        ticket_event.occurred_at as instant,
        ticket_event.occurred_lo as instant_lo,
        ticket_event.occurred_hi as instant_hi,
        'Ticket ' || ticket_event.ticket_id || ' became ' || ticket_event.state as basis,
        pointer(ticket_event.source_id, ticket_event.record_no) as evidence
    from ticket_event
    left join canonical on ticket_event.target = canonical.alias
),

-- A signal without a known target can be about the whole, never about one region.
detections as (
    select
        scopes.scope_kind,
        scopes.scope,
        signals.*
    from scopes
    left join triggers using (scope_kind, scope)
    inner join signals
        on
            coalesce(triggers.occurred_lo, scopes.onset_lo) <= signals.instant_hi
            and scopes.ended_at > signals.instant_lo
    left join known_asset on signals.asset_id = known_asset.asset_id
    left join subjects
        on
            scopes.scope_kind = subjects.scope_kind
            and scopes.scope = subjects.scope
            and signals.asset_id = subjects.asset_id
    where
        subjects.asset_id is not null
        or (scopes.scope_kind = 'all' and known_asset.asset_id is null)
),

-- An alert can fire without anyone seeing it; a ticket shows that someone knew.
first_tickets as (
    select
        scope_kind,
        scope,
        lower(basis[1]) || basis[2:] || ' at ' || utc(instant) || ', the first ticket' as words
    from detections
    where kind = 'ticket'
    qualify row_number() over (
        partition by scope_kind, scope order by instant, basis, evidence
    ) = 1
),

-- Where a table holds a row per region, each region has its own.
reports as (
    select
        scopes.scope_kind,
        scopes.scope,
        status_update.state,
        status_update.posted_at,
        status_update.posted_lo,
        status_update.posted_hi,
        status_text.edited_before_at,
        coalesce(
            min(status_region.named_by),
            pointer(status_update.source_id, status_update.record_no)
        ) as evidence
    from scopes
    cross join reviewed
    inner join status_update using (incident_id)
    left join status_region
        on
            status_update.source_id = status_region.source_id
            and status_update.record_no = status_region.record_no
            and scopes.scope = status_region.region
    left join status_text
        on
            pointer(status_update.source_id, status_update.record_no)
            = status_text.update_evidence
            and status_text.text_no = 1
    where
        status_update.posted_at is not null
        and (scopes.scope_kind = 'all' or status_region.region is not null)
        and coalesce(status_update.posted_hi >= scopes.onset_lo, true)
    group by
        scopes.scope_kind, scopes.scope, status_update.state, status_update.posted_at,
        status_update.posted_lo, status_update.posted_hi, status_text.edited_before_at,
        status_update.source_id, status_update.record_no
),

-- What the telemetry says of the affected machines when the page speaks of monitoring.
unended as (
    select
        reports.scope_kind,
        reports.scope,
        reports.posted_at,
        count(distinct affected.asset_id) as population,
        count(distinct affected.asset_id) filter (
            where machine_gap.started_hi <= reports.posted_at
            and machine_gap.ended_at > reports.posted_at
        ) as machines
    from reports
    inner join affected
        on reports.scope_kind = affected.scope_kind and reports.scope = affected.scope
    inner join machine_gap on affected.asset_id = machine_gap.asset_id
    where reports.state = 'monitoring'
    group by reports.scope_kind, reports.scope, reports.posted_at
),

tickets as (
    select
        'all' as scope_kind,
        'all' as scope,
        ticket_event.*,
        lower(ticket_event.state) as word,
        pointer(ticket_event.source_id, ticket_event.record_no) as evidence
    from ticket_event
    inner join scopes
        on ticket_event.occurred_hi >= scopes.onset_lo and scopes.scope_kind = 'all'
),

-- A seed or relink that failed, or of which nothing came, brought nothing back.
attempts as (
    select
        asset_id,
        job_kind,
        started_at,
        evidence,
        state,
        arg_min(state, run_no) filter (where state in ('success', 'failure')) over (
            partition by asset_id, job_kind, job_id, target_asset
            order by run_no
            rows between current row and unbounded following
        ) as outcome
    from replication_run
    where job_kind in ('seed', 'relink')
),

restarts as (
    select
        affected.scope_kind,
        affected.scope,
        attempts.started_at,
        'First ' || attempts.job_kind || ' on record that succeeded, of ' || attempts.asset_id
        || '.' as basis,
        attempts.evidence
    from affected
    inner join scopes using (scope_kind, scope)
    inner join attempts using (asset_id)
    where
        attempts.started_at >= scopes.onset_lo
        and attempts.state <> 'failure'
        and attempts.outcome = 'success'
),

-- Without one the machines came back where their own jobs went on.
returns as (
    select
        affected.scope_kind,
        affected.scope,
        protection_gap.ended_at as started_at,
        'First end of a gap on record, of ' || protection_gap.asset_id
        || ': its own job succeeds again; no seed or relink that succeeded is on record.' as basis,
        protection_gap.evidence[-1] as evidence
    from affected
    inner join scopes using (scope_kind, scope)
    inner join protection_gap using (asset_id)
    where
        protection_gap.ended_by in ('job', 'continued')
        and protection_gap.started_hi < scopes.ended_at
        and protection_gap.ended_at > scopes.onset_hi
        and not exists (
            select 1
            from restarts
            where restarts.scope_kind = affected.scope_kind and restarts.scope = affected.scope
        )
),

recoveries as (
    select * from restarts
    union all
    select * from returns
),

-- A region is closed by posts on it; a post that names no region is on all of them.
posts as (
    select
        scopes.scope_kind,
        scopes.scope,
        status_update.incident_id,
        status_update.posted_at,
        status_update.state in ('resolved', 'completed', 'postmortem') as is_closing,
        pointer(status_update.source_id, status_update.record_no) as evidence,
        row_number() over (
            partition by scopes.scope, status_update.incident_id
            order by status_update.posted_at, status_update.source_id, status_update.record_no
        ) as post_no
    from scopes
    inner join reviewed
        on scopes.scope_kind = 'all' or list_contains(reviewed.regions, scopes.scope)
    inner join status_update using (incident_id)
    left join (
        select
            source_id,
            record_no,
            array_agg(distinct region) filter (where region is not null) as regions
        from status_region
        group by source_id, record_no
    ) as named using (source_id, record_no)
    where
        status_update.posted_at is not null
        and (
            scopes.scope_kind = 'all'
            or named.regions is null
            or list_contains(named.regions, scopes.scope)
        )
),

still_posted as (
    select
        scope,
        incident_id,
        coalesce(max(post_no) filter (where not is_closing), 0) as last_open_no
    from posts
    group by scope, incident_id
),

closed_incidents as (
    select
        posts.scope_kind,
        posts.scope,
        posts.incident_id,
        min(posts.posted_at) filter (where posts.post_no > still_posted.last_open_no)
            as resolved_at,
        arg_min(posts.evidence, posts.post_no) filter (
            where posts.post_no > still_posted.last_open_no
        ) as evidence
    from posts
    inner join still_posted using (scope, incident_id)
    group by posts.scope_kind, posts.scope, posts.incident_id
),

closings as (
    select
        scope_kind,
        scope,
        max(resolved_at) as resolved_at,
        arg_max(evidence, (resolved_at, evidence)) as evidence
    from closed_incidents
    group by scope_kind, scope
    having bool_and(resolved_at is not null)
),

-- What the telemetry says of the affected machines when the page calls the incident closed.
still_open as (
    select
        closings.scope_kind,
        closings.scope,
        count(distinct affected.asset_id) as population,
        count(distinct affected.asset_id) filter (
            where machine_gap.started_hi <= closings.resolved_at
            and machine_gap.ended_at > closings.resolved_at
        ) as machines,
        count(distinct affected.asset_id) filter (
            where machine_gap.started_hi <= closings.resolved_at
            and machine_gap.ended_at > closings.resolved_at
            and machine_gap.open
        ) as open_machines,
        count(distinct affected.asset_id) filter (
            where machine_gap.open and machine_gap.ended_at <= closings.resolved_at
        ) as unwatched
    from closings
    inner join affected
        on closings.scope_kind = affected.scope_kind and closings.scope = affected.scope
    inner join machine_gap on affected.asset_id = machine_gap.asset_id
    group by closings.scope_kind, closings.scope
),

candidates as (
    select
        scope,
        'latent' as phase,
        occurred_at as started_at,
        occurred_lo as started_lo,
        occurred_hi as started_hi,
        action || ' of ' || target || coalesce(' under ' || change_id, '')
        || ', first irreversible event of the operation.' as basis,
        evidence
    from latent
    union all by name
    select
        scope,
        'trigger' as phase,
        occurred_at as started_at,
        occurred_lo as started_lo,
        occurred_hi as started_hi,
        action || ' of ' || target || coalesce(' under ' || change_id, '') || ', on which '
        || machines || ' affected machine' || if(machines = 1, '', 's')
        || ' depended.' as basis,
        evidence
    from triggers
    union all by name
    select
        scope,
        'onset' as phase,
        onset_at as started_at,
        onset_lo as started_lo,
        onset_hi as started_hi,
        'Gaps of ' || affected || ' of ' || population || ' machines.' as basis
    from scopes
    where onset_at is not null
    union all by name
    select
        scope,
        'detection' as phase,
        instant as started_at,
        instant_lo as started_lo,
        instant_hi as started_hi,
        basis
        || if(kind = 'alert', coalesce('; ' || words, ''), '') || '.'
            as basis,
        evidence
    from detections
    left join first_tickets using (scope_kind, scope)
    union all by name
    select
        scope,
        'disclosure' as phase,
        posted_at as started_at,
        posted_lo as started_lo,
        posted_hi as started_hi,
        'First post of the status page'
        || case
            when scope = 'all' then ''
            when edited_before_at is null then ' that names the region'
            else
                ' that names the region; it was edited later, and its earlier wording is not on'
                || ' record'
        end || '.' as basis,
        evidence
    from reports
    union all by name
    select
        scope,
        if(state = 'identified', 'diagnosis', 'mitigation') as phase,
        posted_at as started_at,
        posted_lo as started_lo,
        posted_hi as started_hi,
        'First post of the state ' || state || if(
            state = 'monitoring' and machines > 0,
            '; at that time the gaps of ' || machines || ' of ' || population
            || ' affected machines had not ended',
            ''
        ) || '.' as basis,
        evidence
    from reports
    left join unended using (scope_kind, scope, posted_at)
    where state in ('identified', 'monitoring')
    union all by name
    select
        scope,
        if(word in ('identified', 'diagnosed'), 'diagnosis', 'mitigation') as phase,
        occurred_at as started_at,
        occurred_lo as started_lo,
        occurred_hi as started_hi,
        'Ticket ' || ticket_id || ' became ' || state || '.' as basis,
        evidence
    from tickets
    where word in ('identified', 'diagnosed', 'mitigated', 'mitigating', 'contained')
    union all by name
    select
        scope,
        'recovery' as phase,
        started_at,
        started_at as started_lo,
        started_at as started_hi,
        basis,
        evidence
    from recoveries
    union all by name
    select
        closings.scope,
        'closed' as phase,
        closings.resolved_at as started_at,
        coalesce(reports.posted_lo, closings.resolved_at) as started_lo,
        coalesce(reports.posted_hi, closings.resolved_at) as started_hi,
        'Last incident in review is closed on the status page'
        || if(closings.scope = 'all', '', ' by posts on the region')
        || case
            when still_open.machines > 0
                then
                    '; the telemetry contradicts this: at that time the gaps of '
                    || still_open.machines || ' of ' || still_open.population
                    || ' affected machines had not ended'
                    || if(
                        still_open.open_machines > 0,
                        ', ' || still_open.open_machines || ' of them not by the end of the record',
                        ''
                    )
                    || '.'
            when still_open.unwatched > 0
                then
                    '; the telemetry ends before, with the gaps of ' || still_open.unwatched
                    || ' of ' || still_open.population || ' affected machines open.'
            when still_open.population > 0
                then '; the gaps of all affected machines had ended by then.'
            else '; no telemetry tells whether the impact had ended.'
        end as basis,
        coalesce(reports.evidence, closings.evidence) as evidence
    from closings
    left join still_open
        on
            closings.scope_kind = still_open.scope_kind
            and closings.scope = still_open.scope
    left join reports
        on
            closings.scope_kind = reports.scope_kind
            and closings.scope = reports.scope
            and closings.resolved_at = reports.posted_at
),

firsts as (
    select
        *,
        list_position(
            [
                'latent', 'trigger', 'onset', 'detection', 'disclosure', 'diagnosis',
                'mitigation', 'recovery', 'closed',
            ],
            phase
        ) as phase_no
    from candidates
    qualify row_number() over (
        partition by scope, phase order by started_at, basis, evidence
    ) = 1
),

followed as (
    select
        firsts.scope,
        firsts.phase,
        min(later.started_at) as ended_at
    from firsts
    left join firsts as later
        on
            firsts.scope = later.scope
            and firsts.phase_no < later.phase_no
            and firsts.started_at <= later.started_at
    group by firsts.scope, firsts.phase
)

select
    scope,
    phase,
    firsts.started_at,
    firsts.started_lo,
    firsts.started_hi,
    followed.ended_at,
    if(
        firsts.phase = 'mitigation' and recovered.started_at < firsts.started_at,
        rtrim(firsts.basis, '.') || '; the first recovery is on record before it.',
        firsts.basis
    ) as basis,
    firsts.phase_no,
    firsts.evidence
from firsts
inner join followed using (scope, phase)
left join firsts as recovered
    on firsts.scope = recovered.scope and recovered.phase = 'recovery'
order by scope <> 'all', scope, firsts.phase_no
