-- /// relation
-- id = "constraint_verdict"
-- title = "Verdicts on every constraint of every operation"
-- grain = "One row per operation and constraint of the procedure version in force."
-- reads = ["constraint_part", "operation_event", "operation_span", "procedure_step"]
-- limitations = """
-- Each event is judged for itself: where one of two events deviates for sure, but which of them is
-- not known, the verdict is undetermined. The next event is looked for among events of a step.
-- """
-- [columns]
-- operation_id = "Operation."
-- rule_id = "Constraint within the procedure version."
-- verdict = "violated, undetermined, pending (still open), satisfied or not_activated."
-- side = "Side of the constraint that the verdict comes from."
-- act_code = "First event with the verdict, as source_id * 2^36 + record_no; 0: none."
-- wit_code = "Event that fulfils it there, else the nearest that does not; 0: none."
-- doubt = "Why it is undetermined, added up: 1 inferred link, 2 several steps fit, 4 no outcome."
-- activations = "Events that activate the constraint; for a count of events, 1."
-- violations = "Those of them that violate it for sure."
-- violating_codes = "The events that violate it, where there are several."
-- ///
with version as (
    select
        procedure,
        procedure_version,
        row_number() over (order by procedure, procedure_version) as version_no
    from (
        select distinct
            procedure,
            procedure_version
        from constraint_part
    ) as named
),

judged as (
    select
        operation_span.operation_id,
        operation_span.outcome,
        operation_span.explicit_event_count,
        version.version_no,
        operation_span.closed_at is null and operation_span.outcome = 'unknown' as is_open,
        coalesce(
            epoch_us(operation_span.closed_at) + 62135596800000000, 1152921504606846975
        ) as closed,
        row_number() over (order by operation_span.operation_id) as op_no
    from operation_span
    inner join version
        on
            operation_span.procedure = version.procedure
            and operation_span.procedure_version = version.procedure_version
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

part as (
    select
        constraint_part.* exclude (act_step, wit_step),
        version.version_no,
        -- Where no step is named, every irreversible event asks.
        coalesce(act.step_no, -version.version_no) as act_step,
        wit.step_no as wit_step,
        if(constraint_part.is_alternate, least(act.step_no, wit.step_no), 0) as scope_lo,
        if(constraint_part.is_alternate, greatest(act.step_no, wit.step_no), 0) as scope_hi,
        dense_rank() over (
            order by version.version_no, constraint_part.position, constraint_part.rule_id
        ) as rule_no,
        row_number() over (
            order by
                version.version_no,
                constraint_part.position,
                constraint_part.rule_id,
                constraint_part.side
        ) as part_no
    from constraint_part
    inner join version
        on
            constraint_part.procedure = version.procedure
            and constraint_part.procedure_version = version.procedure_version
    left join step as act
        on version.version_no = act.version_no and constraint_part.act_step = act.step
    left join step as wit
        on version.version_no = wit.version_no and constraint_part.wit_step = wit.step
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
    ) as asked
),

-- An event is a number of source and record, a time the microseconds since the year 1, so that none
-- is negative. Packed into one integer they make the earliest event come out of one comparison,
-- always the same one among equals. A `doubt` is why an event may not count: 1 tied by inference,
-- 2 fits several steps, 4 outcome not known.
event as (
    select
        judged.op_no,
        judged.version_no,
        (source_id::bigint << 36) | record_no as code,
        unnest(coalesce(possible_steps, [step])) as step,
        is_irreversible,
        operation_event.outcome,
        actor,
        epoch_us(occurred_lo) + 62135596800000000 as lo,
        epoch_us(occurred_hi) + 62135596800000000 as hi,
        coalesce(epoch_us(operation_event.ended_at) + 62135596800000000, lo) as ended,
        if(basis = 'explicit', 0, 1) as link_doubt,
        link_doubt + if(possible_steps is null, 0, 2) as doubt
    from operation_event
    inner join judged on operation_event.operation_id = judged.operation_id
),

-- Every event in every role that a constraint gives it.
occurrence as (
    select
        event.op_no,
        role.role_no,
        event.code,
        event.actor,
        if(role.class in ('success', 'completed'), greatest(lo, ended), lo) as lo,
        if(role.class in ('success', 'completed'), greatest(hi, ended), hi) as hi,
        doubt | case
            when role.class = 'ran' then 0
            when outcome = 'unknown' then 4
            when outcome is null and role.class <> 'event' then 4
            else 0
        end as doubt
    from event
    inner join step on event.version_no = step.version_no and event.step = step.step
    inner join role on step.step_no = role.step_no
    where
        role.class = 'ran'
        or coalesce(outcome <> 'failure', true)
        and not coalesce(outcome = 'warning' and role.class = 'success', false)
    union all
    select distinct
        op_no,
        role.role_no,
        code,
        actor,
        lo,
        hi,
        link_doubt | if(is_irreversible is null, 2, 0) as doubt
    from event
    inner join role on event.version_no = -role.step_no
    where coalesce(is_irreversible, true)
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
            when tally.n is null and judged.explicit_event_count = 0 and judged.is_open then 3
            when tally.n is null and judged.explicit_event_count = 0
                then if(judged.outcome = 'cancelled', 0, 4)
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
                    when tally.sure_first >> 52 < judged.closed then 2
                    when tally.any_first >> 52 <= judged.closed then 4
                    else 5
                end
            when part.template = 'existence' and tally.sure_n >= part.n then 2
            when tally.n >= part.n then 4
            when judged.is_open then 3
            else 5
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
        code,
        any_value(op_no) as op_no,
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
    group by part_no, code
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
        part.rule_no,
        1 as side,
        0 as lo,
        0 as code,
        0 as witness,
        0 as doubt,
        0 as state,
        false as is_doubtful
    from judged
    inner join part on judged.version_no = part.version_no
    where part.side = 1 and part.shape <> 'count'
),

settled as (
    select
        (op_no << 20) | rule_no as cell,
        code,
        coalesce((witness & 4503599627370495)::bigint, 0) as witness,
        case
            when not is_doubtful then state
            when state = 2 then 1
            when state in (3, 5) then 4
            else state
        end as final_state,
        ((5 - final_state)::hugeint << 120) | (lo::hugeint << 56) | (code::hugeint << 4)
        | ((side - 1) << 3) | doubt as key
    from test
),

-- The worst state of all tests of a constraint, and the first event that has it.
result as (
    select
        cell >> 20 as op_no,
        cell & 1048575 as rule_no,
        5 - (min(key) >> 120)::integer as state,
        ((min(key) >> 3) & 1)::integer + 1 as side,
        ((min(key) >> 4) & 4503599627370495)::bigint as code,
        arg_min(witness, key) as witness,
        (min(key) & 7)::integer as doubt,
        count(*) filter (final_state > 0) as activations,
        count(*) filter (final_state = 5) as violations,
        list(code) filter (final_state = 5 and code > 0) as codes
    from settled
    group by cell
)

select
    judged.operation_id,
    part.rule_id,
    case result.state
        when 5 then 'violated'
        when 4 then 'undetermined'
        when 3 then 'pending'
        when 2 then 'satisfied'
        when 1 then 'undetermined'
        else 'not_activated'
    end as verdict,
    result.side,
    result.code as act_code,
    result.witness as wit_code,
    result.doubt,
    result.activations,
    result.violations,
    if(result.violations > 1, result.codes, []) as violating_codes
from result
inner join judged on result.op_no = judged.op_no
inner join part on result.rule_no = part.rule_no and part.side = 1
order by result.op_no, result.rule_no
