-- /// relation
-- id = "review_action"
-- title = "Actions that the board has put down"
-- grain = "One row per version of the review and action; the latest entry of an action stands."
-- reads = ["finding", "review_entry"]
-- [columns]
-- version = "Version of the review in which it was last put down."
-- action_id = "Identifier of the action."
-- title = "What is to be done."
-- owner = "Role or team that does it."
-- due = "Day by which it is done."
-- strength = "`stronger`, `intermediate` or `weaker`, by the hierarchy of actions."
-- verified_how = "How it will be seen that it works."
-- findings = "Findings that it answers."
-- orphaned_findings = "Those of them that are no longer among the results."
-- put_down_at = "When the entry was made."
-- completed_at = "When it was reported as done; NULL while it is open."
-- completed_how = "How it was seen to be done."
-- ///
with put_down as (
    select *
    from review_entry
    where verb = 'action'
    qualify row_number() over (partition by version, action_id order by entry_no desc) = 1
),

done as (
    select
        action_id,
        entry_no,
        made_at,
        text
    from review_entry
    where verb = 'complete'
    qualify row_number() over (partition by action_id order by entry_no desc) = 1
),

known as (
    select coalesce(list(finding_id), []) as finding_ids
    from finding
)

select
    put_down.version,
    put_down.action_id,
    put_down.title,
    put_down.owner,
    put_down.due,
    put_down.strength,
    put_down.verified_how,
    put_down.findings,
    list_filter(
        put_down.findings, lambda each: not list_contains(known.finding_ids, each)
    ) as orphaned_findings,
    put_down.made_at as put_down_at,
    done.made_at as completed_at,
    done.text as completed_how
from put_down
cross join known
left join done
    on put_down.action_id = done.action_id and put_down.entry_no < done.entry_no
order by put_down.version, put_down.action_id
