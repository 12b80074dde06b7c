"""Time stamps: what each form means, what is refused, and what the interval must hold."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.timestamps import (
    CODES,
    FLAGS,
    Instant,
    TimeError,
    TimeRule,
    check_zone,
    parse,
    parse_epoch,
    prove_order,
    unwrap_years,
)

DENVER = TimeRule(zone="America/Denver")
DUBLIN = TimeRule(zone="Europe/Dublin")
LORD_HOWE = TimeRule(zone="Australia/Lord_Howe")
IN_UTC = TimeRule(zone="UTC")
NO_RULE = TimeRule()
MICROSECOND = timedelta(microseconds=1)
AUTH_LOG = Path(__file__).parents[2] / "shared" / "data" / "elastic_logs" / "auth.log"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def refused(code: str, text: str, rule: TimeRule = NO_RULE) -> str:
    with pytest.raises(TimeError) as caught:
        parse(text, rule)
    assert caught.value.code == code, caught.value
    assert caught.value.code in CODES
    return caught.value.reason


# --- forms ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "at", "basis"),
    [
        ("2022-03-09T01:02:03Z", "2022-03-09 01:02:03", "utc"),
        ("2022-03-09t01:02:03z", "2022-03-09 01:02:03", "utc"),
        ("2022-03-09 01:02:03,5Z", "2022-03-09 01:02:03.5", "utc"),
        ("2022-03-09T01:02:03.123456-05:00", "2022-03-09 06:02:03.123456", "offset"),
        ("2022-03-09T01:02:03.000-0500", "2022-03-09 06:02:03", "offset"),
        ("2022-03-09T01:02:03+05", "2022-03-08 20:02:03", "offset"),
        ("2022-03-09 01:02:03.123456+00", "2022-03-09 01:02:03.123456", "offset"),
        ("2022-03-09 01:02:03 +0000", "2022-03-09 01:02:03", "offset"),
        ("2022-03-09 01:02:03 UTC", "2022-03-09 01:02:03", "utc"),
        ("2022-03-09T01:02+05:30", "2022-03-08 19:32", "offset"),
        ("2022/03/09 01:02:03 UTC", "2022-03-09 01:02:03", "utc"),
        ("2022-03-09 01:02:03 PM UTC", "2022-03-09 13:02:03", "utc"),
        ("20220309T010203Z", "2022-03-09 01:02:03", "utc"),
        ("20261122175012Z", "2026-11-22 17:50:12", "utc"),
        ("2022-03-09 01:02:03 America/Denver", "2022-03-09 08:02:03", "zone_in_record"),
        ("Tue, 03 Jun 2008 11:05:30 GMT", "2008-06-03 11:05:30", "utc"),
        ("3 Jun 2008 11:05 +0100", "2008-06-03 10:05", "offset"),
        ("tue, 3 jun 2008 11:05:30 +0000 (UTC)", "2008-06-03 11:05:30", "offset"),
        ("  2022-03-09 01:02:03\u202fAM Z\t", "2022-03-09 01:02:03", "utc"),
    ],
)
def test_a_self_describing_value_needs_no_rule(text: str, at: str, basis: str) -> None:
    instant = parse(text)
    assert (instant.at, instant.basis, instant.flags) == (utc(at), basis, ())
    assert instant.lo == instant.at


@pytest.mark.parametrize(
    ("text", "order", "at"),
    [
        ("09/03/2022 01:02", "day-first", "2022-03-09 01:02"),
        ("9.3.2022 01:02:03", "day-first", "2022-03-09 01:02:03"),
        ("3/9/2022, 1:02:03 PM", "month-first", "2022-03-09 13:02:03"),
        ("3/9/2022 12:02 am", "month-first", "2022-03-09 00:02"),
        ("2022/3/9 1:02", None, "2022-03-09 01:02"),
    ],
)
def test_a_numeric_date_is_read_by_the_declared_order(
    text: str, order: str | None, at: str
) -> None:
    assert parse(text, TimeRule(zone="UTC", order=order)).at == utc(at)


@pytest.mark.parametrize(
    ("text", "form", "at"),
    [
        ("09/Mar/25 1:02 AM", "%d/%b/%y %I:%M %p", "2025-03-09 01:02"),
        ("10/Oct/2000:13:55:36 -0700", "%d/%b/%Y:%H:%M:%S %z", "2000-10-10 20:55:36"),
        ("Tue Jun  3 11:05:30 2008", "%a %b %d %H:%M:%S %Y", "2008-06-03 11:05:30"),
        ("20220309010203123", "%Y%m%d%H%M%S%f", "2022-03-09 01:02:03.123"),
        ("2022-03-09 at 01:02:03 MST", "%F at %T %Z", "2022-03-09 08:02:03"),
        ("100% 9 March 2022  7h", "100%% %-d %B %Y %Hh", "2022-03-09 07:00"),
    ],
)
def test_a_declared_format_is_followed_to_the_letter(text: str, form: str, at: str) -> None:
    assert parse(text, TimeRule(zone="UTC", format=form)).at == utc(at)


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("2022-03-09", "23:59:59.999999"),
        ("2022-03-09 10:00", "00:00:59.999999"),
        ("2022-03-09 10:00:00", "00:00:00.999999"),
        ("2022-03-09 10:00:00.5", "00:00:00.099999"),
        ("2022-03-09 10:00:00.123", "00:00:00.000999"),
        ("2022-03-09 10:00:00.123456", "00:00:00"),
        ("2022-03-09 10:00:00.123456789", "00:00:00"),
    ],
)
def test_the_digits_written_give_the_width_of_the_interval(text: str, width: str) -> None:
    instant = parse(text, IN_UTC)
    assert str(utc("2000-01-01") + (instant.hi - instant.lo))[11:-6] == width


def test_nanoseconds_are_cut_and_kept_never_rounded() -> None:
    instant = parse("2022-03-09T23:59:59.999999999Z")
    assert instant.at == utc("2022-03-09 23:59:59.999999")
    assert (instant.nanos, instant.flags) == (999, ())
    assert parse("2022-03-09T10:00:00.1234567Z").nanos == 700


def test_an_hour_alone_is_an_hour_wide() -> None:
    instant = parse("2022-03-09 07", TimeRule(zone="UTC", format="%Y-%m-%d %H"))
    assert instant.hi - instant.lo == timedelta(hours=1) - MICROSECOND


def test_an_offset_in_the_value_wins_over_the_declared_zone() -> None:
    assert parse("2022-03-09T01:02:03+02:00", DENVER).at == utc("2022-03-08 23:02:03")
    assert parse("2022-03-09T01:02:03", DENVER).basis == "zone_declared"
    assert parse("2022-03-09T01:02:03", TimeRule(zone="+05:30")).at == utc("2022-03-08 19:32:03")


# --- flags ------------------------------------------------------------------------------------


def test_a_repeated_local_time_keeps_both_readings() -> None:
    instant = parse("2022-11-06 01:30:00", DENVER)
    assert instant.at == instant.lo == utc("2022-11-06 07:30:00")
    assert instant.hi == utc("2022-11-06 08:30:00.999999")
    assert instant.flags == ("dst_ambiguous",)
    assert parse("2022-11-06 01:30:00.25", DENVER).hi == utc("2022-11-06 08:30:00.259999")


def test_a_skipped_local_time_moves_forward_by_the_gap() -> None:
    instant = parse("2022-03-13 02:30:00", DENVER)
    assert instant.at == instant.lo == utc("2022-03-13 09:30:00")
    assert instant.hi == utc("2022-03-13 09:30:00.999999")
    assert instant.flags == ("dst_nonexistent",)


def test_dublin_whose_winter_time_is_the_exception_reads_alike() -> None:
    assert parse("2022-10-30 01:30", DUBLIN).flags == ("dst_ambiguous",)
    assert parse("2022-10-30 01:30", DUBLIN).at == utc("2022-10-30 00:30")
    assert parse("2022-10-30 01:30", DUBLIN).hi == utc("2022-10-30 01:30:59.999999")
    assert parse("2022-03-27 01:30", DUBLIN).flags == ("dst_nonexistent",)
    assert parse("2022-07-01 12:00", DUBLIN).at == utc("2022-07-01 11:00")


def test_lord_howe_changes_by_half_an_hour() -> None:
    instant = parse("2022-04-03 01:45:00", LORD_HOWE)
    assert instant.flags == ("dst_ambiguous",)
    assert instant.hi - instant.lo == timedelta(minutes=30, seconds=1) - MICROSECOND
    assert parse("2022-04-03 01:29:59", LORD_HOWE).flags == ()
    skipped = parse("2022-10-02 02:15:00", LORD_HOWE)
    assert (skipped.at, skipped.flags) == (utc("2022-10-01 15:45:00"), ("dst_nonexistent",))


def test_an_offset_or_abbreviation_settles_a_repeated_time() -> None:
    assert parse("2022-11-06 01:30:00-07:00", DENVER).flags == ()
    assert parse("2022-11-06 01:30:00 MDT", DENVER).at == utc("2022-11-06 07:30:00")
    assert parse("2022-11-06 01:30:00 MST", DENVER).at == utc("2022-11-06 08:30:00")


def test_a_date_alone_is_the_whole_local_day_even_when_it_is_short() -> None:
    instant = parse("2022-03-13", DENVER)
    assert (instant.lo, instant.hi) == (utc("2022-03-13 07:00"), utc("2022-03-14 05:59:59.999999"))
    assert instant.flags == ("date_only",)
    # midnight itself is skipped, the day is not
    assert parse("2018-11-04", TimeRule(zone="America/Sao_Paulo")).flags == ("date_only",)


def test_a_day_that_a_zone_skipped_is_flagged() -> None:
    instant = parse("2011-12-30", TimeRule(zone="Pacific/Apia"))
    assert instant.flags == ("date_only", "dst_nonexistent")
    assert instant.lo < instant.hi


def test_second_sixty_is_the_next_second_and_spans_the_leap_second() -> None:
    instant = parse("2016-12-31T23:59:60Z")
    assert instant.at == utc("2017-01-01 00:00:00")
    assert (instant.lo, instant.hi) == (
        utc("2016-12-31 23:59:59"),
        utc("2017-01-01 00:00:00.999999"),
    )
    assert instant.flags == ("leap_second",)
    assert parse("2017-01-01 05:29:60.5+05:30").at == utc("2017-01-01 00:00:00.5")


def test_hour_twenty_four_is_midnight_of_the_next_day() -> None:
    instant = parse("2022-02-28T24:00:00", DENVER)
    assert (instant.at, instant.flags) == (utc("2022-03-01 07:00:00"), ("midnight_24",))
    assert parse("2022-12-31 24:00", IN_UTC).at == utc("2023-01-01")


def test_the_abbreviations_of_rfc_822_are_fixed_offsets_and_flagged() -> None:
    west = {"EST": 5, "EDT": 4, "CST": 6, "CDT": 5, "MST": 7, "MDT": 6, "PST": 8, "PDT": 7}
    for name, hours in west.items():
        instant = parse(f"2022-03-09 00:00:00 {name}")
        assert instant.at == utc("2022-03-09") + timedelta(hours=hours)
        assert (instant.basis, instant.flags) == ("zone_in_record", ("zone_abbreviation",))


def test_other_abbreviations_are_read_only_where_the_declared_zone_uses_them() -> None:
    assert parse("2022-07-01 12:00:00 IST", DUBLIN).at == utc("2022-07-01 11:00:00")
    india = TimeRule(zone="Asia/Kolkata")
    assert parse("2022-07-01 12:00:00 IST", india).at == utc("2022-07-01 06:30:00")
    china = TimeRule(zone="Asia/Shanghai")
    assert parse("2022-07-01 12:00:00 CST", china).at == utc("2022-07-01 04:00:00")
    refused("TIME_UNKNOWN_ZONE", "2022-01-01 12:00:00 IST", DUBLIN)  # not in winter


def test_a_two_digit_year_is_flagged() -> None:
    instant = parse("03/09/25 01:02:03", TimeRule(zone="UTC", order="month-first"))
    assert (instant.at, instant.flags) == (utc("2025-03-09 01:02:03"), ("two_digit_year",))
    assert parse("03 Jun 70 11:05:30 GMT").at.year == 1970
    assert parse("25/03/09", TimeRule(zone="UTC", order="year-first")).at == utc("2025-03-09")


def test_readers_add_the_flags_that_only_a_whole_file_shows() -> None:
    instant = parse("2022-03-09", IN_UTC).flagged("year_inferred", "date_only")
    assert instant.flags == ("date_only", "year_inferred")
    with pytest.raises(ValueError, match="unknown time flags: guessed"):
        instant.flagged("guessed")


# --- refusals ---------------------------------------------------------------------------------


def test_a_value_without_zone_is_refused_not_read_as_utc() -> None:
    for text in ("2022-03-09 01:02:03", "2022-03-09", "3 Jun 2008 11:05:30", "20220309T010203"):
        assert "declare the zone" in refused("TIME_NO_ZONE", text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "yesterday",
        "2025-W10-2",
        "2025-068",
        "2022-03-09T",
        "2022-03-09T10Z",
        "2022-03/09 10:00:00Z",
        "2022-03-09T10:00:00.Z",
        "2022-03-09T10:00:00.1234567890Z",
        "2022-03-09T10:00:00ZZ: x",
        "٢٠٢٢-٠٣-٠٩T10:00:00Z",
        "2022-03-09T10:00:00Z\n2022",
        "1e9",
        "Mon, 03 Jun 2008 11:05:30 GMT",
        "9" * 200,
        "2022-03-09T10:00:00Z" + " " * 200,
    ],
)
def test_other_text_is_refused_as_syntax(text: str) -> None:
    refused("TIME_SYNTAX", text)


@pytest.mark.parametrize(
    "text",
    [
        "2022-02-30T10:00:00Z",
        "2022-13-01T10:00:00Z",
        "2022-00-10 10:00 UTC",
        "2022-03-09T25:00:00Z",
        "2022-03-09T24:00:01Z",
        "2022-03-09T24:00:00.000000001Z",
        "2022-03-09T10:60:00Z",
        "2022-03-09T10:00:61Z",
        "2022-03-09 13:00 PM UTC",
        "2022-03-09 0:30 AM UTC",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:30:00+01:00",
        "2101-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "03 Jun 69 11:05:30 GMT",
    ],
)
def test_times_that_no_calendar_or_sane_log_holds_are_refused(text: str) -> None:
    refused("TIME_RANGE", text)
    refused("TIME_RANGE", text, DENVER)


def test_the_limits_themselves_are_in_range() -> None:
    assert parse("1969-12-31T19:00:00-05:00").at == utc("1970-01-01")
    assert parse("2101-01-01T00:59:59+01:00").at == utc("2100-12-31 23:59:59")
    assert parse("1970-01-01T00:00:00", IN_UTC).at == utc("1970-01-01")
    assert parse_epoch(4_133_980_799, "s").at == utc("2100-12-31 23:59:59")
    with pytest.raises(TimeError, match="outside 1970 to 2100"):
        parse_epoch(4_133_980_800, "s")


def test_a_date_without_proven_order_is_refused() -> None:
    assert "day-first or month-first" in refused("TIME_ORDER", "03/09/2022 01:02", IN_UTC)
    refused("TIME_ORDER", "25/12/2022", IN_UTC)  # a single value proves nothing for its column
    refused("TIME_ORDER", "03/25/2022", TimeRule(zone="UTC", order="day-first"))
    refused("TIME_ORDER", "09/03/2022", TimeRule(zone="UTC", order="year-first"))
    refused("TIME_ORDER", "09/03/2022", TimeRule(zone="UTC", order="american"))


def test_a_value_without_year_is_refused() -> None:
    refused("TIME_NO_YEAR", "Mar  9 01:59:58", IN_UTC)
    refused("TIME_NO_YEAR", "Mar  9 01:59:58", TimeRule(zone="UTC", format="%b %d %H:%M:%S"))


def test_a_bare_number_is_refused_without_unit() -> None:
    for text in ("1741500000", "20220309", "2022", "1741500000.5", "-1"):
        assert "unit" in refused("TIME_UNIT", text)
    refused("TIME_UNIT", "1741500000", TimeRule(unit="minutes"))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2022-03-09", "%d/%m/%Y"),
        ("2025111", "%Y%m%d"),  # 1 November or 11 January
        ("2022-03-09 1:00", "%Y-%m-%d %I:%M"),
        ("2022-03-09 1:00 PM", "%Y-%m-%d %H:%M %p"),
        ("2022 10:00", "%Y %H:%M"),
        ("2022-03-09 00", "%Y-%m-%d %M"),
        ("2022-03-09 2022", "%Y-%m-%d %Y"),
        ("2022-03-09", "%Y-%m-%d%"),
        ("2022-03-09", "%Y-%m-%d%Q"),
        ("2022-03-09", ""),
    ],
)
def test_a_format_that_does_not_fit_or_settle_the_value_is_refused(text: str, form: str) -> None:
    with pytest.raises(TimeError) as caught:
        parse(text, TimeRule(zone="UTC", format=form))
    assert caught.value.code == ("TIME_SYNTAX" if form else "TIME_NO_YEAR")


def test_reasons_quote_hostile_text_harmlessly_and_errors_survive_pickling() -> None:
    reason = refused("TIME_SYNTAX", "\x1b[2J\u202e" + "x" * 90)
    assert "\x1b" not in reason and "\u202e" not in reason and len(reason) < 140
    error = pickle.loads(pickle.dumps(TimeError("TIME_UNIT", "why")))
    assert (error.code, error.reason, str(error)) == ("TIME_UNIT", "why", "TIME_UNIT: why")


# --- zones ------------------------------------------------------------------------------------


def test_zone_names_and_fixed_offsets_are_accepted() -> None:
    for name in ("UTC", "Z", "Europe/Dublin", "America/Argentina/Salta", "+05:30", "-0700", "+02"):
        check_zone(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("america/denver", "America/Denver"),
        ("Europe/Dubln", "Europe/Dublin"),
        ("Dublin", "Europe/Dublin"),
        ("New York", "America/New_York"),
        ("MST", "America/Denver or America/Phoenix"),
        ("IST", "Europe/Dublin, Asia/Kolkata"),
        ("../../etc/passwd", "an IANA name"),
        ("Factory", "an IANA name"),
        ("+25:00", "an IANA name"),
        ("+05:", "an IANA name"),
        ("", "an IANA name"),
    ],
)
def test_an_unknown_zone_is_refused_with_a_suggestion(name: str, hint: str) -> None:
    with pytest.raises(TimeError) as caught:
        check_zone(name)
    assert caught.value.code == "TIME_UNKNOWN_ZONE"
    assert hint in caught.value.reason


def test_zones_in_values_are_checked_like_declared_ones() -> None:
    for text in (
        "2022-03-09 01:02:03 CEST",
        "2022-03-09 01:02:03 Mars/Base",
        "2022-03-09 01:02 +15",
    ):
        refused("TIME_UNKNOWN_ZONE", text)
    refused("TIME_UNKNOWN_ZONE", "2022-03-09 01:02:03", TimeRule(zone="America/Dever"))


# --- numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit", "at", "width_us", "nanos"),
    [
        (1741500000, "s", "2025-03-09 06:00:00", 999_999, 0),
        ("1741500000.123456", "s", "2025-03-09 06:00:00.123456", 0, 0),
        (1741500000.123, "s", "2025-03-09 06:00:00.123", 999, 0),
        (1741500000.0, "s", "2025-03-09 06:00:00", 999_999, 0),
        (Decimal("1741500000.10"), "s", "2025-03-09 06:00:00.1", 9_999, 0),
        ("1741500000123", "ms", "2025-03-09 06:00:00.123", 999, 0),
        ("1741500000123.5", "ms", "2025-03-09 06:00:00.1235", 99, 0),
        (1741500000123456, "us", "2025-03-09 06:00:00.123456", 0, 0),
        (1741500000123456789, "ns", "2025-03-09 06:00:00.123456", 0, 789),
        ("1741500000.123456789", "s", "2025-03-09 06:00:00.123456", 0, 789),
        (1.7415e18, "ns", "2025-03-09 06:00:00", 0, 0),
        (0, "s", "1970-01-01", 999_999, 0),
        ("-0", "s", "1970-01-01", 999_999, 0),
    ],
)
def test_epochs_are_read_exactly(
    value: int | float | str | Decimal, unit: str, at: str, width_us: int, nanos: int
) -> None:
    instant = parse_epoch(value, unit)
    width = timedelta(microseconds=width_us)
    assert instant == Instant(utc(at), utc(at), utc(at) + width, "epoch", (), nanos)


def test_parse_reads_numbers_by_the_declared_unit() -> None:
    assert parse(" 1741500000123 ", TimeRule(unit="ms")) == parse_epoch(1741500000123, "ms")


@pytest.mark.parametrize(
    ("value", "unit", "code"),
    [
        (-1, "s", "TIME_RANGE"),
        (10**30, "s", "TIME_RANGE"),
        (1e300, "s", "TIME_RANGE"),
        (Decimal("1E+999999"), "s", "TIME_RANGE"),
        ("9" * 5000, "s", "TIME_RANGE"),
        (float("nan"), "s", "TIME_SYNTAX"),
        (Decimal("Infinity"), "s", "TIME_SYNTAX"),
        (True, "s", "TIME_SYNTAX"),
        ("1.7415E+09", "s", "TIME_SYNTAX"),
        ("", "s", "TIME_SYNTAX"),
        ("0x10", "s", "TIME_SYNTAX"),
        (1, "h", "TIME_UNIT"),
    ],
)
def test_numbers_that_are_no_time_are_refused(
    value: int | float | str | Decimal, unit: str, code: str
) -> None:
    with pytest.raises(TimeError) as caught:
        parse_epoch(value, unit)
    assert caught.value.code == code


def test_a_wrong_unit_is_named_not_corrected() -> None:
    with pytest.raises(TimeError, match="unit ms would fit"):
        parse_epoch(1741500000123, "s")


@given(st.integers(0, 4_133_980_799_999_999_999))
def test_every_nanosecond_of_the_range_comes_back(ns: int) -> None:
    instant = parse_epoch(ns, "ns")
    micros = (instant.at - datetime(1970, 1, 1, tzinfo=UTC)) // MICROSECOND
    assert micros * 1000 + instant.nanos == ns
    assert parse_epoch(f"{ns // 10**9}.{ns % 10**9:09}", "s") == instant


# --- properties -------------------------------------------------------------------------------

ZONES = ["America/Denver", "Europe/Dublin", "Australia/Lord_Howe", "America/Havana", "Asia/Tehran"]
ZONES += ["Pacific/Apia", "Africa/Casablanca", "America/Sao_Paulo", "Asia/Kathmandu", "UTC"]


def tz(name: str) -> ZoneInfo:
    """The zone of the pinned data; the host's can be of another year."""
    with resources.files("tzdata").joinpath("zoneinfo", name).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def moments(first: str, last: str) -> st.SearchStrategy[datetime]:
    span = (utc(last) - utc(first)) // MICROSECOND
    return st.integers(0, span).map(lambda n: utc(first) + n * MICROSECOND)


# hours around the changes of the clocks, where plain sampling hardly ever lands
changes = st.builds(
    lambda day, seconds: day + timedelta(seconds=seconds),
    st.sampled_from(
        [utc(f"2022-{day} 00:00") for day in ("03-13", "03-27", "04-02", "10-01", "10-30", "11-06")]
    ),
    st.floats(0, 93_600).map(lambda s: round(s, 6)),
)
truths = st.one_of(moments("1971-01-01", "2099-12-30"), changes)
FORMS = ["%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m-%d"]


@given(truths, st.sampled_from(ZONES), st.sampled_from(FORMS))
def test_the_interval_of_a_local_time_holds_the_truth(
    truth: datetime, zone: str, form: str
) -> None:
    local = truth.astimezone(tz(zone))
    instant = parse(local.strftime(form), TimeRule(zone=zone))
    assert instant.lo <= truth <= instant.hi
    assert instant.lo <= instant.at <= instant.hi
    assert "dst_nonexistent" not in instant.flags
    assert list(instant.flags) == sorted(instant.flags) and set(instant.flags) <= FLAGS.keys()


@given(truths, st.sampled_from(ZONES), st.sampled_from(["seconds", "milliseconds", "microseconds"]))
def test_a_stated_offset_gives_back_the_instant(truth: datetime, zone: str, spec: str) -> None:
    local = truth.astimezone(tz(zone))
    instant = parse(local.isoformat(timespec=spec))
    assert instant.lo <= truth <= instant.hi
    if spec == "microseconds":
        assert instant.at == instant.hi == truth


@given(truths, truths, st.sampled_from(ZONES), st.sampled_from(FORMS))
def test_no_two_local_times_are_claimed_in_the_wrong_order(
    one: datetime, other: datetime, zone: str, form: str
) -> None:
    first, second = sorted([one, other])
    rule = TimeRule(zone=zone)
    texts = [when.astimezone(tz(zone)).strftime(form) for when in (first, second)]
    a, b = (parse(text, rule) for text in texts)
    assert not b.hi < a.lo
    if zone == "UTC":
        assert a.at <= b.at


@given(moments("1971-01-01", "2099-01-01"), st.sampled_from(ZONES))
def test_every_way_to_read_one_local_time_agrees(local: datetime, zone: str) -> None:
    fast = parse(local.strftime("%Y-%m-%d %H:%M:%S"), TimeRule(zone=zone))
    slow = parse(local.strftime("%Y/%m/%d %H:%M:%S"), TimeRule(zone=zone))
    by_form = parse(local.strftime("%d %b %Y %H:%M:%S"), TimeRule(zone, "%d %b %Y %H:%M:%S"))
    assert fast == slow == by_form


@given(st.text(max_size=40), st.sampled_from([None, "UTC", "Europe/Dublin", "Nowhere"]))
def test_any_text_is_an_instant_or_a_time_error(text: str, zone: str | None) -> None:
    for rule in (TimeRule(zone), TimeRule(zone, order="day-first", unit="s")):
        try:
            instant = parse(text, rule)
        except TimeError as error:
            assert error.code in CODES
        else:
            assert instant.lo <= instant.at <= instant.hi


@given(st.from_regex(r"\A[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?Z\Z"))
def test_any_digits_in_the_common_form_are_an_instant_or_a_time_error(text: str) -> None:
    try:
        parse(text)
    except TimeError as error:
        assert error.code in CODES


# --- order of a column ------------------------------------------------------------------------


def test_rows_beyond_twelve_prove_the_order_and_are_counted() -> None:
    assert prove_order(["03/09/2022", "25/03/2022 10:00", "13.01.2022"]) == ("day-first", 2, 0)
    assert prove_order(["03/09/2022", "3/25/2022"]) == ("month-first", 0, 1)


def test_rows_that_decide_nothing_prove_nothing() -> None:
    undecided = ["03/09/2022", "12/12/2022", "2022-03-25", "22/03/09", "13/14/2022", "32/01/2022"]
    assert prove_order([*undecided, "", "n/a"]) == (None, 0, 0)


def test_rows_that_contradict_one_another_are_refused() -> None:
    with pytest.raises(TimeError, match="1 rows are day-first and 2 month-first") as caught:
        prove_order(["25/03/2022", "03/25/2022", "03/26/2022"])
    assert caught.value.code == "TIME_ORDER"


# --- missing years ----------------------------------------------------------------------------

Stamp = tuple[int, int, int, int, int, int]


def stamps(*texts: str) -> list[Stamp]:
    """Stamps from ``month-day hour``; the hour may be left out."""
    made = []
    for text in texts:
        day, _, hour = text.partition(" ")
        month, number = day.split("-")
        made.append((int(month), int(number), int(hour or 0), 0, 0, 0))
    return made


def years_are_refused(code: str, *args: object, **kwargs: object) -> str:
    with pytest.raises(TimeError) as caught:
        unwrap_years(*args, **kwargs)  # type: ignore[arg-type]
    assert caught.value.code == code
    return caught.value.reason


def test_years_fixture_a_a_late_december_line_after_new_year() -> None:
    lines = stamps("12-30", "12-31 23", "1-1 0", "12-31 23", "1-1 1", "2-2")
    expected = [2016, 2016, 2017, 2016, 2017, 2017]
    assert unwrap_years(lines, not_after=utc("2017-02-03")) == expected
    assert unwrap_years(lines, first_year=2016) == expected


def test_years_fixture_c_two_hosts_eight_days_apart() -> None:
    start = date(2017, 3, 1)
    days = [start + timedelta(days=i * 5 + (8 if i % 2 else 0)) for i in range(40)]
    lines = [(day.month, day.day, 0, 0, 0, 0) for day in days]
    assert {day.year for day in days} == {2017}
    assert unwrap_years(lines, not_after=utc("2017-12-20")) == [2017] * 40


def test_years_two_hosts_eight_days_apart_across_new_year() -> None:
    days = [date(2016, 12, 1) + timedelta(days=i + (8 if i % 2 else 0)) for i in range(90)]
    lines = [(day.month, day.day, 0, 0, 0, 0) for day in days]
    assert unwrap_years(lines, first_year=2016) == [day.year for day in days]


def test_years_fixture_d_february_29_falls_in_a_leap_year() -> None:
    assert unwrap_years(stamps("2-28", "2-29", "3-1"), not_after=utc("2016-03-03")) == [2016] * 3
    # copied two years later: the latest years that fit are moved back to the leap year
    assert unwrap_years(stamps("2-28", "2-29", "3-1"), not_after=utc("2018-05-01")) == [2016] * 3
    across = stamps("12-31", "1-1", "2-29", "12-31", "1-1")
    assert unwrap_years(across, not_after=utc("2019-06-01")) == [2015, 2016, 2016, 2016, 2017]


def test_years_jitter_between_months_creates_no_year() -> None:
    assert unwrap_years(stamps("4-30", "5-1", "4-30", "5-1"), first_year=2021) == [2021] * 4
    swing = stamps("12-31", "1-1", "12-31", "12-31", "1-1", "1-2")
    assert unwrap_years(swing, first_year=2021) == [2021, 2022, 2021, 2021, 2022, 2022]
    assert unwrap_years(stamps("1-1", "12-31", "1-1"), first_year=2022) == [2022, 2021, 2022]


def test_years_files_of_two_hosts_one_after_the_other_stay_in_the_year() -> None:
    assert unwrap_years(stamps("1-5", "7-20", "1-5", "6-30"), first_year=2021) == [2021] * 4
    assert unwrap_years(stamps("8-20", "1-5", "6-30"), first_year=2021) == [2021, 2022, 2022]


def test_years_a_quiet_half_year_stays_in_the_year() -> None:
    quiet = stamps("12-20", "1-5", "8-20", "12-1", "1-5")
    assert unwrap_years(quiet, first_year=2020) == [2020, 2021, 2021, 2021, 2022]


def test_years_a_host_that_boots_in_january_does_not_move_the_others() -> None:
    boot = stamps("9-10", "1-1", "9-10", "9-11", "1-1", "10-1", "12-31", "1-2")
    years = unwrap_years(boot, first_year=2021)
    assert [years[i] for i in (0, 2, 3, 5, 6, 7)] == [2021, 2021, 2021, 2021, 2021, 2022]


def test_years_the_anchor_is_an_upper_bound_with_a_day_of_tolerance() -> None:
    lines = stamps("3-8", "3-9")
    assert unwrap_years(lines, not_after=utc("2022-03-08 12:00")) == [2022, 2022]
    assert unwrap_years(lines, not_after=utc("2022-03-07 12:00")) == [2021, 2021]
    assert unwrap_years(lines, not_after=utc("2022-12-31 12:00")) == [2022, 2022]
    offset = timezone(timedelta(hours=-7))
    assert unwrap_years(lines, not_after=datetime(2022, 3, 7, 20, tzinfo=offset)) == [2022, 2022]


def test_years_anchors_are_taken_in_their_order() -> None:
    lines = stamps("12-31", "1-1", "1-2")
    assert unwrap_years(lines, dated=[(2, 2019)], not_after=utc("2022-01-03")) == [2018, 2019, 2019]
    assert unwrap_years(lines, first_year=2020, not_after=utc("2030-01-01")) == [2020, 2021, 2021]


def test_years_contradictions_are_refused() -> None:
    lines = stamps("12-31", "1-1", "2-29")
    assert "record 1 states" in years_are_refused(
        "TIME_RANGE", lines, first_year=2018, dated=[(1, 2018)]
    )
    years_are_refused("TIME_RANGE", lines, dated=[(0, 2019), (1, 2021)])
    assert "February 29" in years_are_refused("TIME_RANGE", lines, first_year=2020)
    two = stamps("2-29", "12-31", "1-1", "2-29")
    years_are_refused("TIME_RANGE", two, not_after=utc("2022-01-01"))
    years_are_refused("TIME_RANGE", stamps("2-30"), first_year=2020)
    years_are_refused("TIME_RANGE", stamps("1-1"), first_year=1969)


def test_years_without_anchor_are_refused() -> None:
    years_are_refused("TIME_NO_YEAR", stamps("3-9"))
    assert unwrap_years([]) == []


@given(
    moments("1999-01-01", "2060-01-01"),
    st.lists(st.integers(-8, 120), min_size=1, max_size=60),
)
def test_years_come_back_for_any_log_without_long_silence(
    start: datetime, steps: list[int]
) -> None:
    days = [start]
    for step in steps:
        days.append(days[-1] + timedelta(days=step))
    lines = [(d.month, d.day, d.hour, d.minute, d.second, d.microsecond) for d in days]
    truth = [day.year for day in days]
    assert unwrap_years(lines, first_year=start.year) == truth
    index = len(days) // 2
    assert unwrap_years(lines, dated=[(index, truth[index])]) == truth
    if (2, 29) not in {line[:2] for line in lines}:
        assert unwrap_years(lines, not_after=days[-1] + timedelta(hours=5)) == truth


# --- real lines -------------------------------------------------------------------------------


@pytest.mark.skipif(not AUTH_LOG.is_file(), reason="../shared/data is absent")
def test_a_real_log_without_years_gets_one_year_and_keeps_its_order() -> None:
    months = {name: number for number, name in enumerate(["Mar", "Apr"], start=3)}
    lines: list[Stamp] = []
    for line in AUTH_LOG.read_text(encoding="utf-8").splitlines():
        month, day, clock = line.split(maxsplit=3)[:3]
        hour, minute, second = map(int, clock.split(":"))
        lines.append((months[month], int(day), hour, minute, second, 0))
    assert set(unwrap_years(lines, not_after=utc("2017-04-21"))) == {2017}
    rule = TimeRule(zone="UTC")
    ats = [parse("2017-{:02}-{:02} {:02}:{:02}:{:02}".format(*line[:5]), rule).at for line in lines]
    assert ats == sorted(ats)
