-- /// finding
-- id = "CF-25"
-- slug = "compressed-pace"
-- title = "A step followed the one before in much less than the usual time"
-- rule_class = "I"
-- level = "precondition"
-- severity = "low"
-- criteria = "The pace of a step is comparable to other changes of the same kind."
-- effect = "There may have been less time to look at results; the record shows pace, not pressure."
-- recommendation = "Look at what made the difference to earlier work before any pace is taken as a goal."
-- questions = [
--     "Had the work been prepared, scripted or split differently this time?",
--     "Was there a deadline, and who had set it?",
-- ]
-- codes = ["hfacs-7.0:AE107", "hfacs-7.0:OP001", "cream:duration-speed", "meda:F"]
-- candidate_codes = ["hfacs-7.0:PC207"]
-- controls = ["policy:pace"]
-- needs = ["change", "maintenance_event"]
-- reads = ["operation_event", "operation_span"]
-- policy = ["pace_factor", "pace_min_history"]
-- limitations = "Compared with the median over the other changes of the kind, for the same step."
-- ///
with

action as (
    select
        operation_event.operation_id,
        operation_span.kind,
        operation_event.step,
        operation_event.basis,
        operation_event.occurred_at,
        operation_event.occurred_lo,
        operation_event.occurred_hi,
        operation_event.source_id,
        operation_event.record_no,
        operation_event.evidence
    from operation_event
    inner join operation_span on operation_event.operation_id = operation_span.operation_id
    where
        operation_span.registered
        and operation_event.is_action
),

paced as (
    select
        action.*,
        lag(action.basis) over in_order as before_basis,
        lag(action.evidence) over in_order as before_evidence,
        epoch(action.occurred_at - lag(action.occurred_at) over in_order) as seconds,
        epoch(
            action.occurred_lo
            - lag(for_limit(action.occurred_at, action.occurred_hi)) over in_order
        ) as seconds_lo,
        -- An action tied by inference, if it is one of the change, can only have shortened the
        -- time since the action before that surely is.
        last_value(if(action.basis = 'explicit', action.evidence, null) ignore nulls) over before_it
            as surely_before,
        epoch(
            for_limit(action.occurred_at, action.occurred_hi)
            - last_value(if(action.basis = 'explicit', action.occurred_lo, null) ignore nulls)
                over before_it
        ) as most_seconds
    from action
    window
        in_order as (
            partition by action.operation_id
            order by action.occurred_at, action.source_id, action.record_no
        ),
        before_it as (
            partition by action.operation_id
            order by action.occurred_at, action.source_id, action.record_no
            rows between unbounded preceding and 1 preceding
        )
),

step_pace as (
    select
        paced.operation_id,
        paced.kind,
        paced.step,
        median(paced.seconds) as seconds
    from paced
    where paced.seconds is not null and paced.step is not null and paced.kind is not null
    group by paced.operation_id, paced.kind, paced.step
),

ranked as (
    select
        step_pace.*,
        count(*) over same_step as operations,
        row_number() over (
            partition by step_pace.kind, step_pace.step
            order by step_pace.seconds, step_pace.operation_id
        ) as place
    from step_pace
    window same_step as (partition by step_pace.kind, step_pace.step)
),

-- Without one of n values, the median of the rest stands at one of three places in the middle.
middle as (
    select
        ranked.kind,
        ranked.step,
        max(ranked.seconds) filter (where ranked.place = ranked.operations // 2) as below,
        max(ranked.seconds) filter (where ranked.place = ranked.operations // 2 + 1) as at_middle,
        max(ranked.seconds) filter (where ranked.place = ranked.operations // 2 + 2) as above
    from ranked
    group by ranked.kind, ranked.step
),

usual as (
    select
        ranked.operation_id,
        ranked.step,
        ranked.operations - 1 as operations,
        case
            when ranked.operations % 2 = 0
                then if(ranked.place <= ranked.operations // 2, middle.at_middle, middle.below)
            when ranked.place <= ranked.operations // 2
                then (middle.at_middle + middle.above) / 2
            when ranked.place = ranked.operations // 2 + 1
                then (middle.below + middle.above) / 2
            else (middle.below + middle.at_middle) / 2
        end as seconds
    from ranked
    inner join middle on ranked.kind = middle.kind and ranked.step = middle.step
),

compared as (
    select
        paced.*,
        usual.operations,
        usual.seconds as usual_seconds,
        usual.seconds * policy_number('pace_factor') as limit_seconds,
        paced.basis <> 'explicit' or paced.before_basis <> 'explicit' as is_tied
    from paced
    left join usual
        on paced.operation_id = usual.operation_id and paced.step = usual.step
    where paced.seconds is not null and paced.step is not null
),

judged as (
    select
        compared.operation_id,
        null::varchar as target,
        case
            when coalesce(compared.operations, 0) < policy_number('pace_min_history')
                then 'undetermined'
            when compared.seconds_lo >= compared.limit_seconds
                then if(compared.is_tied, 'ok_if_tied', 'ok')
            when compared.most_seconds < compared.limit_seconds and compared.basis = 'explicit'
                then 'exception'
            else 'undetermined'
        end as status,
        compared.occurred_at,
        compared.evidence as event,
        'Step ' || compared.step || ' at ' || utc(compared.occurred_at) || ' came '
        || in_words(to_microseconds((compared.seconds * 1000000)::bigint))
        || ' after the action before'
        || case
            when coalesce(compared.operations, 0) < policy_number('pace_min_history')
                then
                    '; ' || coalesce(compared.operations, 0) || ' other changes of the kind are '
                    || 'on record, too few for a usual time'
            else
                '; the median over ' || compared.operations || ' other changes of the kind is '
                || in_words(to_microseconds((compared.usual_seconds * 1000000)::bigint))
        end
        || if(compared.is_tied, '; an action of the two is tied by inference only', '') as reason,
        [compared.evidence, compared.before_evidence, compared.surely_before] as evidence
    from compared
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
        'No step with an action before it is on record under a registered change.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
