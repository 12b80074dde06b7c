-- /// relation
-- id = "evidence_request"
-- title = "What is missing, who would hold it, and what it blocks"
-- grain = "One row per relation that is absent, and per rule that some of the evidence leaves open."
-- reads = ["case_info", "relation_state", "rule_catalogue", "rule_result"]
-- [columns]
-- request_no = "Number of the request: absent relations first, what blocks most before the rest."
-- what = "Relation or record that would settle it."
-- holder = "System or role that usually holds it."
-- why = "What the evidence leaves open, with the first case of it."
-- rules = "Rules that cannot answer, or do not decide, without it."
-- questions = "What the rules ask, which stays without an answer."
-- count = "Results that wait for it."
-- relation = "Input relation that would hold it; NULL where it is a single record."
-- ///
with

-- Which system or role usually holds what a relation needs.
holding (relation, what, holder) as (
    values
    ('maintenance_event', 'Logs of maintenance actions', 'hosts and maintenance tools'),
    ('change', 'Register of changes', 'change manager'),
    ('approval', 'Decisions on changes', 'change manager'),
    ('procedure', 'Maintenance procedures with their versions', 'owner of the procedures'),
    ('status_update', 'History of the status page', 'owner of the status page'),
    ('replication_sample', 'Records of replication and backup jobs', 'replication service'),
    ('asset_state', 'History of the health of assets', 'storage monitoring'),
    ('asset', 'Register of assets with groups, sites and objectives', 'asset manager'),
    ('dependency', 'Dependencies between assets', 'asset manager'),
    ('alert', 'Alerts with their acknowledgement', 'monitoring'),
    ('silence', 'Silences of alerts', 'monitoring'),
    ('duty', 'Roster of duties', 'head of operations'),
    ('handover', 'Handovers of changes', 'head of operations'),
    ('ticket_event', 'Internal tickets and pages', 'service desk'),
    ('protection_check', 'Restore and integrity tests', 'backup administrator'),
    ('action_item', 'Actions of earlier reviews', 'review board'),
    ('clock_probe', 'Measurements of clocks', 'time service')
),

needed as (
    select
        rule_catalogue.rule,
        rule_catalogue.title,
        unnest(rule_catalogue.needs) as need
    from rule_catalogue
),

alternative as (
    select
        needed.rule,
        needed.title,
        needed.need,
        unnest(string_split(needed.need, '|')) as relation
    from needed
),

-- A need is open where none of the relations that could meet it has a row.
unmet as (
    select
        alternative.rule,
        alternative.title,
        alternative.need,
        min(alternative.relation) filter (where alternative.relation = split_part(
            alternative.need, '|', 1
        )) as relation
    from alternative
    left join relation_state on alternative.relation = relation_state.relation
    group by alternative.rule, alternative.title, alternative.need
    having coalesce(sum(relation_state.row_count), 0) = 0
),

absent as (
    select
        1 as part,
        coalesce(holding.what, unmet.relation) as what,
        coalesce(holding.holder, 'owner of the system') as holder,
        -- The shortest of the needs that this relation would meet: no other has a record either.
        'No record of ' || replace(arg_min(unmet.need, (len(unmet.need), unmet.need)), '|', ' or ')
        || ' is among the evidence; '
        || count(distinct rule_result.rule)
        || if(count(distinct rule_result.rule) = 1, ' rule', ' rules') || ' did not run'
        -- What no rule asks for, and the reports can say nothing of without it.
        || if(
            unmet.relation = 'replication_sample',
            ', and whether and when replication was impaired, and whom it hit, cannot be told.',
            '.'
        ) as why,
        list(distinct rule_result.rule order by rule_result.rule) as rules,
        list(distinct unmet.title order by unmet.title) as questions,
        count(distinct rule_result.rule) as count,
        unmet.relation
    from unmet
    inner join rule_result
        on unmet.rule = rule_result.rule and rule_result.status = 'not_run'
    left join holding on unmet.relation = holding.relation
    group by unmet.relation, holding.what, holding.holder
),

-- Where the evidence is there but does not decide, the first case says what is open.
open_result as (
    select
        rule_result.rule,
        first(rule_result.reason order by rule_result.occurred_at, rule_result.finding_id)
            as reason,
        first(
            coalesce(rule_result.change_id, rule_result.subject)
            order by rule_result.occurred_at, rule_result.finding_id
        ) as subject,
        count(*) as count
    from rule_result
    cross join case_info
    where
        rule_result.status = 'undetermined'
        -- Earlier operations tell how common a deviation is; what is about none is asked for where
        -- it lies in the window under review.
        and (
            rule_result.operation_id is not null
            or (
                coalesce(rule_result.occurred_at >= case_info.window_start, true)
                and coalesce(rule_result.occurred_at <= case_info.window_end, true)
            )
        )
    group by rule_result.rule
),

-- Whichever of the relations that a rule reads can hold the record that would decide.
reading as (
    select
        rule_catalogue.rule,
        holding.holder,
        min(list_position(rule_catalogue.needs, needed.need)) as place
    from rule_catalogue
    inner join needed on rule_catalogue.rule = needed.rule
    inner join holding on split_part(needed.need, '|', 1) = holding.relation
    group by rule_catalogue.rule, holding.holder
),

asked as (
    select
        rule,
        string_agg(holder, ', or ' order by place) as holders
    from reading
    group by rule
),

undecided as (
    select
        2 as part,
        'Records that decide whether '
        || if(starts_with(rule_catalogue.title, 'No '), 'this holds: ', '')
        -- Titles are sentences; what they begin with is left as it is where it is an abbreviation.
        || if(
            regexp_matches(rule_catalogue.title, '^[A-Z]([a-z ]|$)'),
            lower(rule_catalogue.title[1]) || rule_catalogue.title[2:],
            rule_catalogue.title
        ) as what,
        coalesce(asked.holders, 'owner of the system') as holder,
        open_result.subject || ': ' || open_result.reason
        || if(open_result.count > 1, ' First of ' || open_result.count || ' open results.', '')
            as why,
        [rule_catalogue.rule] as rules,
        [rule_catalogue.title] as questions,
        open_result.count,
        null::varchar as relation
    from open_result
    inner join rule_catalogue on open_result.rule = rule_catalogue.rule
    left join asked on open_result.rule = asked.rule
),

request as (
    select *
    from absent
    union all
    select *
    from undecided
)

select
    row_number() over (
        order by request.part asc, len(request.rules) desc, request.count desc, request.what asc
    ) as request_no,
    request.what,
    request.holder,
    request.why,
    request.rules,
    request.questions,
    request.count,
    request.relation
from request
order by request_no
