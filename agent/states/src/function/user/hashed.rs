//! `hash_password`: the line of the shadow file for a password in clear text.

use std::io::Read;

use crate::function::Context;
use crate::hash::crypt::{DIGITS, Method, SALT_MAX, crypt};
use crate::host::accounts::shadow;

/// The password that is asked for, as it shall stand in the shadow file.
///
/// A salt that is there stays, so that the same password gives the same line. As in Salt, a line
/// of another form (with rounds of its own, or yescrypt's) has none to keep.
pub(super) fn password(ctx: &Context<'_>) -> Result<Option<String>, String> {
    let Some(plain) = ctx.text("password").filter(|plain| !plain.is_empty()) else {
        return Ok(None);
    };
    if !ctx.flag("hash_password", false) {
        return Ok(Some(plain));
    }
    let own = shadow::of(ctx.host, ctx.name()).map(|own| own.passwd).unwrap_or_default();
    let parts: Vec<&str> = own.splitn(5, '$').collect();
    let (method, salt) = match parts.as_slice() {
        [_, "1" | "2a", _, _] => {
            return Err("the password is hashed by MD5 or Blowfish, which are not supported with \
                        hash_password: give the hash itself, or reset the password first"
                .to_owned());
        }
        [_, "5", salt, _] => (Method::Sha256, (*salt).to_owned()),
        [_, _, salt, _] => (Method::Sha512, (*salt).to_owned()),
        _ => (Method::Sha512, salt()?),
    };
    Ok(Some(crypt(method, &plain, &salt)))
}

fn salt() -> Result<String, String> {
    let mut random = [0; SALT_MAX];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut random))
        .map_err(|error| format!("cannot read /dev/urandom: {error}"))?;
    Ok(random.iter().map(|byte| char::from(DIGITS[usize::from(byte % 64)])).collect())
}
