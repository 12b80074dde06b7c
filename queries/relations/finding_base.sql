-- /// relation
-- id = "finding_base"
-- title = "What the rules found that do not read other rules' results"
-- grain = "One row per result of a rule of the first wave."
-- reads = ["rule_catalogue", "rule_result"]
-- [columns]
-- finding_id = "Digest of rule, operation, subject and event; the same in every run."
-- rule = "Rule."
-- status = "exception, ok, not_applicable, undetermined or not_run."
-- subject = "What the result is about; NULL where the rule did not run."
-- change_id = "Change; NULL where there is none."
-- occurred_at = "When what was tested happened."
-- reason = "One factual sentence with the measured values."
-- evidence = "Records relied on, as source_id:record_no."
-- severity = "Severity of an exception to this rule."
-- operation_id = "Operation; NULL where the rule is not about operations."
-- event = "Event that activated the rule, as source_id:record_no."
-- slug = "Name of the rule."
-- title = "What an exception to the rule means."
-- rule_class = "D: deterministic divergence from a recorded criterion; I: indicator."
-- level = "act, precondition, supervision, organisation, system or evidence."
-- ///
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
    rule_result.operation_id,
    rule_result.event,
    rule_catalogue.slug,
    rule_catalogue.title,
    rule_catalogue.rule_class,
    rule_catalogue.level
from rule_result
inner join rule_catalogue on rule_result.rule = rule_catalogue.rule
where rule_result.wave = 1
order by rule_result.rule, rule_result.operation_id, rule_result.subject, rule_result.finding_id
