//! user, group, shadow: the accounts of the host.

pub(super) mod act;

use minijinja::Error;
use minijinja::value::Value;
use serde_json::{Value as Json, json};

use super::{Call, Function, reads};
use crate::hash::crypt::{DIGITS, Method, SALT_MAX, crypt};
use crate::host::accounts::{Accounts, Group, SHADOW, User};
use crate::render::python::{from_json, list};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("user.info", "name root=!", |call| {
        let accounts = call.scope.host.accounts();
        let found = accounts.user(&call.text("name"));
        Ok(from_json(&found.map_or_else(|| json!({}), |user| user_shown(&accounts, &user))))
    }),
    reads("user.getent", "refresh= root=!", |call| {
        let accounts = call.scope.host.accounts();
        let all = accounts.users.iter().map(|user| user_shown(&accounts, user));
        Ok(from_json(&all.collect::<Json>()))
    }),
    reads("user.list_users", "root=!", |call| {
        let mut names: Vec<String> =
            call.scope.host.accounts().users.iter().map(|user| user.name.clone()).collect();
        names.sort();
        Ok(texts(names))
    }),
    reads("user.list_groups", "name", |call| {
        let accounts = call.scope.host.accounts();
        let found = accounts.user(&call.text("name"));
        Ok(texts(found.map(|user| accounts.all_groups_of(&user)).unwrap_or_default()))
    }),
    reads("user.primary_group", "name", |call| {
        let accounts = call.scope.host.accounts();
        let name = call.text("name");
        let found = accounts.user(&name).map(|user| accounts.group_name(user.gid));
        Ok(Value::from(found.unwrap_or_else(|| format!("id: '{name}': no such user"))))
    }),
    reads("group.info", "name root=!", |call| {
        let found = call.scope.host.accounts().group(&call.text("name"));
        Ok(from_json(&found.map_or_else(|| json!({}), |group| group_shown(&group))))
    }),
    reads("group.getent", "refresh= root=!", |call| {
        let accounts = call.scope.host.accounts();
        Ok(from_json(&accounts.groups.iter().map(group_shown).collect::<Json>()))
    }),
    reads("shadow.info", "name root=!", shadow),
    reads("shadow.default_hash", "", |_| Ok(Value::from("!"))),
    reads("shadow.list_users", "root=!", |call| {
        let text = call.scope.host.read_text(SHADOW).unwrap_or_default();
        let names = text.lines().filter_map(|line| line.split(':').next());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        Ok(texts(names))
    }),
    reads("shadow.gen_password", "password crypt_salt= algorithm=", gen_password),
    reads("random.shadow_hash", "crypt_salt= password= algorithm=", gen_password),
];

fn texts(all: Vec<String>) -> Value {
    list(all.into_iter().map(Value::from).collect())
}

fn user_shown(accounts: &Accounts, user: &User) -> Json {
    let mut gecos = user.gecos.splitn(5, ',');
    let mut next = || gecos.next().unwrap_or_default().to_owned();
    let (full, room, work, home, other) = (next(), next(), next(), next(), next());
    json!({
        "gid": user.gid, "groups": accounts.all_groups_of(user), "home": user.home,
        "name": user.name,
        "passwd": "x", "shell": user.shell, "uid": user.uid, "fullname": full, "roomnumber": room,
        "workphone": work, "homephone": home, "other": other,
    })
}

fn group_shown(group: &Group) -> Json {
    json!({"name": group.name, "passwd": "x", "gid": group.gid, "members": group.members})
}

/// Bytes of a password, which each of its hash's rounds goes over; crypt's own limit.
const PASSWORD_MAX: usize = 511;

/// The hash of a password for `/etc/shadow`; without a salt another one each time, without a
/// password that of one that nobody knows.
fn gen_password(call: &Call<'_>) -> Result<Value, Error> {
    let method = match call.text_or("algorithm", "sha512").as_str() {
        "sha512" => Method::Sha512,
        "sha256" => Method::Sha256,
        other => {
            let words = "is not supported: use sha512 or sha256";
            return Err(call.fail(format!("the algorithm {other} of a password {words}")));
        }
    };
    let random = || -> Result<String, Error> {
        let digit = |byte: &u8| char::from(DIGITS[usize::from(*byte) % DIGITS.len()]);
        Ok(super::random::bytes(SALT_MAX)?.iter().map(digit).collect())
    };
    let password = call.text_of("password").map_or_else(random, Ok)?;
    if password.len() > PASSWORD_MAX {
        return Err(call.fail("the password is too long"));
    }
    let salt = match call.text_of("crypt_salt").filter(|salt| !salt.is_empty()) {
        // By crypt's own rule these give no hash; a dollar would end the salt.
        Some(salt) if salt.contains(|c: char| !c.is_ascii_graphic() || "!*:;\\$".contains(c)) => {
            let words = "white space, other than ASCII, or any of !*:;\\$";
            return Err(call.fail(format!("the salt of a password has {words}")));
        }
        Some(salt) => salt,
        None => random()?,
    };
    Ok(Value::from(crypt(method, &password, &salt)))
}

/// The line of `/etc/shadow`. The hash itself stays there: a template has no use for it.
fn shadow(call: &Call<'_>) -> Result<Value, Error> {
    let name = call.text("name");
    let text = call.scope.host.read_text(SHADOW).unwrap_or_default();
    let line = text.lines().find(|line| line.split(':').next() == Some(name.as_str()));
    let fields: Vec<&str> = line.unwrap_or_default().split(':').collect();
    let number =
        |at: usize| fields.get(at).and_then(|field| field.parse::<i64>().ok()).unwrap_or(-1);
    let found = line.is_some();
    Ok(from_json(&json!({
        "name": if found { name.as_str() } else { "" },
        "passwd": if found { "**********" } else { "" },
        "lstchg": if found { json!(number(2)) } else { json!("") },
        "min": if found { json!(number(3)) } else { json!("") },
        "max": if found { json!(number(4)) } else { json!("") },
        "warn": if found { json!(number(5)) } else { json!("") },
        "inact": if found { json!(number(6)) } else { json!("") },
        "expire": if found { json!(number(7)) } else { json!("") },
    })))
}
