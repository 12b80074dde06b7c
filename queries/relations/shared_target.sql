-- /// relation
-- id = "shared_target"
-- title = "Targets that machines which fell replicate to"
-- grain = "One row per target of a machine that was struck."
-- reads = ["machine_impact", "protection_gap", "replication_run"]
-- limitations = "That machines share a target does not show that it brought their gaps about. Jobs that name no target are not counted."
-- [columns]
-- target_asset = "The target."
-- struck = "Machines that were struck, over all targets."
-- struck_here = "Those of them that replicate to this target and to no other."
-- others_here = "Machines that were not struck and replicate to it, whatever else to."
-- gaps = "Gaps of the struck machines that replicate to it."
-- error = "The error that most of these gaps begin with, the first by letter among equals; NULL where none names one."
-- error_gaps = "How many of them begin with it."
-- ///
with aim as (
    select distinct
        asset_id,
        target_asset
    from replication_run
    where job_kind = 'replicate' and target_asset is not null
),

machine as (
    select
        aim.asset_id,
        aim.target_asset,
        count(*) over (partition by aim.asset_id) as aims,
        coalesce(machine_impact.onset_relation = 'struck', false) as is_struck
    from aim
    left join machine_impact on aim.asset_id = machine_impact.asset_id
),

gap as (
    select
        machine.target_asset,
        protection_gap.error,
        count(*) as gaps
    from machine
    inner join protection_gap on machine.asset_id = protection_gap.asset_id
    where machine.is_struck
    group by machine.target_asset, protection_gap.error
),

told as (
    select
        target_asset,
        sum(gaps)::bigint as gaps,
        max(gaps) filter (where error is not null) as error_gaps,
        arg_min(error, (-gaps, error)) filter (where error is not null) as error
    from gap
    group by target_asset
),

whole as (
    select count(*) as struck
    from machine_impact
    where onset_relation = 'struck'
)

select
    machine.target_asset,
    any_value(whole.struck) as struck,
    count(*) filter (where machine.is_struck and machine.aims = 1) as struck_here,
    count(*) filter (where not machine.is_struck) as others_here,
    coalesce(any_value(told.gaps), 0) as gaps,
    any_value(told.error) as error,
    any_value(told.error_gaps) as error_gaps
from machine
left join told on machine.target_asset = told.target_asset
cross join whole
group by machine.target_asset
having bool_or(machine.is_struck)
order by machine.target_asset
