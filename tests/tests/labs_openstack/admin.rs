//! An administrator of the lab's cloud, who sees what is really there, and what others may do.

use crate::lab::LIMIT;
use muster_controller::provider::ServerId;
use muster_protocol::id::ClusterName;
use reqwest::{Client, Method};
use serde_json::{Value, json};

pub(crate) const KEYSTONE: &str = "http://127.0.0.1:25000/v3";
pub(crate) const NOVA: &str = "http://127.0.0.1:28774/v2.1";
pub(crate) const GLANCE: &str = "http://127.0.0.1:29292/v2";
pub(crate) const NEUTRON: &str = "http://127.0.0.1:29696/v2.0";

/// The administrator, with one test's cluster in view.
#[derive(Clone)]
pub(crate) struct Admin {
    pub(crate) cluster: ClusterName,
    pub(crate) client: Client,
    pub(crate) project: String,
    pub(crate) token: String,
}

impl Admin {
    pub(crate) async fn login(cluster: ClusterName) -> Admin {
        // A connection that was idle may be closed by the cloud as it is used again.
        let client = Client::builder().timeout(LIMIT).pool_max_idle_per_host(0).build().unwrap();
        let (token, project) = login(&client, "admin", "adminpw", "ci").await;
        Admin { cluster, client, project, token }
    }

    /// What an administrator may ask of any service; JSON, or nothing.
    pub(crate) async fn admin(&self, method: Method, url: &str, body: Value) -> Value {
        let request = self
            .client
            .request(method, url)
            .header("X-Auth-Token", &self.token)
            .header("OpenStack-API-Version", "compute 2.57");
        let request = match body {
            // Keystone refuses a body that is no object.
            Value::Null => request,
            body => request.header("Content-Type", "application/json").body(body.to_string()),
        };
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{url}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    pub(crate) async fn admin_get(&self, url: &str) -> Value {
        self.admin(Method::GET, url, Value::Null).await
    }

    /// A server as the administrator sees it.
    pub(crate) async fn raw(&self, id: &ServerId) -> Value {
        self.admin_get(&format!("{NOVA}/servers/{id}")).await["server"].take()
    }

    /// Does something to a server behind the controller's back.
    pub(crate) async fn act(&self, id: &ServerId, action: Value) {
        self.admin(Method::POST, &format!("{NOVA}/servers/{id}/action"), action).await;
    }

    pub(crate) async fn remove(&self, id: &ServerId) {
        self.admin(Method::DELETE, &format!("{NOVA}/servers/{id}"), Value::Null).await;
    }

    /// How many servers the cloud has of this test's cluster.
    pub(crate) async fn servers(&self) -> usize {
        self.all_servers().await.len()
    }

    async fn ids(&self) -> Vec<ServerId> {
        let id = |server: &Value| ServerId::new(server["id"].as_str().unwrap());
        self.all_servers().await.iter().map(id).collect()
    }

    /// The servers of this test's cluster as the administrator sees them: by their metadata,
    /// whatever their tags; one that is being deleted counts until it is gone.
    pub(crate) async fn all_servers(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let mut marker = String::new();
        loop {
            let url = format!("{NOVA}/servers/detail?limit=20{marker}");
            let page = self.admin_get(&url).await;
            let servers = page["servers"].as_array().unwrap();
            let own = |server: &&Value| {
                server["metadata"]["muster_cluster"].as_str() == Some(self.cluster.as_str())
            };
            all.extend(servers.iter().filter(own).cloned());
            match servers.last() {
                Some(last) => marker = format!("&marker={}", last["id"].as_str().unwrap()),
                None => return all,
            }
        }
    }

    /// Removes what is left of the test's cluster.
    pub(crate) async fn remove_all(&self) {
        for id in self.ids().await {
            self.remove(&id).await;
        }
        let found = self.admin_get(&format!("{GLANCE}/images?tag={}", self.cluster)).await;
        for image in found["images"].as_array().unwrap() {
            self.drop_image(image["id"].as_str().unwrap()).await;
        }
    }

    pub(crate) async fn set_quota(&self, instances: u32) {
        let url = format!("{NOVA}/os-quota-sets/{}", self.project);
        let set = json!({"quota_set": {"instances": instances, "force": true}});
        self.admin(Method::PUT, &url, set).await;
    }

    /// A new password, the same as the old one: every token of the user is void from now on.
    pub(crate) async fn revoke_tokens(&self) {
        let found = self.admin_get(&format!("{KEYSTONE}/users?name=ctl")).await;
        let user = found["users"][0]["id"].as_str().unwrap();
        let set = json!({"user": {"password": "ctlpw"}});
        self.admin(Method::PATCH, &format!("{KEYSTONE}/users/{user}"), set).await;
    }

    /// An image of a few bytes, newer than all others.
    pub(crate) async fn image(&self, name: &str, tag: &str) -> String {
        let made = json!({"name": name, "disk_format": "raw", "container_format": "bare",
                          "visibility": "public", "tags": [tag, self.cluster]});
        let image = self.admin(Method::POST, &format!("{GLANCE}/images"), made).await;
        let id = image["id"].as_str().unwrap().to_owned();
        let put = self.client.put(format!("{GLANCE}/images/{id}/file"));
        let put = put.header("X-Auth-Token", &self.token);
        let put = put.header("Content-Type", "application/octet-stream").body("disk");
        assert!(put.send().await.unwrap().status().is_success());
        id
    }

    pub(crate) async fn drop_image(&self, id: &str) {
        self.admin(Method::DELETE, &format!("{GLANCE}/images/{id}"), Value::Null).await;
    }
}

async fn login(client: &Client, user: &str, password: &str, project: &str) -> (String, String) {
    let domain = json!({"name": "Default"});
    let body = json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": user, "password": password, "domain": domain}}},
        "scope": {"project": {"name": project, "domain": domain}}}});
    let request = client.post(format!("{KEYSTONE}/auth/tokens"));
    let request = request.header("Content-Type", "application/json").body(body.to_string());
    let answer = request.send().await.unwrap();
    let token = answer.headers()["x-subject-token"].to_str().unwrap().to_owned();
    let text: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    (token, text["token"]["project"]["id"].as_str().unwrap().to_owned())
}
