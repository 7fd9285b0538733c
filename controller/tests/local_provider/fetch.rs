//! `agent.install: url`: the agent comes over HTTPS, and only the right one is run.

use super::machine::{Machine, isolations, settled, spec};
use muster_controller::provider::{Provider, Secret, Status};
use muster_controller::user_data::{AgentSettings, Install, UserData, render};
use muster_protocol::id::Hash;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// What is served in the agent's place.
const AGENT: &str = "#!/bin/sh\necho \"the agent: $*\"\n";

struct Served {
    url: String,
    ca: String,
}

/// Serves the agent at any path, for as long as the test runs.
async fn serve() -> Served {
    let names = vec!["127.0.0.1".to_owned()];
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/agent", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust us breaks the handshake off.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let length = AGENT.len();
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            let mut request = [0; 4096];
            if stream.read(&mut request).await.is_ok() {
                stream.write_all(head.as_bytes()).await.ok();
                stream.write_all(AGENT.as_bytes()).await.ok();
                stream.shutdown().await.ok();
            }
        }
    });
    Served { url, ca: cert.pem() }
}

fn user_data(url: &str, ca: &str, sha256: Hash) -> String {
    let data = UserData {
        agent_id: "worker-1-aaaaaaaaaaaa".parse().unwrap(),
        cluster: "home".parse().unwrap(),
        servers: vec!["tls://127.0.0.1:4222".to_owned()],
        ca: ca.to_owned(),
        root_public_key: "O".to_owned(),
        jwt: Secret::new("a.b.c"),
        seed: Secret::new("SU"),
        install: Install::Url { url: url.to_owned(), sha256 },
        agent: AgentSettings::default(),
    };
    render(&data).unwrap()
}

#[tokio::test]
async fn the_agent_is_fetched_and_run_if_it_is_the_right_one() {
    let served = serve().await;
    let other =
        rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap().cert.pem();
    let right = || Hash::of(AGENT.as_bytes());
    for isolation in isolations().await {
        let machine = Machine::new(isolation);
        let local = machine.open();
        let outcome = async |ca: &str, sha256: Hash| {
            let text = user_data(&served.url, ca, sha256);
            let made = local.create(spec(&text)).await.unwrap();
            let server = settled(&local, &made.id).await;
            let output = machine.output(&server);
            local.delete(&made.id).await.unwrap();
            (server.status, output)
        };
        let (status, output) = outcome(&served.ca, right()).await;
        assert_eq!(status, Status::Active, "{isolation:?}: {output}");
        assert_eq!(output, "the agent: up --config /etc/muster/bootstrap.yaml\n");

        let (status, output) = outcome(&served.ca, Hash::of(b"another")).await;
        assert!(matches!(status, Status::Error(_)), "{isolation:?}: {status:?}");
        assert!(output.contains("FAILED") && !output.contains("the agent:"), "{output}");

        let (status, output) = outcome(&other, right()).await;
        assert!(matches!(status, Status::Error(_)), "{isolation:?}: {status:?}");
        assert!(output.contains("certificate") && !output.contains("the agent:"), "{output}");
    }
}
