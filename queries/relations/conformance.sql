-- /// relation
-- id = "conformance"
-- title = "Operations tested against the constraints of their procedure"
-- grain = "One row per operation and constraint of the procedure version in force."
-- reads = ["alias", "constraint_part", "constraint_verdict", "maintenance_event", "operation_span", "procedure_rule", "trace_variant"]
-- limitations = """
-- Operations whose procedure or version is not known have no rows, nor have constraints on approve
-- steps. Failed attempts are no occurrence of a step, but count as running one that needs another.
-- """
-- [columns]
-- change_id = "Change; NULL in a session without a change."
-- rule_id = "Constraint within the procedure version."
-- verdict = "violated, undetermined, pending (still open), satisfied or not_activated."
-- activating_event = "First event that activates the constraint and has the verdict."
-- witness_event = "Event that fulfils it there; where it is violated, the nearest that does not."
-- reason = "One sentence with the measured values."
-- operation_id = "Operation."
-- procedure = "Procedure."
-- procedure_version = "Version in force at the first action."
-- template = "Template of the DECLARE family, or existence_before for pre-checks."
-- a = "First step of the constraint."
-- b = "Second step; NULL where the template has none."
-- origin = "declared: a rule of the procedure; mandatory, needs, precheck, verify: of its steps."
-- severity = "Severity of the constraint."
-- control = "Control that the constraint stands for."
-- activations = "Events that activate the constraint; for a count of events, 1."
-- violations = "Those of them that violate it for sure."
-- occurred_at = "Time of the activating event; without one, of the closure or the last action."
-- evidence = "Records that show it, those of every violation included."
-- ///
-- What a sentence says of a constraint is worded once, not for every operation.
with part as materialized (
    select
        procedure_rule.*,
        constraint_part.side,
        constraint_part.shape,
        constraint_part.is_negated,
        constraint_part.is_conditional,
        coalesce('step ' || constraint_part.act_step, 'the irreversible event') as act_name,
        greatest(coalesce(procedure_rule.n, 1), 1) as asked,
        asked || if(asked = 1, ' event', ' events') as counted,
        upper(act_name[1]) || act_name[2:] as act_title,
        'step ' || constraint_part.wit_step as wit_name,
        case procedure_rule.origin
            when 'mandatory' then 'completed event'
            when 'declared' then 'event'
            else 'successful event'
        end as kind_of_event,
        case constraint_part.shape
            when 'before' then ' before it'
            when 'after' then ' after it'
            when 'next' then ' next to it'
            when 'previous' then ' just before it'
            else ' in the operation'
        end
        || if(
            constraint_part.within_us is null,
            '',
            ' within ' || in_words(to_microseconds(constraint_part.within_us))
        )
        || if(
            constraint_part.hold_us is null,
            '',
            ' with ' || in_words(to_microseconds(constraint_part.hold_us)) || ' between'
        )
        || case constraint_part.by_actor
            when 'different_actor' then ' by another account'
            when 'same_actor' then ' by the same account'
            else ''
        end as place
    from constraint_part
    inner join procedure_rule
        on
            constraint_part.procedure = procedure_rule.procedure
            and constraint_part.procedure_version = procedure_rule.version
            and constraint_part.rule_id = procedure_rule.rule_id
),

moment as (
    select
        (source_id::bigint << 36) | record_no as code,
        occurred_at
    from maintenance_event
),

renamed as (
    select
        lower(trim(alias)) as alias,
        min(lower(trim(canonical))) as asset
    from alias
    where kind = 'asset'
    group by lower(trim(alias))
),

aim as (
    select
        (maintenance_event.source_id::bigint << 36) | maintenance_event.record_no as code,
        maintenance_event.target,
        coalesce(renamed.asset, lower(trim(maintenance_event.target))) as asset
    from maintenance_event
    left join renamed on lower(trim(maintenance_event.target)) = renamed.alias
    where maintenance_event.target is not null
),

-- What only the order of steps decides was judged once for all operations of a variant. Taken by
-- itself, so that the engine does not join verdicts with constraints first, on their few names.
judged as materialized (
    select
        operation_span.operation_id,
        operation_span.change_id,
        operation_span.closed_at,
        operation_span.ended_at,
        operation_span.explicit_event_count,
        len(operation_span.targets) > 1 as has_targets,
        operation_span.evidence as change_evidence,
        trace_variant.codes,
        half.procedure,
        half.version,
        half.rule_id,
        constraint_verdict.side,
        constraint_verdict.verdict,
        constraint_verdict.activations,
        constraint_verdict.violations,
        constraint_verdict.doubt,
        constraint_verdict.act_place,
        constraint_verdict.wit_place,
        constraint_verdict.violating_places
    from trace_variant
    inner join operation_span on trace_variant.operation_id = operation_span.operation_id
    inner join part as half
        on
            operation_span.procedure = half.procedure
            and operation_span.procedure_version = half.version
            and half.side = 1
    left join constraint_verdict
        on
            if(half.is_conditional, trace_variant.operation_no, trace_variant.variant_no)
            = constraint_verdict.operation_no
            and half.rule_id = constraint_verdict.rule_id
),

cited as (
    select
        part.*,
        judged.* exclude (
            procedure, version, rule_id, side, codes, act_place, wit_place, violating_places
        ),
        judged.codes[nullif(judged.act_place, 0)] as act_code,
        judged.codes[nullif(judged.wit_place, 0)] as wit_code,
        if(
            len(judged.violating_places) > 0,
            list_transform(
                judged.violating_places,
                lambda place: pointer(
                    judged.codes[place] >> 36, judged.codes[place] & 68719476735
                )
            ),
            []
        ) as violating_events
    from judged
    inner join part
        on
            judged.procedure = part.procedure
            and judged.version = part.version
            and judged.rule_id = part.rule_id
            and judged.side = part.side
),

told as (
    select
        cited.*,
        act.occurred_at as act_at,
        wit.occurred_at as wit_at,
        if(act_aim.asset <> wit_aim.asset, act_aim.target, null) as act_target,
        if(act_aim.asset <> wit_aim.asset, wit_aim.target, null) as wit_target,
        pointer(cited.act_code >> 36, cited.act_code & 68719476735) as activating_event,
        pointer(cited.wit_code >> 36, cited.wit_code & 68719476735) as witness_event
    from cited
    left join moment as act on cited.act_code = act.code
    -- Only the sentence on a violation states when the other event took place.
    left join moment as wit on if(cited.verdict = 'violated', cited.wit_code, null) = wit.code
    -- Only that on what is as it should be, where the operation has several targets, names these.
    left join aim as act_aim
        on
            if(cited.verdict = 'satisfied' and cited.has_targets, cited.act_code, null)
            = act_aim.code
    left join aim as wit_aim
        on
            if(cited.verdict = 'satisfied' and cited.has_targets, cited.wit_code, null)
            = wit_aim.code
)

select
    change_id,
    rule_id,
    verdict,
    activating_event,
    witness_event,
    case
        when verdict = 'not_activated' then 'No event of the operation activates the constraint.'
        when shape = 'count' and verdict = 'undetermined' and explicit_event_count = 0
            then 'No event that names the operation is on record.'
        when verdict = 'undetermined'
            then
                'The evidence does not decide whether '
                || case
                    when shape = 'count' then 'step ' || a || ' took place as asked for'
                    when shape = 'first' then 'the operation began with step ' || a
                    else
                        act_name || ' at ' || utc(act_at)
                        || if(is_negated, ' excludes ', ' has ') || wit_name || place
                end
                || ': '
                || case
                    when doubt & 1 > 0 then 'an event is tied to the operation by inference'
                    when doubt & 2 > 0 then 'an event fits several steps'
                    when doubt & 4 > 0 then 'the outcome of an event is not on record'
                    when doubt & 8 > 0 then 'a value that a condition asks for is not on record'
                    else 'the times of the events overlap'
                end
                || '.'
        when shape = 'count' and verdict = 'violated' and template = 'existence'
            then
                'Step ' || a || ' has no ' || kind_of_event || ' on record'
                || if(
                    origin = 'declared', '',
                    coalesce(' before the change closed at ' || utc(closed_at), '')
                    || coalesce('; the first is at ' || utc(wit_at), '')
                )
                || '.'
        when shape = 'count' and verdict = 'pending' and template = 'exactly'
            then
                'Step ' || a || ' is to have exactly ' || counted
                || ' on record when the change closes; the change is open.'
        when shape = 'count' and verdict = 'pending'
            then
                'Step ' || a || ' has no ' || kind_of_event || ' on record yet; the change is open.'
        when shape = 'count' and verdict = 'violated'
            then
                'Step ' || a || ' has '
                || if(
                    template = 'absence', counted || ' or more',
                    'another number of events'
                )
                || ' on record; the procedure asks for '
                || case
                    when template <> 'absence' then 'exactly ' || asked
                    when asked = 1 then 'none'
                    else 'fewer than ' || asked
                end
                || '.'
        when shape = 'count'
            then
                'Step ' || a || ' has '
                || case
                    when template = 'absence' and asked = 1 then 'no event'
                    when template = 'absence' then 'fewer than ' || counted
                    when template = 'exactly' then 'exactly ' || counted
                    when asked > 1 then 'at least ' || counted
                    else if(kind_of_event = 'event', 'an ', 'a ') || kind_of_event
                end
                || ' on record, as asked.'
        when shape = 'first' and verdict = 'violated'
            then 'The operation began at ' || utc(act_at) || ' with another step than ' || a || '.'
        when shape = 'first' then 'The operation began with step ' || a || '.'
        when verdict = 'violated'
            then
                act_title || ' at ' || utc(act_at)
                || case
                    when is_negated then ' stands together with ' || wit_name || place
                    when wit_at is null
                        then ' has no ' || kind_of_event || ' of ' || wit_name || place
                    else
                        ': the nearest event of ' || wit_name || ', at ' || utc(wit_at)
                        || ', is no ' || kind_of_event || place
                end
                || if(
                    activations > 1,
                    ' (' || violations || ' of ' || activations
                    || if(
                        act_name = 'the irreversible event',
                        ' irreversible events',
                        ' events of ' || act_name
                    )
                    || ')',
                    ''
                )
                || '.'
        when verdict = 'pending'
            then
                act_title
                || ' at '
                || utc(act_at)
                || ' has no '
                || kind_of_event
                || ' of '
                || wit_name || place || ' yet; the change is open.'
        else
            activations
            || if(act_name = 'the irreversible event', ' irreversible', '')
            || if(activations = 1, ' event', ' events')
            || if(act_name = 'the irreversible event', '', ' of ' || act_name)
            || if(is_negated, ' without ', ' with ')
            || wit_name || place
            || if(
                is_negated,
                '',
                coalesce('; the one cited is of ' || wit_target || ', not of ' || act_target, '')
            )
            || '.'
    end as reason,
    operation_id,
    procedure,
    version as procedure_version,
    template,
    a,
    b,
    origin,
    severity,
    control,
    activations,
    violations,
    coalesce(act_at, closed_at, ended_at) as occurred_at,
    case
        when verdict = 'not_activated' then []
        when len(violating_events) > 0
            then list_sort(list_distinct(list_concat(
                violating_events,
                list_filter(
                    [activating_event, witness_event], lambda record: record is not null
                )
            )))
        when activating_event < witness_event then [activating_event, witness_event]
        when witness_event < activating_event then [witness_event, activating_event]
        when activating_event is not null then [activating_event]
        else pointers([[witness_event], [change_evidence]])
    end as evidence
from told
order by operation_id, position, rule_id
