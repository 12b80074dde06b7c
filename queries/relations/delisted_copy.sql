-- /// relation
-- id = "delisted_copy"
-- title = "Recovery points that one listing of a repository names and a later one does not"
-- grain = "One row per recovery point."
-- reads = ["record_copy", "replication_sample", "source"]
-- limitations = "Listings are those of borg, kopia, restic and zfs. One is later than another where its latest recovery point is no earlier; when a listing was taken is not in it. Why a recovery point is gone, by retention or otherwise, is on no listing; one that is listed need not be readable."
-- [columns]
-- asset_id = "The machine."
-- target_asset = "The repository; NULL where no record names it."
-- job_id = "The job, where the listing names one."
-- recovery_point_at = "The recovery point."
-- evidence = "A listing that names it."
-- absent_from = "Source of the listing without it: the one with most recovery points after it."
-- absent_until_at = "The latest recovery point of that listing."
-- listed = "Recovery points of the job that any listing names."
-- still_listed = "How many of them that listing names."
-- ///
with named as (
    select
        replication_sample.source_id,
        replication_sample.record_no,
        replication_sample.source_id as listing_id,
        replication_sample.record_no as listing_no
    from replication_sample
    union all
    select
        of_source_id as source_id,
        of_record_no as record_no,
        source_id as listing_id,
        record_no as listing_no
    from record_copy
    where relation = 'replication_sample'
),

entries as (
    select
        named.listing_id,
        named.listing_no,
        replication_sample.asset_id,
        replication_sample.target_asset,
        replication_sample.job_id,
        replication_sample.recovery_point_at,
        -- What a run copied is told by the record of the run, not by a listing.
        count(*) over (partition by named.listing_id) > 1
        and count(replication_sample.bytes) over (partition by named.listing_id) = 0
        and count(replication_sample.error) over (partition by named.listing_id) = 0 as is_listing
    from named
    inner join replication_sample
        on
            named.source_id = replication_sample.source_id
            and named.record_no = replication_sample.record_no
    inner join source on named.listing_id = source.source_id
    where source.format in ('borg', 'kopia', 'restic', 'zfs_list')
),

listed as (
    select
        *,
        max(recovery_point_at) over (
            partition by listing_id, asset_id, target_asset, job_id
        ) as until_at
    from entries
    where is_listing and recovery_point_at is not null
),

points as (
    select
        asset_id,
        target_asset,
        job_id,
        recovery_point_at,
        max(until_at) as until_at,
        min_by(pointer(listing_id, listing_no), (listing_id, listing_no)) as evidence,
        list(distinct listing_id) as listings,
        count(*) over (partition by asset_id, target_asset, job_id) as listed
    from listed
    group by asset_id, target_asset, job_id, recovery_point_at
),

listings as (
    select
        listing_id,
        asset_id,
        target_asset,
        job_id,
        max(recovery_point_at) as until_at,
        count(distinct recovery_point_at) as still_listed
    from listed
    group by listing_id, asset_id, target_asset, job_id
)

select
    points.asset_id,
    points.target_asset,
    points.job_id,
    points.recovery_point_at,
    points.evidence,
    listings.listing_id as absent_from,
    listings.until_at as absent_until_at,
    points.listed,
    listings.still_listed
from points
inner join listings
    on
        points.asset_id = listings.asset_id
        and points.target_asset is not distinct from listings.target_asset
        and points.job_id is not distinct from listings.job_id
        and points.until_at <= listings.until_at
        and not list_contains(points.listings, listings.listing_id)
where points.recovery_point_at <= listings.until_at
qualify
    row_number() over (
        partition by
            points.asset_id, points.target_asset, points.job_id, points.recovery_point_at
        order by listings.until_at desc, listings.listing_id desc
    ) = 1
order by
    points.asset_id, points.target_asset, points.job_id, points.recovery_point_at
