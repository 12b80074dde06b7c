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
-- ///
with told as (
    select
        maintenance_event.source_id,
        source.path,
        maintenance_event.outcome,
        maintenance_event.occurred_at,
        pointer(maintenance_event.source_id, maintenance_event.record_no) as evidence,
        maintenance_event.record_no,
        left(trim(split_part(maintenance_event.message, chr(10), 1)), 160) as words
    from maintenance_event
    inner join source on maintenance_event.source_id = source.source_id
    where
        source.format in ('borg_log', 'restic')
        and lower(maintenance_event.action) = 'log'
        and maintenance_event.outcome in ('failure', 'warning')
)

select
    source_id,
    path,
    count(*) filter (where outcome = 'failure') as failures,
    count(*) filter (where outcome = 'warning') as warnings,
    min(occurred_at) filter (where outcome = 'failure') as first_at,
    max(occurred_at) filter (where outcome = 'failure') as last_at,
    min_by(words, record_no) filter (where outcome = 'failure') as first_words,
    max_by(words, record_no) filter (where outcome = 'failure') as last_words,
    min_by(evidence, record_no) filter (where outcome = 'failure') as first_evidence,
    max_by(evidence, record_no) filter (where outcome = 'failure') as last_evidence
from told
group by source_id, path
having count(*) filter (where outcome = 'failure') > 0
order by source_id
