-- /// relation
-- id = "tool_report"
-- title = "What the logs of backup tools report as failure"
-- grain = "One row per file of such a log that holds a message which the tool marks as failure."
-- reads = ["maintenance_event", "source"]
-- limitations = "The logs are those of borg and restic. A message is a claim of the tool; what it means for a recovery point is not judged."
-- [columns]
-- source_id = "The file."
-- path = "Its path."
-- failures = "Messages that the tool marks as failure."
-- warnings = "Messages that it marks as warning."
-- first_at = "Time of the first failure."
-- last_at = "Time of the last failure."
-- first_words = "First line of the first failure, as recorded, at most 160 characters."
-- last_words = "The same of the last failure."
-- first_evidence = "The first failure, as cited."
-- last_evidence = "The last failure, as cited."
-- group_words = "Failures and warnings that say the same but for numbers and hexadecimal ids, which are given as …: the words of each such group, most messages first, at most 160 characters."
-- group_counts = "How many messages each group has."
-- group_outcomes = "What the tool marks each group as: `failure` or `warning`."
-- ///
with told as (
    select
        maintenance_event.source_id,
        source.path,
        maintenance_event.outcome,
        maintenance_event.occurred_at,
        pointer(maintenance_event.source_id, maintenance_event.record_no) as evidence,
        maintenance_event.record_no,
        left(trim(split_part(maintenance_event.message, chr(10), 1)), 160) as words,
        trim(regexp_replace(
            regexp_replace(
                split_part(maintenance_event.message, chr(10), 1),
                '\b[0-9a-f]{8,}\b|[0-9]+', '…', 'gi'
            ),
            '\s+', ' ', 'g'
        )) as alike
    from maintenance_event
    inner join source on maintenance_event.source_id = source.source_id
    where
        source.format in ('borg_log', 'restic')
        and lower(maintenance_event.action) = 'log'
        and maintenance_event.outcome in ('failure', 'warning')
),

grouped as (
    select
        source_id,
        outcome,
        alike,
        count(*) as messages,
        min(record_no) as first_no
    from told
    group by source_id, outcome, alike
),

groups as (
    select
        source_id,
        list(left(alike, 160) order by messages desc, first_no asc) as group_words,
        list(messages order by messages desc, first_no asc) as group_counts,
        list(outcome order by messages desc, first_no asc) as group_outcomes
    from grouped
    group by source_id
)

select
    told.source_id,
    told.path,
    count(*) filter (where told.outcome = 'failure') as failures,
    count(*) filter (where told.outcome = 'warning') as warnings,
    min(told.occurred_at) filter (where told.outcome = 'failure') as first_at,
    max(told.occurred_at) filter (where told.outcome = 'failure') as last_at,
    min_by(told.words, told.record_no) filter (where told.outcome = 'failure') as first_words,
    max_by(told.words, told.record_no) filter (where told.outcome = 'failure') as last_words,
    min_by(told.evidence, told.record_no) filter (where told.outcome = 'failure') as first_evidence,
    max_by(told.evidence, told.record_no) filter (where told.outcome = 'failure') as last_evidence,
    any_value(groups.group_words) as group_words,
    any_value(groups.group_counts) as group_counts,
    any_value(groups.group_outcomes) as group_outcomes
from told
inner join groups on told.source_id = groups.source_id
group by told.source_id, told.path
having count(*) filter (where told.outcome = 'failure') > 0
order by told.source_id
