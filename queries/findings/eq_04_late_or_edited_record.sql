-- /// finding
-- id = "EQ-04"
-- slug = "late-or-edited-record"
-- title = "A record was written long after its event, or edited after it was written"
-- rule_class = "D"
-- level = "evidence"
-- severity = "low"
-- criteria = "Records are written near their event and stay as they were written."
-- effect = "The record may tell what was held to be so later, not only what was seen at the time."
-- recommendation = "Keep each version of a record, with the time and the account of the edit."
-- questions = [
--     "Was the record entered from notes that still exist?",
--     "Did the edit correct a slip of the pen, and does the first version exist?",
-- ]
-- controls = ["nist800-53r5:AU-9", "iso27001:A.5.28", "csf2.0:RS.AN-06"]
-- needs = ["maintenance_event"]
-- reads = ["maintenance_event", "operation_event", "operation_span"]
-- policy = ["late_entry_hours"]
-- limitations = "Tested where a record states when it was written or edited."
-- ///
with

written as (
    select
        operation_event.operation_id,
        operation_event.basis,
        operation_event.occurred_at,
        operation_event.occurred_lo,
        operation_event.occurred_hi,
        operation_event.action,
        operation_event.target,
        operation_event.evidence,
        maintenance_event.recorded_at,
        maintenance_event.edited_at,
        -- Written when it happened, where the record states no other time.
        coalesce(maintenance_event.recorded_at, operation_event.occurred_hi) as written_at
    from operation_event
    inner join maintenance_event
        on
            operation_event.source_id = maintenance_event.source_id
            and operation_event.record_no = maintenance_event.record_no
    where maintenance_event.recorded_at is not null or maintenance_event.edited_at is not null
),

compared as (
    select
        written.*,
        coalesce(
            written.recorded_at - for_limit(written.occurred_at, written.occurred_hi)
            > policy_hours('late_entry_hours'),
            false
        ) as is_late,
        coalesce(
            written.recorded_at - written.occurred_lo > policy_hours('late_entry_hours'), false
        ) as may_be_late,
        coalesce(written.edited_at > written.written_at, false) as is_edited
    from written
),

judged as (
    select
        compared.operation_id,
        compared.target,
        case
            when (compared.is_late or compared.is_edited) and compared.basis = 'explicit'
                then 'exception'
            when compared.may_be_late or compared.is_edited then 'undetermined'
            else ok_by(compared.basis)
        end as status,
        compared.occurred_at,
        compared.evidence as event,
        'The record of action ' || compared.action || ' at ' || utc(compared.occurred_at) || ' was '
        || case
            when compared.recorded_at is null then 'written at the time of the event'
            else 'written ' || in_words(compared.recorded_at - compared.occurred_at) || ' later'
        end
        || case
            when compared.is_edited
                then
                    ' and edited ' || in_words(compared.edited_at - compared.written_at)
                    || ' after that'
            when compared.edited_at is not null then ' and not edited after that'
            else ''
        end
        || case
            when compared.may_be_late and not compared.is_late
                then '; the time of the event is too uncertain to compare'
            else '; the limit for writing is ' || plain(policy_number('late_entry_hours')) || ' h'
        end
        || tie_note(compared.basis) as reason,
        [compared.evidence] as evidence
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
        'No record of this operation states when it was written or edited, so whether one was '
        || 'written late or edited cannot be told.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
