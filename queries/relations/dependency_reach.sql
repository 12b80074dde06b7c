-- /// relation
-- id = "dependency_reach"
-- title = "What depends on what, directly or through others"
-- grain = "One row per asset, asset that it depends on and interval in which every link between them was valid."
-- reads = ["dependency"]
-- [columns]
-- from_asset = "The asset that depends."
-- to_asset = "The asset that it depends on, directly or through others."
-- valid_from = "Since when; NULL where open."
-- valid_to = "Until when; NULL where open."
-- ///
with recursive reach as (
    select
        from_asset,
        to_asset,
        valid_from,
        valid_to
    from dependency
    union
    select
        reach.from_asset,
        dependency.to_asset,
        greatest(reach.valid_from, dependency.valid_from) as valid_from,
        least(reach.valid_to, dependency.valid_to) as valid_to
    from reach
    inner join dependency
        on
            reach.to_asset = dependency.from_asset
            and reach.from_asset <> dependency.to_asset
            and coalesce(reach.valid_from < dependency.valid_to, true)
            and coalesce(reach.valid_to > dependency.valid_from, true)
)

select
    from_asset,
    to_asset,
    valid_from,
    valid_to
from reach
order by from_asset, to_asset, valid_from nulls first, valid_to nulls last
