//! Times and spans: read from arguments, written for people and for programs.

use muster_protocol::id::UnixMillis;
use serde::{Serialize, Serializer};
use std::time::Duration;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339 as Iso;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

const MILLIS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const CLOCK: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second].[subsecond digits:3]Z");

/// A time that is written as RFC 3339 with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rfc3339(pub(crate) UnixMillis);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&write(self.0, MILLIS))
    }
}

/// A time for people, in UTC.
pub(crate) fn clock(at: UnixMillis) -> String {
    write(at, CLOCK)
}

/// A number of milliseconds outside the calendar (years beyond 9999) is written as it is.
fn write(at: UnixMillis, format: &[BorrowedFormatItem<'_>]) -> String {
    let date = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000_000);
    date.ok().and_then(|date| date.format(format).ok()).unwrap_or_else(|| at.0.to_string())
}

/// A span for people: its two largest units at most.
pub(crate) fn span(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.saturating_abs();
    let two = |unit: i64, name: &str, below: i64, lesser: &str| match millis % unit / below {
        0 => format!("{} {name}", millis / unit),
        rest => format!("{} {name} {rest} {lesser}", millis / unit),
    };
    let text = match millis {
        0..SECOND => format!("{millis} ms"),
        SECOND..MINUTE => format!("{}.{} s", millis / SECOND, millis % SECOND / 100),
        MINUTE..HOUR => two(MINUTE, "min", SECOND, "s"),
        HOUR..DAY => two(HOUR, "h", MINUTE, "min"),
        _ => two(DAY, "d", HOUR, "h"),
    };
    format!("{sign}{text}")
}

/// Reads a span: `500ms`, `30s`, `10m`, `1h`, `2d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "s" => SECOND,
        "m" | "min" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        _ => return Err("write a number and a unit: 500ms, 30s, 10m, 1h, 2d".to_owned()),
    };
    let number: i64 = number.parse().map_err(|_| "write a number before the unit, e.g. 30s")?;
    let millis = number.checked_mul(factor).ok_or("that is too long")?;
    Ok(Duration::from_millis(millis.unsigned_abs()))
}

/// Reads a time: a span before `now`, or RFC 3339.
pub(crate) fn moment(text: &str, now: UnixMillis) -> Result<UnixMillis, String> {
    if let Ok(span) = duration(text) {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        return Ok(UnixMillis(now.0.saturating_sub(millis)));
    }
    let date = OffsetDateTime::parse(text, &Iso).map_err(|_| {
        "write how long ago (30s, 10m, 1h, 2d) or a time like 2026-03-01T12:00:00Z".to_owned()
    })?;
    let nanos = date.to_offset(UtcOffset::UTC).unix_timestamp_nanos();
    i64::try_from(nanos / 1_000_000).map(UnixMillis).map_err(|_| "that is too far away".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_in_their_two_largest_units() {
        for (millis, expected) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1.0 s"),
            (59_999, "59.9 s"),
            (60_000, "1 min"),
            (61_000, "1 min 1 s"),
            (3 * HOUR + 5 * MINUTE + 7, "3 h 5 min"),
            (2 * DAY, "2 d"),
            (2 * DAY + HOUR, "2 d 1 h"),
            (-1_500, "-1.5 s"),
        ] {
            assert_eq!(span(millis), expected);
        }
    }

    #[test]
    fn times_are_read_as_spans_before_now_or_rfc_3339() {
        let now = UnixMillis(10 * DAY);
        for (text, expected) in [
            ("30s", Some(10 * DAY - 30 * SECOND)),
            ("10m", Some(10 * DAY - 10 * MINUTE)),
            ("1h", Some(10 * DAY - HOUR)),
            ("2d", Some(8 * DAY)),
            ("1970-01-02T00:00:00Z", Some(DAY)),
            ("1970-01-02T01:00:00.250+01:00", Some(DAY + 250)),
            ("", None),
            ("h", None),
            ("1", None),
            ("-1h", None),
            ("1h30m", None),
            ("99999999999999999999d", None),
            ("9999999999999999d", None),
            ("yesterday", None),
        ] {
            assert_eq!(moment(text, now).ok(), expected.map(UnixMillis), "{text:?}");
        }
    }

    #[test]
    fn times_are_written_with_milliseconds() {
        let at = UnixMillis(1_772_366_400_005);
        assert_eq!(serde_json::to_string(&Rfc3339(at)).unwrap(), "\"2026-03-01T12:00:00.005Z\"");
        assert_eq!(clock(at), "2026-03-01 12:00:00.005Z");
        assert_eq!(clock(UnixMillis(i64::MAX)), i64::MAX.to_string());
    }
}
