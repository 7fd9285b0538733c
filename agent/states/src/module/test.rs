//! test, log, sys: functions that say what they are told, and what there is.

use std::time::Duration;

use minijinja::Error;
use minijinja::value::{Tuple, Value};

use super::known::{functions, is_module};
use super::{Call, Function, TABLES, acts, find, reads};
use crate::host::command::Cancel;
use crate::render::python::{dict, items, list, pairs, repr, text};
use crate::render::{Number, type_name};
use crate::target::glob;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("test.provider", "module", |call| Ok(Value::from(provider(call)))),
    reads("test.fib", "num", fib),
    reads("test.collatz", "start", collatz),
    reads("test.random_hash", "size= hash_type=", random_hash),
    reads("test.rand_str", "size= hash_type=", random_hash),
    reads("test.ping", "", |_| Ok(Value::from(true))),
    reads("test.true", "", |_| Ok(Value::from(true))),
    reads("test.false", "", |_| Ok(Value::from(false))),
    reads("test.echo", "text", |call| Ok(call.must("text"))),
    reads("test.outputter", "data", |call| Ok(call.must("data"))),
    reads("test.arg", "*args **kwargs", |call| Ok(both(args(call), kwargs(call)))),
    reads("test.arg_clean", "*args **kwargs", |call| Ok(both(args(call), kwargs(call)))),
    reads("test.kwarg", "**kwargs", |call| Ok(kwargs(call))),
    reads("test.arg_repr", "*args **kwargs", |call| {
        Ok(both(Value::from(repr(&args(call))), Value::from(repr(&kwargs(call)))))
    }),
    reads("test.arg_type", "*args **kwargs", |call| {
        let shown = |value: &Value| Value::from(format!("<class '{}'>", type_name(value)));
        let named = call.others().map(|(key, value)| (Value::from(key), shown(value)));
        Ok(both(list(call.rest().iter().map(shown).collect()), dict(named.collect())))
    }),
    reads("test.version", "", |call| fact(call, "saltversion")),
    reads("test.conf_test", "", |_| Ok(Value::from("unconfigured"))),
    reads("test.get_opts", "", |call| Ok(call.scope.opts.clone())),
    reads("test.opts_pkg", "", |call| Ok(call.scope.opts.clone())),
    reads("test.retcode", "code=", |call| {
        let code = call.number("code")?.unwrap_or(42);
        call.set_retcode(i32::try_from(code).unwrap_or(1));
        Ok(Value::from(true))
    }),
    reads("test.exception", "message=", |call| {
        Err(call.raise(call.text_or("message", "Test Exception")))
    }),
    reads("test.assertion", "assertion", |call| {
        if call.flag("assertion", false) { Ok(Value::from(())) } else { Err(call.raise("")) }
    }),
    reads("test.cross_test", "func args=", cross),
    reads("test.try", "module return_try_exception= **kwargs", attempt),
    acts("test.sleep", "length", |call| {
        let seconds = call.number("length")?.and_then(|seconds| u64::try_from(seconds).ok());
        let waited = Cancel::in_force().wait(Duration::from_secs(seconds.unwrap_or(0)));
        waited.map(|()| Value::from(true)).map_err(|error| call.fail(error.to_string()))
    }),
    reads("test.rand_sleep", "max=", |_| Ok(Value::from(true))),
    reads("log.debug", LOG, log),
    reads("log.info", LOG, log),
    reads("log.warning", LOG, log),
    reads("log.error", LOG, log),
    reads("log.critical", LOG, log),
    reads("log.exception", LOG, log),
    reads("log.trace", LOG, log),
    reads("sys.list_functions", "*args **kwargs", |call| {
        let wanted: Vec<String> = call.rest().iter().map(text).collect();
        let meant = |name: &str| {
            let module = name.split('.').next().unwrap_or_default();
            wanted.is_empty() || wanted.iter().any(|own| own == module || glob(own, name))
        };
        let own = TABLES.iter().copied().flatten().map(|function| function.name.to_owned());
        let mut names: Vec<String> = own.chain(functions()).collect();
        names.retain(|name| meant(name));
        names.sort_unstable();
        names.dedup();
        Ok(list(names.into_iter().map(Value::from).collect()))
    }),
    reads("sys.list_modules", "*args", |call| {
        let wanted: Vec<String> = call.rest().iter().map(text).collect();
        let own = TABLES.iter().copied().flatten().map(|function| function.name.to_owned());
        let all = own.chain(functions());
        let mut names: Vec<String> =
            all.filter_map(|name| Some(name.split_once('.')?.0.to_owned())).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| wanted.is_empty() || wanted.iter().any(|own| glob(own, name)));
        Ok(list(names.into_iter().map(Value::from).collect()))
    }),
];

const LOG: &str = "message";

/// An empty map.
pub(super) fn empty() -> Value {
    dict(Default::default())
}

fn fact(call: &Call<'_>, name: &str) -> Result<Value, Error> {
    Ok(call.scope.grains.get_item(&Value::from(name)).unwrap_or_default())
}

/// The file of Salt's that has a module on this machine: `aptpkg` for `pkg`.
fn provider(call: &Call<'_>) -> String {
    let name = call.text("module");
    let debian = call.scope.facts.get("os_family").is_some_and(|family| family == "Debian");
    let file = match name.as_str() {
        "pkg" if debian => "aptpkg",
        "pkg" => "yumpkg",
        "lowpkg" if debian => "dpkg_lowpkg",
        "lowpkg" => "rpm_lowpkg",
        "service" => "systemd_service",
        "user" => "useradd",
        "group" => "groupadd",
        "shadow" => "linux_shadow",
        "sysctl" => "linux_sysctl",
        "ip" if debian => "debian_ip",
        "ip" => "rh_ip",
        "cmd" => "cmdmod",
        "locale" => "localemod",
        "log" => "logmod",
        "random" => "mod_random",
        other if is_module(other) => other,
        _ => "",
    };
    file.to_owned()
}

fn whole(call: &Call<'_>, name: &str) -> Result<i128, Error> {
    let value = call.must(name);
    let shown = text(&value);
    let found = match crate::render::number(&value) {
        Some(Number::Int(number)) => Some(number),
        #[allow(clippy::cast_possible_truncation, reason = "as int() in Python")]
        Some(Number::Float(number)) => Some(number as i128),
        None => shown.trim().parse().ok(),
    };
    let words = || format!("invalid literal for int() with base 10: {}", repr(&Value::from(shown)));
    found.ok_or_else(|| call.raise(words()))
}

/// A number of Fibonacci's, and the seconds that it took.
fn fib(call: &Call<'_>) -> Result<Value, Error> {
    let wanted = whole(call, "num")?;
    if wanted < 0 {
        return Err(call.raise("Negative number is not allowed!"));
    }
    let (mut before, mut found) = (1_i128, 0_i128);
    for _ in 0..wanted {
        let next = before.checked_add(found).filter(|next| *next <= i128::from(i64::MAX));
        let next = next.ok_or_else(|| call.fail("test.fib: the number is too large"))?;
        (before, found) = (found, next);
    }
    Ok(timed(Value::from(i64::try_from(found).unwrap_or_default())))
}

/// The steps of a number down to 1. As Salt divides, halves are no whole numbers.
fn collatz(call: &Call<'_>) -> Result<Value, Error> {
    let start = whole(call, "start")?;
    if start < 1 {
        return Err(call.fail("test.collatz: a number from 1 is wanted"));
    }
    let (mut steps, mut halved) = (Vec::new(), false);
    let mut number = start;
    while number != 1 {
        #[allow(clippy::cast_precision_loss, reason = "as Python divides")]
        let step = if halved { Value::from(number as f64) } else { Value::from(number) };
        steps.push(step);
        let next = number.checked_mul(3).and_then(|next| next.checked_add(1));
        let next = next.ok_or_else(|| call.fail("test.collatz: the number is too large"))?;
        halved |= number % 2 == 0;
        number = if number % 2 == 0 { number / 2 } else { next };
    }
    Ok(timed(list(steps)))
}

fn timed(value: Value) -> Value {
    Value::from_object(Tuple::new(vec![value, Value::from(0.0)]))
}

fn random_hash(call: &Call<'_>) -> Result<Value, Error> {
    let form = call.text_of("hash_type").filter(|form| !form.is_empty());
    let form = form.unwrap_or_else(|| "sha256".to_owned());
    let sum = crate::hash::digest(&form, &super::random::bytes(32)?);
    sum.map(Value::from).ok_or_else(|| call.raise(format!("unsupported hash type {form}")))
}

fn args(call: &Call<'_>) -> Value {
    // Salt gives a tuple; its `repr` and its length are all that tells.
    Value::from_object(Tuple::new(call.rest().to_vec()))
}

fn kwargs(call: &Call<'_>) -> Value {
    dict(call.others().map(|(key, value)| (Value::from(key), value.clone())).collect())
}

fn both(args: Value, kwargs: Value) -> Value {
    dict([(Value::from("args"), args), (Value::from("kwargs"), kwargs)].into_iter().collect())
}

fn log(call: &Call<'_>) -> Result<Value, Error> {
    // Templates may log pillar: the text itself stays out of the agent's log.
    tracing::debug!(bytes = call.text("message").len(), "a template logged a message");
    Ok(Value::from(true))
}

fn cross(call: &Call<'_>) -> Result<Value, Error> {
    let name = call.text("func");
    let function = find(&name).ok_or_else(|| call.fail(super::unsupported(&name)))?;
    let args = call.set("args").map(|args| items(&args)).unwrap_or_default();
    Ok(function.call(call.site, args, Vec::new())?.value)
}

/// Calls a function and takes its failure for nothing, or for its words.
fn attempt(call: &Call<'_>) -> Result<Value, Error> {
    let name = call.text("module");
    let named = kwargs(call);
    let named = pairs(&named).into_iter().map(|(key, value)| (text(&key), value)).collect();
    let called = match find(&name) {
        Some(function) => function.call(call.site, Vec::new(), named),
        None => Err(call.fail(format!("'{name}'"))),
    };
    match called {
        Ok(returned) => Ok(returned.value),
        Err(error) if call.flag("return_try_exception", false) => {
            Ok(Value::from(error.detail().unwrap_or_default()))
        }
        Err(_) => Ok(Value::from(())),
    }
}
