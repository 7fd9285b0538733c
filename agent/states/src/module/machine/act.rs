//! hosts, sysctl, kmod, cron, ssh: functions that change the system, for `module.run`.

use std::collections::BTreeSet;

use minijinja::Error;
use minijinja::value::Value;
use serde_json::{Map, Value as Json, json};

use super::modules;
use crate::module::service::command;
use crate::module::{Call, Function, acts};
use crate::outcome::Outcome;
use crate::render::python::{from_json, list};

/// The functions of this file.
pub(in crate::module) const ALL: &[Function] = &[
    acts("hosts.add_host", "ip alias", |call| {
        call.went_well("host.present", &call.text("alias"), call.given(&["ip"]))
    }),
    acts("hosts.rm_host", "ip alias", |call| {
        call.went_well("host.absent", &call.text("alias"), call.given(&["ip"]))
    }),
    acts("hosts.set_host", "ip alias comment=", set_host),
    acts("sysctl.assign", "name value", assign),
    acts("sysctl.persist", "name value config=", |call| {
        let args = call.given(&["value", "config"]);
        let outcome = call.state("sysctl.present", &call.text("name"), args)?;
        Ok(Value::from(if outcome.changes.is_empty() { "Already set" } else { "Updated" }))
    }),
    acts("kmod.load", "mod persist=", |call| kmod(call, "modprobe", "loading")),
    acts("kmod.remove", "mod persist= comment=", |call| kmod(call, "rmmod", "removing")),
    acts(
        "cron.set_job",
        "user minute hour daymonth month dayweek cmd commented= comment= identifier=",
        |call| job(call, &["minute", "hour", "daymonth", "month", "dayweek"]),
    ),
    acts("cron.set_special", "user special cmd commented= comment= identifier=", |call| {
        job(call, &["special"])
    }),
    acts("cron.rm_job", "user cmd minute= hour= daymonth= month= dayweek= identifier=", |call| {
        gone(call, "cron.absent", "cmd")
    }),
    acts("cron.rm_special", "user cmd special= identifier=", |call| {
        gone(call, "cron.absent", "cmd")
    }),
    acts("cron.set_env", "user name value=", |call| {
        let args = call.given(&["user", "value"]);
        call.state("cron.env_present", &call.text("name"), args).map(|outcome| status(&outcome))
    }),
    acts("cron.rm_env", "user name", |call| gone(call, "cron.env_absent", "name")),
    acts(
        "ssh.set_auth_key",
        "user key enc= comment= options= config= cache_keys= fingerprint_hash_type=",
        |call| {
            if call.text("key").split_whitespace().count() > 1 {
                return Ok(Value::from("invalid"));
            }
            let args = call.given(&["user", "enc", "comment", "options", "config"]);
            put_key(call, &call.text("key"), args)
        },
    ),
    acts(
        "ssh.set_auth_key_from_file",
        "user source config= saltenv= fingerprint_hash_type= **kwargs",
        |call| put_key(call, "keys", call.given(&["user", "source", "config"])),
    ),
    acts("ssh.rm_auth_key", "user key config= fingerprint_hash_type=", |call| {
        let args = call.given(&["user", "config"]);
        let outcome = call.state("ssh_auth.absent", &call.text("key"), args)?;
        let gone = !outcome.changes.is_empty();
        Ok(Value::from(if gone { "Key removed" } else { "Key not present" }))
    }),
    acts(
        "ssh.set_known_host",
        "user= hostname= fingerprint= key= port= enc= config= hash_known_hosts= timeout= \
         fingerprint_hash_type=",
        known_host,
    ),
    acts("ssh.rm_known_host", "user= hostname= config= port=", |call| {
        let args = call.given(&["user", "config"]);
        let outcome =
            call.outcome("ssh_known_hosts.absent", &call.text("hostname"), args, false)?;
        Ok(from_json(&if outcome.result == Some(false) {
            json!({"status": "error", "error": outcome.comment})
        } else {
            json!({"status": "removed", "comment": outcome.comment})
        }))
    }),
];

fn set_host(call: &Call<'_>) -> Result<Value, Error> {
    let comment = call.text_of("comment").filter(|comment| !comment.is_empty());
    let names = match comment {
        Some(comment) => format!("{}\t\t# {comment}", call.text("alias")),
        None => call.text("alias"),
    };
    let args = Map::from_iter([("hostnames".to_owned(), json!(names))]);
    call.went_well("host.only", &call.text("ip"), args)
}

fn assign(call: &Call<'_>) -> Result<Value, Error> {
    let (name, value) = (call.text("name"), call.text("value"));
    let place = name.replace(['.', '/'], "\0").replace('\0', "/");
    if call.scope.host.stat(&format!("/proc/sys/{place}")).is_none() {
        return Err(call.fail(format!("sysctl {name} does not exist")));
    }
    let ran = command(call, &["sysctl", "-w", &format!("{name}={value}")])?;
    match ran.stdout.trim_end().split_once(" = ") {
        Some((name, value)) if ran.code == 0 => Ok(from_json(&json!({name: value}))),
        Some(_) | None => {
            let told = if ran.stderr.is_empty() { &ran.stdout } else { &ran.stderr };
            Err(call.fail(format!("sysctl -w failed: {}", told.trim_end())))
        }
    }
}

/// Loads a module of the kernel, or takes it out: which ones came or went.
fn kmod(call: &Call<'_>, program: &str, doing: &str) -> Result<Value, Error> {
    if call.flag("persist", false) {
        let words = "with 'persist' is not supported: write the name into /etc/modules-load.d";
        return Err(call.fail(format!("{} {words}", call.name())));
    }
    let names = || -> BTreeSet<String> {
        modules().iter().filter_map(|one| one["module"].as_str().map(str::to_owned)).collect()
    };
    let (name, before) = (call.text("mod"), names());
    let ran = command(call, &[program, &name])?;
    if ran.code != 0 {
        let told = ran.stderr.trim_end();
        return Ok(Value::from(format!("Error {doing} module {name}: {told}")));
    }
    Ok(list(before.symmetric_difference(&names()).map(|name| Value::from(name.as_str())).collect()))
}

/// Salt's word for what became of an entry of a crontab.
fn status(outcome: &Outcome) -> Value {
    Value::from(match outcome.changes.is_empty() {
        true => "present",
        false if outcome.comment.ends_with("updated") => "updated",
        false => "new",
    })
}

/// An entry without an identifier is one by its command alone.
fn identified(call: &Call<'_>, keys: &[&str]) -> Map<String, Json> {
    let mut args = call.given(keys);
    args.extend(call.given(&["user", "commented", "comment", "identifier"]));
    args.entry("identifier").or_insert(Json::Null);
    args
}

fn job(call: &Call<'_>, keys: &[&str]) -> Result<Value, Error> {
    let outcome = call.outcome("cron.present", &call.text("cmd"), identified(call, keys), false)?;
    Ok(match outcome.result {
        Some(false) => Value::from(outcome.comment),
        // Salt takes a job without an identifier for another one each time.
        Some(true) | None if outcome.changes.is_empty() && call.set("identifier").is_none() => {
            Value::from("updated")
        }
        Some(true) | None => status(&outcome),
    })
}

fn gone(call: &Call<'_>, state: &str, name: &str) -> Result<Value, Error> {
    let args = if name == "cmd" { identified(call, &["special"]) } else { call.given(&["user"]) };
    let outcome = call.state(state, &call.text(name), args)?;
    Ok(Value::from(if outcome.changes.is_empty() { "absent" } else { "removed" }))
}

fn put_key(call: &Call<'_>, name: &str, args: Map<String, Json>) -> Result<Value, Error> {
    let outcome = call.outcome("ssh_auth.present", name, args, false)?;
    if outcome.result == Some(false) {
        tracing::warn!(function = call.name(), reason = outcome.comment, "a call has failed");
        return Ok(Value::from("fail"));
    }
    let any = |word: &str| outcome.changes.values().any(|value| value == word);
    Ok(Value::from(match outcome.changes.is_empty() {
        true => "no change",
        false if any("Updated") => "replace",
        false => "new",
    }))
}

fn known_host(call: &Call<'_>) -> Result<Value, Error> {
    let keys = ["user", "fingerprint", "key", "port", "enc", "config", "hash_known_hosts"];
    let mut args = call.given(&keys);
    args.extend(call.given(&["timeout", "fingerprint_hash_type"]));
    let outcome = call.outcome("ssh_known_hosts.present", &call.text("hostname"), args, false)?;
    Ok(from_json(&match outcome.result {
        Some(false) => json!({"status": "error", "error": outcome.comment}),
        Some(true) | None if outcome.changes.is_empty() => {
            let keys: Vec<String> = call.text_of("key").into_iter().collect();
            json!({"status": "exists", "keys": keys})
        }
        Some(true) | None => {
            let of = |side: &str| outcome.changes.get(side).cloned();
            json!({"status": "updated", "old": of("old"), "new": of("new")})
        }
    }))
}
