//! nftables: two sets of one table, filled in one transaction.

use super::SetName;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

/// Sets of nftables. Rules that use them are the operator's, in the same table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The table, of family `inet`.
    table: SetName,
    /// The set of IPv4 addresses in it.
    set4: SetName,
    /// The set of IPv6 addresses in it.
    set6: SetName,
    /// Whether table and sets are made when they are missing.
    create: bool,
    /// The program that reads the script.
    pub(super) command: Vec<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            table: SetName("muster".into()),
            set4: SetName("workers4".into()),
            set6: SetName("workers6".into()),
            create: true,
            command: ["nft", "-f", "-"].map(String::from).into(),
        }
    }
}

/// What makes the sets hold these addresses and no others: all of it, or nothing.
pub(super) fn script(config: &Config, addresses: &BTreeSet<IpAddr>) -> String {
    let Config { table, set4, set6, .. } = config;
    let mut script = String::new();
    if config.create {
        line(&mut script, format_args!("add table inet {table}"));
        line(&mut script, format_args!("add set inet {table} {set4} {{ type ipv4_addr; }}"));
        line(&mut script, format_args!("add set inet {table} {set6} {{ type ipv6_addr; }}"));
    }
    for (set, is_its) in [(set4, IpAddr::is_ipv4 as fn(&IpAddr) -> bool), (set6, IpAddr::is_ipv6)] {
        line(&mut script, format_args!("flush set inet {table} {set}"));
        let elements: Vec<String> =
            addresses.iter().filter(|address| is_its(address)).map(ToString::to_string).collect();
        if !elements.is_empty() {
            let elements = elements.join(", ");
            line(&mut script, format_args!("add element inet {table} {set} {{ {elements} }}"));
        }
    }
    script
}

fn line(script: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(script, "{text}").expect("a String takes any text");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_replaces_both_sets_at_once() {
        let addresses = ["10.0.0.7", "2001:db8::7", "10.0.0.10"];
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        assert_eq!(
            script(&Config::default(), &addresses),
            "add table inet muster\n\
             add set inet muster workers4 { type ipv4_addr; }\n\
             add set inet muster workers6 { type ipv6_addr; }\n\
             flush set inet muster workers4\n\
             add element inet muster workers4 { 10.0.0.7, 10.0.0.10 }\n\
             flush set inet muster workers6\n\
             add element inet muster workers6 { 2001:db8::7 }\n"
        );
    }

    #[test]
    fn sets_that_are_the_operators_are_only_filled() {
        let text = "{table: filter, set4: nodes, set6: nodes6, create: false}";
        let config: Config = serde_saphyr::from_str(text).unwrap();
        assert_eq!(
            script(&config, &BTreeSet::new()),
            "flush set inet filter nodes\nflush set inet filter nodes6\n"
        );
    }

    #[test]
    fn a_name_that_would_be_more_than_a_name_is_refused() {
        for bad in ["a b", "a; flush ruleset", "", "4a", "ä", &"a".repeat(28)] {
            let text = format!("{{table: {bad:?}}}");
            let error = serde_saphyr::from_str::<Config>(&text).unwrap_err().to_string();
            assert!(error.contains("no name of a set"), "{bad:?}: {error}");
        }
    }
}
