//! Who is a member; and a keeper on a registry in memory and files of its own.

use super::*;
use crate::lifecycle::tests::pending;

fn worker(name: &str, phase: Phase, addresses: &[&str]) -> Worker {
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Worker { name: name.parse().unwrap(), phase, addresses, ..pending() }
}

#[test]
fn members_are_the_workers_that_have_a_server_and_an_address() {
    let all = [
        (Phase::Pending, false),
        (Phase::Launching, false),
        (Phase::Booting, true),
        (Phase::Configuring, true),
        (Phase::Ready, true),
        (Phase::Lost, true),
        (Phase::Draining, true),
        (Phase::Rebuilding, true),
        (Phase::Terminating, false),
        (Phase::Terminated, false),
        (Phase::Failed, false),
    ];
    for (phase, expected) in all {
        let of_it = members(&[worker("a-1", phase, &["10.0.0.7"])]);
        assert_eq!(of_it.len(), usize::from(expected), "{phase}");
    }
    assert!(members(&[worker("a-1", Phase::Ready, &[])]).is_empty());
}

#[test]
fn addresses_are_each_told_once_and_only_if_another_machine_can_use_them() {
    let members = members(&[
        worker("b-1", Phase::Ready, &["10.0.0.9", "::ffff:10.0.0.7", "fe80::1"]),
        worker("a-1", Phase::Ready, &["2001:db8::7", "10.0.0.7", "0.0.0.0", "224.0.0.1"]),
        worker("c-1", Phase::Ready, &["::"]),
    ]);
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["a-1", "b-1"]);
    let all: Vec<String> = addresses(&members).iter().map(ToString::to_string).collect();
    assert_eq!(all, ["10.0.0.7", "10.0.0.9", "2001:db8::7"]);
}

#[test]
fn nothing_is_kept_unless_it_is_asked_for() {
    let config: Config = serde_saphyr::from_str("{}").unwrap();
    assert!(config.hosts.is_none() && config.allow.is_none());
    let config: Config = serde_saphyr::from_str("{hosts: {}, allow: {kind: ipset}}").unwrap();
    assert!(config.hosts.is_some() && matches!(config.allow, Some(Allow::Ipset(_))));
    let error = serde_saphyr::from_str::<Config>("{allow: {kind: nftables, tabel: a}}");
    assert!(error.unwrap_err().to_string().contains("tabel"));
}
