-- /// finding
-- id = "CF-01"
-- slug = "step-skipped"
-- title = "A mandatory step has no completed event on record before the change closed"
-- rule_class = "D"
-- level = "act"
-- severity = "high"
-- criteria = "Every mandatory step of the procedure in force completes before the change closes."
-- effect = "Nothing shows that what the step protects was in place when the change was taken as finished."
-- recommendation = "Let a change close only when each mandatory step of its procedure has a record of its own."
-- questions = [
--     "Was the step done by hand, or with a tool whose log is not among the evidence?",
--     "Did the procedure allow to leave the step out in this case?",
-- ]
-- codes = ["hfacs-7.0:AE102", "hfacs-7.0:AE103", "sherpa:A8", "cream:sequence-omission", "uca:1",
--     "veris:error.maintenance", "dora:4.3.change_management"]
-- candidate_codes = ["dora:4.2.human_error_omission", "gems:lapse", "gems:slip", "gems:violation"]
-- controls = ["soc2:CC8.1", "nist800-53r5:CM-3", "iso27001:A.5.37", "nis2:6.4.2"]
-- needs = ["change", "procedure", "maintenance_event"]
-- reads = ["conformance", "operation_span"]
-- limitations = "A step is known by the name in its record, or by what its action is called."
-- ///
with

-- A change that was called off before anything ran has no step to miss.
tested as (
    select operation_span.*
    from operation_span
    where not (
        operation_span.outcome is not distinct from 'cancelled'
        and operation_span.started_at is null
    )
),

judged as (
    select
        conformance.operation_id,
        null::varchar as target,
        case conformance.verdict
            when 'violated' then 'exception'
            when 'satisfied' then 'ok'
            when 'not_activated' then 'not_applicable'
            else 'undetermined'
        end as status,
        conformance.occurred_at,
        conformance.activating_event as event,
        rtrim(conformance.reason, '.') as reason,
        conformance.a as brief,
        list_append(conformance.evidence, tested.evidence) as evidence
    from conformance
    inner join tested on conformance.operation_id = tested.operation_id
    where conformance.origin = 'mandatory'
    union all
    select
        tested.operation_id,
        null as target,
        'undetermined' as status,
        tested.started_at as occurred_at,
        null as event,
        'The procedure in force is not known, nor which of its steps are mandatory' as reason,
        null as brief,
        [tested.evidence] as evidence
    from tested
    where tested.procedure_version is null
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
        'The operation was cancelled before any action, or its procedure has no mandatory step.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
