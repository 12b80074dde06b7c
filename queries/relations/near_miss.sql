-- /// relation
-- id = "near_miss"
-- title = "Earlier operations with the signature of the incident that ended well"
-- grain = "One row per registered change that closed as success before the impact began and shows an exception to CF-02, CF-05 or CF-06."
-- reads = ["finding", "incident_phase", "onset", "operation_span", "status_update"]
-- limitations = """
-- Signature: a step before its prerequisite (CF-02), the last healthy copy removed (CF-05), dependents
-- still in use (CF-06), without a tested backup (CF-08). CF-08 alone is none. The operation of the
-- trigger is left out. Where no impact is on record, every change that closed as success is looked
-- at. That an operation ended well is what its register says."""
-- [columns]
-- operation_id = "Operation."
-- change_id = "Change."
-- kind = "Kind of change, in lower case."
-- started_at = "First action."
-- closed_at = "When it closed as success."
-- extent = "full: CF-02, CF-05 and CF-06; partial: some of them."
-- rules = "Rules of the signature with an exception, CF-08 included."
-- undecided = "Rules of the signature that were undetermined or did not run."
-- time_before = "From its closing to the start of the impact; NULL where none is on record."
-- reason = "One sentence: what of the signature the record shows."
-- evidence = "Records relied on, as source_id:record_no."
-- ///
with

-- When the impact began: as measured, else as the status page claims.
impact as (
    select
        coalesce(
            (
                select min(onset.onset_lo)
                from onset
                where onset.main
            ),
            (
                select min(coalesce(status_update.claimed_start_at, status_update.posted_at))
                from status_update
                where coalesce(status_update.kind, 'incident') = 'incident'
            )
        ) as began_at
),

trigger_operation as (
    select distinct finding.operation_id
    from incident_phase
    inner join finding on incident_phase.evidence = finding.event
    where incident_phase.phase in ('latent', 'trigger') and finding.operation_id is not null
),

ended_well as (
    select
        operation_span.*,
        impact.began_at
    from operation_span
    cross join impact
    anti join trigger_operation on operation_span.operation_id = trigger_operation.operation_id
    where
        operation_span.registered
        and operation_span.outcome = 'success'
        and operation_span.closed_at is not null
        and coalesce(operation_span.closed_at < impact.began_at, true)
),

signature as (
    select
        finding.operation_id,
        finding.rule,
        finding.slug,
        finding.status,
        finding.evidence
    from finding
    where finding.rule in ('CF-02', 'CF-05', 'CF-06', 'CF-08')
),

not_run as (
    select signature.rule
    from signature
    where signature.status = 'not_run'
),

counted as (
    select
        ended_well.operation_id,
        count(*) filter (where signature.status = 'exception' and signature.rule <> 'CF-08')
            as core,
        list(signature.rule order by signature.rule) filter (
            where signature.status = 'exception'
        ) as rules,
        string_agg(signature.slug, ', ' order by signature.rule) filter (
            where signature.status = 'exception'
        ) as slugs,
        list(signature.rule order by signature.rule) filter (
            where signature.status = 'undetermined'
        ) as undetermined,
        list(signature.evidence) filter (where signature.status = 'exception') as evidence
    from ended_well
    inner join signature on ended_well.operation_id = signature.operation_id
    group by ended_well.operation_id
)

select
    ended_well.operation_id,
    ended_well.change_id,
    ended_well.kind,
    ended_well.started_at,
    ended_well.closed_at,
    if(counted.core = 3, 'full', 'partial') as extent,
    counted.rules,
    list_sort(list_concat(
        coalesce(counted.undetermined, []), coalesce((select list(not_run.rule) from not_run), [])
    )) as undecided,
    ended_well.began_at - ended_well.closed_at as time_before,
    'The change closed as success at ' || utc(ended_well.closed_at)
    || coalesce(
        ', ' || in_words(ended_well.began_at - ended_well.closed_at)
        || ' before the impact began',
        ''
    )
    || ', and its record shows ' || counted.core || ' of the 3 deviations of the signature'
    || ' (' || counted.slugs || ').' as reason,
    pointers(counted.evidence) as evidence
from ended_well
inner join counted on ended_well.operation_id = counted.operation_id
where counted.core > 0
order by ended_well.closed_at, ended_well.operation_id
