//! user, group, shadow: functions that change accounts, for `module.run`; each is a state's doing.

use minijinja::Error;
use minijinja::value::Value;
use serde_json::{Map, Value as Json, json};

use crate::module::merge::is_list;
use crate::module::pillar::texts;
use crate::module::{Call, Function, acts};
use crate::render::python::text;

/// The functions of this file.
pub(in crate::module) const ALL: &[Function] = &[
    acts(
        "user.add",
        "name uid= gid= groups= home= shell= unique= system= fullname= roomnumber= workphone= \
         homephone= other= createhome= loginclass= nologinit= root=! usergroup= local=",
        add,
    ),
    acts("user.delete", "name remove= force= root=! local=", |call| {
        let name = call.text("name");
        let there = call.scope.host.accounts().user(&name).is_some();
        let args = [("purge", call.flag("remove", false)), ("force", call.flag("force", false))];
        let args = args.map(|(key, flag)| (key.to_owned(), Json::Bool(flag)));
        if !there {
            Ok(Value::from(false))
        } else {
            call.went_well("user.absent", &name, args.into_iter().collect())
        }
    }),
    acts("user.chuid", "name uid root=!", |call| user(call, &["uid"], "allow_uid_change")),
    acts("user.chgid", "name gid root=!", |call| user(call, &["gid"], "allow_gid_change")),
    acts("user.chshell", "name shell root=!", |call| user(call, &["shell"], "")),
    acts("user.chfullname", "name fullname root=!", |call| user(call, &["fullname"], "")),
    acts("user.chroomnumber", "name roomnumber root=!", |call| user(call, &["roomnumber"], "")),
    acts("user.chworkphone", "name workphone root=!", |call| user(call, &["workphone"], "")),
    acts("user.chhomephone", "name homephone root=!", |call| user(call, &["homephone"], "")),
    acts("user.chother", "name other root=!", |call| user(call, &["other"], "")),
    acts("user.chhome", "name home persist= root=!", |call| {
        let persist = if call.flag("persist", false) { "persist_home" } else { "" };
        user(call, &["home"], persist)
    }),
    acts("user.chgroups", "name groups append= root=!", join),
    acts("shadow.set_password", "name password use_usermod= root=!", |call| {
        shadow(call, &["password"])
    }),
    acts("shadow.set_mindays", "name mindays root=!", |call| shadow(call, &["mindays"])),
    acts("shadow.set_maxdays", "name maxdays root=!", |call| shadow(call, &["maxdays"])),
    acts("shadow.set_inactdays", "name inactdays root=!", |call| shadow(call, &["inactdays"])),
    acts("shadow.set_warndays", "name warndays root=!", |call| shadow(call, &["warndays"])),
    acts("shadow.set_date", "name date root=!", |call| shadow(call, &["date"])),
    acts("shadow.set_expire", "name expire root=!", |call| shadow(call, &["expire"])),
    acts("group.add", "name gid= system= root=! non_unique= local=", |call| {
        let (name, args) = (call.text("name"), call.given(&["gid", "system", "non_unique"]));
        if call.scope.host.accounts().group(&name).is_some() {
            return Ok(Value::from(false));
        }
        call.went_well("group.present", &name, args)
    }),
    acts("group.delete", "name root=! local=", |call| {
        let name = call.text("name");
        if call.scope.host.accounts().group(&name).is_none() {
            return Ok(Value::from(false));
        }
        call.went_well("group.absent", &name, Map::new())
    }),
    acts("group.chgid", "name gid root=! non_unique=", |call| group(call, call.given(&["gid"]))),
    acts("group.adduser", "name username root=!", |call| {
        group(call, one("addusers", vec![call.text("username")]))
    }),
    acts("group.deluser", "name username root=!", |call| {
        group(call, one("delusers", vec![call.text("username")]))
    }),
    acts("group.members", "name members_list root=!", |call| {
        group(call, one("members", names(&call.must("members_list"))))
    }),
];

/// A list, or names between commas.
fn names(value: &Value) -> Vec<String> {
    if is_list(value) {
        return texts(value);
    }
    text(value)
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn one(key: &str, names: Vec<String>) -> Map<String, Json> {
    Map::from_iter([(key.to_owned(), Json::from(names))])
}

fn add(call: &Call<'_>) -> Result<Value, Error> {
    let name = call.text("name");
    if call.scope.host.accounts().user(&name).is_some() {
        return Ok(Value::from(false));
    }
    let mut args = call.given(&[
        "uid",
        "gid",
        "home",
        "shell",
        "unique",
        "system",
        "fullname",
        "roomnumber",
        "workphone",
        "homephone",
        "other",
        "createhome",
        "nologinit",
        "usergroup",
    ]);
    if let Some(groups) = call.set("groups") {
        args.extend(one("groups", names(&groups)));
    }
    call.went_well("user.present", &name, args)
}

/// Changes what an account has; `also` is what allows it.
fn user(call: &Call<'_>, keys: &[&str], also: &str) -> Result<Value, Error> {
    let name = call.text("name");
    if call.scope.host.accounts().user(&name).is_none() {
        return Err(call.fail(format!("User '{name}' does not exist")));
    }
    let mut args = call.given(keys);
    if !also.is_empty() {
        args.insert(also.to_owned(), json!(true));
    }
    if args.contains_key("gid") {
        // The state would keep the account in the group that it leaves.
        let accounts = call.scope.host.accounts();
        let own = accounts.groups_of(&name).iter().map(|group| group.name.clone()).collect();
        args.extend(one("groups", own));
    }
    call.went_well("user.present", &name, args)
}

fn join(call: &Call<'_>) -> Result<Value, Error> {
    let name = call.text("name");
    if call.scope.host.accounts().user(&name).is_none() {
        return Ok(Value::from(false));
    }
    let mut args = one("groups", names(&call.must("groups")));
    args.insert("remove_groups".to_owned(), json!(!call.flag("append", false)));
    call.went_well("user.present", &name, args)
}

fn shadow(call: &Call<'_>, keys: &[&str]) -> Result<Value, Error> {
    let name = call.text("name");
    if call.scope.host.accounts().user(&name).is_none() {
        return Ok(Value::from(false));
    }
    call.went_well("user.present", &name, call.given(keys))
}

fn group(call: &Call<'_>, args: Map<String, Json>) -> Result<Value, Error> {
    let name = call.text("name");
    if call.scope.host.accounts().group(&name).is_none() {
        return Ok(Value::from(false));
    }
    call.went_well("group.present", &name, args)
}
