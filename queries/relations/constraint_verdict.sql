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
        wit.step_no as wit_step,
        -- Where no step is named, every irreversible event asks.
        coalesce(act.step_no, -version.version_no) as act_step,
        10 * coalesce(act.step_no, -version.version_no)
        + list_position(['ran', 'event', 'completed', 'success'], act_class) as act_role,
        10 * wit.step_no
        + list_position(['ran', 'event', 'completed', 'success'], wit_class) as wit_role,
        if(is_alternate, [act.step_no, wit.step_no], []) as only_steps,
        dense_rank() over (order by version.version_no, is_alternate, list_sort(only_steps))
            as scope_no,
        shape in ('next', 'previous', 'first') as is_placed,
        dense_rank() over (order by version.version_no, position, rule_id) as rule_no,
        row_number() over (order by version.version_no, position, rule_id, side) as part_no
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

-- Events are put in order once with all steps, and once for each pair of an alternate template.
scope as (
    select distinct
        part.scope_no,
        step.step_no,
        10 * step.step_no + 2 as role_no
    from part
    inner join step
        on
            part.version_no = step.version_no
            and (not part.is_alternate or list_contains(part.only_steps, step.step_no))
    where part.is_placed and step.kind <> 'approve'
),

role as (
    select
        act_role as role_no,
        act_step as step_no,
        act_class as class
    from part
    union
    select
        wit_role as role_no,
        wit_step as step_no,
        wit_class as class
    from part
    where wit_step is not null
    union
    select
        role_no,
        step_no,
        'event' as class
    from scope
),

-- An event is a number of source and record, a time the microseconds since year 1, so that none
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
            when part.template = 'absence'
                then
                    case
                        when tally.sure_n >= greatest(part.n, 1) then 5
                        when tally.n >= greatest(part.n, 1) then 4
                        else 2
                    end
            when part.template = 'exactly' and tally.sure_n > part.n then 5
            when
                part.template = 'exactly'
                and coalesce(tally.n, 0) = part.n and coalesce(tally.sure_n, 0) = part.n then 2
            when part.origin in ('mandatory', 'verify') and not judged.is_open
                then
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
    left join tally on judged.op_no = tally.op_no and part.act_role = tally.role_no
    where part.shape = 'count'
),

-- Where nothing but the order matters, the first and the last event of the other step decide.
ordered as (
    select
        part.part_no,
        act.op_no,
        act.code,
        act.lo,
        act.doubt,
        if(
            part.shape = 'after',
            coalesce(tally.sure_last, tally.any_last),
            coalesce(tally.sure_first, tally.any_first)
        ) as witness,
        coalesce(tally.doubt, 0) as wit_doubt,
        case part.shape
            when 'before' then tally.sure_first >> 52 < act.lo
            when 'after' then tally.sure_last >> 52 > act.hi
            else tally.sure_n > 0
        end as is_met,
        case part.shape
            when 'before' then tally.any_first >> 52 <= act.hi
            when 'after' then tally.any_last >> 52 >= act.lo
            else tally.n > 0
        end as may_be_met,
        part.shape in ('after', 'any') as may_come
    from part
    inner join occurrence as act on part.act_role = act.role_no
    left join tally on act.op_no = tally.op_no and part.wit_role = tally.role_no
    where
        part.shape in ('before', 'after', 'any', 'never')
        and part.act_step <> part.wit_step
        and part.within_us is null and part.hold_us is null and part.by_actor is null
),

-- Conditions on time and actor are tested on every pair.
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
    inner join occurrence as act on part.act_role = act.role_no
    left join occurrence as wit
        on
            act.op_no = wit.op_no
            and part.wit_role = wit.role_no
            and act.code <> wit.code
    where
        part.shape in ('before', 'after', 'any', 'never')
        and (
            part.act_step = part.wit_step
            or part.within_us is not null or part.hold_us is not null
            or part.by_actor is not null
        )
),

-- Events whose order is not known share a block; blocks follow one another for sure.
trace as (
    select
        occurrence.*,
        scope.scope_no,
        scope.step_no,
        coalesce(
            occurrence.lo > max(occurrence.hi) over (
                partition by occurrence.op_no, scope.scope_no
                order by occurrence.lo, occurrence.hi, occurrence.code
                rows between unbounded preceding and 1 preceding
            ),
            true
        ) as is_start
    from scope
    inner join occurrence on scope.role_no = occurrence.role_no
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
        *,
        unnest(if(shape = 'next', [0, 1], [0, -1])) as distance
    from part
    where shape in ('next', 'previous')
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

-- What is sure of a pair of events, and what may be; distances leave out that a record states no
-- fraction of its second.
weighed as (
    select
        pair.*,
        part.shape,
        part.is_placed,
        if(hi - lo < 1000000, lo, hi) as far,
        if(wit_hi - wit_lo < 1000000, wit_lo, wit_hi) as wit_far,
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
        is_wit and wit_doubt = 0
        and coalesce(is_by_actor, false)
        and coalesce(gap_max <= part.within_us, true)
        and coalesce(gap_min >= part.hold_us, true) as is_good,
        is_wit and may_be_ordered
        and coalesce(is_by_actor, true)
        and coalesce(gap_min <= part.within_us, true)
        and coalesce(gap_max >= part.hold_us, true) as may_be_good,
        coalesce(is_ordered and wit_doubt = 0 and gap_max < part.hold_us, false) as is_too_soon,
        coalesce(may_be_ordered and gap_min < part.hold_us, false) as may_be_too_soon
    from (
        select * from conditional
        union all
        select * from neighbour
    ) as pair
    inner join part on pair.part_no = part.part_no
),

conditioned as (
    select
        part_no,
        any_value(op_no) as op_no,
        code,
        any_value(lo) as lo,
        any_value(doubt) as doubt,
        min(
            (case
                when may_be_too_soon then 0
                when is_good and is_ordered then 1
                when may_be_good then 2
                else 3
            end::hugeint << 116) | (gap_min::hugeint << 52) | wit_code
        ) as witness,
        coalesce(bit_or(wit_doubt) filter (may_be_good or is_beside), 0) as wit_doubt,
        case
            when any_value(is_placed) then bool_and(is_good) and bool_or(is_beside)
            else bool_or(is_good and is_ordered) and not bool_or(may_be_too_soon)
        end as is_met,
        bool_or(may_be_good) and not bool_or(is_too_soon)
        or bool_or(is_beside) and bool_and(wit_doubt > 0) filter (is_beside) as may_be_met,
        any_value(shape) in ('after', 'any', 'next')
        and not coalesce(bool_or(is_beside), false) as may_come
    from weighed
    group by part_no, code
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
    inner join numbered on part.scope_no = numbered.scope_no and numbered.block_no = 1
    where part.shape = 'first'
    group by numbered.op_no, part.rule_no, part.side
),

-- The last select keeps constraints that nothing activates.
test as (
    select
        event.op_no,
        part.rule_no,
        part.side,
        event.lo,
        event.code,
        event.witness,
        event.doubt | event.wit_doubt as doubt,
        case
            when part.shape = 'never' and event.is_met and event.doubt = 0 then 5
            when part.shape = 'never' and event.may_be_met then 4
            when part.shape = 'never' or event.is_met then if(event.doubt = 0, 2, 1)
            when event.may_be_met or event.doubt > 0 then 4
            when event.may_come and judged.is_open then 3
            else 5
        end as state
    from (
        select * from ordered
        union all
        select * from conditioned
    ) as event
    inner join part on event.part_no = part.part_no
    inner join judged on event.op_no = judged.op_no
    union all
    select * from counted
    union all
    select
        op_no,
        rule_no,
        side,
        first_event >> 52 as lo,
        first_event & 4503599627370495 as code,
        0 as witness,
        doubt,
        state
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
        0 as state
    from judged
    inner join part on judged.version_no = part.version_no
    where part.side = 1 and part.shape <> 'count'
),

settled as (
    select
        (op_no << 20) | rule_no as cell,
        state,
        code,
        coalesce((witness & 4503599627370495)::bigint, 0) as witness,
        ((5 - state)::hugeint << 120) | (lo::hugeint << 56) | (code::hugeint << 4)
        | ((side - 1) << 3) | doubt as key
    from test
),

-- The worst state of a constraint's tests, and the first event that has it.
result as (
    select
        cell >> 20 as op_no,
        cell & 1048575 as rule_no,
        max(state) as state,
        ((min(key) >> 3) & 1)::integer + 1 as side,
        ((min(key) >> 4) & 4503599627370495)::bigint as code,
        arg_min(witness, key) as witness,
        (min(key) & 7)::integer as doubt,
        count(*) filter (state > 0) as activations,
        count(*) filter (state = 5) as violations,
        list(code) filter (state = 5 and code > 0) as codes
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
    if(result.violations > 1, list_sort(result.codes), []) as violating_codes
from result
inner join judged on result.op_no = judged.op_no
inner join part on result.rule_no = part.rule_no and part.side = 1
order by result.op_no, result.rule_no
