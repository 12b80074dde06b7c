-- /// relation
-- id = "review_sign_off"
-- title = "Signatures, with what ties the signer to the work under review"
-- grain = "One row per version of the review and signer."
-- reads = ["approval", "change", "maintenance_event", "review_entry"]
-- limitations = "Signatures given before changes were requested are void: they stay in review_entry. Ties are those on record: who requested, approved, planned to carry out or carried out a registered change. Accounts are compared without case, through the aliases on record. A signature that states the digest of another case than the frozen one does not count; one that states none is taken to mean the frozen one."
-- [columns]
-- version = "Version of the review."
-- signed_at = "When."
-- account = "Account of the signer."
-- role = "Role in which it was signed."
-- conflicts = "What ties the signer to changes under review, one sentence each; empty where nothing."
-- digest = "Case digest that it states; NULL where it states none."
-- is_of_frozen = "Whether that is the digest of the latest freeze before it; NULL where it states none."
-- counts = "Whether the signature counts: no conflict, and not of another state than the frozen one."
-- ///
with tie as (
    select
        requested_by as name,
        change_id,
        'requested' as what
    from change
    union
    select
        implementer as name,
        change_id,
        'was to carry out' as what
    from change
    union
    select
        approver as name,
        change_id,
        'decided on' as what
    from approval
    union
    select
        unnest([actor, effective_actor]) as name,
        change_id,
        'worked on' as what
    from maintenance_event
    where change_id is not null
),

tied as (
    select
        person(tie.name) as name,
        tie.what,
        list(distinct tie.change_id order by tie.change_id) as changes
    from tie
    where tie.name is not null
    group by person(tie.name), tie.what
),

signed as (
    select
        *,
        person(account) as name,
        digest = (
            select max_by(earlier.digest, earlier.entry_no) from review_entry as earlier
            where
                earlier.verb = 'freeze'
                and earlier.version = review_entry.version
                and earlier.entry_no < review_entry.entry_no
        ) as is_of_frozen
    from review_entry
    where
        verb = 'sign'
        and entry_no > coalesce(
            (
                select max(reopened.entry_no) from review_entry as reopened
                where reopened.version = review_entry.version and reopened.verb = 'request_changes'
            ), 0
        )
    qualify
        row_number() over (
            partition by version, person(account) order by entry_no desc
        ) = 1
)

select
    signed.version,
    signed.made_at as signed_at,
    signed.account,
    signed.role,
    coalesce(
        list(
            tied.what || ' ' || list_aggregate(tied.changes[:5], 'string_agg', ', ')
            || if(len(tied.changes) > 5, ' and ' || (len(tied.changes) - 5) || ' more', '')
            order by tied.what
        ) filter (where tied.name is not null),
        []
    ) as conflicts,
    signed.digest,
    signed.is_of_frozen,
    count(tied.name) = 0 and coalesce(signed.is_of_frozen, true) as counts
from signed
left join tied on signed.name = tied.name
group by
    signed.version, signed.made_at, signed.account, signed.role, signed.name, signed.digest,
    signed.is_of_frozen
order by signed.version, signed.made_at, signed.account
