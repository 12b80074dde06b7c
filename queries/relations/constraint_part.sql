-- /// relation
-- id = "constraint_part"
-- title = "Constraints of the procedures, taken apart"
-- grain = "One row per constraint and side: what one event asks of others."
-- reads = ["procedure_rule", "procedure_step"]
-- policy = ["precheck_age_hours"]
-- limitations = "Constraints on approve steps are left out: approvals are judged by rules of their own."
-- references = [
--   "Pesic, Schonenberg, van der Aalst: DECLARE, full support for loosely-structured processes, 2007",
--   "Burattin, Maggi, Sperduti: Conformance checking based on multi-perspective models, 2016",
-- ]
-- [columns]
-- procedure = "Procedure."
-- procedure_version = "Version of the procedure."
-- rule_id = "Constraint within the procedure version."
-- side = "1, or 2 for the second half of a template that asks something of both steps."
-- shape = "What is asked: before, after, any, next, previous; or count, first, last."
-- is_negated = "Whether what is asked must not be: no such event before, after, next to it."
-- act_step = "Step whose events ask for it; NULL: every irreversible event."
-- wit_step = "Step whose events fulfil it."
-- act_class = "Which events ask: ran, event, completed, success."
-- wit_class = "Which events fulfil: event (no failed attempt), success."
-- is_alternate = "Whether next and previous look at the two steps only, not at all steps."
-- within_us = "Longest distance, in microseconds."
-- hold_us = "Shortest distance, in microseconds."
-- by_actor = "different_actor or same_actor, where the account matters."
-- on_target = "different_target or same_target, where the asset matters."
-- act_where = "Conditions on the events that ask, as field=pattern; those of a field are alternatives."
-- wit_where = "Conditions on the events that fulfil."
-- template = "Template of the DECLARE family, or existence_before for pre-checks."
-- n = "Number of events that existence, absence and exactly speak of."
-- origin = "declared: a rule of the procedure; mandatory, needs, precheck, verify: of its steps."
-- is_conditional = "Whether more than the order of steps decides, in any half of the constraint."
-- position = "Order of the constraints of a procedure version."
-- ///
-- A prerequisite counts once it ended with success; the step that needs it has run whatever its
-- outcome. For a rule that the procedure declares, every event counts but a failed attempt.
-- Only what the two events have in common, their distance, account and asset, is judged pair by
-- pair; a condition on one event settles beforehand whether it counts.
with shape (template, shape, act, is_alternate) as (
    values
    ('precedence', 'before', 'b', false),
    ('existence_before', 'before', 'b', false),
    ('succession', 'before', 'b', false),
    ('response', 'after', 'a', false),
    ('succession', 'after', 'a', false),
    ('responded_existence', 'any', 'a', false),
    ('co_existence', 'any', 'a', false),
    ('co_existence', 'any', 'b', false),
    ('not_co_existence', 'any', 'a', false),
    ('not_co_existence', 'any', 'b', false),
    ('not_succession', 'after', 'a', false),
    ('not_chain_succession', 'next', 'a', false),
    ('alternate_precedence', 'previous', 'b', true),
    ('alternate_succession', 'previous', 'b', true),
    ('alternate_response', 'next', 'a', true),
    ('alternate_succession', 'next', 'a', true),
    ('chain_precedence', 'previous', 'b', false),
    ('chain_succession', 'previous', 'b', false),
    ('chain_response', 'next', 'a', false),
    ('chain_succession', 'next', 'a', false),
    ('existence', 'count', 'a', false),
    ('absence', 'count', 'a', false),
    ('exactly', 'count', 'a', false),
    ('init', 'first', 'a', false),
    ('end', 'last', 'a', false)
)

select
    procedure_rule.procedure,
    procedure_rule.version as procedure_version,
    procedure_rule.rule_id,
    row_number() over (
        partition by procedure_rule.procedure, procedure_rule.version, procedure_rule.rule_id
        order by shape.act
    ) as side,
    shape.shape,
    procedure_rule.template like 'not\_%' escape '\' as is_negated,
    if(shape.act = 'a', procedure_rule.a, procedure_rule.b) as act_step,
    if(shape.act = 'a', procedure_rule.b, procedure_rule.a) as wit_step,
    case procedure_rule.origin
        when 'needs' then 'ran'
        when 'precheck' then 'ran'
        when 'mandatory' then 'completed'
        when 'verify' then 'success'
        else 'event'
    end as act_class,
    if(procedure_rule.origin in ('needs', 'precheck'), 'success', 'event') as wit_class,
    shape.is_alternate,
    (
        1000000 * coalesce(
            procedure_rule.within_seconds,
            if(
                procedure_rule.template = 'existence_before',
                policy_number('precheck_age_hours') * 3600,
                null
            )
        )
    )::bigint as within_us,
    (1000000 * procedure_rule.hold_seconds)::bigint as hold_us,
    procedure_rule.by_actor,
    procedure_rule.on_target,
    if(shape.act = 'a', procedure_rule.where_a, procedure_rule.where_b) as act_where,
    if(shape.act = 'a', procedure_rule.where_b, procedure_rule.where_a) as wit_where,
    procedure_rule.template,
    coalesce(procedure_rule.n, 1) as n,
    procedure_rule.origin,
    procedure_rule.within_seconds is not null or procedure_rule.hold_seconds is not null
    or procedure_rule.template = 'existence_before'
    or procedure_rule.by_actor is not null or procedure_rule.on_target is not null
    or coalesce(len(procedure_rule.where_a), 0) + coalesce(len(procedure_rule.where_b), 0) > 0
        as is_conditional,
    procedure_rule.position
from procedure_rule
inner join shape on procedure_rule.template = shape.template
anti join procedure_step
    on
        procedure_rule.procedure = procedure_step.procedure
        and procedure_rule.version = procedure_step.version
        and procedure_step.kind = 'approve'
        and (
            procedure_rule.a = procedure_step.step or procedure_rule.b = procedure_step.step
        )
order by procedure_rule.procedure, procedure_rule.version, procedure_rule.rule_id, side
