//! `init`, then the embedded NATS server on real nats-servers: started, watched, adopted, ended.

use anyhow::{Context, Result, ensure};
use muster_controller::init::{self, Args, Settings};
use muster_controller::keys::Keys;
use muster_controller::nats::{self, Error, Options, Server};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

struct Site {
    options: Options,
    _dir: TempDir,
}

/// What the environment names, else what `make tools` has fetched.
fn program(variable: &str, file: &str) -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools");
    std::env::var_os(variable).map_or_else(|| tools.join(file), PathBuf::from)
}

fn newest() -> PathBuf {
    program("MUSTER_NATS_SERVER", "nats-server")
}

fn oldest() -> PathBuf {
    program("MUSTER_NATS_SERVER_211", "nats-server-2.11")
}

impl Site {
    fn make(program: PathBuf) -> Result<Site> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("muster");
        let mut args = Args::new(&path, Some("demo".parse()?));
        args.listen = Some("127.0.0.1:0".parse()?);
        init::run(&args)?;
        let mut options = Options::new(&path);
        options.program = Some(program);
        Ok(Site { options, _dir: dir })
    }

    async fn start(&self) -> Result<Server, Error> {
        Server::start(&self.options).await
    }
}

/// A test that failed leaves no server.
impl Drop for Site {
    fn drop(&mut self) {
        let dir = self.options.dir.clone();
        let clear = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(nats::stop_leftover(&dir)).is_ok())
        });
        let cleared = clear.join().is_ok_and(|ended| ended.is_ok_and(|ended| ended));
        assert!(cleared || std::thread::panicking(), "a server is left");
    }
}

fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

async fn until(what: &str, holds: impl Fn() -> bool) -> Result<()> {
    let wait = async {
        let mut poll = tokio::time::interval(POLL);
        while !holds() {
            poll.tick().await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.with_context(|| what.to_owned())
}

/// As kill -9 of the controller: nothing of it runs any more, and the server does.
fn abandon(server: Server) -> u32 {
    let pid = server.pid();
    drop(server);
    pid
}

fn kill(pid: u32) -> Result<()> {
    let status = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status()?;
    ensure!(status.success(), "kill -9 {pid}");
    Ok(())
}

#[tokio::test]
async fn a_server_starts_keeps_its_port_and_ends() -> Result<()> {
    for program in [oldest(), newest()] {
        let site = Site::make(program)?;
        let server = site.start().await?;
        let (pid, servers) = (server.pid(), server.servers());
        ensure!(is_alive(pid) && !server.is_adopted());
        ensure!(servers == [server.url()] && servers[0].starts_with("tls://127.0.0.1:"));
        let context = std::fs::read_to_string(site.options.dir.join("admin.yaml"))?;
        ensure!(context.contains(&servers[0]), "the context names the server");
        ensure!(matches!(site.start().await, Err(Error::Busy(_))), "two controllers");
        server.stop().await?;
        ensure!(!is_alive(pid));

        let again = site.start().await?;
        ensure!(again.servers() == servers && again.pid() != pid);
        again.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_server_that_a_killed_controller_left_is_adopted_and_watched() -> Result<()> {
    let site = Site::make(newest())?;
    let first = site.start().await?;
    let servers = first.servers();
    let pid = abandon(first);
    let second = site.start().await?;
    ensure!(second.is_adopted() && second.pid() == pid && second.servers() == servers);

    let run = Running::of(second);
    kill(pid)?;
    until("a new server", || site.server_pid().is_some_and(|new| new != pid)).await?;
    run.stop().await?;
    ensure!(site.server_pid().is_none());
    let third = site.start().await?;
    ensure!(!third.is_adopted() && third.servers() == servers);
    Ok(third.stop().await?)
}

#[tokio::test]
async fn a_server_that_was_left_with_another_configuration_or_version_is_replaced() -> Result<()> {
    let mut site = Site::make(oldest())?;
    let pid = abandon(site.start().await?);
    site.options.program = Some(newest());
    let newer = site.start().await?;
    ensure!(!newer.is_adopted() && !is_alive(pid));
    let pid = abandon(newer);
    let config = site.options.dir.join("nats.conf");
    let text = std::fs::read_to_string(&config)? + "\nmax_connections: 1000\n";
    std::fs::write(&config, text)?;
    let changed = site.start().await?;
    ensure!(!changed.is_adopted() && !is_alive(pid));
    Ok(changed.stop().await?)
}

#[tokio::test]
async fn a_server_that_hangs_is_not_adopted() -> Result<()> {
    let mut site = Site::make(newest())?;
    site.options.stop_grace = Duration::from_millis(100);
    let pid = abandon(site.start().await?);
    let status = std::process::Command::new("kill").args(["-STOP", &pid.to_string()]).status()?;
    ensure!(status.success());
    let server = site.start().await?;
    ensure!(!server.is_adopted() && !is_alive(pid));
    Ok(server.stop().await?)
}

#[tokio::test]
async fn a_server_that_cannot_start_says_why() -> Result<()> {
    let site = Site::make(newest())?;
    site.start().await?.stop().await?;
    let port: u16 = std::fs::read_to_string(site.options.dir.join("run/port"))?.trim().parse()?;
    let _held = TcpListener::bind(("127.0.0.1", port))?;
    let error = site.start().await.err().context("the port is taken")?.to_string();
    ensure!(error.contains("address already in use"), "{error}");

    let config = site.options.dir.join("nats.conf");
    std::fs::write(&config, "nonsense {\n")?;
    let error = site.start().await.err().context("nonsense")?.to_string();
    ensure!(error.contains("Parse error") && !error.contains("already in use"), "{error}");
    Ok(())
}

#[tokio::test]
async fn keys_that_others_can_read_are_refused() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::make(newest())?;
    let file = site.options.dir.join("role-agent.nk");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644))?;
    let error = Keys::load(&site.options.dir).err().context("an open key")?.to_string();
    ensure!(error.contains("chmod 600") && error.contains("role-agent.nk"), "{error}");
    ensure!(Settings::read(&site.options.dir)?.cluster.as_str() == "demo");
    Ok(())
}

impl Site {
    /// The process that runs this site's configuration.
    fn server_pid(&self) -> Option<u32> {
        let wanted = self.options.dir.join("nats.conf");
        let pids = std::fs::read_dir("/proc").ok()?;
        let mut pids = pids.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        pids.find(|pid| {
            let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            arguments
                .split(|byte| *byte == 0)
                .any(|each| each == wanted.as_os_str().as_encoded_bytes())
        })
    }
}

/// A server under its watch.
struct Running {
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl Running {
    fn of(server: Server) -> Running {
        let stop = CancellationToken::new();
        Running {
            task: tokio::spawn(
                server.run(tokio::sync::watch::Sender::new(0).subscribe(), stop.clone()),
            ),
            stop,
        }
    }

    async fn stop(self) -> Result<()> {
        self.stop.cancel();
        Ok(tokio::time::timeout(DEADLINE, self.task).await???)
    }
}
