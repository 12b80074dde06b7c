-- /// finding
-- id = "CF-15"
-- slug = "stale-procedure"
-- title = "The procedure version was superseded before the first action, or is unknown"
-- rule_class = "D"
-- level = "organisation"
-- severity = "medium"
-- criteria = "Work follows a known version of a procedure that is in force at the first action."
-- effect = "It is not shown that what those who acted went by is what the organisation holds to be right."
-- recommendation = "Link each change to one version of its procedure, and check at the first action that it is valid."
-- questions = [
--     "Does a procedure exist that was not handed over as evidence?",
--     "Was the new version announced, and how?",
-- ]
-- codes = ["hfacs-7.0:OP003", "hfacs-7.0:OR008", "sherpa:R2", "meda:A",
--     "dora:4.2.process_failure_inadequacy_of_internal_policies_procedures_and_documentation"]
-- controls = ["iso27001:A.5.37", "soc2:CC8.1"]
-- needs = ["change", "procedure"]
-- reads = ["change", "operation_span", "procedure"]
-- limitations = "A version without a stated end is superseded by the next one that is published."
-- ///
with

version as (
    select
        procedure.procedure,
        procedure.version,
        least(
            procedure.superseded_at,
            lead(procedure.published_at) over (
                partition by procedure.procedure
                order by procedure.published_at nulls first, procedure.version
            )
        ) as superseded_at
    from procedure
),

-- The version that the change names, else the one in force.
followed as (
    select
        operation_span.operation_id,
        operation_span.started_at,
        operation_span.started_lo,
        operation_span.started_hi,
        operation_span.started_basis,
        operation_span.procedure_basis,
        coalesce(operation_span.procedure, change.procedure) as procedure,
        coalesce(change.procedure_version, operation_span.procedure_version) as version,
        pointer(change.source_id, change.record_no) as change_row
    from operation_span
    inner join change on operation_span.change_id = change.change_id
    where operation_span.started_at is not null
),

judged as (
    select
        followed.operation_id,
        null::varchar as target,
        case
            when version.version is null
                then if(followed.started_basis = 'explicit', 'exception', 'undetermined')
            when version.superseded_at is null then 'ok'
            when version.superseded_at > followed.started_hi then 'ok'
            when
                version.superseded_at < followed.started_lo
                and followed.started_basis = 'explicit'
                then 'exception'
            else 'undetermined'
        end as status,
        followed.started_at as occurred_at,
        null::varchar as event,
        case
            when version.version is null
                then case
                    when followed.procedure is null and followed.procedure_basis = 'ambiguous'
                        then 'Several procedures apply to the change and it names none'
                    when followed.procedure is null
                        then 'No procedure on file applies to the change'
                    else
                        'Procedure ' || followed.procedure || ' version '
                        || coalesce(followed.version, 'in force at the first action')
                        || ' is not on file'
                end
            else
                'Procedure ' || followed.procedure || ' version ' || followed.version
                || case
                    when version.superseded_at is null then ' is the latest on file'
                    when version.superseded_at < followed.started_lo
                        then ' was superseded at ' || utc(version.superseded_at)
                    else ' is superseded at ' || utc(version.superseded_at)
                end
                || '; the first action is on record at ' || utc(followed.started_at)
                || if(followed.started_basis = 'explicit', '', ', tied by inference only')
        end as reason,
        [followed.change_row] as evidence
    from followed
    left join version
        on
            lower(followed.procedure) = lower(version.procedure)
            and followed.version = version.version
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
        'The operation is no registered change, or no action under it is on record.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
