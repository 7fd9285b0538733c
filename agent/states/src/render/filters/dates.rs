//! `strftime` and `date_format`: a time stamp by Python's format.

use minijinja::Error;
use minijinja::value::Value;
use time::{OffsetDateTime, UtcOffset};

use super::Filter;
use crate::render::jinja::args::Args;
use crate::render::python::{fault, text};

const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) fn find(name: &str) -> Option<Filter> {
    match name {
        "strftime" | "date_format" => Some(|value, args| {
            let format = args.text_or(0, "format", "%Y-%m-%d");
            Ok(Value::from(formatted(cast(value, args)?, &format)?))
        }),
        _ => None,
    }
}

/// A time stamp, as a number or as its text; `None` is now.
fn cast(value: &Value, _: &Args) -> Result<OffsetDateTime, Error> {
    let unknown = || fault(format!("Unable to parse {}. Consider installing timelib", text(value)));
    let stamp = if value.is_none() {
        #[allow(clippy::disallowed_methods, reason = "a template asks for the time of its render")]
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_err(|_| unknown())?.as_secs_f64()
    } else {
        super::numbers::to_float(value).ok_or_else(unknown)?
    };
    #[allow(clippy::cast_possible_truncation, reason = "a time of this size is refused below")]
    let nanos = (stamp * 1e6).round() as i128 * 1000;
    let time = OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(|_| unknown())?;
    Ok(time.to_offset(UtcOffset::UTC))
}

fn formatted(time: OffsetDateTime, format: &str) -> Result<String, Error> {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let Some(mut sign) = chars.next() else {
            out.push('%');
            break;
        };
        let plain = sign == '-';
        if plain {
            sign = chars.next().unwrap_or('-');
        }
        let part = part(time, sign)?;
        let cut = if plain { part.trim_start_matches('0') } else { part.as_str() };
        out.push_str(if plain && cut.is_empty() { "0" } else { cut });
    }
    Ok(out)
}

fn part(time: OffsetDateTime, sign: char) -> Result<String, Error> {
    let hour12 = match time.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let day = usize::from(time.weekday().number_days_from_monday());
    let month = usize::from(u8::from(time.month())) - 1;
    let many = |format: &str| formatted(time, format);
    Ok(match sign {
        'Y' => time.year().to_string(),
        'y' => format!("{:02}", time.year().rem_euclid(100)),
        'C' => format!("{:02}", time.year() / 100),
        'm' => format!("{:02}", month + 1),
        'd' => format!("{:02}", time.day()),
        'e' => format!("{:2}", time.day()),
        'H' => format!("{:02}", time.hour()),
        'k' => format!("{:2}", time.hour()),
        'I' => format!("{hour12:02}"),
        'l' => format!("{hour12:2}"),
        'M' => format!("{:02}", time.minute()),
        'S' => format!("{:02}", time.second()),
        'f' => format!("{:06}", time.microsecond()),
        'p' => if time.hour() < 12 { "AM" } else { "PM" }.to_owned(),
        'P' => if time.hour() < 12 { "am" } else { "pm" }.to_owned(),
        'j' => format!("{:03}", time.ordinal()),
        'U' => format!("{:02}", time.sunday_based_week()),
        'W' => format!("{:02}", time.monday_based_week()),
        'V' => format!("{:02}", time.iso_week()),
        'G' => time.to_iso_week_date().0.to_string(),
        'u' => (day + 1).to_string(),
        'w' => ((day + 1) % 7).to_string(),
        'A' => DAYS[day].to_owned(),
        'a' => DAYS[day][..3].to_owned(),
        'B' => MONTHS[month].to_owned(),
        'b' | 'h' => MONTHS[month][..3].to_owned(),
        'F' => many("%Y-%m-%d")?,
        'T' | 'X' => many("%H:%M:%S")?,
        'R' => many("%H:%M")?,
        'D' | 'x' => many("%m/%d/%y")?,
        'c' => many("%a %b %e %H:%M:%S %Y")?,
        's' => time.unix_timestamp().to_string(),
        'z' | 'Z' => String::new(),
        'n' => "\n".to_owned(),
        't' => "\t".to_owned(),
        '%' => "%".to_owned(),
        other => return Err(fault(format!("strftime: '%{other}' is not supported"))),
    })
}
