//! The hashes of passwords in the shadow file that are made of SHA-2: `$5$` and `$6$`.
//!
//! By Ulrich Drepper's "Unix crypt using SHA-256 and SHA-512", with its usual 5000 rounds.

use sha2::{Digest, Sha256, Sha512};

const ROUNDS: usize = 5000;
/// Letters of a salt that count.
pub(crate) const SALT_MAX: usize = 16;
/// The digits of its numbers.
pub(crate) const DIGITS: &[u8; 64] =
    b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// How a password is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Sha256,
    Sha512,
}

/// The line of the shadow file for a password.
pub(crate) fn crypt(method: Method, password: &str, salt: &str) -> String {
    let salt = &salt[..salt.floor_char_boundary(SALT_MAX)];
    match method {
        Method::Sha256 => {
            let sum = rounds::<Sha256>(password.as_bytes(), salt.as_bytes());
            let places = (0..10).scan([0, 10, 20], |at, _| {
                let [a, b, c] = *at;
                *at = [c + 1, a + 1, b + 1];
                Some([a, b, c])
            });
            let mut out: String =
                places.map(|[a, b, c]| digits(sum[a], sum[b], sum[c], 4)).collect();
            out.push_str(&digits(0, sum[31], sum[30], 3));
            format!("$5${salt}${out}")
        }
        Method::Sha512 => {
            let sum = rounds::<Sha512>(password.as_bytes(), salt.as_bytes());
            let places = (0..21).scan([0, 21, 42], |at, _| {
                let [a, b, c] = *at;
                *at = [b + 1, c + 1, a + 1];
                Some([a, b, c])
            });
            let mut out: String =
                places.map(|[a, b, c]| digits(sum[a], sum[b], sum[c], 4)).collect();
            out.push_str(&digits(0, 0, sum[63], 2));
            format!("$6${salt}${out}")
        }
    }
}

/// Three bytes as so many digits, the lowest first.
fn digits(high: u8, middle: u8, low: u8, count: usize) -> String {
    let mut number = u32::from(high) << 16 | u32::from(middle) << 8 | u32::from(low);
    let mut out = String::new();
    for _ in 0..count {
        out.push(char::from(DIGITS[number as usize % 64]));
        number /= 64;
    }
    out
}

/// As many bytes as are asked for, of a sum again and again.
fn stretched(sum: &[u8], length: usize) -> Vec<u8> {
    sum.iter().copied().cycle().take(length).collect()
}

fn rounds<D: Digest>(password: &[u8], salt: &[u8]) -> Vec<u8> {
    let other = D::new().chain_update(password).chain_update(salt).chain_update(password);
    let other = other.finalize();
    let mut first = D::new().chain_update(password).chain_update(salt);
    first.update(stretched(&other, password.len()));
    let mut bits = password.len();
    while bits > 0 {
        if bits % 2 == 1 {
            first.update(&other)
        } else {
            first.update(password)
        }
        bits /= 2;
    }
    let mut sum = first.finalize();
    let passwords = password.iter().fold(D::new(), |hash, _| hash.chain_update(password));
    let passwords = stretched(&passwords.finalize(), password.len());
    let salts = (0..16 + usize::from(sum[0])).fold(D::new(), |hash, _| hash.chain_update(salt));
    let salts = stretched(&salts.finalize(), salt.len());
    for round in 0..ROUNDS {
        let mut hash = D::new();
        if round % 2 == 1 {
            hash.update(&passwords)
        } else {
            hash.update(&sum)
        }
        if round % 3 != 0 {
            hash.update(&salts);
        }
        if round % 7 != 0 {
            hash.update(&passwords);
        }
        if round % 2 == 1 {
            hash.update(&sum)
        } else {
            hash.update(&passwords)
        }
        sum = hash.finalize();
    }
    sum.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the C library makes of the same.
    const KNOWN: &[(Method, &str, &str, &str)] = &[
        (
            Method::Sha512,
            "Hello world!",
            "saltstring",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI\
             68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        ),
        (
            Method::Sha256,
            "Hello world!",
            "saltstring",
            "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
        ),
        (
            Method::Sha512,
            "",
            "a",
            "$6$a$Z6IPkDduHdwavesVY2NFMpOHkigshxPYdhfLg0D3A7/XFQcso9RV2E8qczyJ2su.d\
             j6RRLaTpvgwN1rZfK0I9.",
        ),
        (
            Method::Sha512,
            "geheim",
            "abcdefghijklmnop",
            "$6$abcdefghijklmnop$JvBvFzS7bx5/.PiHlhRnluMqz2HAddQ0ILwiZwVIGbHSmqD0N1\
             urH2yLAtPQt2yDGgpsKgGMQQqy/gKrHOw.T.",
        ),
        (
            Method::Sha256,
            "a passphrase of more than thirty-two bytes, or even of more than sixty-four",
            "x/y.z",
            "$5$x/y.z$wfQRBZpUZL4gz5vZlgB6iq2QGvFb9lhUrRFwJXzvG68",
        ),
        (
            Method::Sha512,
            "a passphrase of more than thirty-two bytes, or even of more than sixty-four: \
             well over",
            "x/y.z",
            "$6$x/y.z$lJ.uCCZ2zIFg1JkOPACA3yByM3jj/Rl7fh3oL8ZFzUGEVNqqcLD.pjS7g5L.h\
             XC5khBHD5mCccUIwWK8kJNBb0",
        ),
        (
            Method::Sha512,
            "pass wörd",
            "abcdefghijklmnopqrs",
            "$6$abcdefghijklmnop$IJeZhbisPYHUC6hdN7Fm3/5vD4dowKmVeHsgT5ZVmKH87r1d0J\
             wB.pTcqISLri/sCJ4aun.rmfcpbQLLMmIp90",
        ),
    ];

    #[test]
    fn a_hash_is_the_c_librarys() {
        for (method, password, salt, hash) in KNOWN {
            assert_eq!(crypt(*method, password, salt), *hash);
        }
    }
}
