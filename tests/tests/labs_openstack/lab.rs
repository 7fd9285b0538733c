//! The lab's cloud in a test's hands: one test at a time, faults that are undone, and an
//! administrator who sees what is really there.

use crate::admin::{Admin, GLANCE, KEYSTONE, NEUTRON, NOVA};
use muster_controller::provider::openstack::{OpenStack, Settings};
use muster_controller::provider::{
    Error, Provider, Secret, Server, ServerId, ServerSpec, Status, conformance,
};
use muster_protocol::id::{ClusterName, Token, random};
use reqwest::Client;
use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

/// How long the cloud may take for anything.
pub(crate) const LIMIT: Duration = Duration::from_secs(180);
/// Each look costs the cloud a good part of a second's work.
const LOOK_EVERY: Duration = Duration::from_secs(1);
pub(crate) const NOVA_PORT: u16 = 28774;

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
static STARTED: OnceCell<()> = OnceCell::const_new();
static WARM: OnceCell<()> = OnceCell::const_new();

/// The cloud, for one test. Each has a cluster of its own, whose servers go with it.
pub(crate) struct Lab {
    _alone: MutexGuard<'static, ()>,
    admin: Admin,
}

/// What a failed test has left is removed before the next one begins.
impl Drop for Lab {
    fn drop(&mut self) {
        let admin = Admin { client: Client::new(), ..self.admin.clone() };
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(admin.remove_all());
        });
        let removed = removal.join();
        assert!(removed.is_ok() || std::thread::panicking(), "servers are left in the cloud");
    }
}

impl Deref for Lab {
    type Target = Admin;

    fn deref(&self) -> &Admin {
        &self.admin
    }
}

/// A service that is down, or stands still, for as long as this lives.
pub(crate) struct Outage {
    service: &'static str,
    end: &'static str,
}

impl Drop for Outage {
    fn drop(&mut self) {
        script("service", &[self.end, self.service]);
        wait_until_up();
    }
}

/// A gateway before Nova that fails as told.
pub(crate) struct Gateway {
    process: Child,
    pub(crate) port: u16,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.process.kill().and_then(|()| self.process.wait()).unwrap();
    }
}

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("labs/openstack")
}

/// Where the lab keeps what it makes.
pub(crate) fn home() -> PathBuf {
    let told = std::env::var_os("MUSTER_LAB_DIR").map(PathBuf::from);
    let checkout = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.tools/openstack");
    told.unwrap_or(checkout)
}

pub(crate) fn script(name: &str, arguments: &[&str]) {
    let status = Command::new(folder().join(name)).args(arguments).status().unwrap();
    assert!(status.success(), "tests/labs/openstack/{name} {arguments:?}: {status}");
}

fn wait_until_up() {
    let urls = [KEYSTONE, NOVA, GLANCE, NEUTRON, "http://127.0.0.1:28778"];
    for url in urls {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-o", "/dev/null", "--max-time", "10", "--retry", "60"]);
        curl.args(["--retry-delay", "1", "--retry-connrefused", url]);
        assert!(curl.status().unwrap().success(), "{url} does not come back");
    }
}

/// Polls until something is there.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let poll = async {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    let found = tokio::time::timeout(LIMIT, poll).await;
    found.unwrap_or_else(|_| panic!("{what}: not within {LIMIT:?}"))
}

impl Lab {
    /// Waits for the other tests to end, and for the cloud to be up.
    pub(crate) async fn alone() -> Lab {
        let alone = ONE_AT_A_TIME.lock().await;
        STARTED.get_or_init(async || script("up", &[])).await;
        let random = Token::random(random()).as_str()[..8].to_owned();
        let cluster = format!("lab-{random}").parse().unwrap();
        let lab = Lab { _alone: alone, admin: Admin::login(cluster).await };
        WARM.get_or_init(async || lab.warm_up().await).await;
        lab
    }

    /// The first requests to a cloud that has just started take it seconds, which are none of a
    /// test's: a server is asked for that cannot be.
    async fn warm_up(&self) {
        let provider = self.provider("");
        provider.image_id("tiny").await.unwrap();
        let nothing = self.spec_of("c-1-aaaaaaaaaaaa", "m1.none", "tiny");
        provider.create(nothing).await.unwrap_err();
        provider.list().await.unwrap();
    }

    /// A provider for this test's cluster, with some settings more than a network.
    pub(crate) fn provider(&self, more: &str) -> OpenStack {
        self.provider_of(&self.cluster, more)
    }

    pub(crate) fn provider_of(&self, cluster: &ClusterName, more: &str) -> OpenStack {
        self.open(cluster, &format!("cloud: ctl\nserver: {{networks: [ci-net]}}\n{more}"))
    }

    pub(crate) fn open(&self, cluster: &ClusterName, settings: &str) -> OpenStack {
        let mut settings: Settings = serde_saphyr::from_str(settings).unwrap();
        settings.clouds_file.get_or_insert(self.clouds_file());
        OpenStack::open(settings, cluster.clone()).unwrap()
    }

    pub(crate) fn clouds_file(&self) -> PathBuf {
        home().join("run/clouds.yaml")
    }

    /// A provider whose calls of Nova go through a gateway.
    pub(crate) fn provider_behind(&self, gateway: &Gateway, more: &str) -> (OpenStack, PathBuf) {
        let text = std::fs::read_to_string(self.clouds_file()).unwrap();
        let port = gateway.port;
        let line = format!("  ctl:\n    compute_endpoint_override: http://127.0.0.1:{port}/v2.1\n");
        let folder = tempfile::Builder::new().disable_cleanup(true).tempdir().unwrap();
        let path = folder.path().join("clouds.yaml");
        std::fs::write(&path, text.replace("  ctl:\n", &line)).unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let more = format!("clouds_file: {}\n{more}", path.display());
        (self.provider(&more), path)
    }

    pub(crate) fn gateway(&self, method: &str, code: u16, count: u32, when: &str) -> Gateway {
        let mut process = Command::new(home().join("venv/bin/python"))
            .arg(folder().join("gateway.py"))
            .args([&NOVA_PORT.to_string(), method, &code.to_string(), &count.to_string(), when])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Gateway { process, port: line.trim().parse().unwrap() }
    }

    /// The user-data that Nova's metadata service gives to a server.
    pub(crate) fn metadata(&self, server: &Server) -> String {
        self.metadata_of(server).expect("the server is there and has user-data")
    }

    /// The same, of a server that may be gone meanwhile.
    pub(crate) fn metadata_of(&self, server: &Server) -> Option<String> {
        let output = Command::new(home().join("venv/bin/python"))
            .arg(folder().join("metadata.py"))
            .args([server.id.as_str(), &self.project, &server.addresses.first()?.to_string()])
            .output()
            .unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    pub(crate) fn killed(&self, service: &'static str) -> Outage {
        script("service", &["kill", service]);
        Outage { service, end: "start" }
    }

    pub(crate) fn frozen(&self, service: &'static str) -> Outage {
        script("service", &["freeze", service]);
        Outage { service, end: "thaw" }
    }

    pub(crate) fn spec(&self, agent: &str) -> ServerSpec {
        self.spec_of(agent, "m1.tiny", "tiny")
    }

    pub(crate) fn spec_of(&self, agent: &str, flavor: &str, image: &str) -> ServerSpec {
        let spec = conformance::spec(&self.cluster, agent, conformance::USER_DATA);
        ServerSpec { flavor: flavor.to_owned(), image: image.to_owned(), ..spec }
    }

    /// Waits until the server is up.
    pub(crate) async fn active(&self, provider: &OpenStack, id: &ServerId) -> Server {
        until("a server to be active", async || {
            let server = provider.get(id).await.unwrap().unwrap();
            let fine = matches!(server.status, Status::Active | Status::Building);
            assert!(fine, "{server:?}");
            (server.status == Status::Active).then_some(server)
        })
        .await
    }

    /// Waits until the server has failed, and gives the cloud's reason.
    pub(crate) async fn broken(&self, provider: &OpenStack, id: &ServerId) -> String {
        until("a server to fail", async || match provider.get(id).await.unwrap().unwrap().status {
            Status::Error(text) => Some(text),
            _ => None,
        })
        .await
    }

    /// Removes all servers of the test, and waits until the cloud has none of them.
    pub(crate) async fn clear(&self, provider: &OpenStack) {
        for server in provider.list().await.unwrap() {
            provider.delete(&server.id).await.unwrap();
        }
        until("the test's servers to go", async || (self.servers().await == 0).then_some(())).await;
    }
}

/// Asserts what an operator reads: these words, and at the end what to do next.
pub(crate) fn says(error: &Error, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

/// User-data that must not be seen anywhere.
pub(crate) fn secret_user_data(seed: &str) -> Secret {
    Secret::new(format!("#cloud-config\nwrite_files: [{{path: /s, content: {seed}}}]\n"))
}
