//! What the tests share: servers in a folder of their own.

use muster_controller::provider::local::{
    Config, Isolation, Local, SandboxCommand, support, sweep,
};
use muster_controller::provider::{Provider, Server, ServerId, ServerSpec, Status, conformance};
use muster_protocol::id::ClusterName;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// How long anything here may take, on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// The time between two looks at something that is to come.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// The name of every worker here.
pub(crate) const WORKER: &str = "worker-1";

/// Servers in a folder of their own; what a failed test leaves is removed with it.
pub(crate) struct Machine {
    pub(crate) folder: TempDir,
    pub(crate) isolation: Isolation,
    pub(crate) sandbox: SandboxCommand,
    pub(crate) agent_binary: Option<PathBuf>,
    pub(crate) hidden: Vec<PathBuf>,
}

impl Machine {
    pub(crate) fn new(isolation: Isolation) -> Machine {
        let sandbox = SandboxCommand::of(controller());
        let folder = tempfile::tempdir().unwrap();
        Machine { folder, isolation, sandbox, agent_binary: None, hidden: Vec::new() }
    }

    pub(crate) fn servers(&self) -> PathBuf {
        self.folder.path().join("servers")
    }

    pub(crate) fn config(&self, cluster: &str) -> Config {
        Config {
            folder: self.servers(),
            cluster: cluster.parse().unwrap(),
            isolation: self.isolation,
            agent_binary: self.agent_binary.clone(),
            hidden: self.hidden.clone(),
            sandbox: self.sandbox.clone(),
        }
    }

    pub(crate) fn open(&self) -> Local {
        Local::open(self.config("home")).unwrap()
    }

    pub(crate) fn is_apart(&self) -> bool {
        self.isolation != Isolation::None
    }

    /// What a server's commands have written.
    pub(crate) fn output(&self, server: &Server) -> String {
        let path = self.servers().join(server.id.as_str()).join("output");
        fs::read_to_string(path).unwrap()
    }

    /// Makes a worker that runs one shell command; gives what it wrote once it has ended well.
    pub(crate) async fn run(&self, command: &str) -> String {
        let local = self.open();
        let server = active(&local, &shell(command)).await;
        let output = self.output(&server);
        local.delete(&server.id).await.unwrap();
        output
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        sweep(&self.servers()).unwrap();
    }
}

pub(crate) fn controller() -> PathBuf {
    let told = std::env::var_os("MUSTER_TEST_CONTROLLER").map(PathBuf::from);
    told.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_muster-controller")))
}

/// The isolations that this machine supports, found out once; `none` it always does.
pub(crate) async fn isolations() -> Vec<Isolation> {
    static FOUND: OnceCell<Vec<Isolation>> = OnceCell::const_new();
    let find = async || {
        let found = support(&SandboxCommand::of(controller())).await;
        assert!(found.contains(&(Isolation::None, Ok(()))), "{found:?}");
        found.into_iter().filter(|(_, result)| result.is_ok()).map(|(isolation, _)| isolation)
    };
    FOUND.get_or_init(async || find().await.collect()).await.clone()
}

pub(crate) fn home() -> ClusterName {
    "home".parse().unwrap()
}

pub(crate) fn spec(user_data: &str) -> ServerSpec {
    conformance::spec(&home(), &format!("{WORKER}-aaaaaaaaaaaa"), user_data)
}

/// A `#cloud-config` of one shell command.
pub(crate) fn shell(command: &str) -> String {
    format!("#cloud-config\nruncmd:\n- [sh, -c, {}]\n", serde_json::to_string(command).unwrap())
}

/// Looks until something is there.
pub(crate) async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let poll = async {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    tokio::time::timeout(LIMIT, poll).await.expect("it comes within the limit")
}

/// The server once it is not building any more.
pub(crate) async fn settled(local: &Local, id: &ServerId) -> Server {
    until(async || {
        let server = local.get(id).await.unwrap().unwrap();
        (server.status != Status::Building).then_some(server)
    })
    .await
}

/// Makes a server whose commands must end well.
pub(crate) async fn active(local: &Local, user_data: &str) -> Server {
    let made = local.create(spec(user_data)).await.unwrap();
    let server = settled(local, &made.id).await;
    assert_eq!(server.status, Status::Active, "{:?}: {user_data}", local.isolation());
    server
}
