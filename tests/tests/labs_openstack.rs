//! Provider `openstack` against a real cloud: Keystone, Glance, Neutron and Nova of tests/labs.

#![allow(clippy::unwrap_used, reason = "what fails in a test shall end it, in its helpers too")]

#[path = "labs_openstack/admin.rs"]
mod admin;
#[path = "labs_openstack/faults.rs"]
mod faults;
#[path = "labs_openstack/lab.rs"]
mod lab;
#[path = "labs_openstack/once.rs"]
mod once;
#[path = "labs_openstack/servers.rs"]
mod servers;

use lab::{LIMIT, Lab};
use muster_controller::provider::conformance;
use muster_protocol::id::ClusterName;

#[tokio::test]
async fn it_conforms() {
    let lab = Lab::alone().await;
    let away: ClusterName = format!("{}-away", lab.cluster).parse().unwrap();
    let suite = conformance::Suite {
        provider: &lab.provider(""),
        cluster: lab.cluster.clone(),
        foreign: &lab.provider_of(&away, ""),
        foreign_cluster: away.clone(),
        flavor: "m1.tiny".to_owned(),
        image: "tiny".to_owned(),
        boot_deadline: LIMIT,
    };
    suite.run().await.unwrap();
    assert_eq!(lab.servers().await, 0);
}
