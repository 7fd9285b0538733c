//! hashutil: digests, signatures and base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minijinja::Error;
use minijinja::value::Value;
use sha2::{Digest, Sha256};

use super::{Call, Function, reads};

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    reads("hashutil.digest", "instr checksum=", |call| {
        digest(call, &bytes(call, "instr"), &call.text_or("checksum", "md5"))
    }),
    reads("hashutil.digest_file", "infile checksum=", |call| {
        let path = call.text("infile");
        let data = std::fs::read(call.scope.host.followed(&path));
        let data = data.map_err(|_| call.fail(format!("File path '{path}' not found.")))?;
        digest(call, &data, &call.text_or("checksum", "md5"))
    }),
    reads("hashutil.md5_digest", "instr", |call| digest(call, &bytes(call, "instr"), "md5")),
    reads("hashutil.sha256_digest", "instr", |call| digest(call, &bytes(call, "instr"), "sha256")),
    reads("hashutil.sha512_digest", "instr", |call| digest(call, &bytes(call, "instr"), "sha512")),
    reads("hashutil.base64_b64encode", "instr", |call| {
        Ok(Value::from(STANDARD.encode(bytes(call, "instr"))))
    }),
    reads("hashutil.base64_encodestring", "instr", |call| {
        Ok(Value::from(in_lines(&bytes(call, "instr"))))
    }),
    reads("hashutil.base64_encodefile", "fname", |call| {
        let path = call.text("fname");
        let data = std::fs::read(call.scope.host.followed(&path));
        let words = || call.fail(format!("[Errno 2] No such file or directory: '{path}'"));
        Ok(Value::from(in_lines(&data.map_err(|_| words())?)))
    }),
    reads("hashutil.base64_b64decode", "instr", decode),
    reads("hashutil.base64_decodestring", "instr", decode),
    reads("hashutil.hmac_signature", "string shared_secret challenge_hmac", |call| {
        let own = STANDARD.encode(hmac(&bytes(call, "shared_secret"), &bytes(call, "string")));
        Ok(Value::from(own == call.text("challenge_hmac")))
    }),
    reads("hashutil.hmac_compute", "string shared_secret", |call| {
        let own = hmac(&bytes(call, "shared_secret"), &bytes(call, "string"));
        Ok(Value::from(crate::hash::to_hex(&own)))
    }),
];

fn bytes(call: &Call<'_>, name: &str) -> Vec<u8> {
    let value = call.must(name);
    value.as_bytes().map_or_else(|| call.text(name).into_bytes(), <[u8]>::to_vec)
}

fn digest(call: &Call<'_>, data: &[u8], form: &str) -> Result<Value, Error> {
    let known = ["md5", "sha256", "sha512"].contains(&form);
    let found = crate::hash::digest(form, data).filter(|_| known);
    found.map(Value::from).ok_or_else(|| call.fail(format!("Hash func '{form}' is not supported.")))
}

/// Base64 in lines of 76 characters, each ended, as MIME has it.
fn in_lines(data: &[u8]) -> String {
    let lines = data.chunks(57).map(|chunk| STANDARD.encode(chunk) + "\n");
    lines.collect()
}

fn decode(call: &Call<'_>) -> Result<Value, Error> {
    let given = call.text("instr");
    let packed: String = given.chars().filter(|c| !c.is_whitespace()).collect();
    let data = STANDARD.decode(packed).map_err(|_| call.fail("Incorrect padding"))?;
    // Salt gives text where it is text.
    Ok(match String::from_utf8(data) {
        Ok(text) => Value::from(text),
        Err(error) => Value::from_bytes(error.into_bytes()),
    })
}

/// HMAC (RFC 2104) with SHA-256.
fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 64;
    let mut padded = if key.len() > BLOCK { Sha256::digest(key).to_vec() } else { key.to_vec() };
    padded.resize(BLOCK, 0);
    let mixed = |with: u8| padded.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(mixed(0x36)).chain_update(data).finalize();
    Sha256::new().chain_update(mixed(0x5c)).chain_update(inner).finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_and_lines_are_as_the_rfcs_have_them() {
        // RFC 4231, test case 2.
        let sum = crate::hash::to_hex(&hmac(b"Jefe", b"what do ya want for nothing?"));
        assert_eq!(sum, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_eq!(in_lines(&[0; 58]).lines().count(), 2);
        assert_eq!(in_lines(b""), "");
    }
}
