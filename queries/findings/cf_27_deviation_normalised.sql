-- /// finding
-- id = "CF-27"
-- slug = "deviation-normalised"
-- title = "A deviation also stood in earlier changes of the kind that closed as success"
-- rule_class = "D"
-- level = "organisation"
-- severity = "medium"
-- criteria = "A deviation from the plan stays rare among changes that end well."
-- effect = "A deviation that had gone well before may no longer stand out from the usual way of work."
-- recommendation = "Change the plan or the work, so that the two agree again, and say which."
-- questions = [
--     "Is the criterion out of date, and the deviation the better practice?",
--     "Who had seen the earlier deviations, and what came of it?",
-- ]
-- codes = ["hfacs-7.0:SI007", "cream:dynamics-over-time", "meda:H",
--     "dora:4.3.monitoring_of_policy_adherence"]
-- candidate_codes = ["hfacs-7.0:SV002", "hfacs-7.0:AV002", "hfacs-7.0:OC001"]
-- controls = ["iso27001:A.5.36", "soc2:CC4.2"]
-- needs = ["change", "maintenance_event"]
-- reads = ["finding_base", "operation_span"]
-- policy = ["normalised_min_changes"]
-- limitations = "The count is a fact; whether it shows a habit is for the board to say."
-- ///
with

deviation as (
    select
        finding_base.operation_id,
        finding_base.rule,
        finding_base.status,
        finding_base.evidence
    from finding_base
    where
        finding_base.rule_class = 'D'
        and finding_base.level in ('act', 'supervision', 'organisation', 'system')
        and finding_base.status in ('exception', 'undetermined')
        and finding_base.operation_id is not null
),

registered as (
    select *
    from operation_span
    where operation_span.registered
),

present as (
    select
        registered.operation_id,
        registered.kind,
        registered.started_at,
        registered.started_lo,
        registered.started_hi,
        deviation.rule,
        deviation.status = 'exception' as is_sure
    from registered
    inner join deviation on registered.operation_id = deviation.operation_id
),

-- Deviations in changes that closed as success, counted up to each closing.
earlier as (
    select
        deviation.rule,
        registered.kind,
        registered.closed_at,
        registered.operation_id,
        deviation.evidence,
        deviation.status,
        count(*) filter (where deviation.status = 'exception') over by_closing as exceptions,
        count(*) over by_closing as perhaps
    from registered
    inner join deviation on registered.operation_id = deviation.operation_id
    where
        registered.outcome = 'success'
        and registered.closed_at is not null
        and coalesce(registered.closed_at >= registered.started_lo, true)
    window by_closing as (
        partition by deviation.rule, registered.kind
        order by registered.closed_at
    )
),

latest as (
    select
        earlier.rule,
        earlier.kind,
        earlier.closed_at,
        earlier.exceptions,
        list(earlier.operation_id) over last_five as changes,
        list(earlier.evidence) over last_five as evidence
    from earlier
    where earlier.status = 'exception'
    window
        last_five as (
            partition by earlier.rule, earlier.kind
            order by earlier.closed_at, earlier.operation_id
            rows between 4 preceding and current row
        )
    qualify
        row_number() over (
            partition by earlier.rule, earlier.kind, earlier.closed_at
            order by earlier.operation_id desc
        ) = 1
),

totals as (
    select distinct
        earlier.rule,
        earlier.kind,
        earlier.closed_at,
        earlier.perhaps
    from earlier
),

surely as (
    select
        present.*,
        coalesce(latest.exceptions, 0) as sure,
        latest.changes,
        flatten(latest.evidence) as evidence
    from present
    asof left join latest
        on
            present.rule = latest.rule
            and present.kind = latest.kind
            and present.started_lo > latest.closed_at
),

counted as (
    select
        surely.*,
        coalesce(totals.perhaps, 0) as possible
    from surely
    asof left join totals
        on
            surely.rule = totals.rule
            and surely.kind = totals.kind
            and surely.started_hi >= totals.closed_at
),

judged as (
    select
        counted.operation_id,
        counted.rule as target,
        case
            when counted.kind is null or counted.started_at is null then 'undetermined'
            when counted.is_sure and counted.sure >= policy_number('normalised_min_changes')
                then 'exception'
            when counted.possible >= policy_number('normalised_min_changes') then 'undetermined'
            else 'ok'
        end as status,
        counted.started_at as occurred_at,
        null::varchar as event,
        case
            when counted.kind is null
                then 'The change states no kind, so that earlier ones cannot be compared'
            when counted.started_at is null
                then
                    'No action of the change is on record, so that it is not known which changes '
                    || 'were earlier'
            else
                'The deviation of ' || counted.rule
                || if(counted.is_sure, '', ', which is not decided here,')
                || ' stood also in ' || counted.sure
                || ' earlier changes of kind ' || counted.kind || ' that closed as success'
                || case
                    when counted.sure > 0
                        then
                            ' (' || if(counted.sure > 5, 'the last: ', '')
                            || array_to_string(counted.changes, ', ') || ')'
                    else ''
                end
                || case
                    when counted.possible > counted.sure
                        then ', and perhaps in ' || (counted.possible - counted.sure) || ' more'
                    else ''
                end
        end as reason,
        coalesce(counted.evidence, []) as evidence
    from counted
    -- What is not decided here counts only where it surely was usual before.
    where counted.is_sure or counted.sure >= policy_number('normalised_min_changes')
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
        'The operation is no registered change, or shows no deviation that could be usual.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
