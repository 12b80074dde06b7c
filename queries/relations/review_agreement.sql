-- /// relation
-- id = "review_agreement"
-- title = "How far two coders agree"
-- grain = "One row per version of the review and pair of coders who judged the same codes."
-- reads = ["review_entry"]
-- limitations = "Kappa is left out where both coders gave one and the same answer throughout; on few codes it says little, so the number of codes stands beside it."
-- [columns]
-- version = "Version of the review."
-- coder_a = "One coder."
-- coder_b = "The other."
-- codes = "Finding and code pairs that both judged."
-- agreed = "Those that they judged alike."
-- kappa = "Cohen (1960): agreement beyond what the two rates of yes would give by chance."
-- ///
with judged as (
    select
        version,
        finding_id,
        code,
        person(account) as coder,
        holds
    from review_entry
    where verb = 'code'
    qualify
        row_number() over (
            partition by version, finding_id, code, person(account) order by entry_no desc
        ) = 1
),

paired as (
    select
        one.version,
        one.coder as coder_a,
        other.coder as coder_b,
        count(*) as codes,
        count(*) filter (where one.holds = other.holds) as agreed,
        avg(one.holds::integer) as yes_a,
        avg(other.holds::integer) as yes_b
    from judged as one
    inner join judged as other
        on
            one.version = other.version
            and one.finding_id = other.finding_id
            and one.code = other.code
            and one.coder < other.coder
    group by one.version, one.coder, other.coder
),

expected as (
    select
        *,
        yes_a * yes_b + (1 - yes_a) * (1 - yes_b) as by_chance
    from paired
)

select
    version,
    coder_a,
    coder_b,
    codes,
    agreed,
    if(by_chance < 1, round((agreed / codes - by_chance) / (1 - by_chance), 3), null) as kappa
from expected
order by version, coder_a, coder_b
