-- /// finding
-- id = "CF-26"
-- slug = "verification-missing"
-- title = "A closed change has no successful verification on record"
-- rule_class = "D"
-- level = "act"
-- severity = "medium"
-- criteria = "Every mandatory verify step succeeds before the change closes."
-- effect = "No record shows that the result was looked at before the change was closed."
-- recommendation = "Let a change close only with the record of a successful verification."
-- questions = [
--     "Was the verification made with another tool, or recorded elsewhere?",
--     "Did monitoring show the result all the time?",
-- ]
-- codes = ["hfacs-7.0:AE102", "sherpa:C1", "uca:1", "dora:4.3.change_management"]
-- controls = ["nist800-53r5:MA-2", "nist800-53r5:CM-4(2)", "soc2:CC8.1"]
-- needs = ["procedure", "maintenance_event"]
-- reads = ["conformance", "operation_span"]
-- limitations = """
-- Verify steps are those of the procedure; checks outside of it are not seen. A verify step in the
-- very second of the closing counts as before it, unless the times of both are stated more finely."""
-- ///
with

-- A change that was called off before anything ran has nothing to verify.
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
    where conformance.origin = 'verify'
    union all
    select
        tested.operation_id,
        null as target,
        'undetermined' as status,
        tested.started_at as occurred_at,
        null as event,
        'The procedure in force is not known, nor its verify steps' as reason,
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
        'The operation was cancelled before any action, or its procedure has no verify step.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
