//! What servers are made of, and what becomes of it in Nova.

use crate::lab::{Lab, secret_user_data, until};
use muster_controller::provider::{Provider, ServerSpec};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const AGENT: &str = "c-1-aaaaaaaaaaaa";

#[tokio::test]
async fn every_setting_reaches_nova() {
    let lab = Lab::alone().await;
    let provider = lab.provider(
        "pools:\n  conformance:\n    networks: [{network: ci-net, fixed_ip: 10.77.1.77}]\n    \
         security_groups: [ci-sg]\n    key: ci-key\n    zone: nova\n    server_group: apart\n    \
         config_drive: true\n    description: of the lab\n    metadata: {owner: me}\n    \
         tags: [mine]\n",
    );
    let made = provider.create(lab.spec_of(AGENT, "m1.tiny", "tag:worker")).await.unwrap();
    let server = lab.active(&provider, &made.id).await;
    assert_eq!(server.addresses, ["10.77.1.77".parse::<std::net::IpAddr>().unwrap()]);
    let raw = lab.raw(&made.id).await;
    assert_eq!(raw["security_groups"], json!([{"name": "ci-sg"}]));
    let text = |key: &str| raw[key].as_str().unwrap().to_owned();
    assert_eq!((text("key_name"), text("config_drive")), ("ci-key".into(), "True".into()));
    assert_eq!((text("name"), text("description")), ("c-1".into(), "of the lab".into()));
    assert_eq!(text("OS-EXT-AZ:availability_zone"), "nova");
    let expected = json!({
        "muster_agent_id": AGENT, "muster_cluster": lab.cluster.as_str(),
        "muster_pool": "conformance", "muster_image": "tag:worker", "owner": "me",
    });
    assert_eq!(raw["metadata"], expected);
    assert_eq!(
        tags(&raw),
        BTreeSet::from([
            "mine".to_owned(),
            format!("muster-agent={AGENT}"),
            format!("muster-cluster={}", lab.cluster),
        ])
    );
    assert_eq!(raw["image"]["id"], provider.image_id("tiny2").await.unwrap());

    // The group keeps servers apart, and the lab has one host.
    let plain = lab.provider("pools: {conformance: {server_group: apart}}");
    let second = plain.create(lab.spec("c-2-aaaaaaaaaaaa")).await.unwrap();
    let reason = lab.broken(&plain, &second.id).await;
    assert!(reason.starts_with("No valid host was found"), "{reason}");
    lab.clear(&provider).await;
}

fn tags(raw: &Value) -> BTreeSet<String> {
    let tags = raw["tags"].as_array().unwrap().iter();
    tags.map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_rebuilt_server_is_given_the_new_user_data_and_the_old_is_gone() {
    let lab = Lab::alone().await;
    let provider = lab.provider("");
    let first = ServerSpec { user_data: secret_user_data("first"), ..lab.spec(AGENT) };
    let made = provider.create(first.clone()).await.unwrap();
    let server = lab.active(&provider, &made.id).await;
    assert_eq!(lab.metadata(&server), first.user_data.expose());

    let anew = ServerSpec {
        user_data: secret_user_data("second"),
        ..lab.spec_of("c-1-bbbbbbbbbbbb", "m1.tiny", "tiny2")
    };
    provider.rebuild(&made.id, anew.clone()).await.unwrap();
    let again = lab.active(&provider, &made.id).await;
    assert_eq!((&again.agent_id, &again.addresses), (&anew.agent_id, &server.addresses));
    // Nova's metadata service remembers what it has told for some seconds.
    until("the new user-data", async || {
        (lab.metadata(&again) == anew.user_data.expose()).then_some(())
    })
    .await;
    let raw = lab.raw(&made.id).await;
    assert_eq!(raw["image"]["id"], provider.image_id("tiny2").await.unwrap());
    assert!(tags(&raw).contains("muster-agent=c-1-bbbbbbbbbbbb"), "{raw}");
    assert!(!tags(&raw).contains(&format!("muster-agent={AGENT}")), "{raw}");
    lab.clear(&provider).await;
}

#[tokio::test]
async fn a_listing_turns_pages_and_shows_each_server_once() {
    const SERVERS: usize = 23;
    let lab = Lab::alone().await;
    let provider = lab.provider("request_secs: 120");
    let agents = (0..SERVERS).map(|number| format!("many-{number:02}-aaaaaaaaaaaa"));
    let creates = agents.map(|agent| provider.create(lab.spec(&agent)));
    for made in futures_util::future::join_all(creates).await {
        made.unwrap();
    }
    // The lab's pages hold 20.
    let listed = provider.list().await.unwrap();
    let names: BTreeSet<&str> = listed.iter().map(|server| server.name.as_str()).collect();
    assert_eq!((listed.len(), names.len()), (SERVERS, SERVERS));
    lab.clear(&provider).await;
}

#[tokio::test]
async fn an_application_credential_is_as_good_as_a_password() {
    let lab = Lab::alone().await;
    let settings = "cloud: ctl-appcred\nserver: {networks: [ci-net]}";
    let provider = lab.open(&lab.cluster, settings);
    let made = provider.create(lab.spec(AGENT)).await.unwrap();
    lab.active(&provider, &made.id).await;
    lab.clear(&provider).await;
}
