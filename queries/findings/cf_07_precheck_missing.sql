-- /// finding
-- id = "CF-07"
-- slug = "precheck-missing"
-- title = "No successful pre-check within the age limit before an irreversible action is on record"
-- rule_class = "D"
-- level = "act"
-- severity = "high"
-- criteria = "Each pre-check succeeds within the age limit before every irreversible action."
-- effect = "No record shows that the state on which the action rested had been looked at recently."
-- recommendation = "Tie irreversible steps to the result of a check made before, and let that result expire."
-- questions = [
--     "Was the check made with another tool, or recorded elsewhere?",
--     "Does a monitoring system check the same thing all the time?",
-- ]
-- codes = ["hfacs-7.0:AE102", "sherpa:C1", "uca:1", "dora:4.3.change_management"]
-- candidate_codes = ["dora:4.2.human_error_omission"]
-- controls = ["nist800-53r5:CM-3(2)", "nist800-53r5:CM-4", "soc2:CC8.1"]
-- needs = ["procedure", "maintenance_event"]
-- reads = ["conformance", "operation_event", "operation_span", "procedure_step"]
-- limitations = "Pre-checks are those of the procedure; checks outside of it are not seen."
-- ///
with

-- Operations with an irreversible event, or with one of which that is not known.
tested as (
    select
        operation_event.operation_id,
        bool_or(coalesce(operation_event.is_irreversible, false)) as is_irreversible,
        min(operation_event.occurred_at) as occurred_at,
        min(operation_event.evidence) as event
    from operation_event
    where
        coalesce(operation_event.is_irreversible, true)
        and not operation_event.is_read_only
    group by operation_event.operation_id
),

judged as (
    select
        conformance.operation_id,
        operation_event.target,
        case
            when not tested.is_irreversible then 'undetermined'
            when conformance.verdict = 'violated' then 'exception'
            when conformance.verdict = 'satisfied' then 'ok'
            when conformance.verdict = 'not_activated' then 'not_applicable'
            else 'undetermined'
        end as status,
        conformance.occurred_at,
        conformance.activating_event as event,
        rtrim(conformance.reason, '.') as reason,
        conformance.a as brief,
        conformance.evidence
    from conformance
    inner join tested on conformance.operation_id = tested.operation_id
    inner join procedure_step
        on
            conformance.procedure = procedure_step.procedure
            and conformance.procedure_version = procedure_step.version
            and conformance.a = procedure_step.step
            and procedure_step.mandatory
    left join operation_event
        on
            conformance.operation_id = operation_event.operation_id
            and conformance.activating_event = operation_event.evidence
    where conformance.origin = 'precheck'
    union all
    select
        tested.operation_id,
        null as target,
        'undetermined' as status,
        tested.occurred_at,
        tested.event,
        'The procedure in force is not known, nor its pre-checks' as reason,
        null as brief,
        [tested.event, operation_span.evidence] as evidence
    from tested
    inner join operation_span on tested.operation_id = operation_span.operation_id
    where operation_span.procedure_version is null
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
            judged.status, judged.brief, judged.occurred_at, judged.event, judged.reason
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
        'No irreversible action is on record, or its procedure has no mandatory pre-check.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
