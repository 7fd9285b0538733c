//! ipset, for iptables: each set is filled under a second name, then swapped in.

use super::SetName;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

/// The most addresses that a set holds.
const ADDRESSES_MAX: u32 = 1 << 18;

/// Sets of ipset, of type `hash:ip`. Rules that use them are the operator's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The set of IPv4 addresses.
    set4: SetName,
    /// The set of IPv6 addresses.
    set6: SetName,
    /// Whether the sets are made when they are missing.
    create: bool,
    /// The program that reads the script.
    pub(super) command: Vec<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            set4: SetName("muster-workers4".into()),
            set6: SetName("muster-workers6".into()),
            create: true,
            command: ["ipset", "restore"].map(String::from).into(),
        }
    }
}

/// What makes each set hold these addresses and no others, at once.
pub(super) fn script(config: &Config, addresses: &BTreeSet<IpAddr>) -> String {
    let (v4, v6): (Vec<&IpAddr>, Vec<&IpAddr>) = addresses.iter().partition(|a| a.is_ipv4());
    let mut script = String::new();
    for (set, family, addresses) in [(&config.set4, "inet", v4), (&config.set6, "inet6", v6)] {
        replace(&mut script, set, family, &addresses, config.create);
    }
    script
}

fn replace(script: &mut String, set: &SetName, family: &str, addresses: &[&IpAddr], create: bool) {
    let new = format!("{set}-new");
    let shape = format!("hash:ip family {family} maxelem {ADDRESSES_MAX} -exist");
    let mut line = |text: String| writeln!(script, "{text}").expect("a String takes any text");
    if create {
        // One that somebody else has made with another size is refused here: `create: false` is for
        // that. The swap itself asks for the same type alone.
        line(format!("create {set} {shape}"));
    }
    // What a run that was cut off has left is used again.
    line(format!("create {new} {shape}"));
    line(format!("flush {new}"));
    for address in addresses {
        line(format!("add {new} {address}"));
    }
    line(format!("swap {new} {set}"));
    line(format!("destroy {new}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_swaps_in_sets_that_are_filled() {
        let addresses = ["10.0.0.7", "2001:db8::7", "10.0.0.10"];
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let config: Config = serde_saphyr::from_str("{set4: w4, set6: w6}").unwrap();
        assert_eq!(
            script(&config, &addresses),
            "create w4 hash:ip family inet maxelem 262144 -exist\n\
             create w4-new hash:ip family inet maxelem 262144 -exist\n\
             flush w4-new\n\
             add w4-new 10.0.0.7\n\
             add w4-new 10.0.0.10\n\
             swap w4-new w4\n\
             destroy w4-new\n\
             create w6 hash:ip family inet6 maxelem 262144 -exist\n\
             create w6-new hash:ip family inet6 maxelem 262144 -exist\n\
             flush w6-new\n\
             add w6-new 2001:db8::7\n\
             swap w6-new w6\n\
             destroy w6-new\n"
        );
    }

    #[test]
    fn sets_that_are_the_operators_are_not_made() {
        let config: Config = serde_saphyr::from_str("{create: false}").unwrap();
        let script = script(&config, &BTreeSet::new());
        assert!(!script.contains("create muster-workers4 "), "{script}");
        assert!(script.contains("swap muster-workers6-new muster-workers6\n"), "{script}");
    }
}
