-- /// finding
-- id = "CF-02"
-- slug = "premature-step"
-- title = "A step ran before a step that it needs was on record as completed"
-- rule_class = "D"
-- level = "act"
-- severity = "critical"
-- criteria = "A step runs only after every step that it needs has completed with success."
-- effect = "The step ran in a state that the procedure does not foresee for it, as far as the record shows."
-- recommendation = "Have the maintenance tool refuse a step until those that it depends on have succeeded on record."
-- questions = [
--     "Was the prerequisite met in another way, or recorded elsewhere?",
--     "Did the person see a state of the prerequisite that differs from the record?",
-- ]
-- codes = ["hfacs-7.0:AE103", "hfacs-7.0:AE107", "sherpa:A2", "cream:timing-too-early",
--     "cream:sequence-skip-forward", "uca:3", "dora:4.3.change_management"]
-- candidate_codes = ["dora:4.2.human_error_mistake", "gems:slip",
--     "gems:violation"]
-- controls = ["soc2:CC8.1", "nist800-53r5:CM-3(2)", "iso27001:A.8.32"]
-- needs = ["procedure", "maintenance_event"]
-- reads = ["conformance", "operation_event", "operation_span", "procedure_rule"]
-- limitations = "Order is claimed only where the times, with their uncertainty, do not overlap."
-- ///
with

-- What a step needs, and what the procedure declares to come first without further condition.
prerequisite as (
    select
        conformance.operation_id,
        conformance.verdict,
        conformance.occurred_at,
        conformance.activating_event,
        conformance.reason,
        conformance.a,
        conformance.b,
        conformance.evidence
    from conformance
    inner join procedure_rule
        on
            conformance.procedure = procedure_rule.procedure
            and conformance.procedure_version = procedure_rule.version
            and conformance.rule_id = procedure_rule.rule_id
    where
        procedure_rule.origin = 'needs'
        or (
            procedure_rule.origin = 'declared'
            and procedure_rule.template in ('precedence', 'alternate_precedence')
            and procedure_rule.within_seconds is null
            and procedure_rule.by_actor is null
        )
),

judged as (
    select
        prerequisite.operation_id,
        operation_event.target,
        case prerequisite.verdict
            when 'violated' then 'exception'
            when 'satisfied' then 'ok'
            when 'not_activated' then 'not_applicable'
            else 'undetermined'
        end as status,
        prerequisite.occurred_at,
        prerequisite.activating_event as event,
        rtrim(prerequisite.reason, '.') as reason,
        prerequisite.a || ' before ' || prerequisite.b as brief,
        prerequisite.evidence
    from prerequisite
    left join operation_event
        on
            prerequisite.operation_id = operation_event.operation_id
            and prerequisite.activating_event = operation_event.evidence
    union all
    select
        operation_span.operation_id,
        null as target,
        'undetermined' as status,
        operation_span.started_at as occurred_at,
        null as event,
        'The procedure in force is not known, nor what its steps need' as reason,
        null as brief,
        [operation_span.evidence] as evidence
    from operation_span
    where operation_span.procedure_version is null and operation_span.started_at is not null
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
        'No step ran that needs another one.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
