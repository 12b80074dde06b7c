-- /// finding
-- id = "CF-09"
-- slug = "no-rollback-plan"
-- title = "The record of a change with an irreversible step states no rollback reference"
-- rule_class = "D"
-- level = "supervision"
-- severity = "high"
-- criteria = "A change that carries out an irreversible step refers to a plan for falling back."
-- effect = "No prepared way back is on record for the case that the step went wrong."
-- recommendation = "Ask each change for its fall-back plan, or for a signed statement that there is none."
-- questions = [
--     "Does the procedure itself describe how to fall back?",
--     "Is the plan kept in a field or an annex that was not exported?",
-- ]
-- codes = ["hfacs-7.0:SP006",
--     "dora:4.2.process_failure_inadequacy_of_internal_policies_procedures_and_documentation"]
-- candidate_codes = ["hfacs-7.0:PP109"]
-- controls = ["dora-rts:17(1)(e)", "nist800-53r5:CM-3", "nist800-53r5:CP-10"]
-- needs = ["change"]
-- reads = ["change", "operation_event", "operation_span"]
-- limitations = "Whether the plan referred to would work is not tested."
-- ///
with

-- Irreversible events that were, or may have been, carried out.
done as (
    select
        operation_event.operation_id,
        operation_event.occurred_at,
        operation_event.action,
        operation_event.target,
        operation_event.evidence as event,
        concat_ws(
            ' and ',
            if(
                coalesce(operation_event.outcome, 'unknown') = 'unknown',
                'whether it was carried out, since its outcome is not stated,',
                null
            ),
            if(operation_event.is_irreversible is null, 'whether it can be undone', null),
            if(
                operation_event.basis <> 'explicit',
                'whether it belongs to the change, to which it is tied by inference,',
                null
            )
        ) as open_points,
        operation_event.is_irreversible is not null
        and operation_event.outcome in ('success', 'warning')
        and operation_event.basis = 'explicit' as is_sure
    from operation_event
    where
        coalesce(operation_event.is_irreversible, true)
        and not operation_event.is_read_only
        and coalesce(operation_event.outcome, 'unknown') <> 'failure'
),

judged as (
    select
        operation_span.operation_id,
        done.target,
        case
            when trim(change.rollback_ref) <> '' then 'ok'
            when coalesce(done.is_sure, false) then 'exception'
            else 'undetermined'
        end as status,
        done.occurred_at,
        done.event,
        case
            when trim(change.rollback_ref) <> ''
                then
                    'The change refers to ' || trim(change.rollback_ref)
                    || ' for falling back from ' || done.action
            else
                'The change states no rollback reference, and ' || done.action || ' on '
                || coalesce(done.target, 'no stated target') || ' is on record at '
                || utc(done.occurred_at)
                || case
                    when coalesce(done.is_sure, false) then ''
                    else '; open is ' || rtrim(done.open_points, ',')
                end
        end as reason,
        [done.event, pointer(change.source_id, change.record_no)] as evidence
    from done
    inner join operation_span on done.operation_id = operation_span.operation_id
    inner join change on operation_span.change_id = change.change_id
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
        'No irreversible step was carried out under a registered change.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
