//! The HTTPS port: serves the agent's binary to workers whose image does not have it.
//!
//! The binary is no secret; its integrity comes from the SHA-256 in the user-data, and the
//! connection's from the cluster's own CA.

use crate::keys::Keys;
use anyhow::Context;
use axum::Router;
use axum::body::Bytes;
use axum::routing::get;
use muster_protocol::id::Hash;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The path of the agent's binary.
pub const AGENT_PATH: &str = "/muster-agent";
/// Connections at once; the next ones wait.
const CONNECTIONS_MAX: usize = 128;
/// How long a connection may last.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);

/// A port that listens, and what it serves.
#[derive(Debug)]
pub struct Https {
    listener: TcpListener,
    acceptor: Acceptor,
    binary: Bytes,
    /// The SHA-256 of what it serves.
    pub sha256: Hash,
}

struct Acceptor(TlsAcceptor);

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str("Acceptor")
    }
}

impl Https {
    /// Listens, with the server certificate of `muster init`.
    ///
    /// # Errors
    /// When the port is taken, or a file cannot be read.
    pub async fn bind(listen: SocketAddr, keys: &Keys, binary: &Path) -> anyhow::Result<Https> {
        let bytes = tokio::fs::read(binary).await;
        let bytes =
            bytes.with_context(|| format!("reading the agent's binary {}", binary.display()))?;
        let listener = TcpListener::bind(listen).await;
        let listener = listener.with_context(|| {
            format!("listening on {listen}; set another address at agent.listen")
        })?;
        let acceptor = Acceptor(acceptor(keys)?);
        Ok(Https { listener, acceptor, sha256: Hash::of(&bytes), binary: bytes.into() })
    }

    /// The port that it listens on.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn port(&self) -> std::io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// Serves until it is cancelled, with the certificate that the keys' directory has then.
    pub async fn run(mut self, keys: Arc<Keys>, cancel: CancellationToken) {
        let mut changes = keys.changes();
        let binary = self.binary;
        let router = Router::new().route(AGENT_PATH, get(async move || binary));
        let (room, tasks) = (Arc::new(Semaphore::new(CONNECTIONS_MAX)), TaskTracker::new());
        loop {
            let permit = Arc::clone(&room).acquire_owned().await;
            let Ok(permit) = permit else { return };
            let stream = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Ok(()) = changes.changed() => {
                    match acceptor(&keys) {
                        Ok(acceptor) => self.acceptor = Acceptor(acceptor),
                        Err(error) => {
                            tracing::error!(
                                error = format!("{error:#}"),
                                "the HTTPS port keeps its old certificate"
                            );
                        }
                    }
                    continue;
                }
                () = cancel.cancelled() => break,
            };
            let Ok((stream, peer)) = stream else { continue };
            let (acceptor, router) = (self.acceptor.0.clone(), router.clone());
            tasks.spawn(async move {
                let served =
                    tokio::time::timeout(CONNECTION_TIMEOUT, serve(acceptor, router, stream));
                if let Ok(Err(error)) = served.await {
                    tracing::debug!(%peer, %error, "a connection to the HTTPS port failed");
                }
                drop(permit);
            });
        }
        tasks.close();
    }
}

async fn serve(acceptor: TlsAcceptor, router: Router, stream: TcpStream) -> anyhow::Result<()> {
    let stream = hyper_util::rt::TokioIo::new(acceptor.accept(stream).await?);
    let service = hyper_util::service::TowerToHyperService::new(router);
    hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await?;
    Ok(())
}

fn acceptor(keys: &Keys) -> anyhow::Result<TlsAcceptor> {
    let files = keys.tls_files();
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("reading {}", files.certificate.display()))?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .with_context(|| format!("reading {}", files.key.display()))?;
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
