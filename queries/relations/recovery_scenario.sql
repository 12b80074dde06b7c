-- /// relation
-- id = "recovery_scenario"
-- title = "Recovery scenarios that the records show, by type of machine"
-- grain = "One row per machine type and scenario that at least one of its machines of the main onset went through."
-- reads = ["machine_recovery"]
-- [columns]
-- machine_type = "Type of machine."
-- scenario = "`relinked`, `reseeded`, `resumed` (the job itself went on), `lost` or `open`."
-- machines = "Machines that went through it."
-- share = "Share of the struck machines of the type."
-- median_hours = "Median time from the latest start of the gap to recovery, in hours; NULL for `lost` and `open`."
-- longest_hours = "Longest such time, in hours."
-- first_at = "First recovery, or first record of a loss; NULL for `open`."
-- last_at = "Last of them."
-- failures = "Seeds and relinks of these machines that failed."
-- running = "Machines with a seed or relink running when the record ends."
-- bytes = "Bytes that these machines protect; NULL where none of them states it."
-- ///
select
    machine_type,
    scenario,
    count(*) as machines,
    round(count(*) / sum(count(*)) over (partition by machine_type), 6) as share,
    round(median(hours), 6) as median_hours,
    max(hours) as longest_hours,
    min(coalesce(recovered_at, lost_at)) as first_at,
    max(coalesce(recovered_at, lost_at)) as last_at,
    sum(failures)::bigint as failures,
    count(*) filter (where is_running) as running,
    sum(protected_bytes)::bigint as bytes
from machine_recovery
group by machine_type, scenario
order by
    machine_type,
    list_position(['relinked', 'reseeded', 'resumed', 'lost', 'open'], scenario)
