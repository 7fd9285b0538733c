//! What a NATS server says of itself: its ports file, and the INFO line that opens a connection.

use serde::Deserialize;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;

/// A healthy server sends its INFO at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
const INFO_BYTES_MAX: u64 = 64 << 10;

#[derive(Deserialize)]
struct Ports {
    nats: Vec<String>,
}

/// The port in a ports file; nothing while it is half written.
pub(super) fn port(file: &[u8]) -> Option<u16> {
    let ports: Ports = serde_json::from_slice(file).ok()?;
    ports.nats.first()?.rsplit_once(':')?.1.parse().ok()
}

#[derive(Deserialize)]
struct Info {
    version: String,
    tls_required: bool,
}

/// The version of the server that answers there and wants TLS.
pub(super) async fn version_at(address: &SocketAddr) -> Option<String> {
    let read = async {
        let stream = TcpStream::connect(address).await.ok()?;
        let mut line = String::new();
        BufReader::new(stream.take(INFO_BYTES_MAX)).read_line(&mut line).await.ok()?;
        info(&line)
    };
    tokio::time::timeout(ANSWER_TIMEOUT, read).await.ok()?
}

fn info(line: &str) -> Option<String> {
    let info: Info = serde_json::from_str(line.strip_prefix("INFO ")?.trim()).ok()?;
    info.tls_required.then_some(info.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_a_whole_file_only() {
        assert_eq!(port(br#"{"nats":["tls://127.0.0.1:34567"]}"#), Some(34567));
        assert_eq!(port(br#"{"nats":["tls://[::1]:1"]}"#), Some(1));
        for text in [&b""[..], br#"{"nats":["#, br#"{"nats":[]}"#, br#"{"nats":["x"]}"#] {
            assert_eq!(port(text), None);
        }
    }

    #[test]
    fn a_server_without_tls_is_not_ours() {
        let line = r#"INFO {"server_id":"N","version":"2.15.1","tls_required":true} "#;
        assert_eq!(info(line).as_deref(), Some("2.15.1"));
        assert_eq!(info(&line.replace("true", "false")), None);
        assert_eq!(info("HTTP/1.1 400 Bad Request"), None);
    }
}
