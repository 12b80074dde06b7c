-- /// relation
-- id = "review_decision"
-- title = "What the board says of each finding"
-- grain = "One row per version of the review and finding that review.yaml decides or answers."
-- reads = ["finding", "review_entry"]
-- limitations = "The latest entry stands; earlier ones stay in review_entry. A decision whose finding the evidence no longer gives is kept and marked as orphaned."
-- [columns]
-- version = "Version of the review."
-- finding_id = "Finding that it is about."
-- decision = "`accepted`, `dismissed`, or NULL where only a response is on record."
-- reason = "Reason as given."
-- decided_at = "When it was decided."
-- decided_by = "Account that made the entry."
-- decided_role = "Role in which it was made."
-- response = "Response of the management: `agree`, `partly`, `disagree`, or NULL."
-- response_text = "Response as given."
-- response_at = "When the response was given."
-- response_role = "Role in which it was given."
-- rule = "Rule of the finding; NULL where the finding is no longer there."
-- status = "What the rule answers now; NULL where the finding is no longer there."
-- is_orphaned = "Whether the finding is no longer among the results."
-- replaced = "Earlier decisions of this version that the latest one replaces."
-- ///
with said as (
    select
        *,
        if(verb = 'respond', 'response', 'decision') as part
    from review_entry
    where verb in ('accept', 'dismiss', 'respond')
),

latest as (
    select
        *,
        count(*) over (partition by version, finding_id, part) - 1 as replaced
    from said
    qualify
        row_number() over (partition by version, finding_id, part order by entry_no desc) = 1
),

about as (
    select distinct
        version,
        finding_id
    from latest
)

select
    about.version,
    about.finding_id,
    case decided.verb when 'accept' then 'accepted' when 'dismiss' then 'dismissed' end
        as decision,
    decided.text as reason,
    decided.made_at as decided_at,
    decided.account as decided_by,
    decided.role as decided_role,
    answered.answer as response,
    answered.text as response_text,
    answered.made_at as response_at,
    answered.role as response_role,
    finding.rule,
    finding.status,
    finding.finding_id is null as is_orphaned,
    coalesce(decided.replaced, 0) as replaced
from about
left join latest as decided
    on
        about.version = decided.version
        and about.finding_id = decided.finding_id
        and decided.part = 'decision'
left join latest as answered
    on
        about.version = answered.version
        and about.finding_id = answered.finding_id
        and answered.part = 'response'
left join finding on about.finding_id = finding.finding_id
order by about.version, about.finding_id
