//! Times of backups: when a file was changed, or what its name says.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

/// What a name may be read by.
pub(super) const KNOWN: &str = "%Y %y %m %d %j %b %B %H %I %p %M %S %f %%";

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A time of day on a day, and what tells it from others.
pub(super) struct Moment {
    at: PrimitiveDateTime,
    nanos: i64,
}

impl Moment {
    /// When a file was changed last, in this machine's time.
    pub(super) fn changed(meta: &Metadata) -> Option<Moment> {
        let nanos = meta.mtime().checked_mul(1_000_000_000)?.checked_add(meta.mtime_nsec())?;
        let at = OffsetDateTime::from_unix_timestamp(meta.mtime()).ok()?;
        let at = at.to_offset(offset(meta.mtime()));
        Some(Moment { at: PrimitiveDateTime::new(at.date(), at.time()), nanos })
    }

    /// What a name says, if it is as the format has it.
    pub(super) fn read(name: &str, format: &str) -> Option<Moment> {
        let at = Reader { rest: name, parts: Parts::default() }.all(format)?;
        let nanos = i64::try_from(at.assume_utc().unix_timestamp_nanos()).ok()?;
        Some(Moment { at, nanos })
    }

    pub(super) fn by_day(&self) -> Vec<i64> {
        let month = i64::from(u8::from(self.at.month()));
        let (day, hour) = (i64::from(self.at.day()), i64::from(self.at.hour()));
        vec![i64::from(self.at.year()), month, day, hour, self.nanos]
    }

    pub(super) fn by_week(&self) -> Vec<i64> {
        let week = i64::from(self.at.iso_week());
        let day = i64::from(self.at.weekday().number_days_from_monday());
        vec![i64::from(self.at.year()), week, day, self.nanos]
    }
}

/// How far this machine's time was from UTC then.
#[allow(unsafe_code, reason = "nothing safe asks the system for its time zone")]
fn offset(seconds: i64) -> UtcOffset {
    // SAFETY: both arguments outlive the call, which writes to the second alone.
    let away = unsafe {
        let mut parts = std::mem::zeroed::<nix::libc::tm>();
        let found = nix::libc::localtime_r(&seconds, &mut parts);
        if found.is_null() { 0 } else { parts.tm_gmtoff }
    };
    i32::try_from(away)
        .ok()
        .and_then(|away| UtcOffset::from_whole_seconds(away).ok())
        .unwrap_or(UtcOffset::UTC)
}

/// A sign of a format that cannot be read.
pub(super) fn unknown(format: &str) -> Option<char> {
    let mut chars = format.chars();
    while let Some(sign) = chars.next() {
        if sign == '%' {
            let sign = chars.next().unwrap_or(' ');
            if !KNOWN.contains(&format!("%{sign}")) {
                return Some(sign);
            }
        }
    }
    None
}

/// The parts of a time, with what stands for those that are not named.
struct Parts {
    year: i32,
    month: u8,
    day: u8,
    of_year: Option<u16>,
    hour: u8,
    minute: u8,
    second: u8,
    micro: u32,
    afternoon: Option<bool>,
}

impl Default for Parts {
    fn default() -> Parts {
        Parts {
            year: 1900,
            month: 1,
            day: 1,
            of_year: None,
            hour: 0,
            minute: 0,
            second: 0,
            micro: 0,
            afternoon: None,
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    parts: Parts,
}

impl Reader<'_> {
    fn all(mut self, format: &str) -> Option<PrimitiveDateTime> {
        let mut signs = format.chars();
        while let Some(sign) = signs.next() {
            match sign {
                '%' => self.part(signs.next()?)?,
                space if space.is_whitespace() => self.rest = self.rest.trim_start(),
                sign => self.literal(sign)?,
            }
        }
        if !self.rest.is_empty() {
            return None;
        }
        let parts = self.parts;
        let date = match parts.of_year {
            Some(day) => Date::from_ordinal_date(parts.year, day).ok()?,
            None => {
                let month = Month::try_from(parts.month).ok()?;
                Date::from_calendar_date(parts.year, month, parts.day).ok()?
            }
        };
        let hour = match parts.afternoon {
            Some(afternoon) => parts.hour % 12 + if afternoon { 12 } else { 0 },
            None => parts.hour,
        };
        let time = Time::from_hms_micro(hour, parts.minute, parts.second, parts.micro).ok()?;
        Some(PrimitiveDateTime::new(date, time))
    }

    fn part(&mut self, sign: char) -> Option<()> {
        match sign {
            'Y' => self.parts.year = i32::try_from(self.number(4, 4)?).ok()?,
            'y' => {
                let year = i32::try_from(self.number(2, 2)?).ok()?;
                self.parts.year = if year < 69 { 2000 + year } else { 1900 + year };
            }
            'm' => self.parts.month = self.small(1..=12)?,
            'd' => self.parts.day = self.small(1..=31)?,
            'j' => self.parts.of_year = u16::try_from(self.number(1, 3)?).ok(),
            'b' => self.month(3)?,
            'B' => self.month(usize::MAX)?,
            'H' => self.parts.hour = self.small(0..=23)?,
            'I' => self.parts.hour = self.small(1..=12)?,
            'p' => {
                let word = self.rest.get(..2)?.to_lowercase();
                self.parts.afternoon = Some(match word.as_str() {
                    "am" => false,
                    "pm" => true,
                    _ => return None,
                });
                self.rest = &self.rest[2..];
            }
            'M' => self.parts.minute = self.small(0..=59)?,
            'S' => self.parts.second = self.small(0..=61)?,
            'f' => {
                let before = self.rest.len();
                let number = self.number(1, 6)?;
                let digits = u32::try_from(before - self.rest.len()).ok()?;
                self.parts.micro = number * 10_u32.pow(6 - digits);
            }
            other => self.literal(other)?,
        }
        Some(())
    }

    /// Python's patterns do not tell capitals from small letters.
    fn literal(&mut self, sign: char) -> Option<()> {
        let found = self.rest.chars().next()?;
        if !found.to_lowercase().eq(sign.to_lowercase()) {
            return None;
        }
        self.rest = &self.rest[found.len_utf8()..];
        Some(())
    }

    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let len = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let digits = self.rest.get(..len).filter(|_| len >= least)?;
        self.rest = &self.rest[len..];
        digits.parse().ok()
    }

    /// One or two digits: the second only if both together are within the range.
    fn small(&mut self, range: std::ops::RangeInclusive<u8>) -> Option<u8> {
        for len in [2, 1] {
            let digits =
                self.rest.get(..len).filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
            let number = digits.and_then(|digits| digits.parse().ok());
            if let Some(number) = number.filter(|number| range.contains(number)) {
                self.rest = &self.rest[len..];
                return Some(number);
            }
        }
        None
    }

    fn month(&mut self, letters: usize) -> Option<()> {
        let rest = self.rest.to_lowercase();
        let found =
            MONTHS.iter().position(|name| rest.starts_with(&name[..letters.min(name.len())]));
        let at = found?;
        self.parts.month = u8::try_from(at + 1).ok()?;
        self.rest = &self.rest[letters.min(MONTHS[at].len())..];
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_python_reads_them() {
        let read = |name: &str, format: &str| Moment::read(name, format).map(|one| one.by_day());
        let day = read("db-20240229-0310.gz", "db-%Y%m%d-%H%M.gz").unwrap();
        assert_eq!(day[..4], [2024, 2, 29, 3]);
        assert_eq!(read("x 1.13.99", "x %d.%m.%y"), None);
        assert_eq!(read("5Feb99 1PM", "%d%b%y %I%p").unwrap()[..4], [1999, 2, 5, 13]);
        assert_eq!(read("2023366", "%Y%j"), None, "no leap year");
        assert_eq!(read("20240230", "%Y%m%d"), None);
        assert_eq!(unknown("%Y-%Q"), Some('Q'));
        assert_eq!(unknown("100%% %d"), None);
    }
}
