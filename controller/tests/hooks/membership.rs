//! Membership: a hosts file that follows the registry, and one that cannot be written.

use crate::site::{LIMIT, Site, until};
use muster_controller::membership;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A controller's membership, until it is stopped.
pub(crate) struct Keeping {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Keeping {
    pub(crate) fn of(site: &Site, text: &str) -> Keeping {
        let config: membership::Config = serde_saphyr::from_str(text).unwrap();
        let (registry, teller) = (Arc::clone(&site.registry), Arc::new(site.bus.clone()));
        let stop = CancellationToken::new();
        let run = membership::run(config, "pluto".parse().unwrap(), registry, teller, stop.clone());
        Keeping { task: tokio::spawn(run), stop }
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(LIMIT, self.task).await.unwrap().unwrap();
    }
}

fn is(path: &Path, expected: &str) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text == expected)
}

fn block(lines: &str) -> String {
    format!("127.0.0.1 localhost\n# BEGIN muster pluto\n{lines}# END muster pluto\n")
}

#[tokio::test]
async fn a_hosts_file_has_the_live_workers_from_their_first_address_to_their_end() {
    let site = Site::open().await;
    let hosts = site.path("hosts");
    fs::write(&hosts, block("10.0.0.99 long-gone\n")).unwrap();
    let first = site.boot("compute-0001", "10.0.0.7").await;
    site.add("compute-0002").await;
    let config = format!("{{hosts: {{path: '{}'}}}}", hosts.display());
    let keeping = Keeping::of(&site, &config);
    until("the start", || is(&hosts, &block("10.0.0.7 compute-0001\n"))).await;
    site.boot("compute-0003", "2001:db8::3").await;
    let both = block("10.0.0.7 compute-0001\n2001:db8::3 compute-0003\n");
    until("the third", || is(&hosts, &both)).await;
    site.end(&first).await;
    until("its end", || is(&hosts, &block("2001:db8::3 compute-0003\n"))).await;
    keeping.end().await;
    assert!(is(&hosts, &block("2001:db8::3 compute-0003\n")), "a stop leaves all as it is");
    site.close().await;
}

#[tokio::test]
async fn a_target_that_fails_is_told_tried_again_and_holds_back_no_other() {
    let site = Site::open().await;
    let (folder, other) = (site.path("etc"), site.path("allowed"));
    let hosts = folder.join("hosts");
    let config = format!(
        "{{hosts: {{path: '{}'}}, allow: {{kind: nftables, command: [/bin/sh, -c, 'cat >{}']}}}}",
        hosts.display(),
        other.display()
    );
    let keeping = Keeping::of(&site, &config);
    let failed = site.events("muster.event.sink.membership.failed", 1).await;
    let data = &failed[0].data;
    assert_eq!((&data["target"], &data["failures"]), (&"hosts".into(), &1.into()));
    let error = data["error"].as_str().unwrap();
    assert!(error.contains("etc/hosts") && error.contains("No such file"), "{error}");
    site.boot("compute-0001", "10.0.0.7").await;
    let holds = || fs::read_to_string(&other).is_ok_and(|text| text.contains("10.0.0.7"));
    until("the other target", holds).await;
    fs::create_dir(&folder).unwrap();
    let expected = "# BEGIN muster pluto\n10.0.0.7 compute-0001\n# END muster pluto\n";
    until("the file", || is(&hosts, expected)).await;
    site.events("muster.event.sink.membership.recovered", 1).await;
    keeping.end().await;
    site.close().await;
}
