-- /// relation
-- id = "span_use"
-- title = "Last use in spans at whose ends runs do not tell"
-- grain = "One row per irreversible event and dependent for which a sample of use lies in the span that has to be looked at. A lake runs this very text, and the samples that it cites are kept."
-- reads = ["alias", "replication_run", "replication_sample", "use_span"]
-- [columns]
-- event = "Irreversible event, as source_id:record_no."
-- asset = "The dependent, in lower case."
-- used_at = "Last use that surely lies in the span; NULL where it only may."
-- evidence = "Record of that use, else of the last that may lie in the span."
-- ///
with undecided as (
    select distinct
        event,
        asset,
        since_lo,
        since_hi,
        occurred_lo,
        occurred_hi,
        only_target
    from use_span
    where spans
),

spelling as (
    select
        undecided.asset,
        replication_run.asset_id as name
    from replication_run
    inner join undecided on lower(replication_run.asset_id) = undecided.asset
    union
    select
        undecided.asset,
        alias.alias as name
    from undecided
    inner join alias on alias.kind = 'asset' and undecided.asset = lower(trim(alias.canonical))
),

-- Where jobs of the dependent name the target, a sample that names another one is no use of it.
target_spelling as (
    select
        undecided.only_target,
        undecided.only_target as name
    from undecided
    where undecided.only_target is not null
    union
    select
        undecided.only_target,
        lower(trim(alias.alias)) as name
    from undecided
    inner join alias
        on alias.kind = 'asset' and undecided.only_target = lower(trim(alias.canonical))
),

-- A use that surely lies in the span is cited before one that only may.
ranked as (
    select
        undecided.event,
        undecided.asset,
        replication_sample.sampled_at,
        replication_sample.sampled_at >= undecided.since_hi
        and replication_sample.sampled_at < undecided.occurred_lo as is_within,
        pointer(replication_sample.source_id, replication_sample.record_no) as evidence,
        row_number() over (
            partition by undecided.event, undecided.asset
            order by
                if(
                    replication_sample.sampled_at >= undecided.since_hi
                    and replication_sample.sampled_at < undecided.occurred_lo,
                    1,
                    0
                ) desc,
                replication_sample.sampled_at desc,
                replication_sample.source_id desc,
                replication_sample.record_no desc
        ) as back_no
    from undecided
    inner join spelling on undecided.asset = spelling.asset
    inner join replication_sample
        on
            spelling.name = replication_sample.asset_id
            and undecided.since_lo <= replication_sample.sampled_at
            and undecided.occurred_hi >= replication_sample.sampled_at
    left join target_spelling
        on
            undecided.only_target = target_spelling.only_target
            and lower(trim(replication_sample.target_asset)) = target_spelling.name
    where
        replication_sample.state in ('success', 'running', 'connected')
        and (
            undecided.only_target is null
            or replication_sample.target_asset is null
            or target_spelling.name is not null
        )
)

select
    event,
    asset,
    if(is_within, sampled_at, null) as used_at,
    evidence
from ranked
where back_no = 1
order by event, asset
