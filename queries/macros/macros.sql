-- Small functions that the queries share; they live in the case database, so that every query runs
-- in a DuckDB shell as it stands.

-- A threshold of the policy in force, as a number.
create or replace macro policy_number(name) as (
    select policy.value::double from policy
    where policy.key = name
);

-- A threshold of the policy in force, as an interval.
create or replace macro policy_minutes(name) as (
    select to_microseconds((policy.value::double * 60000000)::bigint)
    from policy
    where policy.key = name
);

create or replace macro policy_hours(name) as (
    select to_microseconds((policy.value::double * 3600000000)::bigint)
    from policy
    where policy.key = name
);

create or replace macro policy_days(name) as (
    select to_microseconds((policy.value::double * 86400000000)::bigint)
    from policy
    where policy.key = name
);

-- A list of the policy in force: lower-case words, separated by commas.
create or replace macro policy_list(name) as (
    select list_transform(string_split(policy.value, ','), lambda word: lower(trim(word)))
    from policy
    where policy.key = name
);

-- How a row of evidence is cited.
create or replace macro pointer(source_id, record_no) as source_id || ':' || record_no;

-- An instant as the report prints it: UTC, to the second.
create or replace macro utc(instant) as strftime(
    instant at time zone 'UTC', '%Y-%m-%d %H:%M:%S UTC'
);

-- The latest bound of an interval: to the second too, and never before it.
create or replace macro utc_bound(instant) as utc(
    date_trunc('second', instant + interval 999999 microsecond)
);

-- A duration in words: "3 d 4 h", "2 h 10 min", "45 s"; whole units, by whole numbers throughout,
-- since `//` on doubles does not round down.
create or replace macro in_words(duration) as (
    case
        when duration is null then 'an unknown time'
        when epoch_us(duration) < 0 then 'minus ' else ''
    end
    || case
        when duration is null then ''
        when abs(epoch_us(duration)) >= 86400000000
            then
                abs(epoch_us(duration)) // 86400000000 || ' d '
                || (abs(epoch_us(duration)) % 86400000000) // 3600000000 || ' h'
        when abs(epoch_us(duration)) >= 3600000000
            then
                abs(epoch_us(duration)) // 3600000000 || ' h '
                || (abs(epoch_us(duration)) % 3600000000) // 60000000 || ' min'
        when abs(epoch_us(duration)) >= 60000000
            then
                abs(epoch_us(duration)) // 60000000 || ' min '
                || (abs(epoch_us(duration)) % 60000000) // 1000000 || ' s'
        when abs(epoch_us(duration)) % 1000000 = 0
            then abs(epoch_us(duration)) // 1000000 || ' s'
        else round(abs(epoch_us(duration)) / 1e6, 3)::decimal(10, 3) || ' s'
    end
);

-- A duration that is a bound, for `in_words`: up to the smallest unit that is told of it.
create or replace macro up_to(microseconds) as to_microseconds(
    case
        when microseconds >= 86400000000
            then (microseconds + 3599999999) // 3600000000 * 3600000000
        when microseconds >= 3600000000
            then (microseconds + 59999999) // 60000000 * 60000000
        when microseconds >= 60000000
            then (microseconds + 999999) // 1000000 * 1000000
        else microseconds
    end
);

-- Seconds as thousandths, free of the noise of doubles, and whole thousandths as seconds again: a
-- bound is rounded outward between the two.
create or replace macro thousand(seconds) as seconds::decimal(18, 6) * 1000;
create or replace macro thousandths(whole) as (whole / 1000)::decimal(18, 3);

-- The rules judge what activates them one by one; an operation gets the gravest status of these:
-- exception, then undetermined, then ok. `ok_if_tied` is what would be ok if it belonged to the
-- operation, to which it is tied only by inference: it adds nothing where something else decides.
create or replace macro status_rank(status) as (
    case status
        when 'exception' then 4 when 'undetermined' then 3 when 'ok' then 2
        when 'ok_if_tied' then 1 else 0
    end
);

-- The status of what is as it should be: shown only where the event surely belongs there.
create or replace macro ok_by(basis) as (if(basis = 'explicit', 'ok', 'ok_if_tied'));

-- The status of an operation of which this is the gravest judgement; without one, nothing applies.
create or replace macro settled(status) as (
    if(status = 'ok_if_tied', 'undetermined', coalesce(status, 'not_applicable'))
);

-- What a reason adds where the action is tied to its operation by inference.
create or replace macro tie_note(basis) as (
    if(basis = 'explicit', '', '; the action is tied to the change only by inference')
);

-- Lists of pointers as one list, each pointer once.
create or replace macro pointers(lists) as list_sort(list_distinct(flatten(lists)));

-- Evidence of what decided: of the judgements that have the gravest status (aggregate).
create or replace macro gathered(status, evidence) as pointers(
    case max(status_rank(status))
        when 4 then list(evidence) filter (where status = 'exception')
        when 3 then list(evidence) filter (where status = 'undetermined')
        when 2 then list(evidence) filter (where status = 'ok')
        else list(evidence)
    end
);

-- The same, what the reason of the finding rests on before the rest.
create or replace macro foremost(decisive, cited) as list_concat(
    list_sort(list_distinct(decisive)),
    list_filter(cited, lambda pointer: not list_contains(decisive, pointer))
);

-- What the judgements that have the gravest status are of, in the order in which the first of them
-- is told (aggregate).
create or replace macro alike(status, brief, occurred_at, event, reason) as (
    case max(status_rank(status))
        when 4
            then
                list(brief order by occurred_at, event, reason, brief) filter (
                    where status = 'exception'
                )
        when 3
            then
                list(brief order by occurred_at, event, reason, brief) filter (
                    where status = 'undetermined'
                )
        when 2
            then
                list(brief order by occurred_at, event, reason, brief) filter (where status = 'ok')
        else list(brief order by occurred_at, event, reason, brief)
    end
);

-- A list without what is not stated.
create or replace macro stated(names) as list_filter(names, lambda name: name is not null);

-- The names of a list, each once, in its order.
create or replace macro once_each(names) as list_transform(
    list_sort(list_distinct(list_transform(names, lambda name: list_position(names, name)))),
    lambda place: names[place]
);

-- The first five of them.
create or replace macro first_names(names) as (
    array_to_string(once_each(names)[:5], ', ') || if(len(once_each(names)) > 5, ', …', '')
);

-- How many of them are of no stated target, where others are.
create or replace macro without_target(names) as (
    case
        when len(stated(names)) in (0, len(names)) then ''
        else
            ', and '
            || if(
                len(names) - len(stated(names)) = 1,
                'one',
                (len(names) - len(stated(names)))::varchar
            )
            || ' without a target'
    end
);

-- The reason as a sentence; says how many more were judged alike, and what they are of.
create or replace macro sentence(reason, briefs) as (
    reason || case
        when len(briefs) > 1
            then
                '; ' || len(briefs) - 1 || ' more such case' || if(len(briefs) > 2, 's', '')
                || coalesce(': ' || nullif(first_names(stated(briefs[2:])), ''), '')
                || without_target(briefs[2:])
        else ''
    end || '.'
);

-- A number without needless digits.
create or replace macro plain(number) as (
    case
        when number = round(number) then number::bigint::varchar
        else round(number, 2)::decimal(18, 2)::varchar
    end
);

-- One name for a person or an asset that systems call by several; compared without case.
create or replace macro person(name) as coalesce(
    (
        select min(lower(trim(known.canonical))) from evidence.alias as known
        where known.kind = 'person' and lower(trim(known.alias)) = lower(trim(name))
    ),
    lower(trim(name))
);

create or replace macro asset_name(name) as coalesce(
    (
        select min(lower(trim(known.canonical))) from evidence.alias as known
        where known.kind = 'asset' and lower(trim(known.alias)) = lower(trim(name))
    ),
    lower(trim(name))
);

-- A list written with semicolons, without blanks and empty places.
create or replace macro split_list(text) as list_filter(
    list_transform(string_split(text, ';'), lambda each: trim(each)),
    lambda each: each <> ''
);

-- Whether a value fits one of the patterns (`*`, `?`, `[…]`), compared without case. No pattern
-- asks for nothing; a value that is not stated fits none.
create or replace macro fits(value, patterns) as (
    coalesce(len(patterns), 0) = 0
    or coalesce(
        len(list_filter(patterns, lambda pattern: lower(value) glob lower(pattern))) > 0, false
    )
);

-- A time as it is held against a limit: what is uncertain only within its own second is taken as
-- stated, since limits are stated no finer. Between two events this would claim an order too much.
create or replace macro for_limit(stated, bound) as (
    if(abs(epoch(bound - stated)) < 1, stated, bound)
);

-- How many places two lists have in common from their beginning.
create or replace macro common_start(one, other) as coalesce(
    list_position(
        list_transform(
            range(1, least(len(one), len(other)) + 1), lambda place: one[place] = other[place]
        ),
        false
    ) - 1,
    least(len(one), len(other))
);

-- A passage of a list of words between as many at its start and at its end, with three words
-- around it.
create or replace macro passage(words, before, after) as (
    if(before > 3, '… ', '')
    || array_to_string(list_slice(words, greatest(before - 2, 1), len(words) - after + 3), ' ')
    || if(after > 3, ' …', '')
);

-- The words of a text in which it differs from another, with a few words around them.
create or replace macro differing_words(words, other) as passage(
    words,
    common_start(words, other),
    least(
        common_start(list_reverse(words), list_reverse(other)),
        least(len(words), len(other)) - common_start(words, other)
    )
);

create or replace macro differing(text, other) as differing_words(
    string_split_regex(trim(coalesce(text, '')), '\s+'),
    string_split_regex(trim(coalesce(other, '')), '\s+')
);
