//! Which values of a pillar are secrets: by the words of their key, or by their look.
//!
//! Safe by default: what stands below a key like `password` is a secret whatever it looks like,
//! unless it is a path, an address or something public. Elsewhere only what looks like nothing
//! but a secret is one, since names, modes and versions must stay readable.

/// The shortest secret: what is shorter is in every text.
pub(super) const LENGTH_MIN: usize = 4;
/// From this length on, a value without a telling key may look like a secret.
const RANDOM_MIN: usize = 24;
/// And below a key that may mean one.
const HINTED_MIN: usize = 12;

/// What a key says of the values below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Plain,
    /// `key`, `private`, `auth`: often a secret, as often a name.
    Hint,
    Secret,
}

/// Parts of words that mean a secret, wherever in the key they stand.
const SECRETS: [&str; 9] = [
    "passw",
    "passphrase",
    "secret",
    "token",
    "credential",
    "apikey",
    "api_key",
    "privatekey",
    "private_key",
];
/// Whole words that do.
const SECRET_WORDS: [&str; 6] = ["pass", "pwd", "pw", "psk", "rootpw", "privkey"];
const HINT_WORDS: [&str; 5] = ["key", "keys", "private", "auth", "cred"];
/// Words after which a key names something about a secret, and not the secret.
const ABOUT: [&str; 37] = [
    "file",
    "files",
    "path",
    "dir",
    "directory",
    "url",
    "uri",
    "name",
    "names",
    "id",
    "ids",
    "server",
    "host",
    "user",
    "username",
    "users",
    "length",
    "len",
    "policy",
    "type",
    "format",
    "algorithm",
    "algo",
    "public",
    "pub",
    "expire",
    "expires",
    "expiration",
    "age",
    "days",
    "min",
    "max",
    "ttl",
    "group",
    "owner",
    "mode",
    "source",
];
/// Values that are no secret whatever their key says.
const TRIVIAL: [&str; 12] = [
    "true", "false", "none", "null", "root", "default", "enabled", "disabled", "present", "absent",
    "sha512", "sha256",
];

/// What a key says, below a key that says `above`.
pub(super) fn word(key: &str, above: Word) -> Word {
    let lower = snake(key);
    let words: Vec<&str> = lower.split('_').filter(|word| !word.is_empty()).collect();
    let has = |list: &[&str]| words.iter().any(|word| list.contains(word));
    if words.last().is_some_and(|last| ABOUT.contains(last)) || has(&["public", "pub"]) {
        return Word::Plain;
    }
    if SECRETS.iter().any(|part| lower.contains(part)) || has(&SECRET_WORDS) {
        Word::Secret
    } else if has(&HINT_WORDS) && above == Word::Plain {
        Word::Hint
    } else {
        above
    }
}

/// `dbPassword` and `db-password` as `db_password`.
fn snake(key: &str) -> String {
    let mut out = String::new();
    let mut small = false;
    for c in key.chars() {
        if c.is_uppercase() && small {
            out.push('_');
        }
        small = c.is_lowercase() || c.is_ascii_digit();
        if c.is_alphanumeric() { out.extend(c.to_lowercase()) } else { out.push('_') }
    }
    out
}

/// A value that is a secret whatever it looks like, unless it is too short to tell.
pub(super) fn whole(text: &str) -> Option<String> {
    let value = text.trim();
    (value.len() >= LENGTH_MIN).then(|| value.to_owned())
}

/// The secret that a text is or holds.
pub(super) fn secret_in(text: &str, word: Word) -> Option<String> {
    let value = text.trim();
    if let Some(password) = password_of_url(value) {
        return Some(password.to_owned());
    }
    if value.contains("PRIVATE KEY-----") || is_crypt(value) {
        return Some(value.to_owned());
    }
    let long_enough = match word {
        Word::Secret => value.len() >= LENGTH_MIN,
        Word::Hint => value.len() >= HINTED_MIN && is_random(value),
        Word::Plain => value.len() >= RANDOM_MIN && is_random(value),
    };
    let secret = long_enough && !is_readable(value) && !TRIVIAL.contains(&value);
    secret.then(|| value.to_owned())
}

/// Paths, addresses, and what is meant to be public.
fn is_readable(value: &str) -> bool {
    let one_word = !value.contains(char::is_whitespace);
    let path = ["/", "./", "~/", "salt://"].iter().any(|start| value.starts_with(start));
    let base64 = value.len() >= RANDOM_MIN && value.ends_with('=');
    (one_word && path && !base64)
        || (one_word && value.contains("://"))
        || [
            "ssh-",
            "ecdsa-",
            "sk-ssh-",
            "-----BEGIN CERT",
            "-----BEGIN PUBLIC",
            "-----BEGIN PGP PUB",
        ]
        .iter()
        .any(|start| value.starts_with(start))
}

/// A password's hash as in /etc/shadow, or with its scheme in braces.
fn is_crypt(value: &str) -> bool {
    let scheme = ["$1$", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$7$", "$y$", "$gy$", "$argon2"];
    scheme.iter().any(|start| value.starts_with(start))
        || (value.starts_with('{') && value.contains("SHA") && value.contains('}'))
}

/// `https://user:password@host`.
fn password_of_url(value: &str) -> Option<&str> {
    let (_, rest) = value.split_once("://")?;
    let (login, _) = rest.split(['/', '?', '#']).next()?.rsplit_once('@')?;
    let (_, password) = login.split_once(':')?;
    Some(password).filter(|password| password.len() >= LENGTH_MIN)
}

/// One word of the alphabets of tokens, with letters and digits in many turns: names and versions
/// have few.
fn is_random(value: &str) -> bool {
    let token = |c: char| c.is_ascii_alphanumeric() || "+/=_-".contains(c);
    if !value.chars().all(token) || is_uuid(value) || is_digest(value) {
        return false;
    }
    let class = |c: char| match c {
        '0'..='9' => 0,
        'a'..='z' => 1,
        'A'..='Z' => 2,
        _ => 3,
    };
    let classes: Vec<i32> = value.chars().map(class).collect();
    let turns = classes.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let kinds = (0..3).filter(|kind| classes.contains(kind)).count();
    kinds >= 2 && turns * 4 >= value.len()
}

fn is_uuid(value: &str) -> bool {
    let parts: Vec<usize> = value.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12]
}

/// A checksum, which trees hold beside what they fetch.
fn is_digest(value: &str) -> bool {
    let digits = value.rsplit(['=', ':']).next().unwrap_or(value);
    [32, 40, 56, 64, 96, 128].contains(&digits.len())
        && digits.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_by_their_words() {
        let is = |key: &str| word(key, Word::Plain);
        for key in ["password", "dbPassword", "root-pw", "API_TOKEN", "tls_private_key", "PSK"] {
            assert_eq!(is(key), Word::Secret, "{key}");
        }
        for key in ["key", "ssl_keys", "private"] {
            assert_eq!(is(key), Word::Hint, "{key}");
        }
        for key in ["name", "password_file", "token_ttl", "public_key", "keyboard", "monkey"] {
            assert_eq!(is(key), Word::Plain, "{key}");
        }
        assert_eq!(word("amy", Word::Secret), Word::Secret);
        assert_eq!(word("user", Word::Secret), Word::Plain);
    }
}
