//! The Graphite sink against a real carbon-cache, read back from its whisper files.

#![allow(clippy::unwrap_used, reason = "what fails in a test shall end it, in its helpers too")]

use muster_protocol::id::{Token, UnixMillis, random};
use muster_protocol::stats::{Batch, Frame, Kind, Metric, Row, Schema};
use muster_reactors::sink::Sink;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpStream;

const STEP_SECS: i64 = 10;
const DEADLINE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);

/// A carbon-cache of its own: folders, configuration, port.
struct Carbon {
    home: TempDir,
    port: u16,
    process: Child,
}

impl Drop for Carbon {
    fn drop(&mut self) {
        let killed = self.process.kill().and_then(|()| self.process.wait());
        assert!(killed.is_ok(), "carbon-cache cannot be stopped: {killed:?}");
    }
}

impl Carbon {
    async fn start() -> Carbon {
        let home = tempfile::tempdir().unwrap();
        let port = free_port();
        write_configuration(home.path(), port);
        let process = spawn(home.path());
        let mut carbon = Carbon { home, port, process };
        carbon.listening().await;
        carbon
    }

    async fn restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        fs::remove_file(self.home.path().join("carbon.pid")).unwrap();
        self.process = spawn(self.home.path());
        self.listening().await;
    }

    async fn listening(&mut self) {
        let port = self.port;
        poll("carbon-cache to listen", async || {
            assert!(
                self.process.try_wait().unwrap().is_none(),
                "carbon-cache ended; is it broken?"
            );
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()
        })
        .await;
    }

    fn sink(&self, rest: &str) -> Sink {
        let port = self.port;
        let text = format!("{{kind: graphite, name: c, address: '127.0.0.1:{port}'{rest}}}");
        Sink::new(serde_saphyr::from_str(&text).unwrap())
    }

    /// The value that whisper holds at a time.
    fn stored(&self, path: &str, time: UnixMillis) -> Option<f64> {
        let file = self.home.path().join("whisper").join(path.replace('.', "/") + ".wsp");
        let (from, until) = (time.seconds() - 1, time.seconds());
        let output = Command::new("whisper-fetch")
            .args(["--json", &format!("--from={from}"), &format!("--until={until}")])
            .arg(file)
            .output()
            .expect("whisper-fetch comes with carbon-cache's whisper");
        let fetched: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        assert_eq!(fetched["step"], STEP_SECS);
        let values = fetched["values"].as_array()?;
        values.iter().find_map(serde_json::Value::as_f64)
    }

    async fn holds(&self, path: &str, time: UnixMillis, expected: f64) {
        let stored = poll(path, async || self.stored(path, time)).await;
        assert!((stored - expected).abs() < 1e-9, "{path}: {stored}, not {expected}");
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn write_configuration(home: &Path, port: u16) {
    let folder = home.display();
    let carbon = format!(
        "[cache]\nSTORAGE_DIR = {folder}\nLOCAL_DATA_DIR = {folder}/whisper/\nCONF_DIR = {folder}\n\
         LOG_DIR = {folder}/log\nPID_DIR = {folder}\nWHITELISTS_DIR = {folder}/lists\nUSER =\n\
         LINE_RECEIVER_INTERFACE = 127.0.0.1\nLINE_RECEIVER_PORT = {port}\n\
         PICKLE_RECEIVER_PORT = 0\nENABLE_UDP_LISTENER = False\n\
         CACHE_QUERY_INTERFACE = 127.0.0.1\nCACHE_QUERY_PORT = 0\n\
         MAX_CREATES_PER_MINUTE = inf\nMAX_UPDATES_PER_SECOND = inf\n"
    );
    fs::create_dir(home.join("log")).unwrap();
    fs::write(home.join("carbon.conf"), carbon).unwrap();
    let schemas = format!("[all]\npattern = .*\nretentions = {STEP_SECS}s:1h\n");
    fs::write(home.join("storage-schemas.conf"), schemas).unwrap();
}

fn spawn(home: &Path) -> Child {
    let option = |name: &str, file: &str| format!("--{name}={}", home.join(file).display());
    let log = fs::File::create(home.join("output")).unwrap();
    Command::new("carbon-cache")
        .args([option("config", "carbon.conf"), option("pidfile", "carbon.pid")])
        .args([option("logdir", "log"), "--nodaemon".into(), "start".into()])
        .current_dir(home)
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .stdin(Stdio::null())
        .spawn()
        .expect("carbon-cache is missing: run `make test-labs`, or install graphite-carbon")
}

/// Asks again and again until there is an answer.
async fn poll<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let mut ticks = tokio::time::interval(POLL);
    let asking = async {
        loop {
            ticks.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(DEADLINE, asking).await;
    answer.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// Some slots ago, at the beginning of a slot.
fn slot(ago: i64) -> UnixMillis {
    let seconds = UnixMillis::now().seconds();
    UnixMillis((seconds - seconds % STEP_SECS - ago * STEP_SECS) * 1000)
}

fn batch(rows: &[(UnixMillis, [f64; 5])]) -> Batch {
    let metric = |(name, kind)| Metric::new(name, "", kind);
    let metrics = [
        ("load.1m", Kind::Gauge),
        ("cpu.0.irq", Kind::Counter),
        ("disk.vda.read_bytes", Kind::Counter),
        ("network.eth0.100.tx_bytes", Kind::Counter),
        ("filesystem./var/lib.bytes_free", Kind::Gauge),
    ];
    let schema = Arc::new(Schema::new(metrics.map(metric).into()).unwrap());
    let row = |&(time, values): &(UnixMillis, [f64; 5])| Row { time, values: values.into() };
    let rows: Vec<Row> = rows.iter().map(row).collect();
    let frame = Frame::pack(&schema, &Token::random(random()), 0, &rows).unwrap();
    Batch::new(&"compute-0007-abcdefghijkm".parse().unwrap(), schema, &frame).unwrap()
}

#[tokio::test]
async fn carbon_stores_what_was_sent_under_both_kinds_of_paths() {
    let carbon = Carbon::start().await;
    let (first, second) = (slot(3), slot(2));
    let batch = batch(&[
        (first, [0.25, 7.0, 1024.0, 12_345_678_901.0, f64::NAN]),
        (second, [1.5, 8.0, 2048.0, 12_345_678_902.0, 4096.0]),
    ]);
    for rest in [", prefix: muster.", ", original_paths: true"] {
        let mut sink = carbon.sink(rest);
        sink.write(std::slice::from_ref(&batch), first).await.unwrap();
    }
    for (path, time, expected) in [
        ("muster.compute-0007.load.1m", first, 0.25),
        ("muster.compute-0007.load.1m", second, 1.5),
        ("muster.compute-0007.network.eth0_100.tx_bytes", second, 12_345_678_902.0),
        ("muster.compute-0007.filesystem._var_lib.bytes_free", second, 4096.0),
        ("compute-0007.load.1m", second, 1.5),
        ("compute-0007.cpu.0.interrupt", first, 7.0),
        ("compute-0007.disk.vda.disk_octets.read", second, 4.0),
        ("compute-0007.interface.eth0_100.if_octets.tx", first, 12_345_678_901.0),
    ] {
        carbon.holds(path, time, expected).await;
    }
    let absent = carbon.stored("muster.compute-0007.filesystem._var_lib.bytes_free", first);
    assert_eq!(absent, None);
}

#[tokio::test]
async fn a_carbon_that_restarts_gets_the_next_batch() {
    let mut carbon = Carbon::start().await;
    let mut sink = carbon.sink("");
    let (first, second) = (slot(3), slot(2));
    let write = |time, load| batch(&[(time, [load, 0.0, 0.0, 0.0, 0.0])]);
    sink.write(&[write(first, 1.0)], first).await.unwrap();
    carbon.holds("compute-0007.load.1m", first, 1.0).await;
    carbon.restart().await;
    sink.write(&[write(second, 2.0)], second).await.unwrap();
    carbon.holds("compute-0007.load.1m", second, 2.0).await;
    carbon.holds("compute-0007.load.1m", first, 1.0).await;
}
