-- /// finding
-- id = "CF-08"
-- slug = "backup-unverified"
-- title = "No successful restore or integrity test before an irreversible action is on record"
-- rule_class = "D"
-- level = "organisation"
-- severity = "high"
-- criteria = "A copy of the target's data passes a restore or integrity test within the age limit."
-- effect = "No recent test shows that the data could be had from another copy when one was removed."
-- recommendation = "Test restores on a schedule, and show the age of the last test in the change."
-- questions = [
--     "Did a vendor or another team test the copy, with records of their own?",
--     "Was the content of the target worthless by then?",
-- ]
-- codes = ["sherpa:C1", "sherpa:C5", "cream:feedback-missing", "hfacs-7.0:SI007",
--     "dora:4.3.backup_and_restore"]
-- controls = ["nist800-53r5:CP-9(1)", "nist800-53r5:CP-9(2)", "nist800-53r5:CP-4",
--     "csf2.0:PR.DS-11", "iso27001:A.8.13", "soc2:A1.3", "nis2:4.2.3", "nis2:4.2.6"]
-- needs = ["maintenance_event", "protection_check|replication_sample"]
-- reads = ["asset", "operation_event", "operation_span", "protection_check", "replication_run"]
-- policy = ["backup_verification_age_days"]
-- limitations = "Any successful test counts, also where a later one did not succeed."
-- ///
with

hit as (
    select
        operation_event.operation_id,
        operation_event.basis,
        operation_event.occurred_at,
        operation_event.occurred_lo,
        operation_event.occurred_hi,
        operation_event.action,
        operation_event.target,
        asset_name(operation_event.target) as asset,
        operation_event.is_irreversible,
        operation_event.evidence as event
    from operation_event
    where
        coalesce(operation_event.is_irreversible, true)
        and not operation_event.is_read_only
),

member as (
    select distinct
        asset_name(asset.asset_id) as asset,
        asset.redundancy_group
    from asset
    where asset.redundancy_group is not null
),

-- Whose test counts: the target's, and that of every member of its redundancy group.
covered as (
    select
        hit.event,
        hit.asset
    from hit
    where hit.asset is not null
    union
    select
        hit.event,
        peer.asset
    from hit
    inner join member on hit.asset = member.asset
    inner join member as peer on member.redundancy_group = peer.redundancy_group
),

passed as (
    select
        asset_name(protection_check.target) as asset,
        protection_check.finished_lo as first_lo,
        protection_check.finished_hi as first_hi,
        protection_check.finished_lo as last_lo,
        protection_check.finished_hi as last_hi,
        pointer(protection_check.source_id, protection_check.record_no) as evidence
    from protection_check
    where protection_check.ok
    union all
    select
        lower(replication_run.asset_id) as asset,
        replication_run.started_at as first_lo,
        replication_run.started_at as first_hi,
        replication_run.last_sample_at as last_lo,
        replication_run.last_sample_at as last_hi,
        replication_run.last_evidence as evidence
    from replication_run
    where
        replication_run.job_kind in ('restore_test', 'verify')
        and replication_run.state = 'success'
),

tests as (select count(*) as count from passed),

compared as (
    select
        hit.event,
        bool_or(
            (
                passed.last_hi < hit.occurred_lo
                and passed.last_lo >= for_limit(hit.occurred_at, hit.occurred_hi)
                - policy_days('backup_verification_age_days')
            )
            or (
                passed.first_hi < hit.occurred_lo
                and passed.first_lo >= for_limit(hit.occurred_at, hit.occurred_hi)
                - policy_days('backup_verification_age_days')
            )
        ) as surely_tested,
        bool_or(
            passed.first_lo <= hit.occurred_hi
            and passed.last_hi >= hit.occurred_lo - policy_days('backup_verification_age_days')
        ) as perhaps_tested,
        max(least(passed.last_lo, hit.occurred_lo)) filter (
            where passed.first_lo <= hit.occurred_hi
        )
            as tested_at,
        arg_max(passed.evidence, (passed.last_lo, passed.evidence)) filter (
            where passed.first_lo <= hit.occurred_hi
        ) as test_row,
        arg_max(passed.asset, (passed.last_lo, passed.evidence)) filter (
            where passed.first_lo <= hit.occurred_hi
        ) as tested_asset
    from hit
    inner join covered on hit.event = covered.event
    inner join passed on covered.asset = passed.asset
    group by hit.event
),

judged as (
    select
        hit.operation_id,
        hit.target,
        case
            when hit.is_irreversible is null or hit.asset is null then 'undetermined'
            when compared.surely_tested then ok_by(hit.basis)
            when compared.perhaps_tested or hit.basis <> 'explicit' then 'undetermined'
            else 'exception'
        end as status,
        hit.occurred_at,
        hit.event,
        case
            when hit.is_irreversible is null
                then 'Whether ' || hit.action || ' can be undone is not known'
            when hit.asset is null
                then
                    'The record of ' || hit.action || ' at ' || utc(hit.occurred_at)
                    || ' states no target'
            else
                'Before ' || hit.action || ' on ' || hit.target || ' at ' || utc(hit.occurred_at)
                || case
                    when compared.tested_at is null
                        then
                            ' no successful restore or integrity test of its data is on record'
                            || if(tests.count = 0, ', nor one of other data', '')
                    else
                        ' the last successful test '
                        || if(
                            compared.tested_asset = hit.asset, 'of its data',
                            'in its redundancy group, of ' || compared.tested_asset || ','
                        )
                        || ' was ' || in_words(hit.occurred_at - compared.tested_at) || ' old'
                end
                || '; the limit is ' || plain(policy_number('backup_verification_age_days'))
                || ' d'
                || tie_note(hit.basis)
        end as reason,
        hit.target || case
            when hit.is_irreversible is null then ''
            when compared.tested_at is null then ' (no test on record)'
            else ' (' || in_words(hit.occurred_at - compared.tested_at) || ')'
        end as brief,
        [hit.event, compared.test_row] as evidence
    from hit
    left join compared on hit.event = compared.event
    cross join tests
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
            judged.status, judged.brief, judged.occurred_at, judged.event, judged.reason
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
        'No irreversible action is on record in this operation.'
    ) as reason,
    coalesce(verdict.evidence, []) as evidence
from operation_span
left join verdict on operation_span.operation_id = verdict.operation_id
order by operation_span.operation_id
