//! Hooks on real programs and real servers; what they tell is kept in memory.

use super::*;
use crate::lifecycle::tests::pending;
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use futures_util::future::BoxFuture;
use muster_protocol::bus;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const LIMIT: Duration = Duration::from_secs(30);

/// Keeps what it is told.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<(String, Event)>>);

impl Teller for Told {
    fn tell(&self, subject: String, event: Event) -> BoxFuture<'_, Result<(), bus::Error>> {
        self.0.lock().unwrap().push((subject, event));
        Box::pin(async { Ok(()) })
    }
}

impl Told {
    fn all(&self) -> Vec<(String, serde_json::Value)> {
        let all = self.0.lock().unwrap();
        all.iter().map(|(subject, event)| (subject.clone(), event.data.clone())).collect()
    }
}

fn hooks(text: &str) -> (Hooks, Arc<Told>) {
    let configs: Vec<Config> = serde_saphyr::from_str(text).unwrap();
    let told = Arc::new(Told::default());
    let teller = Arc::<Told>::clone(&told);
    (Hooks::new(configs, "pluto".parse().unwrap(), teller).unwrap(), told)
}

#[tokio::test]
async fn a_point_is_over_when_all_its_hooks_have_ended() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let (hooks, told) = hooks(&format!(
        "- {{on: before_launch, run: [/bin/sh, -c, 'cat >{at}/one']}}\n\
         - {{on: [before_launch, ready], run: [/bin/sh, -c, 'cat >{at}/two']}}\n\
         - {{on: ready, run: [/bin/sh, -c, 'cat >{at}/three']}}\n\
         - {{on: before_launch, pools: [gpu], run: [/bin/sh, -c, 'cat >{at}/four']}}\n"
    ));
    let worker = pending();
    hooks.run(Point::BeforeLaunch, &worker).await;
    let read = |name: &str| fs::read_to_string(dir.path().join(name));
    for name in ["one", "two"] {
        let view: serde_json::Value = serde_json::from_str(&read(name).unwrap()).unwrap();
        assert_eq!(view["point"], "before_launch");
        assert_eq!(view["agent_id"], worker.agent_id.as_str());
    }
    assert!(read("three").is_err() && read("four").is_err());
    fs::remove_file(dir.path().join("one")).unwrap();
    hooks.run(Point::BeforeLaunch, &worker).await;
    assert!(read("one").is_err(), "a launch that is tried again runs them once");
    assert!(told.all().is_empty());
}

#[tokio::test]
async fn a_failure_is_told_and_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (hooks, told) = hooks(&format!(
        "- {{on: before_terminate, run: [/bin/sh, -c, 'echo no room; exit 7']}}\n\
         - {{on: before_terminate, run: [/bin/sh, -c, 'exec sleep 1000'], timeout_secs: 1}}\n\
         - {{on: before_terminate, run: [/bin/sh, -c, '>{}/ran']}}\n",
        dir.path().display()
    ));
    let worker = pending();
    tokio::time::timeout(LIMIT, hooks.run(Point::BeforeTerminate, &worker)).await.unwrap();
    assert!(dir.path().join("ran").exists());
    let told = told.all();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0].0, "muster.event.worker.compute-0001.hook_failed");
    let data = &told[0].1;
    assert_eq!((&data["point"], &data["hook"]), (&"before_terminate".into(), &"/bin/sh".into()));
    assert_eq!((&data["output"], &data["generation"]), (&"no room".into(), &1.into()));
    assert!(data["error"].as_str().unwrap().contains("exit status: 7"));
    assert_eq!(told[1].1["error"], "it was killed after 1 s");
}

/// A server that keeps what is posted to it.
struct Server {
    port: u16,
    got: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    fn router(got: &Arc<Mutex<Vec<(HeaderMap, String)>>>) -> Router {
        let got = Arc::clone(got);
        let hook = async move |headers: HeaderMap, body: String| {
            got.lock().unwrap().push((headers, body));
            StatusCode::NO_CONTENT
        };
        let broken = async || (StatusCode::INTERNAL_SERVER_ERROR, "the ticket queue is down\n");
        let away = async || (StatusCode::FOUND, [("location", "/hook")]);
        Router::new()
            .route("/hook", post(hook))
            .route("/broken", post(broken))
            .route("/away", post(away))
            .route("/slow", post(async || std::future::pending::<()>().await))
    }

    async fn plain() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, got) = (listener.local_addr().unwrap().port(), Arc::default());
        let router = Server::router(&got);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Server { port, got, task }
    }

    /// With a certificate for `localhost` of its own, which is written to a file.
    async fn tls(ca: &Path) -> Server {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(ca, made.cert.pem()).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let key = made.signing_key.serialize_der().try_into().unwrap();
        let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, got) = (listener.local_addr().unwrap().port(), Arc::default());
        let router = Server::router(&got);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let service = hyper_util::service::TowerToHyperService::new(router.clone());
                let stream = hyper_util::rt::TokioIo::new(stream);
                let served = hyper::server::conn::http1::Builder::new();
                served.serve_connection(stream, service).await.unwrap();
            }
        });
        Server { port, got, task }
    }

    fn got(&self) -> Vec<(HeaderMap, String)> {
        self.got.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_webhook_gets_the_worker_and_its_headers() {
    let server = Server::plain().await;
    let (hooks, told) = hooks(&format!(
        "- on: ready\n  webhook: {{url: 'http://127.0.0.1:{}/hook?key=1', headers: {{X-A: b}}}}\n",
        server.port
    ));
    hooks.run(Point::Ready, &pending()).await;
    let got = server.got();
    assert_eq!((got.len(), told.all().len()), (1, 0));
    let (headers, body) = &got[0];
    assert_eq!(headers["x-a"], "b");
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["host"], format!("127.0.0.1:{}", server.port));
    let view: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!((&view["point"], &view["name"]), (&"ready".into(), &"compute-0001".into()));
}

#[tokio::test]
async fn a_webhook_that_does_not_say_yes_has_failed() {
    let server = Server::plain().await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    for (port, path, error, output) in [
        (
            server.port,
            "broken",
            "it answered 500 Internal Server Error",
            "the ticket queue is down",
        ),
        (server.port, "away", "it answered 302 Found", ""),
        (server.port, "nowhere", "it answered 404 Not Found", ""),
        (server.port, "slow", "no answer within 1 s", ""),
        (free, "hook", "connecting to http://127.0.0.1", ""),
    ] {
        let (hooks, told) = hooks(&format!(
            "- {{on: ready, timeout_secs: 1, webhook: {{url: 'http://127.0.0.1:{port}/{path}'}}}}\n"
        ));
        hooks.run(Point::Ready, &pending()).await;
        let told = told.all();
        assert!(told[0].1["error"].as_str().unwrap().starts_with(error), "{told:?}");
        assert_eq!(told[0].1["output"], output);
        assert_eq!(told[0].1["hook"], format!("http://127.0.0.1:{port}"));
    }
}

#[tokio::test]
async fn a_webhook_over_tls_trusts_the_certificates_that_it_is_given_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, other) = (dir.path().join("ca.pem"), dir.path().join("other.pem"));
    let server = Server::tls(&ca).await;
    drop(Server::tls(&other).await);
    let hook = |host: &str, ca: &Path| {
        let (port, ca) = (server.port, ca.display());
        hooks(&format!(
            "- {{on: ready, webhook: {{url: 'https://{host}:{port}/hook', ca: '{ca}'}}}}\n"
        ))
    };
    let (good, told) = hook("localhost", &ca);
    good.run(Point::Ready, &pending()).await;
    assert_eq!((server.got().len(), told.all()), (1, Vec::new()));
    for (host, ca) in [("localhost", &other), ("127.0.0.1", &ca)] {
        let (bad, told) = hook(host, ca);
        bad.run(Point::Ready, &pending()).await;
        let error = told.all()[0].1["error"].as_str().unwrap().to_owned();
        assert!(error.contains("certificate"), "{error}");
    }
    assert_eq!(server.got().len(), 1);
}

#[tokio::test]
async fn a_webhook_whose_certificates_cannot_be_read_is_refused_at_start() {
    let text = "[{on: ready, webhook: {url: 'https://a/', ca: /no/such.pem}}]";
    let configs: Vec<Config> = serde_saphyr::from_str(text).unwrap();
    let refused = Hooks::new(configs, "pluto".parse().unwrap(), Arc::new(Told::default()));
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("https://a") && error.contains("/no/such.pem"), "{error}");
}
