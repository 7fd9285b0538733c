//! Membership with the kernel's own packet filter, in a network namespace of the test's own.
//!
//! Where nft, ipset or namespaces are not to be had, this is not checked, unless `MUSTER_LABS` is
//! set (`make test-labs`): then it fails.

use crate::membership::Keeping;
use crate::site::{LIMIT, Site};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// A network namespace, for as long as a process lives in it.
struct Namespace(Child);

impl Drop for Namespace {
    fn drop(&mut self) {
        let ended = self.0.kill().and_then(|()| self.0.wait());
        assert!(ended.is_ok() || std::thread::panicking(), "a process is left");
    }
}

impl Namespace {
    /// One in which a program answers; none where that cannot be, with what is missing said.
    fn with(program: &str) -> Option<Namespace> {
        let opened = Namespace::open().and_then(|namespace| {
            let version = namespace.command(program).arg("--version").output();
            match version.map_err(|error| error.to_string())? {
                output if output.status.success() => Ok(namespace),
                output => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr))),
            }
        });
        match opened {
            Ok(namespace) => Some(namespace),
            Err(why) if std::env::var_os("MUSTER_LABS").is_none() => {
                eprintln!("not checked: {why}");
                None
            }
            Err(why) => panic!("{why}; install nftables, ipset and util-linux, and be root"),
        }
    }

    fn open() -> Result<Namespace, String> {
        let child = Command::new("unshare")
            .args(["--net", "--", "sh", "-c", "echo; exec sleep 1000"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut namespace = Namespace(child.map_err(|error| format!("unshare: {error}"))?);
        let mut line = [0];
        let out = namespace.0.stdout.as_mut().ok_or("unshare has no output")?;
        std::io::Read::read_exact(out, &mut line)
            .map_err(|_| "unshare --net: no namespace is to be had".to_owned())?;
        Ok(namespace)
    }

    /// What enters it.
    fn entry(&self) -> [String; 2] {
        ["nsenter".into(), format!("--net=/proc/{}/ns/net", self.0.id())]
    }

    fn command(&self, program: &str) -> Command {
        let [nsenter, net] = self.entry();
        let mut command = Command::new(nsenter);
        command.args([&net, program]);
        command
    }

    fn run(&self, line: &str) -> Output {
        let mut words = line.split(' ');
        let mut command = self.command(words.next().unwrap());
        command.args(words).output().unwrap()
    }

    fn must(&self, line: &str) -> String {
        let output = self.run(line);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits until a program's output holds these and not those.
    async fn shows(&self, line: &str, these: &[&str], not_those: &[&str]) {
        let wait = async {
            let mut poll = tokio::time::interval(Duration::from_millis(20));
            loop {
                poll.tick().await;
                let output = self.run(line);
                let text = String::from_utf8_lossy(&output.stdout);
                let holds = |address: &&str| text.contains(*address);
                if output.status.success()
                    && these.iter().all(holds)
                    && !not_those.iter().any(holds)
                {
                    return;
                }
            }
        };
        let shown = tokio::time::timeout(LIMIT, wait).await;
        assert!(shown.is_ok(), "{line}: {:?}", self.run(line));
    }

    /// The configuration of a set that is filled in here.
    fn config(&self, rest: &str, command: &str) -> String {
        let [nsenter, net] = self.entry();
        format!("{{allow: {{{rest}, command: [{nsenter}, '{net}', {command}]}}}}")
    }
}

#[tokio::test]
async fn nftables_holds_the_live_workers_and_heals() {
    let Some(namespace) = Namespace::with("nft") else { return };
    let site = Site::open().await;
    let first = site.boot("compute-0001", "10.0.0.7").await;
    let keeping = Keeping::of(&site, &namespace.config("kind: nftables", "nft, -f, '-'"));
    let (v4, v6) = ("nft list set inet muster workers4", "nft list set inet muster workers6");
    namespace.shows(v4, &["10.0.0.7"], &[]).await;
    site.boot("compute-0002", "2001:db8::2").await;
    namespace.shows(v6, &["2001:db8::2"], &[]).await;
    // An operator's rule keeps its set, whatever is written into that.
    namespace.must("nft add chain inet muster input { type filter hook input priority 0; }");
    namespace.must("nft add rule inet muster input tcp dport 4222 ip saddr @workers4 accept");
    site.end(&first).await;
    namespace.shows(v4, &["workers4"], &["10.0.0.7"]).await;
    assert!(namespace.must("nft list ruleset").contains("@workers4 accept"));
    keeping.end().await;
    // What others have done meanwhile is made right by the next start.
    namespace.must("nft flush ruleset");
    let keeping = Keeping::of(&site, &namespace.config("kind: nftables", "nft, -f, '-'"));
    namespace.shows(v6, &["2001:db8::2"], &[]).await;
    keeping.end().await;
    site.close().await;
}

#[tokio::test]
async fn a_set_of_the_operators_that_is_missing_is_told_and_filled_once_it_is_there() {
    let Some(namespace) = Namespace::with("nft") else { return };
    let site = Site::open().await;
    site.boot("compute-0001", "10.0.0.7").await;
    let rest = "kind: nftables, table: filter, set4: nodes, set6: nodes6, create: false";
    let keeping = Keeping::of(&site, &namespace.config(rest, "nft, -f, '-'"));
    let failed = site.events("muster.event.sink.membership.failed", 1).await;
    let error = failed[0].data["error"].as_str().unwrap();
    assert!(error.contains("No such file or directory"), "{error}");
    namespace.must("nft add table inet filter");
    namespace.must("nft add set inet filter nodes { type ipv4_addr; flags interval; }");
    assert!(!namespace.must("nft list ruleset").contains("10.0.0.7"), "all or nothing");
    namespace.must("nft add set inet filter nodes6 { type ipv6_addr; }");
    namespace.shows("nft list set inet filter nodes", &["10.0.0.7"], &[]).await;
    keeping.end().await;
    site.close().await;
}

#[tokio::test]
async fn ipset_holds_the_live_workers_and_takes_over_what_a_cut_off_run_left() {
    let Some(namespace) = Namespace::with("ipset") else { return };
    let site = Site::open().await;
    let first = site.boot("compute-0001", "10.0.0.7").await;
    let config = namespace.config("kind: ipset", "ipset, restore");
    let keeping = Keeping::of(&site, &config);
    let (v4, v6) = ("ipset list muster-workers4", "ipset list muster-workers6");
    namespace.shows(v4, &["10.0.0.7"], &[]).await;
    keeping.end().await;
    let left = "ipset create muster-workers4-new hash:ip maxelem 262144";
    namespace.must(left);
    namespace.must("ipset add muster-workers4-new 10.9.9.9");
    let keeping = Keeping::of(&site, &config);
    site.boot("compute-0002", "2001:db8::2").await;
    namespace.shows(v6, &["2001:db8::2"], &[]).await;
    site.end(&first).await;
    namespace.shows(v4, &["Members:"], &["10.0.0.7", "10.9.9.9"]).await;
    namespace.shows("ipset list -n", &["muster-workers4"], &["-new"]).await;
    keeping.end().await;
    site.close().await;
}

#[tokio::test]
async fn ipset_swaps_into_a_set_of_the_operators_that_a_rule_uses() {
    let Some(namespace) = Namespace::with("ipset") else { return };
    let site = Site::open().await;
    namespace.must("ipset create nodes hash:ip maxelem 1000");
    namespace.must("ipset create nodes6 hash:ip family inet6");
    namespace.must("ipset add nodes 10.9.9.9");
    site.boot("compute-0001", "10.0.0.7").await;
    let rest = "kind: ipset, set4: nodes, set6: nodes6, create: false";
    let keeping = Keeping::of(&site, &namespace.config(rest, "ipset, restore"));
    namespace.shows("ipset list nodes", &["10.0.0.7"], &["10.9.9.9"]).await;
    keeping.end().await;
    site.close().await;
}
