//! config: one name looked up in options, grains, pillar, and the pillar's `master`.

use minijinja::Error;
use minijinja::value::Value;

use super::merge::{is_list, is_map, merge as merge_by, update};
use super::pillar::delimiter;
use super::walk::{follow, walk};
use super::{Call, Function, reads};
use crate::render::python::{dict, from_json, items, list, put};
use crate::target::glob;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads(
        "config.get",
        "key default= delimiter= merge= omit_opts= omit_pillar= omit_master= omit_grains=",
        get,
    ),
    reads(
        "config.option",
        "value default= omit_opts= omit_grains= omit_pillar= omit_master= omit_all= wildcard=",
        option,
    ),
    reads("config.merge", "value default= omit_opts= omit_master= omit_pillar=", merge),
    reads("config.dot_vals", "value", dot_vals),
    reads("config.items", "", |call| Ok(call.scope.opts.clone())),
    reads("config.backup_mode", "backup=", |call| match call.value("backup") {
        Some(backup) if backup.is_true() => Ok(backup),
        Some(_) | None => {
            Ok(follow(&call.scope.opts, "backup_mode", "").unwrap_or_else(|| Value::from("")))
        }
    }),
    reads("config.manage_mode", "mode", |call| {
        let Some(mode) = call.text_of("mode") else { return Ok(Value::from(())) };
        let plain = mode.trim_start_matches("0o").trim_matches('\'').trim_start_matches('0');
        let plain = if plain.is_empty() { "0" } else { plain };
        Ok(Value::from(format!("{plain:0>4}")))
    }),
    reads("config.valid_fileproto", "uri", |call| {
        let uri = call.text("uri");
        let scheme = uri.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
        Ok(Value::from(["salt", "http", "https", "ftp", "s3", "swift", "file"].contains(&scheme)))
    }),
];

/// The settings that Salt has a value for though nobody set one.
fn defaults() -> Value {
    from_json(&serde_json::json!({
        "mongo.db": "salt", "mongo.password": "", "mongo.port": 27017, "mongo.user": "",
        "redis.db": "0", "redis.host": "salt", "redis.port": 6379,
        "test.foo": "unconfigured",
        "ca.cert_base_path": "/etc/pki",
        "solr.cores": [], "solr.host": "localhost", "solr.port": "8983", "solr.baseurl": "/solr",
        "solr.type": "master", "solr.request_timeout": null, "solr.backup_path": null,
        "solr.init_script": "/etc/rc.d/solr", "solr.num_backups": 1,
        "solr.dih.import_options":
            {"clean": false, "optimize": true, "commit": true, "verbose": false},
        "poudriere.config": "/usr/local/etc/poudriere.conf",
        "poudriere.config_dir": "/usr/local/etc/poudriere.d",
        "ldap.uri": "", "ldap.server": "localhost", "ldap.port": "389", "ldap.tls": false,
        "ldap.no_verify": false, "ldap.anonymous": true, "ldap.scope": 2, "ldap.attrs": null,
        "ldap.binddn": "", "ldap.bindpw": "",
        "hosts.file": "/etc/hosts",
        "aliases.file": "/etc/aliases",
        "virt": {"tunnel": false, "images": "/srv/salt-images"},
        "docker.exec_driver": "docker-exec",
        "docker.compare_container_networks": {
            "static": ["Aliases", "Links", "IPAMConfig"],
            "automatic": ["IPAddress", "Gateway", "GlobalIPv6Address", "IPv6Gateway"],
        },
    }))
}

fn master(call: &Call<'_>) -> Value {
    follow(&call.scope.pillar, "master", "").unwrap_or_else(|| dict(Default::default()))
}

/// The places in their order, without those that the call leaves out.
fn places(call: &Call<'_>) -> Vec<Value> {
    let scope = call.scope;
    let all = call.flag("omit_all", false);
    [
        ("omit_opts", scope.opts.clone()),
        ("omit_grains", scope.grains.clone()),
        ("omit_pillar", scope.pillar.clone()),
        ("omit_master", master(call)),
    ]
    .into_iter()
    .filter(|(omit, _)| !all && !call.flag(omit, false))
    .map(|(_, place)| place)
    .collect()
}

fn get(call: &Call<'_>) -> Result<Value, Error> {
    let (key, by) = (call.must("key"), delimiter(call));
    let found = match call.text_of("merge") {
        None => places(call)
            .iter()
            .find_map(|place| walk(place, &key, &by))
            .or_else(|| walk(&defaults(), &key, &by)),
        Some(strategy) => {
            let strategy = if strategy == "overwrite" { "overwrite" } else { "recurse" };
            let scope = call.scope;
            let places =
                [master(call), scope.pillar.clone(), scope.grains.clone(), scope.opts.clone()];
            let merged = places.iter().try_fold(defaults(), |all, place| {
                merge_by(&all, place, strategy, "yaml", false)
            })?;
            walk(&merged, &key, &by)
        }
    };
    Ok(found.or_else(|| call.value("default")).unwrap_or_else(|| Value::from("")))
}

fn option(call: &Call<'_>) -> Result<Value, Error> {
    let name = call.text("value");
    let wildcard = call.flag("wildcard", false);
    let empty = || if wildcard { dict(Default::default()) } else { Value::from("") };
    if !wildcard {
        let found = places(call).iter().find_map(|place| follow(place, &name, ""));
        let found = found.or_else(|| follow(&defaults(), &name, ""));
        return Ok(found.or_else(|| call.set("default")).unwrap_or_else(empty));
    }
    let out = dict(Default::default());
    let mut places = places(call);
    places.push(defaults());
    for place in places.iter().rev() {
        for key in
            items(place).into_iter().filter(|key| key.as_str().is_some_and(|k| glob(&name, k)))
        {
            let value = place.get_item(&key)?;
            put(&out, Some((key, value)));
        }
    }
    Ok(if out.is_true() { out } else { call.set("default").unwrap_or(out) })
}

/// The values of all places joined: maps merged, lists put after one another.
fn merge(call: &Call<'_>) -> Result<Value, Error> {
    let found = merged(call, &call.text("value"))?;
    Ok(if found.is_undefined() {
        call.value("default").unwrap_or_else(|| Value::from(""))
    } else {
        found
    })
}

/// What an option is in all places together; undefined if it is in none.
pub(super) fn merged(call: &Call<'_>, name: &str) -> Result<Value, Error> {
    let scope = call.scope;
    let places = [
        ("omit_opts", scope.opts.clone()),
        ("omit_master", master(call)),
        ("omit_pillar", scope.pillar.clone()),
    ];
    let mut out: Option<Value> = None;
    for (_, place) in places.iter().filter(|(omit, _)| !call.flag(omit, false)) {
        let Some(found) = follow(place, name, "") else { continue };
        out = Some(match out {
            None if found.as_str().is_some() => return Ok(found),
            None => found,
            Some(own) if is_map(&own) && is_map(&found) => {
                let base = dict(crate::render::python::pairs(&found).into_iter().collect());
                super::merge::update_by(&base, &own, false, false)?
            }
            Some(own) if is_list(&own) && is_list(&found) => {
                list([items(&own), items(&found)].concat())
            }
            Some(own) => own,
        });
    }
    Ok(out.or_else(|| follow(&defaults(), name, "")).unwrap_or(Value::UNDEFINED))
}

fn dot_vals(call: &Call<'_>) -> Result<Value, Error> {
    let start = format!("{}.", call.text("value"));
    let out = dict(Default::default());
    for place in [master(call), call.scope.opts.clone()] {
        let keys = items(&place)
            .into_iter()
            .filter(|key| key.as_str().is_some_and(|k| k.starts_with(&start)));
        let found = keys.map(|key| (key.clone(), place.get_item(&key).unwrap_or_default()));
        update(&out, &dict(found.collect()), false)?;
    }
    Ok(out)
}
