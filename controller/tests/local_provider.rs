//! Provider `local` with real processes, in each isolation that this machine supports.

use muster_controller::provider::local::{
    Config, Isolation, Local, SandboxCommand, support, sweep,
};
use muster_controller::provider::{Provider, Server, ServerId, ServerSpec, Status, conformance};
use muster_protocol::id::ClusterName;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;

/// How long anything here may take, on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);
const AGENT: &str = "worker-1-aaaaaaaaaaaa";

/// Servers in a folder of their own; what a failed test leaves is removed with it.
struct Machine {
    folder: TempDir,
    isolation: Isolation,
    sandbox: SandboxCommand,
}

impl Machine {
    fn new(isolation: Isolation) -> Machine {
        let sandbox = SandboxCommand::of(env!("CARGO_BIN_EXE_muster-controller"));
        Machine { folder: tempfile::tempdir().unwrap(), isolation, sandbox }
    }

    fn servers(&self) -> PathBuf {
        self.folder.path().join("servers")
    }

    fn config(&self, cluster: &str) -> Config {
        Config {
            folder: self.servers(),
            cluster: cluster.parse().unwrap(),
            isolation: self.isolation,
            agent_binary: None,
            hidden: Vec::new(),
            sandbox: self.sandbox.clone(),
        }
    }

    fn open(&self) -> Local {
        Local::open(self.config("home")).unwrap()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        sweep(&self.servers()).unwrap();
    }
}

fn home() -> ClusterName {
    "home".parse().unwrap()
}

fn spec(user_data: &str) -> ServerSpec {
    conformance::spec(&home(), AGENT, user_data)
}

/// A `#cloud-config` of one shell command.
fn shell(command: &str) -> String {
    format!("#cloud-config\nruncmd:\n- [sh, -c, {}]\n", serde_json::to_string(command).unwrap())
}

/// The isolations that this machine supports; `none` it always does.
async fn isolations() -> Vec<Isolation> {
    let sandbox = SandboxCommand::of(env!("CARGO_BIN_EXE_muster-controller"));
    let found = support(&sandbox).await;
    assert!(found.contains(&(Isolation::None, Ok(()))), "{found:?}");
    found.into_iter().filter(|(_, result)| result.is_ok()).map(|(isolation, _)| isolation).collect()
}

async fn settled(local: &Local, id: &ServerId) -> Server {
    let until = Instant::now() + LIMIT;
    loop {
        let server = local.get(id).await.unwrap().unwrap();
        if server.status != Status::Building {
            return server;
        }
        assert!(Instant::now() < until, "{server:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Makes a worker that runs `command`, and gives it once the command has ended well.
async fn run(local: &Local, command: &str) -> Server {
    let made = local.create(spec(&shell(command))).await.unwrap();
    let server = settled(local, &made.id).await;
    assert_eq!(server.status, Status::Active, "{command}");
    server
}

fn output(machine: &Machine, server: &Server) -> String {
    let path = machine.servers().join(server.id.as_str()).join("output");
    fs::read_to_string(path).unwrap()
}

/// Everything that could be left of a server: processes that name its folder, and mounts.
fn left_of(folder: &Path) -> Vec<String> {
    let name = folder.to_str().unwrap();
    let mut left = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let path = entry.path();
        for file in ["cmdline", "environ", "mountinfo"] {
            let text = fs::read(path.join(file)).unwrap_or_default();
            if String::from_utf8_lossy(&text).contains(name) {
                left.push(format!("{}/{file}", path.display()));
            }
        }
    }
    left
}

#[tokio::test]
async fn it_conforms_in_each_isolation() {
    for isolation in isolations().await {
        let machine = Machine::new(isolation);
        let suite = conformance::Suite {
            provider: &machine.open(),
            cluster: home(),
            foreign: &Local::open(machine.config("away")).unwrap(),
            foreign_cluster: "away".parse().unwrap(),
            boot_deadline: LIMIT,
        };
        suite.run().await.unwrap_or_else(|error| panic!("{isolation:?}: {error:?}"));
        assert_eq!(fs::read_dir(machine.servers()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_worker_has_its_own_name_processes_and_files() {
    for isolation in isolations().await {
        let machine = Machine::new(isolation);
        let local = machine.open();
        let server = run(&local, "hostname").await;
        println!("{isolation:?}\n{}", output(&machine, &server));
    }
}
