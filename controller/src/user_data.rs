//! User-data: the `#cloud-config` that carries a worker's first credential to it.
//!
//! It holds one `write_files` entry and one `runcmd`, which is all that a worker needs; real
//! cloud-init and the `local` provider perform the same text. The one file is
//! [`BOOTSTRAP_PATH`], readable by root only. Whoever reads it before the agent has enrolled can
//! take its place, so nothing in here outlives the enrolment.

use crate::provider::Secret;
use muster_protocol::id::{AgentId, ClusterName, Hash};
use std::fmt::Write;

/// The longest user-data that Nova stores, in bytes of base64.
pub const USER_DATA_BASE64_BYTES_MAX: usize = 65_535;
/// The longest user-data, in bytes as written: what fits into Nova's limit once it is in base64.
pub const USER_DATA_BYTES_MAX: usize = USER_DATA_BASE64_BYTES_MAX / 4 * 3;
/// Where the worker finds what it needs to join.
pub const BOOTSTRAP_PATH: &str = "/etc/muster/bootstrap.yaml";
/// Where the agent's binary is on a worker.
pub const AGENT_PATH: &str = "/usr/bin/muster-agent";

/// Fetches the agent over TLS pinned to the cluster's own CA, and runs it only if its hash is
/// right. `$1` is the address, `$2` the hash; `MUSTER_ROOT` is set only where a folder stands for
/// a worker's `/`.
const FETCH: &str = "\
set -eu
agent=${MUSTER_ROOT:-}/usr/bin/muster-agent
bootstrap=${MUSTER_ROOT:-}/etc/muster/bootstrap.yaml
mkdir -p \"${agent%/*}\"
part=$(mktemp \"$agent.XXXXXX\")
trap 'rm -f \"$part\" \"$part.ca\"' EXIT
sed -n '/-BEGIN CERT/,/-END CERT/s/^ *//p' \"$bootstrap\" >\"$part.ca\"
curl -fsS --proto =https --retry 8 --retry-connrefused --cacert \"$part.ca\" -o \"$part\" -- \"$1\"
echo \"$2  $part\" | sha256sum -c --quiet
chmod 755 \"$part\"
mv -f \"$part\" \"$agent\"
\"$agent\" up --config /etc/muster/bootstrap.yaml
";

/// What a new worker is told.
#[derive(Clone, Debug)]
pub struct UserData {
    /// The generation that it is.
    pub agent_id: AgentId,
    /// The cluster that it joins.
    pub cluster: ClusterName,
    /// The addresses of NATS, e.g. `tls://10.0.0.2:4222`; any will do.
    pub servers: Vec<String>,
    /// The CA that signed NATS' certificate, as PEM.
    pub ca: String,
    /// The root public key, which vouches for the controller's.
    pub root_public_key: String,
    /// The bootstrap user's JWT.
    pub jwt: Secret,
    /// The bootstrap user's seed.
    pub seed: Secret,
    /// How the agent gets onto the worker.
    pub install: Install,
    /// What the agent is set to.
    pub agent: AgentSettings,
}

/// What the agent is set to, where that differs from its own defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgentSettings {
    /// Whether the agent runs programs that the controller sends.
    pub exec: Option<bool>,
    /// The seconds between two samples.
    pub interval_secs: Option<u32>,
}

/// How the agent gets onto a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Install {
    /// It is in the image, at [`AGENT_PATH`].
    Image,
    /// It is fetched over HTTPS from the controller.
    Url {
        /// The address, `https://…`.
        url: String,
        /// The SHA-256 that it must have.
        sha256: Hash,
    },
}

/// User-data that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The CA is not what goes into a block of plain lines.
    #[error("the CA's certificate is not PEM: expected BEGIN and END lines around base64")]
    NotPem,
    /// The agent's address is not HTTPS.
    #[error("the agent's address {0:?} does not begin with https://")]
    NotHttps(String),
    /// It is longer than clouds take.
    #[error(
        "the user-data of {agent_id} has {bytes} bytes, and clouds take {USER_DATA_BYTES_MAX}: \
         list fewer NATS servers, or shorten the CA's chain"
    )]
    TooLong {
        /// Whose it is.
        agent_id: AgentId,
        /// How long it is.
        bytes: usize,
    },
}

/// Renders the `#cloud-config`.
///
/// # Errors
/// If the CA is no PEM, the agent's address no HTTPS, or the whole too long for a cloud.
pub fn render(data: &UserData) -> Result<String, Error> {
    let mut text = String::from("#cloud-config\nwrite_files:\n");
    text.push_str("  - path: /etc/muster/bootstrap.yaml\n    owner: root:root\n");
    text.push_str("    permissions: '0600'\n    content: |\n");
    for line in bootstrap(data)?.lines() {
        text.push_str("      ");
        text.push_str(line);
        text.push('\n');
    }
    text.push_str("runcmd:\n");
    text.push_str(&command(&data.install)?);
    if text.len() > USER_DATA_BYTES_MAX {
        return Err(Error::TooLong { agent_id: data.agent_id.clone(), bytes: text.len() });
    }
    Ok(text)
}

/// The bootstrap file: YAML of printable ASCII, which may be indented as a block.
fn bootstrap(data: &UserData) -> Result<String, Error> {
    let servers: Vec<String> = data.servers.iter().map(|server| quote(server)).collect();
    let mut text =
        String::from("# One worker's credential to join, once. Muster removes it then.\n");
    let fields = [
        ("agent_id", quote(data.agent_id.as_str())),
        ("cluster", quote(data.cluster.as_str())),
        ("servers", format!("[{}]", servers.join(", "))),
        ("root_public_key", quote(&data.root_public_key)),
        ("jwt", quote(data.jwt.expose())),
        ("seed", quote(data.seed.expose())),
    ];
    for (name, value) in fields {
        writeln!(text, "{name}: {value}").expect("a String takes any text");
    }
    text.push_str(&settings(data.agent));
    text.push_str("ca: |\n");
    for line in pem_lines(&data.ca)? {
        writeln!(text, "  {line}").expect("a String takes any text");
    }
    Ok(text)
}

fn settings(agent: AgentSettings) -> String {
    let exec = agent.exec.map(|on| format!("exec: {on}"));
    let interval = agent.interval_secs.map(|seconds| format!("interval_secs: {seconds}"));
    let given: Vec<String> = exec.into_iter().chain(interval).collect();
    if given.is_empty() { String::new() } else { format!("agent: {{{}}}\n", given.join(", ")) }
}

fn command(install: &Install) -> Result<String, Error> {
    match install {
        Install::Image => Ok(format!("  - [{AGENT_PATH}, up, --config, {BOOTSTRAP_PATH}]\n")),
        Install::Url { url, .. } if !url.starts_with("https://") => {
            Err(Error::NotHttps(url.clone()))
        }
        Install::Url { url, sha256 } => {
            let mut text = String::from("  - - sh\n    - -c\n    - |\n");
            for line in FETCH.lines() {
                writeln!(text, "      {line}").expect("a String takes any text");
            }
            let (url, sha256) = (quote(url), quote(sha256.as_str()));
            writeln!(text, "    - fetch-muster-agent\n    - {url}\n    - {sha256}")
                .expect("a String takes any text");
            Ok(text)
        }
    }
}

/// The lines of a PEM text, if they are such as need no quoting.
fn pem_lines(pem: &str) -> Result<Vec<&str>, Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+/= -".contains(&byte);
    let lines: Vec<&str> = pem.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let whole = lines.first().is_some_and(|line| *line == "-----BEGIN CERTIFICATE-----")
        && lines.last().is_some_and(|line| *line == "-----END CERTIFICATE-----");
    match whole && lines.iter().all(|line| line.bytes().all(plain)) {
        true => Ok(lines),
        false => Err(Error::NotPem),
    }
}

/// A double-quoted YAML scalar of printable ASCII, the same in YAML 1.1 (cloud-init) and 1.2.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match u32::from(letter) {
            _ if letter == '"' || letter == '\\' => quoted.extend(['\\', letter]),
            0x20..=0x7e => quoted.push(letter),
            code @ 0..=0xff => write!(quoted, "\\x{code:02x}").expect("a String takes any text"),
            code @ 0x100..=0xffff => {
                write!(quoted, "\\u{code:04x}").expect("a String takes any text");
            }
            code => write!(quoted, "\\U{code:08x}").expect("a String takes any text"),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        write_files: Vec<File>,
        runcmd: Vec<Vec<String>>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        path: String,
        owner: String,
        permissions: String,
        content: String,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        agent_id: String,
        cluster: String,
        servers: Vec<String>,
        root_public_key: String,
        jwt: String,
        seed: String,
        ca: String,
        #[serde(default)]
        agent: BTreeMap<String, String>,
    }

    fn example() -> UserData {
        UserData {
            agent_id: "compute-0007-abcdefghijkm".parse().unwrap(),
            cluster: "pluto".parse().unwrap(),
            servers: vec!["tls://10.0.0.2:4222".to_owned(), "tls://[fd00::2]:4222".to_owned()],
            ca: "-----BEGIN CERTIFICATE-----\nMIIBeDCCAR6gAwIBAgIUQ2E=\n\
                 -----END CERTIFICATE-----\n"
                .to_owned(),
            root_public_key: "ABTHEROOTKEYSPUBLICHALF".to_owned(),
            jwt: Secret::new("eyJ0eXAiOiJKV1QifQ.eyJuYW1lIjoiYm9vdHN0cmFwIn0.c2ln"),
            seed: Secret::new("SUATHESEED"),
            install: Install::Image,
            agent: AgentSettings::default(),
        }
    }

    fn fetched() -> UserData {
        let url = "https://10.0.0.2:8443/agent/x86_64".to_owned();
        let agent = AgentSettings { exec: Some(true), interval_secs: Some(5) };
        let install = Install::Url { url, sha256: Hash::of(b"the agent") };
        UserData { install, agent, ..example() }
    }

    fn parse(text: &str) -> (Outer, Inner) {
        let outer: Outer = serde_saphyr::from_str(text).unwrap();
        let inner = serde_saphyr::from_str(&outer.write_files[0].content).unwrap();
        (outer, inner)
    }

    #[test]
    fn it_is_what_packaging_shows() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/cloud-init");
        for (name, data) in [("image.yaml", example()), ("url.yaml", fetched())] {
            let path = format!("{folder}/{name}");
            let rendered = render(&data).unwrap();
            if std::env::var_os("MUSTER_BLESS").is_some() {
                std::fs::write(&path, &rendered).unwrap();
            }
            assert_eq!(rendered, std::fs::read_to_string(&path).unwrap(), "{path}");
        }
    }

    #[test]
    fn it_is_one_file_for_root_only_and_one_command() {
        for data in [example(), fetched()] {
            let (outer, inner) = parse(&render(&data).unwrap());
            assert_eq!((outer.write_files.len(), outer.runcmd.len()), (1, 1));
            let file = &outer.write_files[0];
            let access = (file.path.as_str(), file.owner.as_str(), file.permissions.as_str());
            assert_eq!(access, (BOOTSTRAP_PATH, "root:root", "0600"));
            assert_eq!(inner.ca, data.ca);
            assert_eq!(inner.seed, data.seed.expose());
            assert_eq!(inner.agent_id, data.agent_id.as_str());
            assert_eq!(inner.cluster, data.cluster.as_str());
            let exec = inner.agent.get("exec").map(|text| text == "true");
            assert_eq!(exec, data.agent.exec);
        }
    }

    #[test]
    fn the_commands_hold_no_secret() {
        for data in [example(), fetched()] {
            let (outer, _) = parse(&render(&data).unwrap());
            let command = outer.runcmd.concat().join(" ");
            assert!(!command.contains(data.seed.expose()) && !command.contains(data.jwt.expose()));
            assert!(!format!("{data:?}").contains(data.seed.expose()));
        }
    }

    #[test]
    fn what_is_too_long_for_nova_is_refused() {
        let servers = vec!["tls://10.0.0.2:4222".to_owned(); 4000];
        let error = render(&UserData { servers, ..example() }).unwrap_err();
        assert!(matches!(error, Error::TooLong { .. }), "{error}");
        let longest = USER_DATA_BYTES_MAX.div_ceil(3) * 4;
        assert!(longest <= USER_DATA_BASE64_BYTES_MAX);
    }

    #[test]
    fn what_would_break_out_of_its_block_is_refused() {
        let frame = |inner: &str| {
            format!("-----BEGIN CERTIFICATE-----\n{inner}\n-----END CERTIFICATE-----\n")
        };
        for ca in [String::new(), "MIIB".to_owned(), frame("runcmd: [reboot]"), frame("ä")] {
            assert!(matches!(render(&UserData { ca, ..example() }), Err(Error::NotPem)));
        }
        let install = Install::Url { url: "http://a".to_owned(), sha256: Hash::of(b"") };
        assert!(matches!(render(&UserData { install, ..example() }), Err(Error::NotHttps(_))));
    }

    proptest! {
        #[test]
        fn values_come_back_whatever_they_hold(
            key in ".*", jwt in any::<String>(), seed in "[\\x00-\\x{2030}'\"\\\\\n:#{}%&*!|>]*",
            servers in prop::collection::vec(any::<String>(), 0..4), path in any::<String>(),
        ) {
            let url = format!("https://{path}");
            let data = UserData {
                servers: servers.clone(),
                root_public_key: key.clone(),
                jwt: Secret::new(jwt.clone()),
                seed: Secret::new(seed.clone()),
                install: Install::Url { url: url.clone(), sha256: Hash::of(b"") },
                ..example()
            };
            let text = render(&data).unwrap();
            prop_assert!(text.bytes().all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)));
            let (outer, inner) = parse(&text);
            prop_assert_eq!(inner.servers, servers);
            prop_assert_eq!((inner.root_public_key, inner.jwt, inner.seed), (key, jwt, seed));
            prop_assert_eq!(&outer.runcmd[0][4], &url);
        }
    }
}
