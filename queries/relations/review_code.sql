-- /// relation
-- id = "review_code"
-- title = "Candidate codes, as coders judged them"
-- grain = "One row per version of the review, finding and code that somebody judged."
-- reads = ["finding", "review_entry", "rule_catalogue"]
-- limitations = "A code is confirmed by two coders who judge alike; one coder alone confirms nothing."
-- [columns]
-- version = "Version of the review."
-- finding_id = "Finding that it is about."
-- rule = "Rule of the finding; NULL where the finding is no longer there."
-- code = "Code of a taxonomy, as in the rule."
-- is_candidate = "Whether the rule names the code as a candidate; NULL without the finding."
-- coders = "Persons who judged it."
-- holding = "Those of them who say that it holds."
-- verdict = "`confirmed`, `rejected`, `disputed`, or `one coder`."
-- ///
with judged as (
    select
        version,
        finding_id,
        code,
        holds
    from review_entry
    where verb = 'code'
    qualify
        row_number() over (
            partition by version, finding_id, code, person(account) order by entry_no desc
        ) = 1
),

counted as (
    select
        version,
        finding_id,
        code,
        count(*) as coders,
        count(*) filter (where holds) as holding
    from judged
    group by version, finding_id, code
)

select
    counted.version,
    counted.finding_id,
    finding.rule,
    counted.code,
    list_contains(rule_catalogue.candidate_codes, counted.code) as is_candidate,
    counted.coders,
    counted.holding,
    case
        when counted.coders = 1 then 'one coder'
        when counted.holding = counted.coders then 'confirmed'
        when counted.holding = 0 then 'rejected'
        else 'disputed'
    end as verdict
from counted
left join finding on counted.finding_id = finding.finding_id
left join rule_catalogue on finding.rule = rule_catalogue.rule
order by counted.version, counted.finding_id, counted.code
