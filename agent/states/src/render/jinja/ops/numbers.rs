//! Python's arithmetic on two numbers.

use minijinja::Error;
use minijinja::value::Value;

use super::{Math, Number, int, too_large};
use crate::render::python::fault;

pub(super) fn numbers(op: Math, a: Number, b: Number) -> Result<Value, Error> {
    if let (Number::Int(a), Number::Int(b)) = (a, b) {
        let exact = match op {
            Math::Add => a.checked_add(b),
            Math::Sub => a.checked_sub(b),
            Math::Mul => a.checked_mul(b),
            Math::FloorDiv if b == 0 => return Err(fault("integer division or modulo by zero")),
            Math::Rem if b == 0 => return Err(fault("integer modulo by zero")),
            Math::FloorDiv => floor_div(a, b),
            // The one that cannot be divided has no rest.
            Math::Rem => Some(a.checked_rem(b).map_or(0, |rest| with_sign_of(b, rest))),
            Math::Pow if b >= 0 => {
                let power = u32::try_from(b).map_err(|_| too_large())?;
                a.checked_pow(power)
            }
            Math::Div | Math::Pow => return floats(op, Number::Int(a), Number::Int(b)),
        };
        return exact.map(int).ok_or_else(too_large);
    }
    floats(op, a, b)
}

fn floor_div(a: i128, b: i128) -> Option<i128> {
    let (quotient, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
    if rest == with_sign_of(b, rest) { Some(quotient) } else { quotient.checked_sub(1) }
}

/// A rest of Rust's as Python's, which has its divisor's sign.
fn with_sign_of(divisor: i128, rest: i128) -> i128 {
    if rest != 0 && (rest < 0) != (divisor < 0) { rest + divisor } else { rest }
}

fn floats(op: Math, a: Number, b: Number) -> Result<Value, Error> {
    let whole = matches!((a, b), (Number::Int(_), Number::Int(_)));
    let (a, b) = (a.as_float(), b.as_float());
    let by_zero = |text: &'static str| if b == 0.0 { Err(fault(text)) } else { Ok(()) };
    Ok(Value::from(match op {
        Math::Add => a + b,
        Math::Sub => a - b,
        Math::Mul => a * b,
        Math::Div => {
            by_zero(if whole { "division by zero" } else { "float division by zero" })?;
            a / b
        }
        Math::FloorDiv => {
            by_zero("float floor division by zero")?;
            (a / b).floor()
        }
        Math::Rem => {
            by_zero("float modulo")?;
            let rest = a % b;
            if rest == 0.0 {
                0.0_f64.copysign(b)
            } else if (rest < 0.0) != (b < 0.0) {
                rest + b
            } else {
                rest
            }
        }
        Math::Pow if a == 0.0 && b < 0.0 => {
            return Err(fault("0.0 cannot be raised to a negative power"));
        }
        Math::Pow => match a.powf(b) {
            power if power.is_infinite() && a.is_finite() && b.is_finite() => {
                return Err(fault("(34, 'Numerical result out of range')"));
            }
            power => power,
        },
    }))
}
