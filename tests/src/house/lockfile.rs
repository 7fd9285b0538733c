//! What Cargo.lock may hold: one TLS stack, on ring, and one HTTP client.

/// Packages of which at most one version may be built in; `true` where one is required.
const AT_MOST_ONE: &[(&str, bool)] = &[("rustls", true), ("ring", true), ("reqwest", false)];

/// Packages that a second TLS or crypto stack would bring.
const REFUSED: &[&str] = &["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl-sys"];

/// Checks the text of Cargo.lock.
pub fn check(lockfile: &str) -> Vec<String> {
    let names: Vec<&str> = lockfile
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .collect();
    let count = |wanted: &str| names.iter().filter(|name| **name == wanted).count();
    let mut violations = Vec::new();
    for (name, required) in AT_MOST_ONE {
        match count(name) {
            0 if *required => violations.push(format!("{name}: missing from Cargo.lock")),
            0 | 1 => {}
            many => violations.push(format!("{name}: {many} versions, see `cargo tree -i {name}`")),
        }
    }
    for name in REFUSED.iter().filter(|name| count(name) > 0) {
        violations.push(format!("{name}: Muster's TLS is rustls with ring alone"));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(names: &[&str]) -> String {
        let entry = |name: &&str| format!("[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\n");
        names.iter().map(entry).collect()
    }

    #[test]
    fn one_of_each_passes_and_the_http_client_may_be_absent() {
        assert!(check(&lock(&["ring", "rustls"])).is_empty());
        assert!(check(&lock(&["reqwest", "ring", "rustls", "rustls-webpki"])).is_empty());
    }

    #[test]
    fn doubles_and_other_stacks_are_refused() {
        assert_eq!(check(&lock(&["ring", "rustls", "rustls"])).len(), 1);
        assert_eq!(check(&lock(&["ring", "rustls", "reqwest", "reqwest"])).len(), 1);
        assert_eq!(check(&lock(&["ring", "rustls", "aws-lc-rs"])).len(), 1);
        assert_eq!(check(&lock(&["ring", "rustls", "openssl-sys"])).len(), 1);
    }

    #[test]
    fn an_empty_lockfile_is_no_proof() {
        assert_eq!(check("").len(), 2);
    }
}
