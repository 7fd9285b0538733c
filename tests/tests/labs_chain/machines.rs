//! What stands where a hypervisor would: the lab's network, and a VM for each server that Nova says
//! is active. Each is a script that lives until its input ends, so none outlives the test.

use crate::lab::{Lab, folder, home};
use muster_controller::provider::openstack::OpenStack;
use muster_controller::provider::{Provider, Server, ServerId, Status};
use muster_tests::cluster::program;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A script that prints a process id once it is ready, and ends all it has made with its input.
struct Held {
    script: Child,
    pid: u32,
}

impl Held {
    fn start(mut command: Command) -> Held {
        let mut script =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it is a script");
        let mut line = String::new();
        BufReader::new(script.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let pid = line.trim().parse();
        let pid = pid.unwrap_or_else(|_| panic!("{command:?} is not ready: {:?}", script.wait()));
        Held { script, pid }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        let ended = self.script.wait();
        assert!(ended.is_ok() || std::thread::panicking(), "a script is left: {ended:?}");
    }
}

/// The lab's network, on which this machine is [`crate::GATEWAY`].
pub(crate) struct Network(Held);

impl Network {
    pub(crate) fn open() -> Network {
        Network(Held::start(Command::new(folder().join("network"))))
    }

    /// What enters it.
    pub(crate) fn entry(&self) -> [String; 2] {
        ["nsenter".into(), format!("--net=/proc/{}/ns/net", self.0.pid)]
    }

    /// What a program says that runs in it.
    pub(crate) fn run(&self, line: &str) -> String {
        let [nsenter, net] = self.entry();
        output(Command::new(nsenter).arg(net).args(line.split(' ')))
    }
}

/// A VM: systemd and cloud-init in namespaces of their own.
pub(crate) struct Vm {
    held: Held,
    name: String,
    _seed: TempDir,
}

impl Vm {
    /// Boots one that bears an address, with the user-data that Nova has for a server.
    pub(crate) fn boot(network: &Network, name: &str, address: &str, lab: &Lab, of: &Server) -> Vm {
        let seed = tempfile::tempdir().unwrap();
        let meta_data = format!("instance-id: {}\nlocal-hostname: {name}\n", of.id);
        fs::write(seed.path().join("meta-data"), meta_data).unwrap();
        fs::write(seed.path().join("user-data"), lab.metadata(of)).unwrap();
        let mut command = Command::new(folder().join("vm"));
        command.args([&network.0.pid.to_string(), name, address]);
        command.arg(seed.path()).arg(program("muster-agent"));
        Vm { held: Held::start(command), name: name.to_owned(), _seed: seed }
    }

    /// A file on its disk; none if it is not there.
    pub(crate) fn file(&self, path: &str) -> Option<String> {
        fs::read_to_string(format!("/proc/{}/root{path}", self.held.pid)).ok()
    }

    /// What its agent has logged.
    pub(crate) fn journal(&self) -> String {
        self.run("journalctl --no-pager --output=cat --unit=muster-agent")
    }

    /// What a program says that runs in it.
    pub(crate) fn run(&self, line: &str) -> String {
        let pid = self.held.pid.to_string();
        output(Command::new("nsenter").args(["--all", "--target", &pid]).args(line.split(' ')))
    }

    /// Where its disk is while it runs.
    pub(crate) fn folder(name: &str) -> PathBuf {
        home().join("vms").join(name)
    }
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A VM for each of Nova's active servers of a test's cluster.
pub(crate) struct Adapter<'a> {
    lab: &'a Lab,
    nova: OpenStack,
    network: &'a Network,
    vms: BTreeMap<ServerId, Vm>,
}

impl<'a> Adapter<'a> {
    pub(crate) fn of(lab: &'a Lab, network: &'a Network) -> Adapter<'a> {
        Adapter { lab, nova: lab.provider(""), network, vms: BTreeMap::new() }
    }

    /// Nova's active servers.
    pub(crate) async fn servers(&self) -> Vec<Server> {
        let mut servers = self.nova.list().await.unwrap();
        servers.retain(|server| server.status == Status::Active);
        servers
    }

    /// Boots what Nova has made, and stops what it has no more.
    pub(crate) async fn follow(&mut self) {
        let servers = self.nova.list().await.unwrap();
        self.vms.retain(|id, _| servers.iter().any(|server| server.id == *id));
        for server in servers.into_iter().filter(|server| server.status == Status::Active) {
            let (lab, network) = (self.lab, self.network);
            self.vms.entry(server.id.clone()).or_insert_with(|| {
                let address = server.addresses[0].to_string();
                Vm::boot(network, server.name.as_str(), &address, lab, &server)
            });
        }
    }

    /// The VM of a worker.
    pub(crate) fn vm(&self, name: &str) -> Option<&Vm> {
        self.vms.values().find(|vm| vm.name == name)
    }

    /// What all agents have logged.
    pub(crate) fn journals(&self) -> String {
        self.vms.values().map(|vm| format!("{}:\n{}", vm.name, vm.journal())).collect()
    }
}
