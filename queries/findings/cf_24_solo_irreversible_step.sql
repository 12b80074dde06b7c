-- /// finding
-- id = "CF-24"
-- slug = "solo-irreversible-step"
-- title = "No second person is on record shortly before an irreversible action"
-- rule_class = "D"
-- level = "supervision"
-- severity = "medium"
-- criteria = "A second person witnesses or confirms each irreversible action shortly before it."
-- effect = "No record shows that anybody else was in a position to notice a difference from the plan."
-- recommendation = "Have the maintenance tool ask a second account to confirm irreversible actions."
-- questions = [
--     "Did somebody witness the action on a call or at the same screen?",
--     "Does the procedure ask for a witness?",
-- ]
-- codes = ["hfacs-7.0:SP002", "hfacs-7.0:SI001", "uca:1"]
-- controls = ["nist800-53r5:AC-5", "nist800-53r5:CM-5", "dora-rts:17(1)(b)"]
-- needs = ["maintenance_event"]
-- reads = ["operation_event", "operation_span"]
-- policy = ["witness_actions", "witness_minutes"]
-- limitations = "A witness counts in the same session, else in the same change."
-- ///
with

irreversible as (
    select
        operation_event.*,
        person(operation_event.actor) as person
    from operation_event
    where
        coalesce(operation_event.is_irreversible, true)
        and not operation_event.is_read_only
),

witness as (
    select
        operation_event.operation_id,
        operation_event.session_id,
        operation_event.basis,
        operation_event.occurred_at,
        operation_event.occurred_lo,
        operation_event.occurred_hi,
        person(operation_event.actor) as person,
        operation_event.evidence
    from operation_event
    where
        list_contains(policy_list('witness_actions'), lower(operation_event.action))
        and operation_event.outcome is distinct from 'failure'
),

-- In the same session, else in the same change.
attending as (
    select
        irreversible.operation_id,
        irreversible.evidence,
        witness.evidence as witness_row,
        true as is_stated
    from irreversible
    inner join witness on irreversible.session_id = witness.session_id
    union
    select
        irreversible.operation_id,
        irreversible.evidence,
        witness.evidence as witness_row,
        witness.basis = 'explicit' as is_stated
    from irreversible
    inner join witness on irreversible.operation_id = witness.operation_id
),

near_by as (
    select
        irreversible.operation_id,
        irreversible.evidence,
        bool_or(coalesce(
            attending.is_stated
            and witness.person <> irreversible.person
            and witness.occurred_hi < irreversible.occurred_lo
            and witness.occurred_lo
            >= for_limit(irreversible.occurred_at, irreversible.occurred_hi)
            - policy_minutes('witness_minutes'),
            false
        )) as is_witnessed,
        bool_or(coalesce(witness.person <> irreversible.person, true)) as may_be_witnessed,
        max(witness.occurred_at) as witnessed_at,
        list(witness.evidence) as witness_rows
    from attending
    inner join irreversible
        on
            attending.operation_id = irreversible.operation_id
            and attending.evidence = irreversible.evidence
    inner join witness on attending.witness_row = witness.evidence
    where
        witness.occurred_lo <= irreversible.occurred_hi
        and witness.occurred_hi >= irreversible.occurred_lo - policy_minutes('witness_minutes')
    group by irreversible.operation_id, irreversible.evidence
),

judged as (
    select
        irreversible.operation_id,
        irreversible.target,
        case
            when irreversible.is_irreversible is null then 'undetermined'
            when near_by.is_witnessed then ok_by(irreversible.basis)
            when coalesce(near_by.may_be_witnessed, false) then 'undetermined'
            when irreversible.basis <> 'explicit' then 'undetermined'
            else 'exception'
        end as status,
        irreversible.occurred_at,
        irreversible.evidence as event,
        case
            when irreversible.is_irreversible is null
                then 'Whether ' || irreversible.action || ' can be undone is not known'
            else
                'Irreversible action ' || irreversible.action || ' on '
                || coalesce(irreversible.target, 'no stated target') || ' at '
                || utc(irreversible.occurred_at)
                || case
                    when near_by.is_witnessed
                        then
                            ' has a witness record by a second account at '
                            || utc(near_by.witnessed_at)
                    when coalesce(near_by.may_be_witnessed, false)
                        then
                            ' has a witness record at ' || utc(near_by.witnessed_at)
                            || ' whose time, account or link does not decide'
                    else
                        ' has no witness record by a second account in the '
                        || plain(policy_number('witness_minutes')) || ' min before'
                end
                || tie_note(irreversible.basis)
        end as reason,
        list_concat([irreversible.evidence], coalesce(near_by.witness_rows, [])) as evidence
    from irreversible
    left join near_by
        on
            irreversible.operation_id = near_by.operation_id
            and irreversible.evidence = near_by.evidence
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
        'No irreversible action is on record in this operation.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
