//! pkg: functions that change what is installed, for `module.run`; each is a state's doing.

use minijinja::Error;
use minijinja::value::Value;
use serde_json::{Map, Value as Json, json};

use super::{installed, is_debian};
use crate::host::command::{Cancel, Exec, run};
use crate::module::service::is_machine;
use crate::module::{Call, Function, acts};
use crate::outcome::Changes;
use crate::render::python::{from_json, to_json};

/// The functions of this file.
pub(in crate::module) const ALL: &[Function] = &[
    acts(
        "pkg.install",
        "name= refresh= fromrepo= skip_verify= debconf=! pkgs= sources= reinstall= downloadonly=! \
         ignore_epoch= normalize= **kwargs",
        install,
    ),
    acts("pkg.remove", "name= pkgs= **kwargs", |call| change(call, "pkg.removed")),
    acts("pkg.purge", "name= pkgs= **kwargs", |call| change(call, "pkg.purged")),
    acts("pkg.upgrade", "refresh= dist_upgrade= **kwargs", |call| {
        let mut args = call.more();
        args.extend(call.given(&["dist_upgrade"]));
        args.insert("refresh".to_owned(), json!(call.flag("refresh", true)));
        call.changes("pkg.uptodate", "upgrade", args)
    }),
    acts("pkg.autoremove", "list_only= purge=", autoremove),
    acts("pkg.hold", "name= pkgs= sources= **kwargs", |call| hold(call, "pkg.held")),
    acts("pkg.unhold", "name= pkgs= sources= **kwargs", |call| hold(call, "pkg.unheld")),
];

/// The packages of a call; Salt takes a lone one for `name`.
fn names(call: &Call<'_>) -> Result<(String, Vec<String>), Error> {
    let bare = |entry: &Json| match entry {
        Json::Object(map) => map.keys().next().cloned().unwrap_or_default(),
        other => crate::function::args::text(other),
    };
    let given = call.set("pkgs").or_else(|| call.set("sources"));
    let several = given.map(|pkgs| match to_json(&pkgs) {
        Json::Array(pkgs) => pkgs.iter().map(bare).collect(),
        one => vec![bare(&one)],
    });
    let name = call.text("name");
    match several {
        Some(several) => Ok((if name.is_empty() { "pkgs".to_owned() } else { name }, several)),
        None if name.is_empty() => {
            Err(call.invalid("One of name, pkgs, or sources must be specified."))
        }
        None => Ok((name.clone(), vec![name])),
    }
}

fn install(call: &Call<'_>) -> Result<Value, Error> {
    let (name, _) = names(call)?;
    let mut args = call.more();
    args.extend(call.given(&["fromrepo", "skip_verify", "pkgs", "sources", "reinstall"]));
    args.extend(call.given(&["ignore_epoch", "normalize"]));
    args.insert("refresh".to_owned(), json!(call.flag("refresh", false)));
    let versions =
        |value: &Json| value.as_array().is_some_and(|all| all.iter().any(Json::is_object));
    let chosen = ["version", "sources", "reinstall"];
    let chosen = chosen.iter().any(|key| args.get(*key).is_some_and(crate::function::args::truth))
        || args.get("pkgs").is_some_and(versions);
    // What is named without a version becomes the newest one, also if an older one is there.
    call.changes(if chosen { "pkg.installed" } else { "pkg.latest" }, &name, args)
}

fn change(call: &Call<'_>, state: &str) -> Result<Value, Error> {
    let (name, _) = names(call)?;
    call.changes(state, &name, call.given(&["pkgs"]))
}

/// For each package what came of it.
fn hold(call: &Call<'_>, state: &str) -> Result<Value, Error> {
    let mut out = Map::new();
    for name in names(call)?.1 {
        let outcome = call.outcome(state, &name, Map::new(), false)?;
        // What changed is told in Salt's own form already.
        let told = outcome.changes.get(&name).cloned().unwrap_or_else(|| {
            let comment = match (outcome.result, state, is_debian(call)) {
                (Some(false), _, _) => outcome.comment,
                (_, "pkg.held", _) => format!("Package {name} is already set to be held."),
                (_, _, true) => format!("Package {name} is already set not to be held."),
                (_, _, false) => format!("Package {name} is not being held."),
            };
            json!({"name": name, "changes": {}, "result": outcome.result, "comment": comment})
        });
        out.insert(name, told);
    }
    Ok(from_json(&Json::Object(out)))
}

fn autoremove(call: &Call<'_>) -> Result<Value, Error> {
    let program = if is_debian(call) { "apt-get" } else { "dnf" };
    let list = call.flag("list_only", false);
    let mut argv = vec!["env", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", program];
    argv.push(if list { "--assume-no" } else { "--assume-yes" });
    if is_debian(call) && call.flag("purge", false) {
        argv.push("--purge");
    }
    argv.push("autoremove");
    let before = installed(call)?;
    is_machine(call)?;
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    let ran = run(&call.scope.host, &Exec { argv, ..Exec::default() }, &Cancel::default());
    let ran = ran.map_err(|error| call.fail(error.to_string()))?;
    if list {
        let lines = ran.stdout.lines();
        let named = lines.skip_while(|line| !line.contains("packages will be REMOVED")).skip(1);
        let named = named.take_while(|line| line.starts_with(' '));
        let mut names: Vec<&str> = named.flat_map(str::split_whitespace).collect();
        names.sort_unstable();
        return Ok(from_json(&json!(names)));
    }
    let after = installed(call)?;
    let gone = before.into_iter().filter(|one| !after.contains(one));
    let changes: Changes =
        gone.map(|(name, version)| (name, json!({"new": "", "old": version}))).collect();
    Ok(from_json(&Json::Object(changes)))
}
