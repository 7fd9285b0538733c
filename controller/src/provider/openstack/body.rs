//! The JSON of Nova's `create` and `rebuild`: pure, from a spec, settings, and ids.

use super::servers::METADATA_IMAGE;
use super::settings::{ServerSettings, Volume};
use super::tag;
use crate::provider::{METADATA_AGENT, METADATA_CLUSTER, METADATA_POOL, Secret, ServerSpec};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// The ids of what the spec and the settings name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) flavor: String,
    pub(super) image: String,
    pub(super) networks: Vec<Interface>,
    pub(super) server_group: Option<String>,
}

/// One interface of a server, by ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Interface {
    Network { id: String, fixed_ip: Option<String> },
    Port { id: String },
}

/// What is sent to make a server. It holds user-data, so it is not shown.
pub(super) fn create(spec: &ServerSpec, settings: &ServerSettings, ids: &Ids) -> Secret {
    let mut server = common(spec, settings, &ids.image);
    server.insert("name".into(), spec.name.as_str().into());
    server.insert("flavorRef".into(), ids.flavor.as_str().into());
    server.insert("networks".into(), networks(&ids.networks));
    server.insert("tags".into(), tags(spec, settings).into());
    if let Some(groups) = &settings.security_groups {
        let groups: Vec<Value> = groups.iter().map(|name| json!({ "name": name })).collect();
        server.insert("security_groups".into(), groups.into());
    }
    if let Some(key) = &settings.key {
        server.insert("key_name".into(), key.as_str().into());
    }
    if let Some(zone) = &settings.zone {
        server.insert("availability_zone".into(), zone.as_str().into());
    }
    if let Some(drive) = settings.config_drive {
        server.insert("config_drive".into(), drive.into());
    }
    let disks = disks(settings, &ids.image);
    if !disks.is_empty() {
        server.insert("block_device_mapping_v2".into(), disks.into());
    }
    if settings.boot_volume.is_some() {
        server.remove("imageRef");
    }
    let mut body = json!({ "server": server });
    if let Some(group) = &ids.server_group {
        body["os:scheduler_hints"] = json!({ "group": group });
    }
    Secret::new(body.to_string())
}

/// What is sent to rebuild a server.
pub(super) fn rebuild(spec: &ServerSpec, settings: &ServerSettings, image: &str) -> Secret {
    Secret::new(json!({ "rebuild": common(spec, settings, image) }).to_string())
}

/// The tags of a server: Muster's own, and the operator's.
pub(super) fn tags(spec: &ServerSpec, settings: &ServerSettings) -> Vec<String> {
    let mut tags = vec![tag::of_cluster(&spec.cluster), tag::of_agent(&spec.agent_id)];
    tags.extend(settings.tags.iter().flatten().cloned());
    tags
}

fn common(spec: &ServerSpec, settings: &ServerSettings, image: &str) -> Map<String, Value> {
    let mut metadata = Map::new();
    for (key, value) in settings.metadata.iter().flatten() {
        metadata.insert(key.clone(), value.as_str().into());
    }
    for (key, value) in [
        (METADATA_AGENT, spec.agent_id.as_str()),
        (METADATA_CLUSTER, spec.cluster.as_str()),
        (METADATA_POOL, spec.pool.as_str()),
        (METADATA_IMAGE, spec.image.as_str()),
    ] {
        metadata.insert(key.to_owned(), value.into());
    }
    let mut server = Map::new();
    server.insert("imageRef".into(), image.into());
    server.insert("metadata".into(), metadata.into());
    server.insert("user_data".into(), STANDARD.encode(spec.user_data.expose()).into());
    if let Some(description) = &settings.description {
        server.insert("description".into(), description.as_str().into());
    }
    server
}

fn networks(interfaces: &[Interface]) -> Value {
    if interfaces.is_empty() {
        return "auto".into();
    }
    let one = |interface: &Interface| match interface {
        Interface::Network { id, fixed_ip: None } => json!({ "uuid": id }),
        Interface::Network { id, fixed_ip } => json!({ "uuid": id, "fixed_ip": fixed_ip }),
        Interface::Port { id } => json!({ "port": id }),
    };
    interfaces.iter().map(one).collect::<Vec<Value>>().into()
}

/// The disks, if they are not just the flavor's own. All go when the server goes.
fn disks(settings: &ServerSettings, image: &str) -> Vec<Value> {
    let empty: Vec<&Volume> = settings.volumes.iter().flatten().collect();
    let boot = settings.boot_volume.as_ref();
    if boot.is_none() && empty.is_empty() {
        return Vec::new();
    }
    let mut first = json!({
        "boot_index": 0, "uuid": image, "source_type": "image", "destination_type": "local",
        "delete_on_termination": true,
    });
    if let Some(volume) = boot {
        size(&mut first, volume);
    }
    let mut disks = vec![first];
    disks.extend(empty.into_iter().map(|volume| {
        let mut disk = json!({
            "boot_index": -1, "source_type": "blank", "delete_on_termination": true,
        });
        size(&mut disk, volume);
        disk
    }));
    disks
}

fn size(disk: &mut Value, volume: &Volume) {
    disk["destination_type"] = "volume".into();
    disk["volume_size"] = volume.gib.into();
    if let Some(name) = &volume.volume_type {
        disk["volume_type"] = name.as_str().into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::conformance;

    fn spec() -> ServerSpec {
        let cluster = "home".parse().unwrap();
        conformance::spec(&cluster, "c-1-aaaaaaaaaaaa", "#cloud-config\n")
    }

    fn ids() -> Ids {
        Ids { flavor: "f".into(), image: "i".into(), networks: Vec::new(), server_group: None }
    }

    fn parse(body: &Secret) -> Value {
        serde_json::from_str(body.expose()).unwrap()
    }

    #[test]
    fn a_plain_server_bears_whose_it_is() {
        let body = parse(&create(&spec(), &ServerSettings::default(), &ids()));
        let expected = json!({ "server": {
            "imageRef": "i", "flavorRef": "f", "name": "c-1", "networks": "auto",
            "user_data": "I2Nsb3VkLWNvbmZpZwo=",
            "tags": ["muster-cluster=home", "muster-agent=c-1-aaaaaaaaaaaa"],
            "metadata": {"muster_agent_id": "c-1-aaaaaaaaaaaa", "muster_cluster": "home",
                         "muster_pool": "conformance", "muster_image": "any"},
        }});
        assert_eq!(body, expected);
    }

    #[test]
    fn every_setting_goes_where_nova_wants_it() {
        let settings: ServerSettings = serde_saphyr::from_str(
            "{security_groups: [sg], key: k, zone: z, config_drive: true, description: d,\n\
             volumes: [{gib: 5, volume_type: ssd}], metadata: {owner: me}, tags: [mine]}",
        )
        .unwrap();
        let networks = vec![
            Interface::Network { id: "n".into(), fixed_ip: None },
            Interface::Network { id: "m".into(), fixed_ip: Some("10.0.0.7".into()) },
            Interface::Port { id: "p".into() },
        ];
        let ids = Ids { networks, server_group: Some("g".into()), ..ids() };
        let body = parse(&create(&spec(), &settings, &ids));
        assert_eq!(body["os:scheduler_hints"], json!({ "group": "g" }));
        let server = &body["server"];
        let expected = json!([{"uuid": "n"}, {"uuid": "m", "fixed_ip": "10.0.0.7"}, {"port": "p"}]);
        assert_eq!(server["networks"], expected);
        assert_eq!(server["security_groups"], json!([{ "name": "sg" }]));
        for (key, value) in [("key_name", "k"), ("availability_zone", "z"), ("description", "d")] {
            assert_eq!(server[key], value);
        }
        assert_eq!((&server["config_drive"], &server["imageRef"]), (&json!(true), &json!("i")));
        assert_eq!(
            (&server["tags"][2], &server["metadata"]["owner"]),
            (&json!("mine"), &json!("me"))
        );
        let disks = server["block_device_mapping_v2"].as_array().unwrap();
        assert_eq!((disks.len(), &disks[0]["destination_type"]), (2, &json!("local")));
        let volume = json!({
            "boot_index": -1, "source_type": "blank", "destination_type": "volume",
            "volume_size": 5, "volume_type": "ssd", "delete_on_termination": true,
        });
        assert_eq!(disks[1], volume);
    }

    #[test]
    fn a_boot_volume_is_made_from_the_image_and_goes_with_the_server() {
        let settings = serde_saphyr::from_str("{boot_volume: {gib: 20}}").unwrap();
        let body = parse(&create(&spec(), &settings, &ids()));
        assert_eq!(body["server"].get("imageRef"), None);
        let expected = json!([{
            "boot_index": 0, "uuid": "i", "source_type": "image", "destination_type": "volume",
            "delete_on_termination": true, "volume_size": 20,
        }]);
        assert_eq!(body["server"]["block_device_mapping_v2"], expected);
    }

    #[test]
    fn a_rebuild_brings_image_user_data_and_generation() {
        let body = parse(&rebuild(&spec(), &ServerSettings::default(), "j"));
        let server = &body["rebuild"];
        assert_eq!(
            (&server["imageRef"], &server["metadata"]["muster_agent_id"]),
            (&json!("j"), &json!("c-1-aaaaaaaaaaaa"))
        );
        assert!(server["user_data"].is_string() && server.get("name").is_none());
    }
}
