-- Small functions that the queries share; they live in the case database, so that every query runs
-- in a DuckDB shell as it stands.

-- A threshold of the policy in force, as a number.
create or replace macro policy_number(name) as (
    select policy.value::double from policy where policy.key = name
);

-- A threshold of the policy in force, as an interval.
create or replace macro policy_minutes(name) as (
    select to_microseconds((policy.value::double * 60000000)::bigint) from policy where policy.key = name
);

create or replace macro policy_hours(name) as (
    select to_microseconds((policy.value::double * 3600000000)::bigint)
    from policy where policy.key = name
);

create or replace macro policy_days(name) as (
    select to_microseconds((policy.value::double * 86400000000)::bigint)
    from policy where policy.key = name
);

-- A list of the policy in force: lower-case words, separated by commas.
create or replace macro policy_list(name) as (
    select list_transform(string_split(policy.value, ','), lambda word: lower(trim(word)))
    from policy where policy.key = name
);

-- How a row of evidence is cited.
create or replace macro pointer(source_id, record_no) as source_id || ':' || record_no;

-- An instant as the report prints it: UTC, to the second.
create or replace macro utc(instant) as strftime(instant at time zone 'UTC', '%Y-%m-%d %H:%M:%S UTC');

-- A duration in words: "3 d 4 h", "2 h 10 min", "45 s".
create or replace macro in_words(duration) as (
    case
        when duration is null then 'an unknown time'
        when epoch(duration) >= 86400
            then (epoch(duration) // 86400)::bigint || ' d '
                || ((epoch(duration) % 86400) // 3600)::bigint || ' h'
        when epoch(duration) >= 3600
            then (epoch(duration) // 3600)::bigint || ' h '
                || ((epoch(duration) % 3600) // 60)::bigint || ' min'
        when epoch(duration) >= 60 then (epoch(duration) // 60)::bigint || ' min '
            || (epoch(duration) % 60)::bigint || ' s'
        else round(epoch(duration), 3)::decimal(10, 3) || ' s'
    end
);
