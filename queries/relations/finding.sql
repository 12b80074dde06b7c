-- /// relation
-- id = "finding"
-- title = "Findings: what each rule answers, with its base rate"
-- grain = "One row per rule and operation, or per rule and subject; one where a rule did not run."
-- reads = ["operation_span", "rule_catalogue", "rule_result"]
-- limitations = "A base rate compares with operations of the same kind that closed as success."
-- [columns]
-- finding_id = "Digest of rule, operation, subject and event; the same in every run."
-- rule = "Rule."
-- status = "exception, ok, not_applicable, undetermined or not_run."
-- subject = "What the finding is about; NULL where the rule did not run."
-- change_id = "Change; NULL where there is none."
-- occurred_at = "When what was tested happened."
-- reason = "One factual sentence with the measured values."
-- evidence = "Records relied on, as source_id:record_no."
-- severity = "Severity of an exception to this rule."
-- base_rate_n = "Earlier operations of the kind that closed well, with the rule decided."
-- base_rate_k = "Those of them with an exception to the same rule."
-- operation_id = "Operation; NULL where the rule is not about operations."
-- event = "Event that activated the rule, as source_id:record_no."
-- slug = "Name of the rule."
-- title = "What an exception to the rule means."
-- rule_class = "D: deterministic divergence from a recorded criterion; I: indicator."
-- level = "act, precondition, supervision, organisation, system or evidence."
-- ///
with

decided as (
    select
        rule_result.rule,
        operation_span.kind,
        operation_span.closed_at,
        (rule_result.status = 'exception')::integer as is_exception
    from rule_result
    inner join operation_span on rule_result.operation_id = operation_span.operation_id
    where
        rule_result.status in ('exception', 'ok')
        and operation_span.outcome = 'success'
        and operation_span.registered
        and operation_span.kind is not null
        and operation_span.closed_at is not null
        and coalesce(operation_span.closed_at >= operation_span.started_lo, true)
),

-- Counts of decided operations at each closing, so that an operation meets one row, not all.
running as (
    select
        decided.rule,
        decided.kind,
        decided.closed_at,
        sum(count(*)) over by_closing as decided_so_far,
        sum(sum(decided.is_exception)) over by_closing as exceptions_so_far
    from decided
    group by decided.rule, decided.kind, decided.closed_at
    window by_closing as (
        partition by decided.rule, decided.kind
        order by decided.closed_at
    )
),

asked as (
    select
        rule_result.finding_id,
        rule_result.rule,
        operation_span.kind,
        operation_span.started_lo
    from rule_result
    inner join operation_span on rule_result.operation_id = operation_span.operation_id
    where operation_span.kind is not null and operation_span.started_lo is not null
),

base_rate as (
    select
        asked.finding_id,
        coalesce(running.decided_so_far, 0)::bigint as base_rate_n,
        coalesce(running.exceptions_so_far, 0)::bigint as base_rate_k
    from asked
    asof left join running
        on
            asked.rule = running.rule
            and asked.kind = running.kind
            and asked.started_lo > running.closed_at
)

select
    rule_result.finding_id,
    rule_result.rule,
    rule_result.status,
    rule_result.subject,
    rule_result.change_id,
    rule_result.occurred_at,
    rule_result.reason,
    rule_result.evidence,
    rule_catalogue.severity,
    base_rate.base_rate_n,
    base_rate.base_rate_k,
    rule_result.operation_id,
    rule_result.event,
    rule_catalogue.slug,
    rule_catalogue.title,
    rule_catalogue.rule_class,
    rule_catalogue.level
from rule_result
inner join rule_catalogue on rule_result.rule = rule_catalogue.rule
left join base_rate on rule_result.finding_id = base_rate.finding_id
order by rule_result.rule, rule_result.operation_id, rule_result.subject, rule_result.finding_id
