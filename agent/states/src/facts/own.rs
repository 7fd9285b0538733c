//! Facts that the operator gave to a host: `/etc/salt/grains`, `/etc/muster/grains`.

use serde_json::Value;

use super::Facts;
use crate::data::key;
use crate::host::Host;
use crate::yaml;

/// The files, the stronger one last. The first is read so that a host that had Salt keeps its own.
const FILES: [&str; 2] = ["/etc/salt/grains", "/etc/muster/grains"];
/// Bytes that such a file may have.
const SIZE_MAX: u64 = 1 << 20;

pub(super) fn collect(host: &Host, facts: &mut Facts) {
    for path in FILES {
        if host.stat(path).is_none_or(|meta| meta.len() > SIZE_MAX) {
            continue;
        }
        match yaml::parse(&host.read_text(path).unwrap_or_default())
            .map(|node| key::plain(node.into_json()))
        {
            Ok(Value::Object(own)) => {
                for (name, value) in own {
                    facts.set(name, value);
                }
            }
            Ok(Value::Null) => {}
            Ok(_) => tracing::warn!(path, "the file of facts is not a map: it has no effect"),
            Err(error) => {
                tracing::warn!(path, %error, "the file of facts does not parse: it has no effect");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_the_operator_come_from_two_files() {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in
            [("etc/salt/grains", "roles: [web]\nkeep: 1\n"), ("etc/muster/grains", "roles: [db]\n")]
        {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let mut facts = Facts::default();
        collect(&Host::under(dir.path()), &mut facts);
        assert_eq!(facts.get("roles").unwrap(), &serde_json::json!(["db"]));
        assert_eq!(facts.get("keep").unwrap(), 1);
        std::fs::write(dir.path().join("etc/muster/grains"), "- a\n").unwrap();
        collect(&Host::under(dir.path()), &mut facts);
    }
}
