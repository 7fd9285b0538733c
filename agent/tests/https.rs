//! Sources, sums and archives from an https server, whose authority the machine knows or not.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const FILE: &[u8] = b"hello over TLS\n";
const FILE_SHA256: &str = "794188ae40b121c809d662121f8e5bc2eafd66c6f87d7f47e2aaf243395a32e7";

/// A server on loopback that ends with the test.
struct Server {
    port: u16,
    /// The certificate of its authority, PEM.
    authority: String,
}

impl Server {
    fn start() -> Server {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let own = own.signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = Arc::new(config);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that trusts nobody breaks off: that is its own matter.
                drop(answer(stream.unwrap(), &config));
            }
        });
        Server { port, authority }
    }
}

fn answer(stream: TcpStream, config: &Arc<ServerConfig>) -> std::io::Result<()> {
    let tls = ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
    let mut reader = BufReader::new(StreamOwned::new(tls, stream));
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let sums = format!("{FILE_SHA256}  file.txt\n");
    let body = match request.split(' ').nth(1) {
        Some("/file.txt") => Some(FILE),
        Some("/sums") => Some(sums.as_bytes()),
        _ => None,
    };
    let status = if body.is_some() { "200 OK" } else { "404 Not Found" };
    let (body, len) = (body.unwrap_or_default(), body.map_or(0, <[u8]>::len));
    let stream = reader.get_mut();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n")?;
    if !request.starts_with("HEAD") {
        stream.write_all(body)?;
    }
    stream.conn.send_close_notify();
    stream.flush()
}

/// Applies a managed file with the server's file and sums; its return.
fn managed(server: &Server, folder: &Path, authorities: &Path) -> Value {
    let at = format!("https://localhost:{}", server.port);
    let sls = format!(
        "/srv/file.txt:\n  file.managed:\n    - makedirs: true\n    - source: {at}/file.txt\n    \
         - source_hash: {at}/sums\n"
    );
    fs::create_dir_all(folder.join("tree")).unwrap();
    fs::write(folder.join("tree/a.sls"), sls).unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_muster-agent"))
        .args(["apply", "a", "--local", "--out", "json", "--file-root"])
        .arg(folder.join("tree"))
        .env("MUSTER_ROOT", folder.join("machine"))
        .env("SSL_CERT_FILE", authorities)
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
    told["file_|-/srv/file.txt_|-/srv/file.txt_|-managed"].clone()
}

#[test]
fn a_server_is_believed_for_its_authority_alone() {
    let (server, other) = (Server::start(), Server::start());
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("machine")).unwrap();
    let authorities = folder.path().join("authorities.pem");
    let file = folder.path().join("machine/srv/file.txt");

    fs::write(&authorities, &other.authority).unwrap();
    let refused = managed(&server, folder.path(), &authorities);
    assert_eq!(refused["result"], false, "{refused}");
    let comment = refused["comment"].as_str().unwrap();
    assert!(comment.contains("/sums not found: ") && comment.contains("certificate"), "{comment}");
    assert!(!file.exists());

    fs::write(&authorities, &server.authority).unwrap();
    for changed in [true, false] {
        let managed = managed(&server, folder.path(), &authorities);
        assert_eq!(managed["result"], true, "{managed}");
        assert_eq!(!managed["changes"].as_object().unwrap().is_empty(), changed, "{managed}");
    }
    assert_eq!(fs::read(&file).unwrap(), FILE);
}
