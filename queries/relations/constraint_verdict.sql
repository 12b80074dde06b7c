-- /// relation
-- id = "constraint_verdict"
-- title = "Verdicts on every constraint of every operation"
-- grain = "One row per constraint and variant; with a condition on time or values, and operation."
-- reads = ["constraint_part", "operation_event", "procedure_step", "trace_variant"]
-- limitations = """
-- Each event is judged for itself: where one of two events deviates for sure, but which of them is
-- not known, the verdict is undetermined. The next event is looked for among events of a step. Where
-- a condition on time, account or asset stands with an alternate template, the next event counts.
-- """
-- [columns]
-- operation_no = "Operation that was judged, for all of its variant where nothing but order counts."
-- rule_id = "Constraint within the procedure version."
-- verdict = "violated, undetermined, pending (still open), satisfied or not_activated."
-- side = "Side of the constraint that the verdict comes from."
-- act_place = "First event with the verdict, by its place in the operation; 0: none."
-- wit_place = "Event that fulfils it there, else the nearest that does not; 0: none."
-- doubt = "Why it is undetermined, added up: 1 inferred link, 2 several steps fit, 4 no outcome, 8 a value that a condition asks for is not on record."
-- activations = "Events that activate the constraint; for a count of events, 1."
-- violations = "Those of them that violate it for sure."
-- violating_places = "The events that violate it, where there are several."
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

operation as (
    select
        operation_id,
        operation_no as op_no,
        variant_no as like_no,
        version_no,
        is_open,
        is_cancelled,
        is_empty,
        closed_us as closed,
        last_lo_us as last_lo,
        codes,
        operation_no = variant_no as is_example
    from trace_variant
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

-- Conditions on one event; number 0 is none.
condition as (
    select
        fields,
        row_number() over (order by fields) as condition_no
    from (
        select act_where as fields from constraint_part
        where len(act_where) > 0
        union
        select wit_where as fields from constraint_part
        where len(wit_where) > 0
    ) as stated
),

part as (
    select
        constraint_part.* exclude (act_step, wit_step),
        version.version_no,
        wit.step_no as wit_step,
        -- Where no step is named, every irreversible event asks.
        coalesce(act.step_no, -version.version_no) as act_step,
        coalesce(act_condition.condition_no, 0) as act_condition,
        coalesce(wit_condition.condition_no, 0) as wit_condition,
        10 * coalesce(act.step_no, -version.version_no)
        + list_position(['ran', 'event', 'completed', 'success'], act_class)
        + 1000000 * coalesce(act_condition.condition_no, 0) as act_role,
        10 * wit.step_no
        + list_position(['ran', 'event', 'completed', 'success'], wit_class)
        + 1000000 * coalesce(wit_condition.condition_no, 0) as wit_role,
        within_us is not null or hold_us is not null or by_actor is not null
        or on_target is not null as is_paired,
        shape in ('next', 'previous', 'first', 'last') as is_placed,
        if(is_alternate, list_sort([act_role, wit_role]), []) as only_roles,
        dense_rank() over (
            order by version.version_no, is_alternate, only_roles, is_conditional
        ) as scope_no,
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
    left join condition as act_condition on constraint_part.act_where = act_condition.fields
    left join condition as wit_condition on constraint_part.wit_where = wit_condition.fields
),

-- Events are put in order once with all steps, and once for each pair of an alternate template.
scope as (
    select
        part.scope_no,
        part.is_conditional,
        step.step_no,
        0 as condition_no,
        10 * step.step_no + 2 as role_no
    from part
    inner join step on part.version_no = step.version_no
    where part.is_placed and not part.is_alternate and step.kind <> 'approve'
    union
    select
        scope_no,
        is_conditional,
        unnest([act_step, wit_step]) as step_no,
        unnest([act_condition, wit_condition]) as condition_no,
        unnest([act_role, wit_role]) as role_no
    from part
    where is_alternate
),

-- What every constraint asks of every operation is asked once per course; conditions need all.
role as (
    select
        role_no,
        step_no,
        class,
        condition_no,
        bool_or(is_conditional) as is_conditional
    from (
        select
            act_role as role_no,
            act_step as step_no,
            act_class as class,
            act_condition as condition_no,
            is_conditional
        from part
        union all
        select
            wit_role as role_no,
            wit_step as step_no,
            wit_class as class,
            wit_condition as condition_no,
            is_conditional
        from part
        where wit_step is not null
        union all
        select
            role_no,
            step_no,
            'event' as class,
            condition_no,
            is_conditional
        from scope
    ) as named
    group by role_no, step_no, class, condition_no
),

-- An event goes by its place in the operation. Packed into one integer with a time it makes the
-- earliest event come out of one comparison, always the same one among equals. A `doubt` is why an
-- event may not count: 1 tied by inference, 2 fits several steps, 4 outcome not known, 8 value not
-- known. Conditions need the events of all operations.
event as (
    select
        operation.op_no,
        operation.version_no,
        (operation_event.source_id::bigint << 36) | operation_event.record_no as record,
        list_position(operation.codes, record) as code,
        unnest(coalesce(possible_steps, [operation_event.step])) as step,
        is_irreversible,
        outcome,
        actor,
        target,
        epoch_us(occurred_lo) + 62135596800000000 as lo,
        epoch_us(occurred_hi) + 62135596800000000 as hi,
        coalesce(epoch_us(operation_event.ended_at) + 62135596800000000, lo) as ended,
        if(basis = 'explicit', 0, 1) as link_doubt,
        link_doubt + if(possible_steps is null, 0, 2) as doubt,
        operation.is_example
    from operation_event
    inner join operation on operation_event.operation_id = operation.operation_id
    where
        operation.is_example
        or operation.version_no in (
            select version_no from part
            where is_conditional
        )
),

-- Whether an event holds to a condition; a value that is not on record may hold to it.
field as (
    select
        condition_no,
        field,
        list(pattern) as patterns,
        count(*) over (partition by condition_no) as field_count
    from (
        select
            condition_no,
            split_part(unnest(fields), '=', 1) as field,
            substr(unnest(fields), position('=' in unnest(fields)) + 1) as pattern
        from condition
    ) as stated
    group by condition_no, field
),

worth as (
    select
        operation.op_no,
        (operation_event.source_id::bigint << 36) | operation_event.record_no as record,
        field.condition_no,
        field.field_count,
        field.patterns,
        case field.field
            when 'action' then operation_event.action
            when 'target' then operation_event.target
            when 'host' then operation_event.host
            when 'actor' then operation_event.actor
            when 'outcome' then operation_event.outcome
            when 'flags' then operation_event.flags
        end as value
    from operation_event
    inner join operation on operation_event.operation_id = operation.operation_id
    cross join field
),

held as (
    select
        op_no,
        record,
        condition_no,
        if(bool_or(value is null), 8, 0) as doubt
    from worth
    where value is null or fits(value, patterns)
    group by op_no, record, condition_no, field_count
    having count(*) = field_count
),

-- Every event in every role that a constraint gives it.
occurrence as (
    select
        event.op_no,
        role.role_no,
        event.code,
        event.actor,
        event.target,
        if(role.class in ('success', 'completed'), greatest(lo, ended), lo) as lo,
        if(role.class in ('success', 'completed'), greatest(hi, ended), hi) as hi,
        event.doubt | coalesce(held.doubt, 0) | case
            when role.class = 'ran' then 0
            when outcome = 'unknown' then 4
            when outcome is null and role.class <> 'event' then 4
            else 0
        end as doubt
    from event
    inner join step on event.version_no = step.version_no and event.step = step.step
    inner join role on step.step_no = role.step_no
    left join held
        on
            role.condition_no = held.condition_no
            and event.op_no = held.op_no
            and event.record = held.record
    where
        (event.is_example or role.is_conditional)
        and (role.condition_no = 0 or held.doubt is not null)
        and (
            role.class = 'ran'
            or coalesce(outcome <> 'failure', true)
            and not coalesce(outcome = 'warning' and role.class = 'success', false)
        )
    union all
    select distinct
        op_no,
        role.role_no,
        code,
        actor,
        target,
        lo,
        hi,
        link_doubt | if(is_irreversible is null, 2, 0) as doubt
    from event
    inner join role on event.version_no = -role.step_no
    where coalesce(is_irreversible, true) and (event.is_example or role.is_conditional)
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
            when tally.n is null and judged.is_empty and judged.is_open then 3
            when tally.n is null and judged.is_empty then if(judged.is_cancelled, 0, 4)
            when part.template = 'absence'
                then
                    case
                        when tally.sure_n >= greatest(part.n, 1) then 5
                        when tally.n >= greatest(part.n, 1) then 4
                        when judged.is_open then 3
                        else 2
                    end
            when part.template = 'exactly' and tally.sure_n > part.n then 5
            when
                part.template = 'exactly'
                and coalesce(tally.n, 0) = part.n and coalesce(tally.sure_n, 0) = part.n
                then if(judged.is_open, 3, 2)
            when part.origin in ('mandatory', 'verify') and not judged.is_open
                then
                    case
                        when tally.sure_first >> 52 < judged.closed then 2
                        -- A change closes with its verification: the same second is no doubt.
                        when
                            part.origin = 'verify'
                            and tally.sure_first >> 52 < (judged.closed // 1000000 + 1) * 1000000
                            and tally.any_first >> 52 <= judged.closed then 2
                        when tally.any_first >> 52 <= judged.closed then 4
                        else 5
                    end
            when part.template = 'exactly' and judged.is_open and coalesce(tally.n, 0) <= part.n
                then 3
            when part.template = 'existence' and coalesce(tally.sure_n, 0) >= part.n then 2
            when coalesce(tally.n, 0) >= part.n then 4
            when judged.is_open then 3
            else 5
        end as state
    from part
    inner join operation as judged on part.version_no = judged.version_no
    left join tally on judged.op_no = tally.op_no and part.act_role = tally.role_no
    where part.shape = 'count' and (part.is_conditional or judged.op_no = judged.like_no)
),

-- Where nothing but the order matters, the first and the last event of the other step decide.
ordered as (
    select
        part.part_no,
        act.op_no,
        act.code,
        act.lo,
        act.hi,
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
    inner join operation on act.op_no = operation.op_no
    left join tally on act.op_no = tally.op_no and part.wit_role = tally.role_no
    where
        part.shape in ('before', 'after', 'any')
        and part.act_step <> part.wit_step
        and not part.is_paired
        and (part.is_conditional or operation.op_no = operation.like_no)
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
        act.target,
        act.doubt,
        wit.code as wit_code,
        wit.lo as wit_lo,
        wit.hi as wit_hi,
        wit.actor as wit_actor,
        wit.target as wit_target,
        wit.doubt as wit_doubt,
        wit.code is not null as is_wit,
        false as is_last
    from part
    inner join occurrence as act on part.act_role = act.role_no
    inner join operation on act.op_no = operation.op_no
    left join occurrence as wit
        on
            act.op_no = wit.op_no
            and part.wit_role = wit.role_no
            and act.code <> wit.code
    where
        part.shape in ('before', 'after', 'any')
        and (part.act_step = part.wit_step or part.is_paired)
        and (part.is_conditional or operation.op_no = operation.like_no)
),

-- Events whose order is not known share a block, and blocks without a sure event are taken with the
-- next that has one: what can stand beside an event lies in its block or in the one beside.
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
        ) as is_start,
        coalesce(count(*) filter (occurrence.doubt = 0) over (
            partition by occurrence.op_no, scope.scope_no
            order by occurrence.lo, occurrence.hi, occurrence.code
            rows between unbounded preceding and 1 preceding
        ), 0) as sure_before,
        -- The first to end of those that surely follow, the last to begin of those before.
        min(occurrence.hi) filter (occurrence.doubt = 0) over (
            partition by occurrence.op_no, scope.scope_no
            order by occurrence.lo
            range between (1 + occurrence.hi - occurrence.lo) following and unbounded following  -- noqa: PRS
        ) as after_hi,
        max(occurrence.lo) filter (occurrence.doubt = 0) over (
            partition by occurrence.op_no, scope.scope_no
            order by -occurrence.hi
            range between (1 + occurrence.hi - occurrence.lo) following and unbounded following  -- noqa: PRS
        ) as before_lo
    from scope
    inner join occurrence on scope.role_no = occurrence.role_no
    inner join operation on occurrence.op_no = operation.op_no
    where scope.is_conditional or operation.op_no = operation.like_no
),

marked as (
    select
        *,
        max(if(is_start, sure_before, 0)) over (
            partition by op_no, scope_no
            order by lo, hi, code
        ) as sure_no
    from trace
),

numbered as (
    select
        *,
        dense_rank() over (partition by op_no, scope_no order by sure_no) as block_no,
        count(*) over (partition by op_no, scope_no, sure_no) = 1 as is_alone
    from marked
),

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
        act.target,
        act.doubt | coalesce(act_held.doubt, 0) as doubt,
        wit.code as wit_code,
        wit.lo as wit_lo,
        wit.hi as wit_hi,
        wit.actor as wit_actor,
        wit.target as wit_target,
        wit.doubt | coalesce(wit_held.doubt, 0) as wit_doubt,
        wit.step_no = reach.wit_step
        and (reach.wit_condition = 0 or reach.is_alternate or wit_held.code is not null) as is_wit,
        if(reach.shape = 'next', act.after_hi is null, act.before_lo is null) as is_last
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
            and if(
                reach.shape = 'next',
                act.lo <= wit.hi and coalesce(act.after_hi, wit.lo) >= wit.lo,
                act.hi >= wit.lo and coalesce(act.before_lo, wit.hi) <= wit.hi
            )
    left join occurrence as act_held
        on
            reach.act_condition > 0
            and not reach.is_alternate
            and act.op_no = act_held.op_no
            and reach.act_role = act_held.role_no
            and act.code = act_held.code
    left join occurrence as wit_held
        on
            reach.wit_condition > 0
            and not reach.is_alternate
            and wit.op_no = wit_held.op_no
            and reach.wit_role = wit_held.role_no
            and wit.code = wit_held.code
    where
        reach.act_condition = 0 or reach.is_alternate or act_held.code is not null
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
        end
        and case part.on_target
            when 'different_target' then lower(target) <> lower(wit_target)
            when 'same_target' then lower(target) = lower(wit_target)
            else true
        end as is_by_actor,
        -- An event beside may be absent, and what then stands there is weighed as well.
        is_wit
        and (wit_doubt = 0 or part.is_placed and (part.is_alternate or wit_doubt & 8 = 0))
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
        op_no,
        code,
        any_value(lo) as lo,
        any_value(hi) as hi,
        any_value(doubt) as doubt,
        min(
            (case
                when may_be_too_soon then 0
                when is_good and is_ordered then 1
                when may_be_good then 2
                else 3
            end::hugeint << 116) | (gap_min::hugeint << 52) | wit_code
        ) as witness,
        coalesce(bit_or(wit_doubt) filter (may_be_good or is_placed), 0) as wit_doubt,
        case
            when any_value(is_placed)
                then
                    not any_value(is_last)
                    and coalesce(bool_and(is_good) filter (wit_code is not null), false)
            else bool_or(is_good and is_ordered) and not bool_or(may_be_too_soon)
        end as is_met,
        bool_or(may_be_good) and not bool_or(is_too_soon) as may_be_met,
        (any_value(shape) in ('after', 'any') or any_value(shape) = 'next' and any_value(is_last))
        and not coalesce(bool_or(is_too_soon), false) as may_come,
        any_value(is_placed) and bool_or(wit_code is not null)
        or coalesce(bool_or(may_be_too_soon), false) as may_be_unmet
    from weighed
    group by part_no, op_no, code
),

-- The first or the last event, or those that can be it; while an operation is open none is the last.
opening as (
    select
        numbered.op_no,
        part.rule_no,
        part.side,
        min((numbered.lo::hugeint << 52) | numbered.code) as first_event,
        bit_or(numbered.doubt) as doubt,
        case
            when
                bool_and(numbered.doubt > 0)
                and bool_and(numbered.step_no = part.act_step)
                and not (part.shape = 'last' and any_value(operation.is_open)) then 1
            when bool_and(numbered.doubt > 0) then 4
            when part.shape = 'last' and any_value(operation.is_open) then 3
            when bool_and(numbered.step_no = part.act_step) then 2
            when bool_or(numbered.step_no = part.act_step) then 4
            else 5
        end as state
    from part
    inner join numbered on part.scope_no = numbered.scope_no
    inner join operation on numbered.op_no = operation.op_no
    where
        part.shape = 'first' and numbered.before_lo is null
        or part.shape = 'last' and numbered.after_hi is null
    group by numbered.op_no, part.rule_no, part.side, part.shape
),

-- What may still come can fulfil a constraint, or break one that forbids; not after its time.
test as (
    select
        event.op_no,
        part.rule_no,
        part.side,
        event.lo,
        event.code,
        event.witness,
        event.doubt | event.wit_doubt as doubt,
        event.may_come
        and operation.is_open
        and coalesce(operation.last_lo <= event.hi + part.within_us, true) as is_due,
        case
            when event.is_met and part.is_negated then if(event.doubt = 0, 5, 4)
            when event.is_met then if(event.doubt = 0, 2, 1)
            when event.may_be_met then 4
            when part.is_negated and not is_due then if(event.doubt = 0, 2, 1)
            when event.doubt > 0 then 4
            when is_due then if(event.may_be_unmet, 4, 3)
            else 5
        end as state
    from (
        select
            *,
            false as may_be_unmet
        from ordered
        union all
        select * from conditioned
    ) as event
    inner join part on event.part_no = part.part_no
    inner join operation on event.op_no = operation.op_no
    union all
    select
        * exclude (state),
        false as is_due,
        state
    from counted
    union all
    select
        op_no,
        rule_no,
        side,
        (first_event >> 52)::bigint as lo,
        (first_event & 4503599627370495)::bigint as code,
        0 as witness,
        doubt,
        false as is_due,
        state
    from opening
),

settled as (
    select
        (op_no << 20) | rule_no as cell,
        state,
        code,
        coalesce((witness & 4503599627370495)::bigint, 0) as witness,
        ((5 - state)::hugeint << 120) | (lo::hugeint << 57) | (code::hugeint << 5)
        | ((side - 1) << 4) | doubt as key
    from test
),

-- The worst state of a constraint's tests, and the first event that has it.
result as (
    select
        cell >> 20 as op_no,
        cell & 1048575 as rule_no,
        max(state) as state,
        ((min(key) >> 4) & 1)::integer + 1 as side,
        ((min(key) >> 5) & 4503599627370495)::bigint as code,
        arg_min(witness, key) as witness,
        (min(key) & 15)::integer as doubt,
        count(*) filter (state > 0) as activations,
        count(*) filter (state = 5) as violations,
        list(code) filter (state = 5 and code > 0) as codes
    from settled
    group by cell
)

select
    operation.op_no as operation_no,
    part.rule_id,
    case result.state
        when 5 then 'violated'
        when 4 then 'undetermined'
        when 3 then 'pending'
        when 2 then 'satisfied'
        when 1 then 'undetermined'
        else 'not_activated'
    end as verdict,
    coalesce(result.side, 1) as side,
    coalesce(result.code, 0) as act_place,
    coalesce(result.witness, 0) as wit_place,
    coalesce(result.doubt, 0) as doubt,
    coalesce(result.activations, 0) as activations,
    coalesce(result.violations, 0) as violations,
    if(result.violations > 1, list_sort(result.codes), []) as violating_places
from operation
inner join part on operation.version_no = part.version_no and part.side = 1
left join result on part.rule_no = result.rule_no and operation.op_no = result.op_no
where part.is_conditional or operation.is_example
order by operation.op_no, part.rule_no
