//! Every fault of a cloud, provoked on the real one: the error's kind, how many servers there are
//! afterwards, and the sentence that the operator reads.

use crate::admin::{GLANCE, NEUTRON};
use crate::lab::{Lab, NOVA_PORT, says, until};
use muster_controller::provider::openstack::Refusal;
use muster_controller::provider::{Error, ErrorKind, Provider, Status};
use reqwest::Method;
use serde_json::{Value, json};
use std::error::Error as _;
use std::time::Duration;

const AGENT: &str = "c-1-aaaaaaaaaaaa";

/// What the cloud answered, if it was the cloud that refused.
fn refusal(error: &Error) -> &Refusal {
    error.source().unwrap().downcast_ref().unwrap()
}

#[tokio::test]
async fn a_quota_is_told_apart_from_a_missing_right() {
    let lab = Lab::alone().await;
    let provider = lab.provider("");
    lab.set_quota(0).await;
    let error = provider.create(lab.spec(AGENT)).await.unwrap_err();
    lab.set_quota(500).await;
    assert_eq!((error.kind(), refusal(&error).status), (ErrorKind::Quota, 403));
    assert!(refusal(&error).request_id.as_ref().unwrap().starts_with("req-"));
    says(
        &error,
        &[
            "creating c-1: the cloud answered 403 (Quota exceeded for instances: Requested 1, but",
            "request req-",
            "; raise the project's quota, or lower the pool's max",
        ],
    );
    assert!(!error.outcome_unknown() && lab.servers().await == 0);
}

#[tokio::test]
async fn no_room_shows_as_a_server_in_error_that_stays_until_it_is_deleted() {
    let lab = Lab::alone().await;
    let provider = lab.provider("");
    let made = provider.create(lab.spec_of(AGENT, "m1.huge", "tiny")).await.unwrap();
    let text = lab.broken(&provider, &made.id).await;
    assert!(text.starts_with("No valid host was found"), "{text}");
    assert!(text.ends_with("(fault 500)"), "{text}");
    assert_eq!(provider.fault_kind(&text), ErrorKind::Capacity);
    assert_eq!(lab.servers().await, 1);
    lab.clear(&provider).await;
}

#[tokio::test]
async fn placement_that_is_down_looks_like_no_room_and_passes() {
    let lab = Lab::alone().await;
    let provider = lab.provider("");
    let outage = lab.killed("placement");
    let made = provider.create(lab.spec(AGENT)).await.unwrap();
    let text = lab.broken(&provider, &made.id).await;
    assert_eq!(provider.fault_kind(&text), ErrorKind::Capacity, "{text}");
    assert_eq!(lab.servers().await, 1);
    drop(outage);
    lab.clear(&provider).await;
    let made = provider.create(lab.spec(AGENT)).await.unwrap();
    lab.active(&provider, &made.id).await;
    lab.clear(&provider).await;
}

#[tokio::test]
async fn glance_or_neutron_that_is_down_leaves_no_server() {
    let lab = Lab::alone().await;
    for (service, words) in [("glance", "Glance"), ("neutron", "ConnectFailure")] {
        let (known, fresh) = (lab.provider(""), lab.provider(""));
        let made = known.create(lab.spec(AGENT)).await.unwrap();
        lab.active(&known, &made.id).await;
        lab.clear(&known).await;

        let outage = lab.killed(service);
        let error = known.create(lab.spec(AGENT)).await.unwrap_err();
        assert_eq!((error.kind(), refusal(&error).status), (ErrorKind::Transient, 500));
        assert!(error.outcome_unknown());
        says(
            &error,
            &["creating c-1: the cloud answered 500 (", words, "check the cloud's services"],
        );
        // One that has looked nothing up yet does not even come to ask for a server.
        let error = fresh.create(lab.spec(AGENT)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transient);
        assert!(!error.outcome_unknown(), "{error}");
        says(&error, &["creating c-1: ", " is not reached (", "Connection refused"]);
        drop(outage);
        assert_eq!(lab.servers().await, 0);
    }
}

#[tokio::test]
async fn keystone_that_is_down_passes() {
    let lab = Lab::alone().await;
    let (known, fresh) = (lab.provider(""), lab.provider(""));
    known.image_id("tiny").await.unwrap();
    let outage = lab.killed("keystone");
    let error = known.list().await.unwrap_err();
    assert_eq!((error.kind(), refusal(&error).status), (ErrorKind::Transient, 503));
    says(&error, &["listing the servers: the cloud answered 503 (", "check the cloud's services"]);
    assert!(!error.to_string().contains('<'), "{error}");
    let error = fresh.create(lab.spec(AGENT)).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Transient && !error.outcome_unknown(), "{error}");
    says(&error, &["creating c-1: logging in at http://127.0.0.1:25000/v3 ("]);
    drop(outage);
    assert_eq!(lab.servers().await, 0);
    known.list().await.unwrap();
}

#[tokio::test]
async fn nova_that_is_not_reached_was_asked_for_nothing() {
    let lab = Lab::alone().await;
    let provider = lab.provider("");
    let made = provider.create(lab.spec(AGENT)).await.unwrap();
    lab.active(&provider, &made.id).await;
    lab.clear(&provider).await;
    let outage = lab.killed("nova-api");
    // Meanwhile the client sees that its old connection is closed: a request that is sent into it
    // breaks off, and is of unknown outcome.
    until("nova-api to refuse", async || {
        tokio::net::TcpStream::connect(("127.0.0.1", NOVA_PORT)).await.is_err().then_some(())
    })
    .await;
    let error = provider.create(lab.spec(AGENT)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert!(error.is_retryable() && !error.outcome_unknown(), "{error}");
    says(&error, &["creating c-1: compute is not reached (Connection refused"]);
    drop(outage);
    assert_eq!(lab.servers().await, 0);
}

#[tokio::test]
async fn what_a_pool_names_and_the_cloud_lacks_is_gone() {
    let lab = Lab::alone().await;
    let missing = "8d7f3c52-0f0e-4d0b-9d5c-0c5f5d0b2f00";
    for (flavor, image, more, words) in [
        ("m1.none", "tiny", "", "no flavor \"m1.none\""),
        (missing, "tiny", "", "no flavor \"8d7f"),
        ("m1.tiny", "none", "", "no image \"none\""),
        ("m1.tiny", missing, "", "no image \"8d7f"),
        ("m1.tiny", "tag:none", "", "no image \"tag:none\""),
        ("m1.tiny", "tiny", "pools: {conformance: {networks: [none]}}", "no network \"none\""),
        ("m1.tiny", "tiny", "pools: {conformance: {server_group: no}}", "no server group \"no\""),
    ] {
        let error = lab.provider(more).create(lab.spec_of(AGENT, flavor, image)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Gone, "{error}");
        says(&error, &["creating c-1: the cloud shows ", words, "name one that it has, or add it"]);
    }
    // What is not looked up is for Nova to say: with 400, not with 404.
    for (more, words) in [("key: none", "Invalid key_name"), ("security_groups: [none]", "none")] {
        let provider = lab.provider(&format!("pools: {{conformance: {{{more}}}}}"));
        let error = provider.create(lab.spec(AGENT)).await.unwrap_err();
        assert_eq!((error.kind(), refusal(&error).status), (ErrorKind::Gone, 400), "{error}");
        says(&error, &[words, "name one that the project has, or add it"]);
    }
    assert_eq!(lab.servers().await, 0);
}

#[tokio::test]
async fn what_goes_after_it_was_looked_up_is_looked_up_anew() {
    let lab = Lab::alone().await;
    let provider = lab.provider("");
    let image = lab.image("fleeting", "fleeting").await;
    assert_eq!(provider.image_id("fleeting").await.unwrap(), image);
    assert_eq!(provider.image_id("tag:fleeting").await.unwrap(), image);
    lab.drop_image(&image).await;
    let error = provider.create(lab.spec_of(AGENT, "m1.tiny", "fleeting")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone);
    says(&error, &["no image \"fleeting\""]);
    // The newest of a tag is another one now: nobody has to be told.
    provider.image_id("tag:fleeting").await.unwrap_err();
    let first = lab.image("fleeting", "fleeting").await;
    assert_eq!(provider.image_id("tag:fleeting").await.unwrap(), first);
    let second = lab.image("fleeting", "fleeting").await;
    lab.drop_image(&first).await;
    let made = provider.create(lab.spec_of(AGENT, "m1.tiny", "tag:fleeting")).await.unwrap();
    assert_eq!(lab.raw(&made.id).await["image"]["id"], second);
    lab.clear(&provider).await;
    lab.drop_image(&second).await;
}

#[tokio::test]
async fn a_server_in_a_state_that_does_not_allow_it_is_a_conflict() {
    let lab = Lab::alone().await;
    let provider = lab.provider("");
    let outage = lab.frozen("nova-compute");
    let made = provider.create(lab.spec(AGENT)).await.unwrap();
    let anew = lab.spec("c-1-bbbbbbbbbbbb");
    let error = provider.rebuild(&made.id, anew).await.unwrap_err();
    assert_eq!((error.kind(), refusal(&error).status), (ErrorKind::Conflict, 409));
    says(&error, &["rebuilding server ", "vm_state building", "see the server's state and lock"]);
    // It is building for ever: that is for the deadline of whoever asked for it.
    let seen = provider.get(&made.id).await.unwrap().unwrap();
    assert_eq!((seen.status, lab.servers().await), (Status::Building, 1));
    drop(outage);
    lab.active(&provider, &made.id).await;

    lab.act(&made.id, json!({"lock": null})).await;
    let error = provider.delete(&made.id).await.unwrap_err();
    assert_eq!((error.kind(), refusal(&error).status), (ErrorKind::Conflict, 409));
    says(&error, &["deleting server ", "is locked"]);
    assert_eq!(lab.servers().await, 1);
    lab.act(&made.id, json!({"unlock": null})).await;
    lab.clear(&provider).await;
}

#[tokio::test]
async fn what_others_do_to_a_server_is_seen() {
    let lab = Lab::alone().await;
    let provider = lab.provider("");
    let made = provider.create(lab.spec(AGENT)).await.unwrap();
    lab.active(&provider, &made.id).await;
    lab.act(&made.id, json!({"os-stop": null})).await;
    until("it to stop", async || {
        let server = provider.get(&made.id).await.unwrap().unwrap();
        (server.status == Status::Stopped).then_some(())
    })
    .await;
    lab.act(&made.id, json!({"os-resetState": {"state": "error"}})).await;
    let text = lab.broken(&provider, &made.id).await;
    assert_eq!(text, "the cloud gives no reason");
    assert_eq!(provider.fault_kind(&text), ErrorKind::Transient);
    lab.remove(&made.id).await;
    until("it to go", async || provider.get(&made.id).await.unwrap().is_none().then_some(())).await;
    provider.delete(&made.id).await.unwrap();
    assert_eq!((provider.list().await.unwrap().len(), lab.servers().await), (0, 0));
}

#[tokio::test]
async fn a_refused_token_makes_a_new_login_even_for_a_create() {
    let lab = Lab::alone().await;
    let provider = lab.provider("");
    assert_eq!(provider.list().await.unwrap(), []);
    lab.revoke_tokens().await;
    assert_eq!(provider.list().await.unwrap(), []);
    provider.image_id("tiny").await.unwrap();
    lab.revoke_tokens().await;
    provider.create(lab.spec(AGENT)).await.unwrap();
    assert_eq!(lab.servers().await, 1);
    lab.clear(&provider).await;
}

#[tokio::test]
async fn credentials_that_are_refused_are_for_a_person_to_look_at() {
    let lab = Lab::alone().await;
    let text = std::fs::read_to_string(lab.clouds_file()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clouds.yaml");
    std::fs::copy(lab.clouds_file(), &path).unwrap();
    std::fs::write(&path, text.replace("ctlpw", "wrong")).unwrap();
    let provider = lab.provider(&format!("clouds_file: {}", path.display()));
    let error = provider.create(lab.spec(AGENT)).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Auth && !error.is_retryable(), "{error}");
    says(&error, &["logging in at http://127.0.0.1:25000/v3 (", "check the credentials in clouds"]);
    assert!(!format!("{error:?}").contains("wrong"));
    assert_eq!(lab.servers().await, 0);
}

#[tokio::test]
async fn a_rate_limit_is_told_for_a_create_and_waited_for_otherwise() {
    let lab = Lab::alone().await;
    let gateway = lab.gateway("POST", 429, 1, "before");
    let (provider, _file) = lab.provider_behind(&gateway, "");
    let error = provider.create(lab.spec(AGENT)).await.unwrap_err();
    assert_eq!((error.kind(), refusal(&error).status), (ErrorKind::Rate, 429));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(2)));
    assert!(error.is_retryable() && !error.outcome_unknown());
    says(&error, &["creating c-1: the cloud answered 429 (429 gateway)", "lower launches_max"]);
    assert_eq!(lab.servers().await, 0);
    provider.create(lab.spec(AGENT)).await.unwrap();
    lab.clear(&provider).await;

    for code in [429, 502, 503, 504] {
        let gateway = lab.gateway("GET", code, 2, "before");
        let (provider, _file) = lab.provider_behind(&gateway, "");
        let begun = tokio::time::Instant::now();
        assert_eq!(provider.list().await.unwrap(), [], "{code}");
        let asked = if code == 429 || code == 503 { 4 } else { 0 };
        assert!(begun.elapsed() >= Duration::from_secs(asked), "{code}");
    }
    let gateway = lab.gateway("GET", 504, 9, "before");
    let (provider, _file) = lab.provider_behind(&gateway, "request_secs: 10");
    let error = provider.list().await.unwrap_err();
    says(&error, &["listing the servers: the cloud answered 504 (504 gateway)"]);
}

#[tokio::test]
async fn a_cloud_that_hangs_holds_no_call_for_ever() {
    let lab = Lab::alone().await;
    let provider = lab.provider("request_secs: 4");
    provider.image_id("tiny").await.unwrap();
    let outage = lab.frozen("nova-api");
    let begun = tokio::time::Instant::now();
    let error = provider.list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient);
    says(&error, &["listing the servers: no answer within 4s; "]);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    drop(outage);
    until("it to answer", async || provider.list().await.ok()).await;
}

#[tokio::test]
async fn an_image_that_is_not_active_or_not_the_only_one_is_told() {
    let lab = Lab::alone().await;
    let provider = lab.provider("lookup_secs: 0");
    let (one, two) = (lab.image("twin", "twin").await, lab.image("twin", "twin").await);
    let error = provider.image_id("twin").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    says(&error, &["2 times the image \"twin\"; give the id of one, or take the newest with tag:"]);
    assert_eq!(provider.image_id("tag:twin").await.unwrap(), two);
    lab.admin(Method::POST, &format!("{GLANCE}/images/{two}/actions/deactivate"), Value::Null)
        .await;
    let error = provider.image_id(&two).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone);
    says(&error, &["is deactivated; name one that is active"]);
    assert_eq!(provider.image_id("tag:twin").await.unwrap(), one);
    lab.drop_image(&one).await;
    lab.drop_image(&two).await;
}

#[tokio::test]
async fn a_port_serves_one_server_and_the_second_fails() {
    let lab = Lab::alone().await;
    let provider = lab.provider("pools: {conformance: {networks: [{port: ci-port}]}}");
    let made = provider.create(lab.spec(AGENT)).await.unwrap();
    let server = lab.active(&provider, &made.id).await;
    let found = lab.admin_get(&format!("{NEUTRON}/ports?name=ci-port")).await;
    let address = found["ports"][0]["fixed_ips"][0]["ip_address"].as_str().unwrap();
    assert_eq!(server.addresses, [address.parse::<std::net::IpAddr>().unwrap()]);
    let error = provider.create(lab.spec("c-2-aaaaaaaaaaaa")).await.unwrap_err();
    assert_eq!((error.kind(), refusal(&error).status), (ErrorKind::Conflict, 409), "{error}");
    says(&error, &["creating c-2: the cloud answered 409 (Port ", "still in use"]);
    assert_eq!(lab.servers().await, 1);
    lab.clear(&provider).await;
}
