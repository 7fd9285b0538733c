//! mount: functions that mount and write `/etc/fstab`, for `module.run`.

use minijinja::Error;
use minijinja::value::Value;
use serde_json::json;

use crate::function::fstab::{Line, Status, remove, set};
use crate::host::command::{Cancel, Exec, Output, run};
use crate::host::files::{Access, make_folders};
use crate::module::pillar::texts;
use crate::module::service::is_machine;
use crate::module::{Call, Function, acts};
use crate::render::python::{from_json, text, to_json};

/// The functions of this file.
pub(in crate::module) const ALL: &[Function] = &[
    acts("mount.mount", "name device= mkmnt= fstype= opts= user= util=", |call| {
        mounted(call, &options(call))
    }),
    acts("mount.remount", "name device mkmnt= fstype= opts= user=", remount),
    acts("mount.umount", "name device= user= util= lazy=", unmount),
    acts("mount.swapon", "name priority=", swap_on),
    acts("mount.swapoff", "name", swap_off),
    acts(
        "mount.set_fstab",
        "name device fstype opts= dump= pass_num= config= test= match_on= not_change= **kwargs",
        set_fstab,
    ),
    acts("mount.rm_fstab", "name device config=", |call| {
        let device = call.text_of("device").filter(|device| !device.is_empty());
        let ctx = call.context()?;
        remove(ctx, &call.text_or("config", FSTAB), &call.text("name"), device.as_deref())
            .map_err(|problem| call.fail(problem))?;
        Ok(Value::from(true))
    }),
];

const FSTAB: &str = "/etc/fstab";

fn ran(call: &Call<'_>, argv: Vec<String>) -> Result<Output, Error> {
    is_machine(call)?;
    let runas = call.text_of("user").filter(|user| !user.is_empty());
    let exec = Exec { argv, runas, ..Exec::default() };
    run(&call.scope.host, &exec, &Cancel::in_force()).map_err(|error| call.fail(error.to_string()))
}

/// Whether a command went well, or what it said of why not.
fn told(output: &Output) -> Value {
    match output.code {
        0 => Value::from(true),
        _ => Value::from(output.stderr.trim_end()),
    }
}

fn options(call: &Call<'_>) -> Vec<String> {
    match call.set("opts") {
        None => vec!["defaults".to_owned()],
        Some(value) if value.as_str().is_some() => {
            text(&value).split(',').map(str::to_owned).collect()
        }
        Some(value) => texts(&value),
    }
}

fn mounted(call: &Call<'_>, options: &[String]) -> Result<Value, Error> {
    if call.text_or("util", "mount") != "mount" {
        return Err(call.fail("mount.mount with 'util' is not supported: leave it out"));
    }
    let name = call.text("name");
    let place = call.scope.host.followed(&name);
    if call.flag("mkmnt", false) && !place.exists() {
        make_folders(&place, Access::default()).map_err(|error| call.fail(error.to_string()))?;
    }
    let mut argv = vec!["mount".to_owned()];
    if let Some(device) = call.text_of("device").filter(|device| device != "False") {
        argv.extend(["-o".to_owned(), options.join(",")]);
        if let Some(kind) = call.text_of("fstype").filter(|kind| !kind.is_empty()) {
            argv.extend(["-t".to_owned(), kind]);
        }
        argv.push(device);
    }
    argv.push(name);
    ran(call, argv).map(|output| told(&output))
}

/// Whether something is mounted there now.
fn is_mounted(call: &Call<'_>) -> bool {
    let (name, own) = (call.text("name"), call.scope.host.read_text("/proc/self/mounts"));
    let mut places =
        own.iter().flat_map(|own| own.lines()).filter_map(|line| line.split(' ').nth(1));
    places.any(|place| place.replace("\\040", " ") == name)
}

fn remount(call: &Call<'_>) -> Result<Value, Error> {
    let mut options = options(call);
    if is_mounted(call) && !options.iter().any(|option| option == "remount") {
        options.push("remount".to_owned());
    }
    mounted(call, &options)
}

fn unmount(call: &Call<'_>) -> Result<Value, Error> {
    let name = call.text("name");
    if !is_mounted(call) {
        return Ok(Value::from(format!("{name} does not have anything mounted")));
    }
    let mut argv = vec!["umount".to_owned()];
    if call.flag("lazy", false) {
        argv.push("-l".to_owned());
    }
    argv.push(call.text_of("device").filter(|device| !device.is_empty()).unwrap_or(name));
    ran(call, argv).map(|output| told(&output))
}

/// What `mount.swaps` says of one, if it is in use.
fn swap(call: &Call<'_>) -> Option<serde_json::Value> {
    let found = super::super::find("mount.swaps")?;
    let all = found.call(call.site, Vec::new(), Vec::new()).ok()?;
    to_json(&all.value).get(call.text("name")).cloned()
}

fn swap_on(call: &Call<'_>) -> Result<Value, Error> {
    if let Some(stats) = swap(call) {
        return Ok(from_json(&json!({"stats": stats, "new": false})));
    }
    let mut argv = vec!["swapon".to_owned(), call.text("name")];
    if let Some(priority) = call.text_of("priority").filter(|word| !word.is_empty() && word != "0")
    {
        argv.extend(["-p".to_owned(), priority]);
    }
    ran(call, argv)?;
    Ok(from_json(&match swap(call) {
        Some(stats) => json!({"stats": stats, "new": true}),
        None => json!({}),
    }))
}

fn swap_off(call: &Call<'_>) -> Result<Value, Error> {
    if swap(call).is_none() {
        return Ok(Value::from(()));
    }
    ran(call, vec!["swapoff".to_owned(), call.text("name")])?;
    Ok(Value::from(swap(call).is_none()))
}

fn set_fstab(call: &Call<'_>) -> Result<Value, Error> {
    let line =
        Line::new(&call.text("device"), &call.text("name"), &call.text("fstype"), &options(call))
            .numbers(call.text_of("dump"), call.text_of("pass_num"));
    let match_on = match call.set("match_on") {
        None => Vec::new(),
        Some(value) if value.as_str().is_some() => vec![text(&value)],
        Some(value) => texts(&value),
    };
    let ctx = crate::function::Context { test: call.flag("test", false), ..*call.context()? };
    let config = call.text_or("config", FSTAB);
    let status = set(&ctx, &config, &line, &match_on, call.flag("not_change", false));
    Ok(Value::from(match status.map_err(|problem| call.fail(problem))? {
        Status::Present => "present",
        Status::New => "new",
        Status::Changed => "change",
    }))
}
