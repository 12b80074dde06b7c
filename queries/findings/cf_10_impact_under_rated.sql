-- /// finding
-- id = "CF-10"
-- slug = "impact-under-rated"
-- title = "The record of a change states no impact reference, or a low risk on a critical target"
-- rule_class = "D"
-- level = "supervision"
-- severity = "medium"
-- criteria = "Each change refers to an impact assessment; critical targets are never of low risk."
-- effect = "The change can take a lighter path of approval than its targets call for."
-- recommendation = "Derive the lowest risk that a change may have from its most critical target."
-- questions = [
--     "Is the assessment kept in a field or an annex that was not exported?",
--     "Was the asset rated critical only after the change?",
-- ]
-- codes = ["hfacs-7.0:SP006", "cream:control-algorithm", "dora:4.3.change_management"]
-- candidate_codes = ["hfacs-7.0:OP002"]
-- controls = ["nist800-53r5:CM-4", "csf2.0:ID.RA-07", "dora-rts:17(1)(h)"]
-- needs = ["change", "asset"]
-- reads = ["asset", "change", "operation_span"]
-- limitations = "Only what the change states of its targets is rated, not what depends on them."
-- ///
with

target as (
    select
        change.change_id,
        unnest(split_list(change.targets)) as name
    from change
),

named as (
    select
        target.change_id,
        target.name,
        asset_name(target.name) as asset
    from target
),

registered as (
    select
        asset_name(asset.asset_id) as asset,
        asset.criticality,
        asset.valid_from,
        asset.valid_to,
        asset.source_id,
        asset.record_no
    from asset
),

-- The register's row at the planned start, else the one that last began.
rated as (
    select
        named.change_id,
        named.name,
        registered.criticality,
        pointer(registered.source_id, registered.record_no) as asset_row
    from named
    inner join operation_span on named.change_id = operation_span.change_id
    left join registered on named.asset = registered.asset
    qualify row_number() over (
        partition by named.change_id, named.name
        order by
            coalesce(
                registered.valid_from
                <= coalesce(operation_span.window_start, operation_span.started_at),
                true
            )
            and coalesce(
                registered.valid_to
                > coalesce(operation_span.window_start, operation_span.started_at),
                true
            ) desc,
            registered.valid_from desc nulls last,
            registered.source_id asc,
            registered.record_no asc
    ) = 1
),

scope as (
    select
        rated.change_id,
        count(*) filter (where rated.criticality is null) as unrated,
        list(rated.name order by rated.name) filter (where rated.criticality = 'critical')
            as critical,
        list(rated.asset_row) filter (where rated.criticality = 'critical') as asset_rows
    from rated
    group by rated.change_id
),

judged as (
    select
        operation_span.operation_id,
        null::varchar as target,
        case
            when coalesce(trim(change.impact_ref), '') = '' then 'exception'
            when change.risk in ('medium', 'high') and lower(trim(change.kind)) <> 'standard'
                then 'ok'
            when scope.critical is not null
                then if(
                    change.risk = 'low' or lower(trim(change.kind)) = 'standard',
                    'exception',
                    'undetermined'
                )
            when scope.change_id is null or scope.unrated > 0 then 'undetermined'
            else 'ok'
        end as status,
        coalesce(operation_span.started_at, operation_span.window_start) as occurred_at,
        null::varchar as event,
        case
            when coalesce(trim(change.impact_ref), '') = ''
                then
                    'The change refers to no impact assessment; its risk is rated '
                    || coalesce(change.risk, 'not at all')
            else
                'The change refers to ' || trim(change.impact_ref) || '; its risk is rated '
                || coalesce(change.risk, 'not at all') || case
                    when scope.critical is not null
                        then
                            ', and it names critical assets: '
                            || array_to_string(scope.critical, ', ')
                    when scope.change_id is null then ', and it names no targets'
                    when scope.unrated > 0
                        then
                            ', and the criticality of ' || scope.unrated
                            || ' of its targets is not on record'
                    else ', and none of its targets is critical'
                end
        end as reason,
        list_append(coalesce(scope.asset_rows, []), pointer(change.source_id, change.record_no))
            as evidence
    from operation_span
    inner join change on operation_span.change_id = change.change_id
    left join scope on operation_span.change_id = scope.change_id
),

-- An operation gets the gravest status of what was judged within it.
verdict as (
    select
        judged.operation_id,
        first(
            judged order by
                status_rank(judged.status) desc,
                judged.occurred_at,
                judged.event asc,
                judged.reason asc,
                judged.target asc
        ) as decisive,
        alike(
            judged.status, judged.target, judged.occurred_at, judged.event, judged.reason
        ) as alike,
        gathered(judged.status, judged.evidence) as evidence
    from judged
    group by judged.operation_id
)

select
    operation_span.operation_id,
    operation_span.change_id,
    coalesce(verdict.decisive.target, operation_span.operation_id) as subject,
    settled(verdict.decisive.status) as status,
    verdict.decisive.occurred_at,
    verdict.decisive.event,
    coalesce(
        sentence(verdict.decisive.reason, verdict.alike),
        'The operation is no registered change.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
