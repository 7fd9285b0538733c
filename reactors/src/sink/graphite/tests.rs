//! The lines, and the sender against a listener on this host.

use super::*;
use crate::sink::tests::batch;
use muster_protocol::stats::Kind::{Counter, Gauge};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;

fn lines(batch: &Batch, original_paths: bool) -> Vec<String> {
    let mut bytes = Vec::new();
    Encoder::new("m.".into(), original_paths).encode(batch, &mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_line_has_path_value_and_seconds() {
    let metrics = [("load.1m", Gauge), ("filesystem./var/lib.bytes_free", Gauge)];
    let batch = batch(1, &metrics, &[&[0.25, 4096.0], &[f64::NAN, 0.0]]);
    assert_eq!(
        lines(&batch, false),
        [
            "m.compute-0007.load.1m 0.25 1763600010",
            "m.compute-0007.filesystem._var_lib.bytes_free 4096 1763600010",
            "m.compute-0007.filesystem._var_lib.bytes_free 0 1763600020",
        ]
    );
}

#[test]
fn original_paths_have_the_original_units_and_nothing_else() {
    let metrics = [
        ("cpu.total.user", Counter),
        ("cpu.3.irq", Counter),
        ("memory.total", Gauge),
        ("memory.free", Gauge),
        ("memory.buffers", Gauge),
        ("memory.cached", Gauge),
        ("memory.slab", Gauge),
        ("network.eth0.100.rx_dropped", Counter),
        ("disk.sda.write_bytes", Counter),
        ("filesystem./.bytes_free", Gauge),
    ];
    let row = [9.0, 5.0, 102_400.0, 10_240.0, 1024.0, 2048.0, 9.0, 6.0, 5120.0, 9.0];
    let expected = [
        "m.compute-0007.cpu.3.interrupt 5 1763600000",
        "m.compute-0007.memory.total 100 1763600000",
        "m.compute-0007.memory.free 10 1763600000",
        "m.compute-0007.memory.buffered 1 1763600000",
        "m.compute-0007.memory.cached 2 1763600000",
        "m.compute-0007.interface.eth0_100.if_dropped.rx 6 1763600000",
        "m.compute-0007.disk.sda.disk_octets.write 10 1763600000",
        "m.compute-0007.memory.used 87 1763600000",
    ];
    assert_eq!(lines(&batch(0, &metrics, &[&row]), true), expected);
}

async fn listener() -> (TcpListener, Graphite) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let text = format!("{{name: carbon, address: '{address}', timeout_secs: 2}}");
    let config: Config = serde_saphyr::from_str(&text).unwrap();
    (listener, Graphite::new(config))
}

async fn next_line(from: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    from.read_line(&mut line).await.unwrap();
    line
}

use tokio::net::TcpStream;

#[tokio::test]
async fn one_connection_serves_many_batches() {
    let (listener, mut graphite) = listener().await;
    for seq in 0..3 {
        graphite.write(&[batch(seq, &[("load.1m", Gauge)], &[&[0.5]])]).await.unwrap();
    }
    let (stream, _) = listener.accept().await.unwrap();
    let mut reader = BufReader::new(stream);
    for seq in 0..3 {
        let expected = format!("compute-0007.load.1m 0.5 {}\n", 1_763_600_000 + seq * 10);
        assert_eq!(next_line(&mut reader).await, expected);
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_is_made_anew_and_loses_no_line() {
    let (listener, mut graphite) = listener().await;
    let write = batch(0, &[("load.1m", Gauge)], &[&[0.5]]);
    graphite.write(std::slice::from_ref(&write)).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let mut reader = BufReader::new(stream);
    next_line(&mut reader).await;
    drop(reader);
    // The close crosses the loopback at once, but the runtime must see it.
    let (sent, accepted) = tokio::join!(
        async {
            tokio::task::yield_now().await;
            graphite.write(&[write]).await
        },
        listener.accept()
    );
    sent.unwrap();
    assert!(next_line(&mut BufReader::new(accepted.unwrap().0)).await.contains("load.1m"));
}

#[tokio::test]
async fn nobody_listening_is_an_error_to_try_again() {
    let (listener, mut graphite) = listener().await;
    drop(listener);
    let error = graphite.write(&[batch(0, &[("a.b", Gauge)], &[&[1.0]])]).await.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }) && error.is_retryable(), "{error}");
}
