-- /// relation
-- id = "conformance"
-- title = "Operations tested against the constraints of their procedure"
-- grain = "One row per operation and constraint of the procedure version in force."
-- reads = ["operation_event", "operation_span", "procedure_rule", "procedure_step"]
-- policy = ["precheck_age_hours"]
-- limitations = """
-- Operations whose procedure or version is not known have no rows, nor have constraints on approve
-- steps. Failed attempts are no occurrence of a step, but count as running one that needs another.
-- The next event is looked for among events that belong to a step.
-- """
-- references = [
--   "Pesic, Schonenberg, van der Aalst: DECLARE, full support for loosely-structured processes, 2007",
--   "Burattin, Maggi, Sperduti: Conformance checking based on multi-perspective models, 2016",
-- ]
-- [columns]
-- change_id = "Change; NULL in a session without a change."
-- rule_id = "Constraint within the procedure version."
-- verdict = "violated, undetermined, pending (still open), satisfied or not_activated."
-- activating_event = "First event that activates the constraint and has the verdict."
-- witness_event = "Event that fulfils it there; where it is violated, the nearest that does not."
-- reason = "One sentence with the measured values."
-- operation_id = "Operation."
-- procedure = "Procedure."
-- procedure_version = "Version in force at the first action."
-- template = "Template of the DECLARE family, or existence_before for pre-checks."
-- a = "First step of the constraint."
-- b = "Second step; NULL where the template has none."
-- origin = "declared: a rule of the procedure; mandatory, needs, precheck, verify: of its steps."
-- severity = "Severity of the constraint."
-- control = "Control that the constraint stands for."
-- activations = "Events that activate the constraint; for a count of events, 1."
-- violations = "Those of them that violate it for sure."
-- occurred_at = "Time of the activating event; without one, of the closure or the last action."
-- evidence = "Records that show it, those of every violation included."
-- ///

-- What a template asks of each event of one step (act): an event of another step (wit) before it,
-- after it, anywhere, next to it among the events of all steps, or of both steps (alternate), or
-- never. A witness of the classes `success` and `completed` counts from its end.
with shape as (
    select *
    from (
        values
        ('precedence', 'before', 'b', false),
        ('existence_before', 'before', 'b', false),
        ('succession', 'before', 'b', false),
        ('response', 'after', 'a', false),
        ('succession', 'after', 'a', false),
        ('responded_existence', 'any', 'a', false),
        ('co_existence', 'any', 'a', false),
        ('co_existence', 'any', 'b', false),
        ('not_co_existence', 'never', 'a', false),
        ('not_co_existence', 'never', 'b', false),
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
        ('init', 'first', 'a', false)
    ) as shape (template, shape, act, is_alternate)
),

judged as (
    select
        operation_id,
        change_id,
        closed_at,
        ended_at,
        outcome,
        evidence,
        explicit_event_count,
        procedure,
        procedure_version,
        closed_at is null and outcome = 'unknown' as is_open,
        coalesce(epoch_us(closed_at) + 62135596800000000, 1152921504606846975) as closed_us,
        row_number() over (order by operation_id) as op_no,
        dense_rank() over (order by procedure, procedure_version) as version_no
    from operation_span
    where procedure_version is not null
),

version as (
    select distinct
        version_no,
        procedure,
        procedure_version
    from judged
),

step as (
    select
        version.version_no,
        procedure_step.step,
        procedure_step.kind,
        row_number() over (
            order by version.version_no, procedure_step.position, procedure_step.step
        ) as step_no
    from version
    inner join procedure_step
        on
            version.procedure = procedure_step.procedure
            and version.procedure_version = procedure_step.version
),

model as (
    select
        version.version_no,
        version.procedure,
        version.procedure_version,
        procedure_rule.rule_id,
        procedure_rule.template,
        procedure_rule.a,
        procedure_rule.b,
        procedure_rule.origin,
        procedure_rule.severity,
        procedure_rule.control,
        procedure_rule.by_actor,
        a.step_no as a_no,
        b.step_no as b_no,
        coalesce(procedure_rule.n, 1) as n,
        (procedure_rule.hold_seconds * 1000000)::bigint as hold_us,
        (
            coalesce(
                procedure_rule.within_seconds,
                case
                    when procedure_rule.template = 'existence_before'
                        then policy_number('precheck_age_hours') * 3600
                end
            ) * 1000000
        )::bigint as within_us,
        row_number() over (
            order by version.version_no, procedure_rule.position, procedure_rule.rule_id
        ) as rule_no
    from version
    inner join procedure_rule
        on
            version.procedure = procedure_rule.procedure
            and version.procedure_version = procedure_rule.version
    inner join step as a
        on version.version_no = a.version_no and procedure_rule.a = a.step and a.kind <> 'approve'
    left join step as b
        on version.version_no = b.version_no and procedure_rule.b = b.step
    where procedure_rule.b is null or b.kind <> 'approve'
),

-- Which events count: one that `ran` in whatever way, an `event` that was no failed attempt, one
-- that is on record as `completed`, and one with outcome `success`.
part as (
    select
        model.rule_no,
        model.version_no,
        model.template,
        model.origin,
        model.n,
        model.within_us,
        model.hold_us,
        model.by_actor,
        shape.shape,
        -- Without a second step, a pre-check is asked for before every irreversible event.
        if(shape.act = 'a', model.a_no, coalesce(model.b_no, -model.version_no)) as act_step,
        if(shape.act = 'a', model.b_no, model.a_no) as wit_step,
        case
            when model.origin in ('needs', 'precheck') then 'ran'
            when model.origin = 'mandatory' then 'completed'
            when model.origin = 'verify' then 'success'
            else 'event'
        end as act_class,
        if(model.origin in ('needs', 'precheck'), 'success', 'event') as wit_class,
        if(shape.is_alternate, least(model.a_no, model.b_no), 0) as scope_lo,
        if(shape.is_alternate, greatest(model.a_no, model.b_no), 0) as scope_hi,
        row_number() over (order by model.rule_no, shape.act) as part_no,
        row_number() over (partition by model.rule_no order by shape.act) - 1 as side
    from model
    inner join shape on model.template = shape.template
),

role as (
    select
        step_no,
        class,
        row_number() over (order by step_no, class) as role_no
    from (
        select
            act_step as step_no,
            act_class as class
        from part
        union
        select
            wit_step as step_no,
            wit_class as class
        from part
        where wit_step is not null
        union
        select
            step.step_no,
            'event' as class
        from part
        inner join step on part.version_no = step.version_no
        where part.shape in ('next', 'previous', 'first') and step.kind <> 'approve'
    ) as side
),

-- Times are microseconds since the year 1, and so never negative; an event is a number of source
-- and record. A time, a number and a small count packed into one integer make the earliest event
-- come out of one comparison, always the same one among equals.
event as (
    select
        judged.op_no,
        judged.version_no,
        (operation_event.source_id::bigint << 36) | operation_event.record_no as code,
        operation_event.step,
        operation_event.possible_steps,
        operation_event.is_irreversible,
        operation_event.outcome,
        operation_event.actor,
        operation_event.occurred_at,
        epoch_us(operation_event.occurred_lo) + 62135596800000000 as lo,
        epoch_us(operation_event.occurred_hi) + 62135596800000000 as hi,
        epoch_us(operation_event.ended_at) + 62135596800000000 as ended,
        if(operation_event.basis = 'explicit', 0, 1) as doubt
    from operation_event
    inner join judged on operation_event.operation_id = judged.operation_id
),

-- Events of a step, and of every step where an event fits several equally well.
step_event as (
    select
        event.*,
        step.step_no
    from event
    inner join step on event.version_no = step.version_no and event.step = step.step
    union all
    select
        event.* exclude (possible_step) replace (event.doubt + 2 as doubt),
        step.step_no
    from (
        select
            *,
            unnest(possible_steps) as possible_step
        from event
        where possible_steps is not null
    ) as event
    inner join step on event.version_no = step.version_no and event.possible_step = step.step
),

-- Every event in every role that a constraint gives it; a `doubt` is why it may be none: 1 tied by
-- inference, 2 fits several steps, 4 outcome not known.
occurrence as (
    select
        step_event.op_no,
        role.role_no,
        step_event.code,
        step_event.actor,
        if(role.class in ('success', 'completed'), greatest(lo, coalesce(ended, lo)), lo) as lo,
        if(role.class in ('success', 'completed'), greatest(hi, coalesce(ended, hi)), hi) as hi,
        step_event.doubt
        + if(
            role.class <> 'ran'
            and (
                outcome = 'unknown' or (outcome is null and role.class in ('success', 'completed'))
            ),
            4, 0
        ) as doubt
    from step_event
    inner join role on step_event.step_no = role.step_no
    where
        role.class = 'ran'
        or step_event.outcome is null
        or (
            step_event.outcome <> 'failure'
            and (role.class <> 'success' or step_event.outcome <> 'warning')
        )
    union all
    select
        event.op_no,
        role.role_no,
        event.code,
        event.actor,
        event.lo,
        event.hi,
        event.doubt + if(event.is_irreversible is null, 2, 0) as doubt
    from event
    inner join role on event.version_no = -role.step_no
    where coalesce(event.is_irreversible, true)
),

tally as (
    select
        op_no,
        role_no,
        count(*) as n,
        count(*) filter (doubt = 0) as sure_n,
        min((hi::hugeint << 52) | code) filter (doubt = 0) as sure_first,
        max((lo::hugeint << 52) | code) filter (doubt = 0) as sure_last,
        min((lo::hugeint << 52) | code) as any_first,
        max((hi::hugeint << 52) | code) as any_last,
        bit_or(doubt) as doubt
    from occurrence
    group by op_no, role_no
),

-- The states of a test: 5 violated, 4 undetermined, 3 pending, 2 satisfied, 1 satisfied if it is
-- activated at all, 0 not activated. Constraints on the number of events are judged per operation.
counted as (
    select
        judged.op_no,
        part.rule_no,
        part.side,
        0 as lo,
        0 as code,
        coalesce(tally.sure_first, tally.any_first) as witness,
        coalesce(tally.doubt, 0) as doubt,
        case
            when part.template = 'absence' then
                case
                    when tally.sure_n >= greatest(part.n, 1) then 5
                    when tally.n >= greatest(part.n, 1) then 4
                    else 2
                end
            when part.template = 'exactly' and tally.sure_n > part.n then 5
            when
                part.template = 'exactly'
                and coalesce(tally.n, 0) = part.n and coalesce(tally.sure_n, 0) = part.n then 2
            when part.origin in ('mandatory', 'verify') and not judged.is_open then
                case
                    when tally.sure_first >> 52 < judged.closed_us then 2
                    when tally.any_first >> 52 <= judged.closed_us then 4
                    when judged.explicit_event_count > 0 then 5
                    when judged.outcome = 'cancelled' then 0
                    else 4
                end
            when part.template = 'existence' and tally.sure_n >= part.n then 2
            when tally.n >= part.n then 4
            when judged.is_open then 3
            when judged.explicit_event_count > 0 then 5
            when judged.outcome = 'cancelled' then 0
            else 4
        end as state
    from part
    inner join judged on part.version_no = judged.version_no
    inner join role on part.act_step = role.step_no and part.act_class = role.class
    left join tally on judged.op_no = tally.op_no and role.role_no = tally.role_no
    where part.shape = 'count'
),

-- Where nothing but the order matters, the first and the last event of the other step decide.
ordered as (
    select
        act.op_no,
        part.rule_no,
        part.side,
        act.lo,
        act.code,
        if(
            part.shape = 'after',
            coalesce(tally.sure_last, tally.any_last),
            coalesce(tally.sure_first, tally.any_first)
        ) as witness,
        act.doubt | coalesce(tally.doubt, 0) as doubt,
        case part.shape
            when 'before' then
                case
                    when tally.sure_first >> 52 < act.lo then 2
                    when tally.any_first >> 52 <= act.hi then 4
                    else 5
                end
            when 'after' then
                case
                    when tally.sure_last >> 52 > act.hi then 2
                    when tally.any_last >> 52 >= act.lo then 4
                    when judged.is_open then 3
                    else 5
                end
            when 'any' then
                case
                    when tally.sure_n > 0 then 2
                    when tally.n > 0 then 4
                    when judged.is_open then 3
                    else 5
                end
            else
                case
                    when tally.sure_n > 0 then 5
                    when tally.n > 0 then 4
                    else 2
                end
        end as state,
        act.doubt > 0 as is_doubtful
    from part
    inner join role as act_role
        on part.act_step = act_role.step_no and part.act_class = act_role.class
    inner join role as wit_role
        on part.wit_step = wit_role.step_no and part.wit_class = wit_role.class
    inner join occurrence as act on act_role.role_no = act.role_no
    inner join judged on act.op_no = judged.op_no
    left join tally on act.op_no = tally.op_no and wit_role.role_no = tally.role_no
    where
        part.shape in ('before', 'after', 'any', 'never')
        and part.act_step <> part.wit_step
        and part.within_us is null and part.hold_us is null and part.by_actor is null
),

-- Conditions on time and actor are tested on every pair of events.
conditional as (
    select
        part.part_no,
        act.op_no,
        act.code,
        act.lo,
        act.hi,
        act.actor,
        act.doubt,
        wit.code as wit_code,
        wit.lo as wit_lo,
        wit.hi as wit_hi,
        wit.actor as wit_actor,
        wit.doubt as wit_doubt,
        wit.code is not null as is_wit,
        false as is_beside
    from part
    inner join role as act_role
        on part.act_step = act_role.step_no and part.act_class = act_role.class
    inner join role as wit_role
        on part.wit_step = wit_role.step_no and part.wit_class = wit_role.class
    inner join occurrence as act on act_role.role_no = act.role_no
    left join occurrence as wit
        on
            act.op_no = wit.op_no
            and wit_role.role_no = wit.role_no
            and act.code <> wit.code
    where
        part.shape in ('before', 'after', 'any', 'never')
        and (
            part.act_step = part.wit_step
            or part.within_us is not null or part.hold_us is not null
            or part.by_actor is not null
        )
),
-- Events in order, once with all steps and once for each pair of steps of an alternate template.
-- Events whose order is not known share a block; blocks follow one another for sure.
scope as (
    select
        version_no,
        scope_lo,
        scope_hi,
        row_number() over (order by version_no, scope_lo, scope_hi) as scope_no
    from (
        select distinct
            version_no,
            scope_lo,
            scope_hi
        from part
        where shape in ('next', 'previous', 'first')
    ) as pair
),

trace as (
    select
        occurrence.*,
        scope.scope_no,
        role.step_no,
        coalesce(
            occurrence.lo > max(occurrence.hi) over (
                partition by occurrence.op_no, scope.scope_no
                order by occurrence.lo, occurrence.hi, occurrence.code
                rows between unbounded preceding and 1 preceding
            ),
            true
        ) as is_start
    from scope
    inner join step
        on
            scope.version_no = step.version_no
            and (scope.scope_lo = 0 or step.step_no in (scope.scope_lo, scope.scope_hi))
    inner join role on step.step_no = role.step_no and role.class = 'event'
    inner join occurrence on role.role_no = occurrence.role_no
    where step.kind <> 'approve'
),

numbered as (
    select
        *,
        count(*) filter (is_start) over in_order as block_no,
        is_start and coalesce(lead(is_start) over in_order, true) as is_alone
    from trace
    window in_order as (partition by op_no, scope_no order by lo, hi, code)
),

-- An event beside another is in the next or the previous block, or in its own.
reach as (
    select
        part.part_no,
        part.act_step,
        part.wit_step,
        scope.scope_no,
        side.distance
    from part
    inner join scope
        on
            part.version_no = scope.version_no
            and part.scope_lo = scope.scope_lo
            and part.scope_hi = scope.scope_hi
    inner join (
        values ('next', 0), ('next', 1), ('previous', 0), ('previous', -1)
    ) as side (shape, distance)
        on part.shape = side.shape
),

neighbour as (
    select
        reach.part_no,
        act.op_no,
        act.code,
        act.lo,
        act.hi,
        act.actor,
        act.doubt,
        wit.code as wit_code,
        wit.lo as wit_lo,
        wit.hi as wit_hi,
        wit.actor as wit_actor,
        wit.doubt as wit_doubt,
        wit.step_no = reach.wit_step as is_wit,
        wit.block_no <> act.block_no as is_beside
    from reach
    inner join numbered as act
        on
            reach.scope_no = act.scope_no
            and reach.act_step = act.step_no
            and not (act.is_alone and reach.distance = 0)
    left join numbered as wit
        on
            act.op_no = wit.op_no
            and act.scope_no = wit.scope_no
            and act.block_no + reach.distance = wit.block_no
            and act.code <> wit.code
),

-- Distances leave out that a record states no fraction of its second.
measured as (
    select
        pair.*,
        if(pair.hi - pair.lo < 1000000, pair.lo, pair.hi) as far,
        if(pair.wit_hi - pair.wit_lo < 1000000, pair.wit_lo, pair.wit_hi) as wit_far
    from (
        select * from conditional
        union all
        select * from neighbour
    ) as pair
),

tested as (
    select
        measured.*,
        part.rule_no,
        part.shape,
        part.hold_us,
        greatest(wit_far - lo, far - wit_lo) as gap_max,
        greatest(0, wit_lo - far, lo - wit_far) as gap_min,
        case
            when part.shape in ('before', 'previous') then wit_hi < lo
            when part.shape in ('after', 'next') then hi < wit_lo
            else true
        end as is_ordered,
        case
            when part.shape in ('before', 'previous') then wit_lo <= hi
            when part.shape in ('after', 'next') then lo <= wit_hi
            else true
        end as may_be_ordered,
        case part.by_actor
            when 'different_actor' then lower(actor) <> lower(wit_actor)
            when 'same_actor' then lower(actor) = lower(wit_actor)
            else true
        end as is_by_actor,
        part.within_us
    from measured
    inner join part on measured.part_no = part.part_no
),

weighed as (
    select
        *,
        is_wit and wit_doubt = 0
        and coalesce(is_by_actor, false)
        and coalesce(gap_max <= within_us, true)
        and coalesce(gap_min >= hold_us, true) as is_good,
        is_wit and may_be_ordered
        and coalesce(is_by_actor, true)
        and coalesce(gap_min <= within_us, true)
        and coalesce(gap_max >= hold_us, true) as may_be_good,
        coalesce(is_ordered and wit_doubt = 0 and gap_max < hold_us, false) as is_too_soon,
        coalesce(may_be_ordered and gap_min < hold_us, false) as may_be_too_soon
    from tested
),

conditioned as (
    select
        part_no,
        op_no,
        code,
        any_value(lo) as lo,
        any_value(doubt) as doubt,
        min(
            (case
                when is_good and is_ordered then 0
                when may_be_good then 1
                else 2
            end::hugeint << 116) | (gap_min::hugeint << 52) | wit_code
        ) as witness,
        coalesce(bit_or(wit_doubt) filter (may_be_good or is_beside), 0) as wit_doubt,
        coalesce(bool_or(is_good and is_ordered), false)
        and not bool_or(may_be_too_soon) as is_met,
        coalesce(bool_or(may_be_good), false) and not bool_or(is_too_soon) as may_be_met,
        coalesce(bool_and(is_good) filter (wit_code is not null), false) as are_all_good,
        count(*) filter (is_beside) as beside_n,
        count(*) filter (is_beside and wit_doubt = 0) as beside_sure_n
    from weighed
    group by part_no, op_no, code
),

paired as (
    select
        conditioned.op_no,
        part.rule_no,
        part.side,
        conditioned.lo,
        conditioned.code,
        conditioned.witness,
        conditioned.doubt | conditioned.wit_doubt as doubt,
        case
            when part.shape = 'never' then
                case
                    when conditioned.is_met then 5
                    when conditioned.may_be_met then 4
                    else 2
                end
            when part.shape in ('next', 'previous') then
                case
                    when conditioned.are_all_good and conditioned.beside_n > 0 then 2
                    when conditioned.may_be_met then 4
                    when conditioned.beside_n > 0 and conditioned.beside_sure_n = 0 then 4
                    when part.shape = 'next' and conditioned.beside_n = 0 and judged.is_open then 3
                    else 5
                end
            when conditioned.is_met then 2
            when conditioned.may_be_met then 4
            when part.shape <> 'before' and judged.is_open then 3
            else 5
        end as state,
        conditioned.doubt > 0 as is_doubtful
    from conditioned
    inner join part on conditioned.part_no = part.part_no
    inner join judged on conditioned.op_no = judged.op_no
),

-- The first event, or those that can be it.
opening as (
    select
        numbered.op_no,
        part.rule_no,
        part.side,
        min((numbered.lo::hugeint << 52) | numbered.code) as first_event,
        bit_or(numbered.doubt) as doubt,
        case
            when bool_and(numbered.step_no = part.act_step and numbered.doubt = 0) then 2
            when bool_or(numbered.step_no = part.act_step) or bool_and(numbered.doubt > 0) then 4
            else 5
        end as state
    from part
    inner join scope on part.version_no = scope.version_no and scope.scope_lo = 0
    inner join numbered on scope.scope_no = numbered.scope_no and numbered.block_no = 1
    where part.shape = 'first'
    group by numbered.op_no, part.rule_no, part.side
),

-- Without the last select, a constraint that nothing activates would be left out.
test as (
    select
        *,
        false as is_doubtful
    from counted
    union all
    select * from ordered
    union all
    select * from paired
    union all
    select
        op_no,
        rule_no,
        side,
        first_event >> 52 as lo,
        first_event & 4503599627370495 as code,
        0 as witness,
        doubt,
        state,
        false as is_doubtful
    from opening
    union all
    select
        judged.op_no,
        model.rule_no,
        0 as side,
        0 as lo,
        0 as code,
        0 as witness,
        0 as doubt,
        0 as state,
        false as is_doubtful
    from judged
    inner join model on judged.version_no = model.version_no
),

settled as (
    select
        (op_no << 20) | rule_no as cell,
        code,
        doubt,
        coalesce((witness & 4503599627370495)::bigint, 0) as witness,
        case
            when not is_doubtful then state
            when state = 2 then 1
            when state in (3, 5) then 4
            else state
        end as final_state,
        ((5 - final_state)::hugeint << 116) | (lo::hugeint << 53) | (code::hugeint << 1) | side
            as key
    from test
),

-- The worst state of all tests of a constraint, and the first event that has it.
result as (
    select
        cell >> 20 as op_no,
        cell & 1048575 as rule_no,
        5 - (min(key) >> 116)::integer as state,
        (min(key) & 1)::integer as side,
        ((min(key) >> 1) & 4503599627370495)::bigint as code,
        arg_min(witness, key) as witness,
        arg_min(doubt, key) as doubt,
        count(*) filter (final_state > 0) as activations,
        count(*) filter (final_state = 5) as violations,
        list(code) filter (final_state = 5 and code > 0) as codes
    from settled
    group by cell
),

told as (
    select
        result.op_no,
        result.rule_no,
        result.activations,
        result.violations,
        result.doubt,
        judged.change_id,
        judged.operation_id,
        judged.closed_at,
        judged.ended_at,
        judged.explicit_event_count,
        judged.evidence as change_evidence,
        model.rule_id,
        model.template,
        model.a,
        model.b,
        model.origin,
        model.severity,
        model.control,
        model.procedure,
        model.procedure_version,
        part.shape,
        act.occurred_at as act_at,
        wit.occurred_at as wit_at,
        case result.state
            when 5 then 'violated'
            when 4 then 'undetermined'
            when 3 then 'pending'
            when 2 then 'satisfied'
            when 1 then 'undetermined'
            else 'not_activated'
        end as verdict,
        if(result.code > 0, (result.code >> 36) || ':' || (result.code & 68719476735), null)
            as activating_event,
        if(result.witness > 0, (result.witness >> 36) || ':' || (result.witness & 68719476735), null)
            as witness_event,
        if(
            result.violations > 1,
            list_transform(
                result.codes, lambda code: (code >> 36) || ':' || (code & 68719476735)
            ),
            []
        ) as violating_events,
        case
            when part.act_step < 0 then 'The irreversible event'
            else 'Step ' || if(part.act_step = model.a_no, model.a, model.b)
        end as act_name,
        'step ' || if(part.wit_step = model.a_no, model.a, model.b) as wit_name,
        case
            when model.origin = 'mandatory' then 'completed event'
            when model.origin = 'declared' then 'event'
            else 'successful event'
        end as kind_of_event,
        case part.shape
            when 'before' then ' before it'
            when 'after' then ' after it'
            when 'next' then ' next to it'
            when 'previous' then ' just before it'
            else ' in the operation'
        end
        || if(
            part.within_us is null, '', ' within ' || in_words(to_microseconds(part.within_us))
        )
        || if(
            part.hold_us is null, '',
            ' with ' || in_words(to_microseconds(part.hold_us)) || ' between'
        )
        || case part.by_actor
            when 'different_actor' then ' by another account'
            when 'same_actor' then ' by the same account'
            else ''
        end as place
    from result
    inner join judged on result.op_no = judged.op_no
    inner join model on result.rule_no = model.rule_no
    inner join part on result.rule_no = part.rule_no and result.side = part.side
    left join event as act on result.code = act.code
    left join event as wit on result.witness = wit.code and result.state <> 2
)

select
    change_id,
    rule_id,
    verdict,
    activating_event,
    witness_event,
    case
        when verdict = 'not_activated' then 'No event of the operation activates the constraint.'
        when shape = 'count' and verdict = 'undetermined' and explicit_event_count = 0
            then 'No event that names the operation is on record.'
        when verdict = 'undetermined'
            then 'The evidence does not decide whether '
            || case
                when shape = 'count' then 'step ' || a || ' took place as asked for'
                when shape = 'first' then 'the operation began with step ' || a
                else lower(act_name[1]) || act_name[2:] || ' at ' || utc(act_at)
                    || if(shape = 'never', ' excludes ', ' has ') || wit_name || place
            end
            || ': '
            || case
                when doubt & 1 > 0 then 'an event is tied to the operation by inference'
                when doubt & 2 > 0 then 'an event fits several steps'
                when doubt & 4 > 0 then 'the outcome of an event is not on record'
                else 'the times of the events overlap'
            end
            || '.'
        when shape = 'count' and verdict = 'violated' and template = 'existence'
            then 'Step ' || a || ' has no ' || kind_of_event || ' on record'
            || if(
                origin = 'declared', '',
                coalesce(' before the change closed at ' || utc(closed_at), '')
                || coalesce('; the first is at ' || utc(wit_at), '')
            )
            || '.'
        when shape = 'count' and verdict = 'pending'
            then 'Step ' || a || ' has no ' || kind_of_event || ' on record yet; the change is open.'
        when shape = 'count' and verdict = 'violated'
            then 'Step ' || a || ' does not occur as often as the constraint asks for.'
        when shape = 'count' then 'Step ' || a || ' occurs as the constraint asks for.'
        when shape = 'first' and verdict = 'violated'
            then 'The operation began at ' || utc(act_at) || ' with another step than ' || a || '.'
        when shape = 'first' then 'The operation began with step ' || a || '.'
        when verdict = 'violated'
            then act_name || ' at ' || utc(act_at)
            || if(shape = 'never', ' stands together with ', ' has no ' || kind_of_event || ' of ')
            || wit_name || place
            || if(shape = 'never', '', coalesce('; the nearest event is at ' || utc(wit_at), ''))
            || if(activations > 1, ' (' || violations || ' of ' || activations || ' events)', '')
            || '.'
        when verdict = 'pending'
            then act_name || ' at ' || utc(act_at) || ' has no ' || kind_of_event || ' of '
            || wit_name || place || ' yet; the change is open.'
        else activations || if(activations = 1, ' event', ' events') || ' of '
            || lower(act_name[1]) || act_name[2:] || if(shape = 'never', ' without ', ' with ')
            || wit_name || place || '.'
    end as reason,
    operation_id,
    procedure,
    procedure_version,
    template,
    a,
    b,
    origin,
    severity,
    control,
    activations,
    violations,
    coalesce(act_at, closed_at, ended_at) as occurred_at,
    case
        when verdict = 'not_activated' then []
        when len(violating_events) > 0 or activating_event is null or witness_event is null
            then list_sort(list_distinct(list_filter(
                list_concat(
                    [
                        activating_event,
                        witness_event,
                        if(activating_event is null, change_evidence, null)
                    ],
                    violating_events
                ),
                lambda record: record is not null
            )))
        when activating_event < witness_event then [activating_event, witness_event]
        else [witness_event, activating_event]
    end as evidence
from told
order by op_no, rule_no
