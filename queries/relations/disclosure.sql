-- /// relation
-- id = "disclosure"
-- title = "What the status page disclosed, and when"
-- grain = "One row per item of the disclosure checklist, where the page has an incident in review."
-- reads = ["component_region", "known_asset", "onset", "review_entry", "status_incident", "status_promise", "status_region", "status_text", "status_update"]
-- references = ["Checklist: twelve items while an incident lasts, three after its closure."]
-- limitations = "Read from English text by fixed wordings, conservatively: a person confirms what is quoted, and whether what counts as absent was said in other words. Titles are read only where an update has no text, since they are often changed later. Of a post that was edited before the earliest copy on record, the words are known to stand only from the edit on."
-- [columns]
-- item_no = "Number of the item; 13 to 15 are due after closure."
-- item = "What the page should tell."
-- first_disclosed_at = "First post, or edit of one, that tells it as fully as `status` says; of a post that was edited before the earliest copy on record, the edit; NULL where absent."
-- evidence = "That wording; NULL where absent."
-- matched_words = "Its words that tell it, or the components that it names."
-- status = "`explicit`, `partial` or `absent`."
-- confirmed_by = "Accounts that confirmed the reading in the latest version of the review; NULL until a person has."
-- contested_by = "Accounts that said that it does not hold; NULL where none has."
-- incident_id = "The page's own id of the incident of that post."
-- update_id = "The page's own id of that post."
-- disclosed_after_hours = "From the best estimate of the onset to that post, in hours; NULL where absent, or without an onset."
-- partly_at = "First post that tells at least a part of it."
-- partly_after_hours = "From the best estimate of the onset to that post, in hours."
-- posts = "Posts that tell it, or a part of it."
-- is_due = "Whether it is due: items 13 to 15 are once an incident in review is closed."
-- required_elsewhere = "Reports to authorities that ask the reporting party for it; NULL where none is known here."
-- edited_out_at = "When an edit of that post took the words away; NULL where they stand."
-- first_disclosed_lo = "When it can have been told first: before first_disclosed_at where a post that tells it was edited before the earliest copy on record."
-- limitation = "Why the two differ, in words; NULL where they do not."
-- lacking = "Regions that were measured as degraded by then and that no post had named; NULL where there is none, and for all items but the regions."
-- named_later = "Components (item 2) or regions (item 3) that only posts after first_disclosed_at name, each with the time of the first; NULL where there is none, and for all other items."
-- ///
with items as (
    select item.*
    from (
        values
        (1, 'acknowledgement and start time', null),
        (2, 'affected services or components', null),
        (3, 'affected regions or data centres', null),
        (4, 'how many customers or machines', 'DORA report 3.4, 3.5; GDPR 33(3)(a); NIS2 23(4)'),
        (5, 'what customers cannot do', null),
        (6, 'loss or integrity of data', 'DORA report 3.20, 3.21; GDPR 33(3)(a)'),
        (7, 'class of cause', null),
        (8, 'actions taken', null),
        (9, 'workaround, or what customers are to do', null),
        (10, 'expected time of recovery', 'DORA report 3.15, 3.17'),
        (11, 'time of the next update', null),
        (12, 'contact or support', null),
        (13, 'cause and factors', null),
        (14, 'prevention', null),
        (15, 'remedy', null)
    ) as item (item_no, item, required_elsewhere)
),

-- Two grades: 2 tells the item, 1 a part of it. Words count between word boundaries and without
-- case; a gap within a pattern never leaves the sentence. Line breaks in a pattern, with the
-- blanks that follow, are layout.
wordings as (
    select
        wording.item_no,
        wording.grade,
        '(?i)' || regexp_replace(wording.pattern, '\n *', '', 'g') as pattern
    from (
        values
        (1, 2, '
            \b(?:since|beginning|began|begun|start(?:ed|ing)) (?:at |on |from |around |about[ ]
            |approximately )*(?:\d|january|february|march|april|may|june|july|august
            |september|october|november|december)[^.;\n]{0,40}'),
        (2, 1, '
            \b(?:cloud|replication|failover|backup|restore|storage|network|database|dns
            |e-?mail|api|dashboard|portal|console|log-?in|authentication|website|service)s?\b'),
        (3, 1, '
            \b(?:one|two|some|several|multiple|all|other) (?:of (?:the|our) )?
            (?:regions?|data ?cent(?:er|re)s?|locations?|availability zones?|sites?)\b'),
        (4, 2, '
            \b\d[\d,.]*(?: ?%| per ?cent\b)?(?: of)?(?: (?:all|the|our|your|affected|impacted
            |active|protected|virtual))* (?:customers?|partners?|clients?|tenants?|users?
            |accounts?|organi[sz]ations?|machines?|servers?|instances?|devices?|hosts?|jobs?
            |requests?|databases?|projects?|repositories)\b'),
        (4, 1, '
            \b(?:half|a third|a quarter|the majority|most)(?: of)?(?: (?:all|the|our
            |affected))* (?:customers|partners|users|accounts|machines|servers|instances)\b'),
        (5, 2, '
            \b(?:cannot|can ?not|can[''’]t|could not|unable to|not able to|neither)
            (?: \w+){0,2} (?:replicat|fail|restor|back|recover|access|log|connect|creat
            |updat|us|load|send|receiv|sign|view|start|deploy|reach|download|upload|mak|see
            |perform|complet|publish|run)\w*[^.;\n]{0,60}'),
        (5, 1, '
            \b(?:unavailable|not available|inaccessible|interrupted|degraded|intermittent
            |errors?|slow(?:ness|er)?|timeouts?|delay(?:s|ed)?|elevated \w+|outage)\b'),
        (6, 2, '
            \b(?:no|without(?: any)?) (?:\w+ ){0,2}(?:data|recovery points?|backups?)
            [ ](?:loss|(?:was|were|is|are|has been|have been) (?:lost|affected|compromised
            |corrupted|at risk))\b'),
        (6, 2, '
            \b(?:all|your|customer) (?:\w+ )?(?:data|recovery points|backups) (?:is|are|was
            |were|remains?) (?:\w+ )?(?:safe|intact|unaffected|secure|not affected)\b'),
        (6, 2, '
            \b(?:do not|don[''’]t|not) (?:yet )?know (?:if|whether)[^.;\n]{0,40}
            \b(?:data|recovery points?|backups?)\b[^.;\n]{0,40}\b(?:lost|corrupt\w*|affected
            |compromised)\b'),
        (6, 2, '
            \b\d[\d,.]* ?(?:kb|mb|gb|tb|pb|[kmgtp]ib|(?:giga|tera|peta)bytes?
            |recovery points?|records?|files?|hours? of data|minutes? of data|days? of data)
            \b[^.;\n]{0,60}\b(?:lost|corrupt\w*|compromised|unrecoverable|irrecoverable)\b'),
        (6, 1, '
            \b(?:data|recovery points?|backups?|files?) (?:\w+ ){0,3}(?:loss|lost|corrupt\w*
            |compromised|unrecoverable|irrecoverable|permanently deleted)\b'),
        (6, 1, '\b(?:loss|corruption) of (?:\w+ )?(?:data|recovery points?|backups?|files?)\b'),
        (7, 2, '
            \b(?:due to|because of|as a result of|result(?:ed|ing) from|caused? by
            |triggered by|traced to|attributed to|stem(?:med|ming|s) from)\b[^.;\n]{2,80}'),
        (7, 2, '
            \b(?:the|root) cause (?:of [^.;\n]{1,40} )?(?:was|is) (?:an? |the |our )?
            (?:\w+ )?(?:bug|change|error|fault|failure|outage|misconfiguration|update|upgrade
            |maintenance|deploy\w*|configuration|capacity|overload|power|network|hardware
            |certificate)\b[^.;\n]{0,60}'),
        (7, 2, '
            \b(?:during|following|after) (?:an? |the |our |this )?(?:recent |planned |routine[ ]
            |scheduled |emergency |ongoing )?(?:maintenance|upgrade|migration|deployment
            |change|decommission\w*|configuration change|software update)\b[^.;\n]{0,60}'),
        (7, 1, '
            \b(?:(?:cause|source)\b[^.;\n]{0,40}\bidentified
            |identified (?:the |a )?(?:root )?(?:cause|issue|problem|source))\b'),
        (8, 2, '
            \b(?:we|engineers|our team|the team)(?: have|[''’]ve| has| are|[''’]re)?(?: now| also
            | already| since)? (?:been )?(?:restart|roll|revert|fail|re-?seed|re-?link|restor
            |disabl|enabl|rout|rerout|scal|replac|rebuil|repair|isolat|block|appl|implement
            |deploy|mitigat|migrat|add|remov|reset|rebalanc)(?:ed|ing|led|ling|ted|ting|t|y
            |ied)?\b[^.;\n]{0,60}'),
        (8, 2, '
            \b(?:fix|mitigation|workaround|patch|rollback|change|machines?|servers?|service
            |traffic|replication)(?: \w+){0,3} (?:has been|have been|was|were|is being
            |are being) (?:implemented|applied|deployed|rolled (?:back|out)|restarted
            |re-?seeded|re-?linked|restored|rerouted|re-routed|disabled|enabled|replaced)\b'),
        (8, 2, '\bre-?(?:seeding|linking) (?:continues|has begun|has started|is under ?way)\b'),
        (8, 1, '\b(?:investigat\w+|working (?:on|to)|work (?:on|continues)|looking into)\b'),
        (9, 1, '
            \b(?:recovery|restore|restoration) (?:scenarios?|options?|steps?|procedures?
            |paths?)\b[^.;\n]{0,60}\b(?:types?|kinds?|models?|classe?s?) of (?:machines?
            |servers?|devices?|systems?)\b'),
        (9, 2, '\b(?:as a|the following|a(?: known)?) work-?around\b[^.;\n]{0,80}'),
        (9, 2, '\bwork-?around\b[^.;\n]{0,10}[:*][^.;\n]{3,80}'),
        (9, 2, '
            \b(?:no|without) (?:further |customer |additional )?(?:action|work-?arounds?)
            (?: is| are)? (?:required|needed|necessary|available)\b'),
        (9, 2, '
            \b(?:customers|partners|users|you) (?:can|should|must|may|need to|are advised to
            |are asked to) (?:re\w+|use|switch|retry|run|update|upgrade|change|restart|fail
            |start|stop|clear|rotate|disable|enable|contact|seed)\b[^.;\n]{0,60}'),
        (9, 2, '
            \b(?:we (?:recommend|advise|suggest|ask)|please (?:re\w+|use|switch|retry|run
            |update|upgrade|change|disable|enable|avoid|do not))\b[^.;\n]{3,60}'),
        (9, 1, '
            \b(?:options?|instructions?|guidance|next steps)\b[^.;\n]{0,40}
            \b(?:types?|kinds?|partners?|customers?|each)\b'),
        (9, 1, '\b(?:recovery|restore|restoration) (?:scenarios?|options?)\b'),
        (10, 2, '
            \b(?:expect|anticipat|estimat|project|forecast)(?:s|ed?|ing|es|ion)?\b
            [^.;\n]{0,80}\b(?:complet|restor|resol|recover|finish|fix|repair|end|available)
            \w*\b[^.;\n]{0,60}\b(?:by|within|in|before|until|around|on|over)\b[^.;\n]{0,20}?
            (?:\d|\btoday\b|\btomorrow\b|\btonight\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)
            day\b|\bend of\b)[^.;\n]{0,30}'),
        (10, 2, '
            \b(?:will|should) be (?:complete|completed|restored|resolved|recovered|fixed
            |available|back)\b[^.;\n]{0,40}\b(?:by|within|in|before|until|on)\b
            [^.;\n]{0,20}?(?:\d|\btoday\b|\btomorrow\b|\btonight\b|\b(?:mon|tues|wednes|thurs
            |fri|satur|sun)day\b|\bend of\b)[^.;\n]{0,30}'),
        (10, 2, '
            \b(?:eta|estimated time)\b(?: \w+){0,4}(?: is|:| at| by)[^.;\n]{0,10}\d
            [^.;\n]{0,30}'),
        (10, 2, '
            \b(?:no|not have an?|cannot (?:give|provide|offer)(?: an?)?|unable to (?:give
            |provide|offer)(?: an?)?|not yet have an?) (?:\w+ )?(?:eta|estimate|time-?table
            |time ?frame|time ?line|estimated time)\b[^.;\n]{0,60}'),
        (10, 1, '
            \b(?:over|in|within|during) the (?:coming|next)(?: few| several)? (?:hours|days
            |weeks)\b'),
        (11, 1, '
            \b(?:(?:further|more|another|additional|next|regular) (?:updates?|information
            |details?)|(?:provide|post|share) (?:an? |another |the next )?updates?)\b'),
        (12, 2, '
            \b(?:contact (?:us|our|your|the|support|customer)|reach out|open an? (?:\w+ )?
            (?:ticket|case)|support (?:team|portal|desk|ticket|case|staff)|help ?desk[ ,]
            |account (?:manager|team|representative)|e-?mail us|call us)\b[^.;\n]{0,60}'),
        (12, 1, '\b(?:customer support|technical support|write to partners)\b'),
        (13, 2, '
            \b(?:due to|because of|as a result of|result(?:ed|ing) from|caused? by
            |triggered by|traced to|(?:the|root) cause (?:was|is)|contributing factors?)\b
            [^.;\n]{2,80}'),
        (13, 1, '\b(?:post-?mortem|root.cause|rca|incident (?:report|review|analysis))\b'),
        (14, 2, '
            \b(?:prevent|avoid|reduce|ensur\w+)\b[^.;\n]{0,80}\b(?:again|recur\w*|reoccur\w*
            |future|similar|happening)\b'),
        (14, 1, '
            \b(?:(?:internal|thorough|full|complete) (?:\w+ )?(?:review|audit|investigation)
            |lessons (?:learn\w+)|corrective|preventi\w+)\b'),
        (15, 2, '
            \b(?:service credits?|credits? (?:will|to|for)|refund\w*|compensat\w+|reimburs\w+
            |waive\w*|free of charge)\b[^.;\n]{0,60}')
    ) as wording (item_no, grade, pattern)
),

-- The best estimate of the onset, from which delays count.
episode as (
    select onset_at
    from onset
    where scope_kind = 'all' and main
),

-- Every wording that a copy shows, from when it stood there: an edit takes nothing back in time.
posts as (
    select
        said.incident_id,
        said.update_id,
        -- What was posted is not on record where the earliest copy is from after an edit.
        coalesce(said.edited_before_at, said.said_at) as posted_at,
        if(said.edited_before_at is null, said.said_at, said.posted_at) as posted_lo,
        said.edited_before_at,
        said.text_no,
        said.replaced_at,
        status_update.claimed_start_at,
        coalesce(nullif(trim(said.body), ''), said.title, '') as body,
        said.evidence,
        said.update_evidence,
        -- A start that is no earlier than the first post is the page's own default.
        coalesce(
            status_update.claimed_start_at < status_incident.first_posted_at - interval 1 minute,
            false
        ) as starts_before,
        coalesce(said.said_at >= status_incident.resolved_at, false) as is_closing
    from status_text as said
    inner join status_incident using (incident_id)
    inner join status_update
        on said.update_evidence = pointer(status_update.source_id, status_update.record_no)
    where status_incident.in_review and said.said_at is not null
),

worded as (
    select
        wordings.item_no,
        wordings.grade,
        posts.evidence,
        regexp_extract(posts.body, wordings.pattern) as words
    from posts
    inner join wordings on wordings.item_no <= 12 or posts.is_closing
    where regexp_matches(posts.body, wordings.pattern)
),

regions as (
    select region from known_asset
    where region is not null
    union
    select region from component_region
    where region is not null
),

named as (
    select
        evidence,
        string_agg(distinct component, ', ' order by component) as components
    from status_region
    group by evidence
),

-- The regions that each wording names: by the components of its post, or in its text.
spoken as (
    select
        posts.evidence,
        posts.posted_at,
        status_region.region,
        named.components as words
    from posts
    inner join status_region on posts.update_evidence = status_region.evidence
    inner join named on posts.update_evidence = named.evidence
    where status_region.region is not null
    union
    select
        posts.evidence,
        posts.posted_at,
        regions.region,
        regexp_extract(posts.body, '\b' || regexp_escape(regions.region) || '\b') as words
    from posts
    inner join regions
        on regexp_matches(posts.body, '\b' || regexp_escape(regions.region) || '\b')
),

-- The regions that fell in the episode of the case, and when each surely had.
fallen as (
    select
        fall.scope as region,
        fall.onset_hi as fallen_at
    from onset as fall
    left join onset as whole on whole.scope_kind = 'all' and whole.main
    where
        fall.scope_kind = 'region'
        and fall.main
        and coalesce(fall.onset_lo <= whole.ended_at, true)
        and coalesce(fall.ended_at >= whole.onset_lo, true)
),

-- Those that no wording had named by then.
unnamed as (
    select
        places.evidence,
        string_agg(distinct fallen.region, ', ' order by fallen.region) as lacking
    from (
        select distinct
            evidence,
            posted_at
        from spoken
    ) as places
    inner join fallen on places.posted_at >= fallen.fallen_at
    anti join spoken as before
        on fallen.region = before.region and places.posted_at >= before.posted_at
    group by places.evidence
),

-- What the page states beside its text: components, their regions, times, promises.
stated as (
    select
        1 as item_no,
        if(starts_before, 2, 1) as grade,
        evidence,
        case
            when starts_before then 'since ' || utc(claimed_start_at)
            when length(body) <= 80 then body
            -- Cut between two words.
            else regexp_replace(left(body, 81), '\s+\S*$', '') || ' …'
        end as words
    from posts
    union all
    select
        2 as item_no,
        2 as grade,
        posts.evidence,
        named.components as words
    from named
    inner join posts on named.evidence = posts.update_evidence
    union all
    select distinct
        3 as item_no,
        if(unnamed.evidence is null, 2, 1) as grade,
        spoken.evidence,
        spoken.words
    from spoken
    left join unnamed on spoken.evidence = unnamed.evidence
    union all
    select
        11 as item_no,
        2 as grade,
        posts.evidence,
        status_promise.promise as words
    from status_promise
    inner join posts as first_wording using (evidence)
    inner join posts
        on
            first_wording.update_evidence = posts.update_evidence
            and contains(posts.body, status_promise.promise)
),

said as (
    select * from worded
    union all
    select * from stated
),

told as (
    select
        said.item_no,
        said.grade,
        said.words,
        posts.*,
        if(said.item_no = 3, unnamed.lacking, null) as lacking,
        max(said.grade) over item as best_grade,
        min(posts.posted_at) over item as partly_at,
        min(posts.posted_lo) over grade as can_be_from,
        row_number() over (
            partition by said.item_no
            order by said.grade desc, posts.posted_at asc, posts.evidence asc, said.words asc
        ) as place
    from said
    inner join posts using (evidence)
    left join unnamed using (evidence)
    window
        item as (partition by said.item_no),
        grade as (partition by said.item_no, said.grade)
),

-- What the first post that tells of components or regions does not name, and later ones do.
added as (
    select
        naming.item_no,
        naming.name,
        min(naming.posted_at) as named_at
    from (
        select
            2 as item_no,
            status_region.component as name,
            posts.posted_at
        from posts
        inner join status_region on posts.update_evidence = status_region.evidence
        union all
        select
            3 as item_no,
            region as name,
            posted_at
        from spoken
    ) as naming
    group by naming.item_no, naming.name
),

later as (
    select
        told.item_no,
        list(
            added.name || ' from ' || utc(added.named_at) order by added.named_at, added.name
        ) as names
    from told
    inner join added on told.item_no = added.item_no and told.posted_at < added.named_at
    where told.place = 1
    group by told.item_no
),

counted as (
    select
        item_no,
        count(distinct update_evidence) as posts
    from told
    group by item_no
),

-- What tells an item, and is replaced by a wording of the same post that tells it no more.
edited_out as (
    select
        told.item_no,
        told.replaced_at as edited_out_at
    from told
    where
        told.place = 1
        and told.replaced_at is not null
        and not exists (
            select 1 as one
            from told as next
            where
                told.item_no = next.item_no
                and told.update_evidence = next.update_evidence
                and told.text_no + 1 = next.text_no
                and told.grade <= next.grade
        )
),

-- The latest word of each person.
confirmed as (
    select
        item_no,
        string_agg(account, ', ' order by account) filter (where holds) as confirmed_by,
        string_agg(account, ', ' order by account) filter (where not holds) as contested_by
    from (
        select
            item_no,
            account,
            holds
        from review_entry
        where
            verb = 'confirm'
            and version = (select max(latest.version) from review_entry as latest)
        qualify row_number() over (partition by item_no, account order by entry_no desc) = 1
    ) as word
    group by item_no
),

review as (
    select
        bool_or(resolved_at is not null) as is_closed,
        count(*) as incidents
    from status_incident
    where in_review
)

select
    items.item_no,
    items.item,
    told.posted_at as first_disclosed_at,
    told.evidence,
    trim(left(told.words, 160)) as matched_words,
    case told.best_grade when 2 then 'explicit' when 1 then 'partial' else 'absent' end as status,
    confirmed.confirmed_by,
    confirmed.contested_by,
    told.incident_id,
    told.update_id,
    round((epoch_us(told.posted_at) - epoch_us(episode.onset_at)) / 3.6e9, 6)
        as disclosed_after_hours,
    told.partly_at,
    round((epoch_us(told.partly_at) - epoch_us(episode.onset_at)) / 3.6e9, 6)
        as partly_after_hours,
    coalesce(counted.posts, 0) as posts,
    items.item_no <= 12 or review.is_closed as is_due,
    items.required_elsewhere,
    edited_out.edited_out_at,
    told.can_be_from as first_disclosed_lo,
    case
        when told.can_be_from < told.posted_at
            then
                'by ' || utc(told.posted_at) || ' at the latest; the post of '
                || utc(told.can_be_from)
                || if(told.edited_before_at is null, ' tells it too, but was', ' was')
                || ' edited later, and its earlier wording is not on record'
    end as limitation,
    told.lacking,
    array_to_string(later.names[:5], '; ')
    || if(len(later.names) > 5, '; ' || len(later.names) - 5 || ' more', '') as named_later
from items
inner join review on review.incidents > 0
left join told on items.item_no = told.item_no and told.place = 1
left join counted on items.item_no = counted.item_no
left join later on items.item_no = later.item_no
left join edited_out on items.item_no = edited_out.item_no
left join confirmed on items.item_no = confirmed.item_no
left join episode on true
order by items.item_no
