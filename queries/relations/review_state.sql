-- /// relation
-- id = "review_state"
-- title = "Where each version of the review stands"
-- grain = "One row per version of the review; one draft where nothing is on record."
-- reads = ["finding", "review_action", "review_decision", "review_entry", "review_sign_off"]
-- policy = ["signatures_required"]
-- limitations = "Signatures count once per person, and only those of people whom nothing on record ties to the changes under review."
-- [columns]
-- version = "Version, from 1."
-- state = "draft, evidence_frozen, in_review, changes_requested, reviewed, signed_off or superseded."
-- since = "When the state began; NULL for a draft without entries."
-- frozen_digest = "Case digest at the latest freeze."
-- frozen_at = "When the evidence was frozen."
-- exceptions = "Exceptions among the findings."
-- decided = "Those of them that are accepted or dismissed in this version."
-- orphaned = "Decisions whose finding is no longer among the results."
-- actions = "Actions put down in this version."
-- stronger_actions = "Those of them that are stronger by the hierarchy of actions."
-- signatures = "Signatures in this version."
-- independent_signatures = "Those of them that count."
-- signatures_required = "Independent signatures that a sign-off needs (policy)."
-- is_current = "Whether it is the latest version."
-- ///
with ends as (
    select
        version,
        max(entry_no) as last_no,
        max_by(state, entry_no) as state,
        max_by(digest, entry_no) filter (where verb = 'freeze') as frozen_digest,
        max(made_at) filter (where verb = 'freeze') as frozen_at
    from review_entry
    group by version
),

versions as (
    select *
    from ends
    union all
    -- A version after a superseded one begins as a draft, as does the first.
    select
        coalesce((select max(version) from ends), 0) + 1 as version,
        null as last_no,
        'draft' as state,
        null as frozen_digest,
        null as frozen_at
    where coalesce((select max_by(state, version) from ends) = 'superseded', true)
),

began as (
    select
        review_entry.version,
        min(review_entry.made_at) as since
    from review_entry
    inner join versions
        on review_entry.version = versions.version and review_entry.state = versions.state
    where
        not exists (
            select 1
            from review_entry as later
            where
                later.version = review_entry.version
                and later.entry_no > review_entry.entry_no
                and later.state != review_entry.state
        )
    group by review_entry.version
),

signatures as (
    select
        version,
        count(*) as signatures,
        count(*) filter (where counts) as independent_signatures
    from review_sign_off
    group by version
),

actions as (
    select
        version,
        count(*) as actions,
        count(*) filter (where strength = 'stronger') as stronger_actions
    from review_action
    group by version
),

decisions as (
    select
        version,
        count(*) filter (where status = 'exception' and decision is not null) as decided,
        count(*) filter (where is_orphaned) as orphaned
    from review_decision
    group by version
)

select
    versions.version,
    if(
        versions.state = 'signed_off'
        and coalesce(signatures.independent_signatures, 0) < policy_number('signatures_required'),
        'reviewed', versions.state
    ) as state,
    began.since,
    versions.frozen_digest,
    versions.frozen_at,
    (
        select count(*) from finding
        where status = 'exception'
    ) as exceptions,
    coalesce(decisions.decided, 0) as decided,
    coalesce(decisions.orphaned, 0) as orphaned,
    coalesce(actions.actions, 0) as actions,
    coalesce(actions.stronger_actions, 0) as stronger_actions,
    coalesce(signatures.signatures, 0) as signatures,
    coalesce(signatures.independent_signatures, 0) as independent_signatures,
    policy_number('signatures_required')::integer as signatures_required,
    versions.version = max(versions.version) over () as is_current
from versions
left join began on versions.version = began.version
left join signatures on versions.version = signatures.version
left join actions on versions.version = actions.version
left join decisions on versions.version = decisions.version
order by versions.version
