//! The packed times and columns of a frame.
//!
//! Layout: the times, as the first and then differences; the columns' forms, as runs; each column.
//! A difference is a zigzag varint (LEB128, at most ten bytes). Reading takes whatever is there and
//! makes no value that the caller's limits on samples and metrics do not allow for.

use super::Row;
use crate::id::UnixMillis;

/// How one column is written; a run is the varint `columns << 2 | form`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One whole number, the same in all samples.
    Constant = 0,
    /// Whole numbers.
    Integers = 1,
    /// Hundredths.
    Hundredths = 2,
    /// Eight bytes each, little endian.
    Floats = 3,
}

/// Whole numbers up to here are exact in an `f64`.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
const SCALE: f64 = 100.0;

fn is_integer(value: f64) -> bool {
    value.fract() == 0.0 && value.abs() <= EXACT_MAX
}

fn is_hundredths(value: f64) -> bool {
    let scaled = (value * SCALE).round();
    scaled.abs() <= EXACT_MAX && scaled / SCALE == value
}

fn form(rows: &[Row], column: usize) -> Form {
    let all = |holds: fn(f64) -> bool| rows.iter().all(|row| holds(row.values[column]));
    let first = rows[0].values[column];
    if all(is_integer) {
        let same = rows.iter().all(|row| row.values[column] == first);
        if same { Form::Constant } else { Form::Integers }
    } else if all(is_hundredths) {
        Form::Hundredths
    } else {
        Form::Floats
    }
}

/// Packs rows, of which there is at least one; each has a value for all `metrics` columns.
pub(super) fn pack(rows: &[Row], metrics: usize) -> Vec<u8> {
    let mut to = Vec::with_capacity(16 + metrics * (2 + rows.len() * 2));
    put_differences(&mut to, rows.iter().map(|row| row.time.0));
    let forms: Vec<Form> = (0..metrics).map(|column| form(rows, column)).collect();
    for run in forms.chunk_by(|a, b| a == b) {
        put_varint(&mut to, (run.len() as u64) << 2 | run[0] as u64);
    }
    for (column, form) in forms.into_iter().enumerate() {
        let values = rows.iter().map(|row| row.values[column]);
        match form {
            Form::Constant => put_varint(&mut to, zigzag(rows[0].values[column] as i64)),
            Form::Integers => put_differences(&mut to, values.map(|value| value as i64)),
            Form::Hundredths => {
                put_differences(&mut to, values.map(|value| (value * SCALE).round() as i64));
            }
            Form::Floats => values.for_each(|value| to.extend(value.to_le_bytes())),
        }
    }
    to
}

fn put_differences(to: &mut Vec<u8>, values: impl Iterator<Item = i64>) {
    let mut last = 0i64;
    for value in values {
        put_varint(to, zigzag(value.wrapping_sub(last)));
        last = value;
    }
}

fn put_varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Reads `samples` times and, column by column, `samples * metrics` values; none if garbled.
pub(super) fn unpack(
    bytes: &[u8],
    samples: usize,
    metrics: usize,
) -> Option<(Vec<UnixMillis>, Vec<f64>)> {
    let mut from = Reader(bytes);
    let mut times = Vec::with_capacity(samples);
    from.differences(samples, |time| times.push(UnixMillis(time)))?;
    let forms = from.forms(metrics)?;
    let mut values = Vec::with_capacity(samples * metrics);
    for form in forms {
        from.column(form, samples, &mut values)?;
    }
    from.0.is_empty().then_some((times, values))
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn differences(&mut self, count: usize, mut take: impl FnMut(i64)) -> Option<()> {
        let mut last = 0i64;
        for _ in 0..count {
            last = last.wrapping_add(unzigzag(self.varint()?));
            take(last);
        }
        Some(())
    }

    fn forms(&mut self, metrics: usize) -> Option<Vec<Form>> {
        let mut forms = Vec::with_capacity(metrics);
        while forms.len() < metrics {
            let run = self.varint()?;
            let form = match run & 3 {
                0 => Form::Constant,
                1 => Form::Integers,
                2 => Form::Hundredths,
                _ => Form::Floats,
            };
            let count = usize::try_from(run >> 2).ok()?;
            if count == 0 || count > metrics - forms.len() {
                return None;
            }
            forms.resize(forms.len() + count, form);
        }
        Some(forms)
    }

    fn column(&mut self, form: Form, samples: usize, to: &mut Vec<f64>) -> Option<()> {
        match form {
            Form::Constant => {
                let value = unzigzag(self.varint()?) as f64;
                to.resize(to.len() + samples, value);
            }
            Form::Integers => self.differences(samples, |value| to.push(value as f64))?,
            Form::Hundredths => self.differences(samples, |value| to.push(value as f64 / SCALE))?,
            Form::Floats => {
                for _ in 0..samples {
                    let (value, rest) = self.0.split_first_chunk()?;
                    self.0 = rest;
                    to.push(f64::from_le_bytes(*value));
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zigzag_comes_back() {
        for value in [0, 1, -1, i64::MAX, i64::MIN] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
    }

    #[test]
    fn a_column_that_stands_still_takes_its_first_value_only() {
        let row = |time| Row { time: UnixMillis(time), values: vec![0.0; 63] };
        let one = pack(&[row(0)], 63).len();
        let many: Vec<Row> = (0..9).map(|_| row(0)).collect();
        assert_eq!(pack(&many, 63).len(), one + 8);
    }

    #[test]
    fn columns_that_go_on_too_long_are_refused() {
        let mut bytes = pack(&[Row { time: UnixMillis(5), values: vec![1.0, 0.5] }], 2);
        assert!(unpack(&bytes, 1, 2).is_some());
        bytes.push(0);
        assert!(unpack(&bytes, 1, 2).is_none());
        assert!(unpack(&[0x80; 20], 1, 0).is_none());
    }
}
