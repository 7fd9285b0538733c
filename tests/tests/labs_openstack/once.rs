//! Launching once: what a create whose answer was lost has left is found by its agent id.

use crate::lab::{Lab, says, until};
use muster_controller::provider::openstack::OpenStack;
use muster_controller::provider::{ErrorKind, Provider, Server};

const AGENT: &str = "c-1-aaaaaaaaaaaa";

/// Looks, with patience, and never asks again.
async fn found(provider: &OpenStack) -> Server {
    until("the server to be seen", async || {
        let listed = provider.list().await.unwrap();
        listed.into_iter().find(|server| server.agent_id.as_str() == AGENT)
    })
    .await
}

#[tokio::test]
async fn a_504_after_landing_leaves_one_server_that_is_found() {
    let lab = Lab::alone().await;
    for code in [502, 503, 504] {
        let gateway = lab.gateway("POST", code, 1, "after");
        let (provider, _file) = lab.provider_behind(&gateway, "");
        let error = provider.create(lab.spec(AGENT)).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Transient && error.outcome_unknown(), "{error}");
        says(&error, &[&format!("creating c-1: the cloud answered {code} ({code} gateway)")]);
        let server = found(&provider).await;
        assert_eq!((server.agent_id.as_str(), lab.servers().await), (AGENT, 1));
        lab.clear(&provider).await;
    }
}

#[tokio::test]
async fn a_create_that_timed_out_on_our_side_is_found() {
    let lab = Lab::alone().await;
    let gateway = lab.gateway("POST", 504, 1, "silent");
    let (provider, _file) = lab.provider_behind(&gateway, "request_secs: 8");
    let error = provider.create(lab.spec(AGENT)).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Transient && error.outcome_unknown(), "{error}");
    says(&error, &["creating c-1: no answer within 8s; "]);
    let patient = lab.provider("");
    found(&patient).await;
    assert_eq!(lab.servers().await, 1);
    lab.clear(&patient).await;
}

#[tokio::test]
async fn a_create_that_hangs_in_nova_lands_late() {
    let lab = Lab::alone().await;
    let (patient, provider) = (lab.provider(""), lab.provider("request_secs: 30"));
    provider.image_id("tiny").await.unwrap();
    // Flavor and network are looked up by a first server.
    let made = provider.create(lab.spec("c-2-aaaaaaaaaaaa")).await;
    made.unwrap();
    lab.clear(&patient).await;
    let outage = lab.frozen("mariadb");
    let error = provider.create(lab.spec(AGENT)).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Transient && error.outcome_unknown(), "{error}");
    drop(outage);
    found(&patient).await;
    assert_eq!(lab.servers().await, 1);
    lab.clear(&patient).await;
}

#[tokio::test]
async fn a_name_twice_is_two_servers_and_the_older_one_is_told() {
    let lab = Lab::alone().await;
    let provider = lab.provider("");
    let first = provider.create(lab.spec(AGENT)).await.unwrap();
    let first = lab.active(&provider, &first.id).await;
    let second = provider.create(lab.spec(AGENT)).await.unwrap();
    let second = lab.active(&provider, &second.id).await;
    assert_eq!((&first.name, &first.agent_id), (&second.name, &second.agent_id));
    assert!(first.id != second.id && first.created_at < second.created_at);
    assert_eq!((provider.list().await.unwrap().len(), lab.servers().await), (2, 2));
    lab.clear(&provider).await;
}
