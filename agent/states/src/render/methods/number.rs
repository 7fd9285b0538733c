//! Methods and attributes of Python's int, bool and float.

use minijinja::Error;
use minijinja::value::Value;

use super::unknown;
use crate::render::jinja::args::Args;
use crate::render::jinja::ops::{self, Number};
use crate::render::python::{fault, text, tuple_of};

/// Bytes that a number may be written to.
const BYTES_MAX: usize = 4096;

pub(super) fn has(of: &Value, method: &str) -> bool {
    let shared = ["as_integer_ratio", "conjugate"].contains(&method);
    shared
        || match ops::number(of) {
            Some(Number::Int(_)) => ["bit_length", "bit_count", "to_bytes"].contains(&method),
            Some(Number::Float(_)) => ["is_integer", "hex"].contains(&method),
            None => false,
        }
}

/// An attribute that is no method.
pub(super) fn member(of: &Value, name: &str) -> Option<Value> {
    Some(match (ops::number(of)?, name) {
        (Number::Int(number), "real" | "numerator") => ops::int(number),
        (Number::Int(_), "imag") => Value::from(0),
        (Number::Int(_), "denominator") => Value::from(1),
        (Number::Float(number), "real") => Value::from(number),
        (Number::Float(_), "imag") => Value::from(0.0),
        _ => return None,
    })
}

pub(super) fn call(of: &Value, method: &str, args: &Args) -> Result<Value, Error> {
    match (ops::number(of), method) {
        (Some(Number::Int(number)), "conjugate") => Ok(ops::int(number)),
        (Some(Number::Int(number)), "bit_length") => {
            Ok(Value::from(128 - number.unsigned_abs().leading_zeros()))
        }
        (Some(Number::Int(number)), "bit_count") => {
            Ok(Value::from(number.unsigned_abs().count_ones()))
        }
        (Some(Number::Int(number)), "as_integer_ratio") => {
            Ok(tuple_of(vec![ops::int(number), Value::from(1)]))
        }
        (Some(Number::Int(number)), "to_bytes") => to_bytes(number, args),
        (Some(Number::Float(number)), "conjugate") => Ok(Value::from(number)),
        (Some(Number::Float(number)), "is_integer") => Ok(Value::from(number.fract() == 0.0)),
        (Some(Number::Float(number)), "hex") => Ok(Value::from(hex(number))),
        (Some(Number::Float(number)), "as_integer_ratio") => ratio(number),
        _ => Err(unknown(of, method)),
    }
}

fn to_bytes(number: i128, args: &Args) -> Result<Value, Error> {
    let length = args.int(0, "length", 1)?;
    let length =
        usize::try_from(length).map_err(|_| fault("length argument must be non-negative"))?;
    if length > BYTES_MAX {
        return Err(fault("the number of bytes is too large"));
    }
    let order = args.get(1, "byteorder").map_or_else(|| "big".to_owned(), |order| text(&order));
    let signed = args.flag(2, "signed", false);
    if number < 0 && !signed {
        return Err(fault("can't convert negative int to unsigned"));
    }
    let mut bytes: Vec<u8> = number.to_le_bytes().to_vec();
    let rest = if number < 0 { 0xff } else { 0 };
    let fits = bytes.iter().skip(length).all(|byte| *byte == rest);
    let sign = bytes.get(length.min(bytes.len()).wrapping_sub(1)).is_some_and(|top| *top >= 0x80);
    if !fits || (signed && length > 0 && sign != (number < 0)) {
        return Err(fault("int too big to convert"));
    }
    bytes.resize(length, rest);
    match order.as_str() {
        "little" => {}
        "big" => bytes.reverse(),
        _ => return Err(fault("byteorder must be either 'little' or 'big'")),
    }
    Ok(Value::from_bytes(bytes))
}

/// Sign, mantissa and exponent of two: the number is `mantissa * 2 ** exponent`.
fn parts(number: f64) -> (bool, u64, i32) {
    let bits = number.to_bits();
    let exponent = i32::try_from((bits >> 52) & 0x7ff).unwrap_or(0);
    let fraction = bits & ((1 << 52) - 1);
    let mantissa = if exponent == 0 { fraction } else { fraction | (1 << 52) };
    (number.is_sign_negative(), mantissa, exponent.max(1) - 1075)
}

fn hex(number: f64) -> String {
    if !number.is_finite() {
        return text(&Value::from(number));
    }
    let (negative, mantissa, exponent) = parts(number);
    let sign = if negative { "-" } else { "" };
    if mantissa == 0 {
        return format!("{sign}0x0.0p+0");
    }
    let (whole, fraction) = (mantissa >> 52, mantissa & ((1 << 52) - 1));
    format!("{sign}0x{whole}.{fraction:013x}p{:+}", exponent + 52)
}

fn ratio(number: f64) -> Result<Value, Error> {
    if number.is_nan() {
        return Err(fault("cannot convert NaN to integer ratio"));
    }
    if number.is_infinite() {
        return Err(fault("cannot convert Infinity to integer ratio"));
    }
    let (negative, mut mantissa, mut exponent) = parts(number);
    if mantissa == 0 {
        return Ok(tuple_of(vec![Value::from(0), Value::from(1)]));
    }
    let even = mantissa.trailing_zeros();
    mantissa >>= even;
    exponent += i32::try_from(even).unwrap_or(0);
    let power = |by: i32| {
        let power = u32::try_from(by).ok().and_then(|by| 2_i128.checked_pow(by));
        power.ok_or_else(|| fault("the value is too large"))
    };
    let up = if exponent > 0 { power(exponent)? } else { 1 };
    let down = if exponent < 0 { power(-exponent)? } else { 1 };
    let up = i128::from(mantissa).checked_mul(up).ok_or_else(|| fault("the value is too large"))?;
    Ok(tuple_of(vec![ops::int(if negative { -up } else { up }), ops::int(down)]))
}
