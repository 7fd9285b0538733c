//! Private keys in a file, by the forms in which the tools of the field write them.

/// What every worker can read is no secret.
const MOVE: &str = "every worker can read this tree; move it to pillar";

/// Files that hold keys in a form of their own, by the ends of their names.
const NAMES: [(&str, &str); 8] = [
    ("munge.key", "the key of munge"),
    ("jwt_hs256.key", "Slurm's key of its tokens"),
    (".keytab", "a table of Kerberos keys"),
    (".p12", "a store of keys"),
    (".pfx", "a store of keys"),
    (".jks", "a store of keys"),
    (".kdbx", "a store of passwords"),
    (".nk", "a private key"),
];

/// What a file is by its name and its first bytes; not a template that makes one.
pub(super) fn of_file(path: &str, data: &[u8]) -> Option<String> {
    let is_template = [&b"{{"[..], b"{%"].iter().any(|open| contains(data, open));
    let named = NAMES.iter().find(|(end, _)| path.ends_with(end)).map(|(_, what)| *what);
    let named = named.filter(|_| !data.is_empty() && !is_template);
    // A PKCS#8 or PKCS#1 key in DER is a sequence that begins with a small version number; a
    // secret key of PGP without armour is a packet of tag 5.
    let der = || {
        let rest = data.strip_prefix(b"\x30\x82").and_then(|rest| rest.get(2..))?;
        let begins = rest.starts_with(b"\x02\x01\x00") || rest.starts_with(b"\x02\x01\x01");
        begins.then_some("a private key")
    };
    let pgp = || {
        let of_pgp = [".gpg", ".pgp"].iter().any(|end| path.ends_with(end));
        let packet = data.first().is_some_and(|first| matches!(first, 0x94..=0x97 | 0xc5));
        (of_pgp && packet).then_some("a private key of PGP")
    };
    named.or_else(der).or_else(pgp).map(|what| format!("{what}: {MOVE}"))
}

/// What begins in a line.
pub(super) fn in_line(line: &str) -> Option<String> {
    let begins = line.split_once("-- BEGIN ").or_else(|| line.split_once("--BEGIN "));
    let armoured =
        begins.is_some_and(|(_, what)| what.contains("PRIVATE KEY") || what.contains("NKEY SEED"));
    let start = line.trim_start();
    let age = line.contains("AGE-SECRET-KEY-1") || line.contains("AGE-PLUGIN-");
    let putty = start.starts_with("PuTTY-User-Key-File-");
    (armoured || age || putty || is_wireguard(line)).then(|| format!("a private key: {MOVE}"))
}

/// WireGuard's line of a private or preshared key.
fn is_wireguard(line: &str) -> bool {
    let Some((name, value)) = line.split_once('=') else { return false };
    let value = value.trim();
    let base64 = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    matches!(name.trim(), "PrivateKey" | "PresharedKey")
        && value.len() == 44
        && value.ends_with('=')
        && value.chars().all(base64)
}

fn contains(data: &[u8], part: &[u8]) -> bool {
    data.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_keys_are_known_in_all_forms() {
        for line in [
            "-----BEGIN PRIVATE KEY-----",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----",
            "    -----BEGIN RSA PRIVATE KEY-----",
            "key: '-----BEGIN EC PRIVATE KEY-----",
            "-----BEGIN DSA PRIVATE KEY-----",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----",
            "-----BEGIN USER NKEY SEED-----",
            "PuTTY-User-Key-File-3: ssh-ed25519",
            "AGE-SECRET-KEY-1QQQQQQQQ",
            "PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
        ] {
            assert!(in_line(line).is_some(), "{line}");
        }
        for line in [
            "-----BEGIN PUBLIC KEY-----",
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN PGP PUBLIC KEY BLOCK-----",
            "-----END PRIVATE KEY-----",
            "PrivateKey = {{ pillar.wg.key }}",
            "PublicKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
        ] {
            assert!(in_line(line).is_none(), "{line}");
        }
    }

    #[test]
    fn files_of_keys_are_known_by_name_or_first_bytes() {
        let is = |path: &str, data: &[u8]| of_file(path, data).is_some();
        assert!(is("slurm/files/munge.key", &[7, 200, 3]));
        assert!(!is("slurm/files/munge.key", b"{{ pillar.munge }}") && !is("munge.key", b""));
        assert!(is("host.keytab", &[5, 2]) && is("x.p12", &[0x30]));
        assert!(is("x.der", b"\x30\x82\x04\xbd\x02\x01\x00\x30") && !is("x.der", b"\x30\x82\x03"));
        assert!(is("a.gpg", &[0x95, 3]) && !is("a.gpg", &[0x99, 1]) && !is("a.txt", &[0x95]));
    }
}
