-- /// finding
-- id = "EQ-02"
-- slug = "clock-error"
-- title = "The clock of a source was off by more than the limit near its events"
-- rule_class = "D"
-- level = "evidence"
-- severity = "medium"
-- criteria = "Clocks of hosts that write evidence keep to the limit while they do."
-- effect = "The order of events of different sources can be other than their times say."
-- recommendation = "Synchronise the clocks, and keep the measurements of their offset."
-- questions = [
--     "Was the offset corrected before the records were exported?",
--     "Was the clock that measured right itself?",
-- ]
-- controls = ["nist800-53r5:AU-8", "iso27001:A.8.17", "nis2:3.2.6", "dora-rts:12(2)(f)"]
-- needs = ["clock_probe", "maintenance_event"]
-- reads = ["clock_offset", "clock_probe", "maintenance_event", "source"]
-- policy = ["clock_probe_hours", "clock_seconds"]
-- limitations = "An offset that the case declares has been taken off, and is taken off here too. Where a host was not probed, what pairs of causes and effects tie to true time counts."
-- ///
with

hosted as (
    select
        maintenance_event.source_id,
        lower(trim(maintenance_event.host)) as host,
        min(maintenance_event.occurred_at) as first_at,
        max(maintenance_event.occurred_at) as last_at
    from maintenance_event
    group by all
),

-- Probes of the host while it wrote the source, or near that time.
near_by as (
    select
        hosted.source_id,
        hosted.host,
        clock_probe.probed_at,
        clock_probe.offset_ms / 1000 - source.clock_offset_seconds as residual,
        pointer(clock_probe.source_id, clock_probe.record_no) as probe_row
    from hosted
    inner join source on hosted.source_id = source.source_id
    inner join clock_probe
        on
            hosted.host = lower(trim(clock_probe.host))
            and clock_probe.probed_at >= hosted.first_at - policy_hours('clock_probe_hours')
            and clock_probe.probed_at <= hosted.last_at + policy_hours('clock_probe_hours')
),

measured as (
    select
        near_by.source_id,
        count(*) as probes,
        count(distinct near_by.host) as hosts,
        max(abs(near_by.residual)) as largest,
        arg_max(near_by.residual, (abs(near_by.residual), near_by.probe_row)) as residual,
        arg_max(near_by.host, (abs(near_by.residual), near_by.probe_row)) as host,
        arg_max(near_by.probed_at, (abs(near_by.residual), near_by.probe_row)) as probed_at,
        arg_max(near_by.probe_row, (abs(near_by.residual), near_by.probe_row)) as probe_row
    from near_by
    group by near_by.source_id
),

-- What pairs with clocks that were measured say of a host without a probe of its own near by.
estimated as (
    select
        hosted.source_id,
        count(*) filter (
            where
            clock_offset.lo_seconds - source.clock_offset_seconds
            >= -policy_number('clock_seconds')
            and clock_offset.hi_seconds - source.clock_offset_seconds
            <= policy_number('clock_seconds')
        ) as within,
        min({
            'host': hosted.host,
            'lo': clock_offset.lo_seconds - source.clock_offset_seconds,
            'hi': clock_offset.hi_seconds - source.clock_offset_seconds,
            'evidence': clock_offset.evidence
        }) filter (
            where
            clock_offset.lo_seconds - source.clock_offset_seconds > policy_number('clock_seconds')
            or clock_offset.hi_seconds - source.clock_offset_seconds
            < -policy_number('clock_seconds')
        ) as beyond
    from hosted
    inner join source on hosted.source_id = source.source_id
    inner join clock_offset
        on
            hosted.source_id = clock_offset.source_id
            and hosted.host = clock_offset.host
            and clock_offset.basis = 'estimated'
            and clock_offset.relative_to is null
    where (hosted.source_id, hosted.host) not in (select (source_id, host) from near_by)
    group by hosted.source_id
),

written as (
    select
        hosted.source_id,
        count(distinct hosted.host) as hosts,
        bool_or(hosted.host is null) as has_unnamed_host
    from hosted
    group by hosted.source_id
)

select
    null::varchar as operation_id,
    null::varchar as change_id,
    source.path as subject,
    case
        when measured.largest > policy_number('clock_seconds') then 'exception'
        when estimated.beyond is not null then 'exception'
        when coalesce(measured.hosts, 0) + coalesce(estimated.within, 0) < written.hosts
            then 'undetermined'
        when written.has_unnamed_host then 'undetermined'
        else 'ok'
    end as status,
    measured.probed_at as occurred_at,
    null::varchar as event,
    case
        when
            estimated.beyond is not null
            and coalesce(measured.largest, 0) <= policy_number('clock_seconds')
            then
                'By causes and effects that tie it to measured clocks, the clock of '
                || estimated.beyond.host || ' was off by '
                || coalesce(
                    'at least ' || thousandths(floor(thousand(estimated.beyond.lo))) || ' s', ''
                )
                || if(
                    estimated.beyond.lo is not null and estimated.beyond.hi is not null, ' and ', ''
                )
                || coalesce(
                    'at most ' || thousandths(ceil(thousand(estimated.beyond.hi))) || ' s', ''
                )
                || '; the limit is ' || plain(policy_number('clock_seconds')) || ' s.'
        when measured.probes is null and estimated.within > 0
            then
                'No probe lies near its events; causes and effects that tie it to measured clocks '
                || 'keep ' || estimated.within || ' of its ' || written.hosts
                || ' hosts within the limit of ' || plain(policy_number('clock_seconds')) || ' s.'
        when measured.probes is null
            then
                'No probe of a host that wrote this source lies within '
                || plain(policy_number('clock_probe_hours')) || ' h of its events.'
        else
            'The clock of ' || measured.host || ' was off by '
            || round(measured.residual, 3)::decimal(18, 3) || ' s at ' || utc(measured.probed_at)
            || if(
                measured.probes = 1,
                ', by the only probe near its events',
                ', the most of ' || measured.probes || ' probes'
            )
            || '; the limit is ' || plain(policy_number('clock_seconds')) || ' s'
            || case
                when
                    measured.hosts + coalesce(estimated.within, 0) < written.hosts
                    or written.has_unnamed_host
                    then ', and not every host of the source was probed.'
                else '.'
            end
    end as reason,
    case
        when
            estimated.beyond is not null
            and coalesce(measured.largest, 0) <= policy_number('clock_seconds')
            then estimated.beyond.evidence
        when measured.probe_row is null then []
        else [measured.probe_row]
    end as evidence
from written
inner join source on written.source_id = source.source_id
left join measured on written.source_id = measured.source_id
left join estimated on written.source_id = estimated.source_id
order by source.path, source.source_id
