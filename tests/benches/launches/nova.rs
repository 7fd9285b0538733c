//! What stands for Keystone, Glance and Nova: it knows when each server was asked for, and holds
//! the answers back as long as it is told to. A path begins with the name of one of its clouds.

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use muster_tests::figures::since_midnight;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

const FLAVOR: &str = "m1.tiny";
const IMAGE: &str = "rocky-9";

/// The stand-in; its clones are the same one.
#[derive(Clone)]
pub(crate) struct Nova {
    state: Arc<Mutex<Clouds>>,
    address: SocketAddr,
    /// Whether answers to a `POST` of a server are held back.
    hold: Arc<watch::Sender<bool>>,
    /// How many are held back.
    open: Arc<watch::Sender<usize>>,
}

#[derive(Default)]
struct Clouds {
    /// When each agent's server was asked for, after midnight.
    asked: BTreeMap<String, Duration>,
    servers: BTreeMap<String, Vec<Value>>,
    listings: usize,
}

impl Nova {
    /// Listens, for as long as the runtime lives.
    pub(crate) async fn start() -> Result<Nova> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let nova = Nova {
            state: Arc::default(),
            address: listener.local_addr()?,
            hold: Arc::new(watch::Sender::new(false)),
            open: Arc::new(watch::Sender::new(0)),
        };
        let router = Router::new()
            .route("/{cloud}/v3", get(root))
            .route("/{cloud}/v3/auth/tokens", post(login))
            .route("/{cloud}/v2/images", get(images))
            .route("/{cloud}/v2.1/flavors", get(flavors))
            .route("/{cloud}/v2.1/servers", post(create))
            .route("/{cloud}/v2.1/servers/detail", get(list))
            .with_state(nova.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(nova)
    }

    /// A clouds.yaml of so many clouds: `c1`, `c2` and so on.
    pub(crate) fn clouds_file(&self, count: usize) -> String {
        let one = |number: usize| {
            format!(
                "  c{number}:\n    auth: {{auth_url: 'http://{}/c{number}/v3', username: u, \
                 password: p, project_name: p, user_domain_name: Default, \
                 project_domain_name: Default}}\n",
                self.address
            )
        };
        format!("clouds:\n{}", (1..=count).map(one).collect::<String>())
    }

    /// Holds answers back from now on, or gives them.
    pub(crate) fn hold(&self, hold: bool) {
        self.hold.send_replace(hold);
    }

    /// Waits until so many answers are held back at once.
    pub(crate) async fn until_open(&self, count: usize, patience: Duration) -> Result<()> {
        let mut open = self.open.subscribe();
        tokio::time::timeout(patience, open.wait_for(|open| *open >= count)).await??;
        Ok(())
    }

    /// When each agent's server was asked for, after midnight.
    pub(crate) fn asked(&self) -> BTreeMap<String, Duration> {
        self.lock().asked.clone()
    }

    /// How often servers were listed.
    pub(crate) fn listings(&self) -> usize {
        self.lock().listings
    }

    fn lock(&self) -> MutexGuard<'_, Clouds> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

async fn root() -> Response {
    answer(StatusCode::OK, &json!({"version": {"id": "v3.14", "status": "stable", "links": []}}))
}

async fn login(State(nova): State<Nova>, Path(cloud): Path<String>) -> Response {
    let service = |kind: &str, version: &str| {
        let url = format!("http://{}/{cloud}/{version}", nova.address);
        json!({"type": kind, "endpoints": [{"interface": "public", "region": "R", "url": url}]})
    };
    let token = json!({"token": {
        "expires_at": "2099-01-01T00:00:00.000000Z",
        "catalog": [service("compute", "v2.1"), service("image", "v2")],
    }});
    let mut response = answer(StatusCode::CREATED, &token);
    let name = axum::http::HeaderName::from_static("x-subject-token");
    response.headers_mut().insert(name, axum::http::HeaderValue::from_static("token"));
    response
}

async fn images() -> Response {
    let image = json!({"id": "11111111-1111-1111-1111-111111111111", "name": IMAGE});
    answer(StatusCode::OK, &json!({ "images": [image] }))
}

async fn flavors() -> Response {
    answer(StatusCode::OK, &json!({"flavors": [{"id": "1", "name": FLAVOR}]}))
}

async fn create(State(nova): State<Nova>, Path(cloud): Path<String>, body: Bytes) -> Response {
    let at = since_midnight();
    let Ok(asked) = serde_json::from_slice::<Value>(&body) else {
        return answer(StatusCode::BAD_REQUEST, &json!({}));
    };
    let metadata = asked["server"]["metadata"].clone();
    let agent = metadata["muster_agent_id"].as_str().unwrap_or_default().to_owned();
    let id = {
        let mut clouds = nova.lock();
        let number = clouds.asked.len();
        clouds.asked.insert(agent, at);
        let id = format!("22222222-2222-2222-2222-{number:012}");
        let server = json!({
            "id": id, "status": "ACTIVE", "created": "2026-01-01T00:00:00Z",
            "metadata": metadata, "addresses": {"net": [{"addr": "10.0.0.7", "version": 4}]},
        });
        clouds.servers.entry(cloud).or_default().push(server);
        id
    };
    nova.open.send_modify(|open| *open += 1);
    // Its sender lives as long as the stand-in.
    nova.hold.subscribe().wait_for(|hold| !hold).await.ok();
    nova.open.send_modify(|open| *open -= 1);
    answer(StatusCode::ACCEPTED, &json!({"server": {"id": id}}))
}

/// All on one page.
async fn list(State(nova): State<Nova>, Path(cloud): Path<String>) -> Response {
    let mut clouds = nova.lock();
    clouds.listings += 1;
    let servers = clouds.servers.get(&cloud).cloned().unwrap_or_default();
    answer(StatusCode::OK, &json!({ "servers": servers }))
}
