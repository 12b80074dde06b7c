-- /// relation
-- id = "known_asset"
-- title = "Assets, as stated by the inventory or implied by telemetry"
-- grain = "One row per asset: the row of the inventory that is valid at the end of the window, else the last one; an asset that only telemetry names is implied."
-- reads = ["alias", "asset", "asset_state", "case_info", "replication_sample"]
-- [columns]
-- asset_id = "The asset, by its canonical name."
-- basis = "`stated` by the inventory, or `implied` by telemetry alone."
-- kind = "Kind of asset."
-- machine_type = "Type of machine."
-- site = "Site."
-- region = "Region."
-- zone = "IANA time zone of the site."
-- organization = "Organization that the asset serves."
-- redundancy_group = "Group of assets that hold copies of the same data."
-- min_copies = "Healthy members that the group must keep."
-- criticality = "How critical it is."
-- protected_bytes = "Bytes that it protects."
-- cadence_minutes = "Planned interval between recovery points, in minutes."
-- rpo_minutes = "Recovery point objective, in minutes."
-- valid_from = "Start of validity; NULL where open."
-- valid_to = "End of validity; NULL where open."
-- evidence = "The row of the inventory; NULL for an implied asset."
-- ///
with review as (
    select coalesce(max(window_end), 'infinity'::timestamptz) as ends_at from case_info
),

stated as (
    select asset.*
    from asset
    cross join review
    qualify row_number() over (
        partition by asset.asset_id
        order by
            coalesce(asset.valid_from <= review.ends_at, true) desc,
            coalesce(asset.valid_to > review.ends_at, true) desc,
            asset.valid_from desc nulls last,
            asset.valid_to desc nulls first,
            asset.source_id desc,
            asset.record_no desc
    ) = 1
),

named as (
    select distinct replication_sample.asset_id from replication_sample
    union
    select distinct asset_state.asset_id from asset_state
),

canonical as (
    select
        alias,
        min(canonical) as asset_id
    from alias
    where kind = 'asset'
    group by alias
),

seen as (
    select distinct coalesce(canonical.asset_id, named.asset_id) as asset_id
    from named
    left join canonical on named.asset_id = canonical.alias
)

select
    asset_id,
    case when stated.asset_id is null then 'implied' else 'stated' end as basis,
    stated.kind,
    stated.machine_type,
    stated.site,
    stated.region,
    stated.zone,
    stated.organization,
    stated.redundancy_group,
    stated.min_copies,
    stated.criticality,
    stated.protected_bytes,
    stated.cadence_minutes,
    stated.rpo_minutes,
    stated.valid_from,
    stated.valid_to,
    pointer(stated.source_id, stated.record_no) as evidence
from seen
full join stated using (asset_id)
order by asset_id
