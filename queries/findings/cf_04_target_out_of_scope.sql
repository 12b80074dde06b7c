-- /// finding
-- id = "CF-04"
-- slug = "target-out-of-scope"
-- title = "An action under a change hit a target that the change does not name"
-- rule_class = "D"
-- level = "act"
-- severity = "high"
-- criteria = "Actions under a change act on the targets that the change names."
-- effect = "Assessment, approval and preparation of the change do not name the target that was changed."
-- recommendation = "Have the maintenance tool take its targets from the change, and refuse any other."
-- questions = [
--     "Do two systems call the same asset by different names?",
--     "Was the scope widened with an approval that is recorded elsewhere?",
-- ]
-- codes = ["sherpa:A6", "cream:object-proximal", "uca:2", "hfacs-7.0:PE204",
--     "dora:4.3.change_management"]
-- candidate_codes = ["hfacs-7.0:AE101", "gems:slip"]
-- controls = ["nist800-53r5:CM-3", "nist800-53r5:CM-5(1)", "iso27001:A.8.32"]
-- needs = ["change", "maintenance_event"]
-- reads = ["change", "operation_event", "operation_span"]
-- limitations = "Names are compared without case, after aliases; parts of an asset are other names."
-- ///
with

scope as (
    select
        change.change_id,
        pointer(change.source_id, change.record_no) as change_row,
        unnest(split_list(change.targets)) as name
    from change
),

named as (
    select
        scope.change_id,
        scope.name,
        asset_name(scope.name) as asset
    from scope
),

action as (
    select
        operation_event.operation_id,
        operation_event.change_id,
        operation_event.basis,
        operation_event.occurred_at,
        operation_event.action,
        operation_event.target,
        asset_name(operation_event.target) as asset,
        operation_event.evidence as event,
        operation_span.evidence as change_row
    from operation_event
    inner join operation_span on operation_event.operation_id = operation_span.operation_id
    where
        operation_span.registered
        and not operation_event.is_read_only
        and operation_event.step_kind is distinct from 'approve'
),

-- Each action against the name in scope that is most like its target.
compared as (
    select
        action.*,
        named.name as nearest,
        levenshtein(action.asset, named.asset) as distance
    from action
    left join named on action.change_id = named.change_id
    qualify row_number() over (
        partition by action.operation_id, action.event
        order by levenshtein(action.asset, named.asset), named.name
    ) = 1
),

judged as (
    select
        compared.operation_id,
        compared.target,
        case
            when compared.nearest is null or compared.asset is null then 'undetermined'
            when compared.distance = 0 then ok_by(compared.basis)
            when compared.basis = 'explicit' then 'exception'
            else 'undetermined'
        end as status,
        compared.occurred_at,
        compared.event,
        case
            when compared.nearest is null then 'The change names no targets'
            when compared.asset is null
                then
                    'The record of ' || compared.action || ' at ' || utc(compared.occurred_at)
                    || ' states no target'
            when compared.distance = 0
                then
                    'Action ' || compared.action || ' on ' || compared.target
                    || ' lies in the scope of the change' || tie_note(compared.basis)
            else
                'Action ' || compared.action || ' at ' || utc(compared.occurred_at) || ' hit '
                || compared.target || ', which the change does not name; the most alike name in '
                || 'its scope, ' || compared.nearest || ', differs in ' || compared.distance
                || ' of ' || greatest(length(compared.asset), length(compared.nearest))
                || ' characters'
                || tie_note(compared.basis)
        end as reason,
        [compared.event, compared.change_row] as evidence
    from compared
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
        'No action is on record under a registered change.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
