//! Where a cloud is and who we are there: clouds.yaml with secure.yaml, or the `OS_*` variables.
//!
//! The crate's own loader knows neither `OS_CLIENT_CONFIG_FILE` nor a client with timeouts, so the
//! files are read here and only the login is left to it. What it cannot do (users by id, domains
//! of users by id) is refused with a word on what to write instead.

use super::settings::{Interface, Settings};
use crate::provider::Secret;
use muster_protocol::yaml::{self, Words};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What anybody else may do with a file of secrets: nothing.
const OTHERS: u32 = 0o007;
/// How clouds.yaml gives a service's address: `compute_endpoint_override`.
const OVERRIDE: &str = "_endpoint_override";

/// Why it is not known where the cloud is, or who we are there.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("reading {path}")]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{0} holds secrets and others can read it; chmod 600 {0}", path.display())]
    Open { path: PathBuf },
    #[error(transparent)]
    File(#[from] yaml::Error),
    #[error("no clouds.yaml in {places}; set clouds_file, or OS_CLIENT_CONFIG_FILE")]
    NoFile { places: String },
    #[error("{path} has no cloud {cloud:?}; it has: {known}")]
    NoCloud { path: PathBuf, cloud: String, known: String },
    #[error(
        "neither a cloud nor OS_CLOUD nor OS_AUTH_URL is given; \
         set cloud to an entry of clouds.yaml"
    )]
    Nothing,
    #[error("{from}: {what}")]
    Invalid { from: String, what: String },
}

/// All that a login needs.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    pub(super) auth_url: String,
    pub(super) login: Login,
    pub(super) region: Option<String>,
    pub(super) interface: Interface,
    pub(super) ca: Option<PathBuf>,
    /// Addresses of services, where the catalogue's are not to be used.
    pub(super) overrides: BTreeMap<String, String>,
}

/// How one logs in.
#[derive(Clone, Debug)]
pub(super) enum Login {
    Password { user: String, domain: String, password: Secret, project: Option<Project> },
    Credential { name: CredentialName, secret: Secret },
}

/// A project, and the domain that it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Project {
    pub(super) project: IdOrName,
    pub(super) domain: IdOrName,
}

/// An id, or a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum IdOrName {
    Id(String),
    Name(String),
}

/// An application credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CredentialName {
    Id(String),
    Name { name: String, user_id: String },
}

/// One entry of clouds.yaml. The file is not ours: fields that we have no use for are passed over.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Auth,
    auth_type: Option<String>,
    region_name: Option<String>,
    interface: Option<String>,
    endpoint_type: Option<String>,
    cacert: Option<PathBuf>,
    verify: Option<bool>,
    profile: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth_url: Option<String>,
    username: Option<String>,
    user_id: Option<String>,
    password: Option<String>,
    user_domain_name: Option<String>,
    user_domain_id: Option<String>,
    project_name: Option<String>,
    project_id: Option<String>,
    project_domain_name: Option<String>,
    project_domain_id: Option<String>,
    application_credential_id: Option<String>,
    application_credential_name: Option<String>,
    application_credential_secret: Option<String>,
}

/// The variables of the environment, or of a test.
pub(super) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Credentials {
    /// Finds the cloud that the settings mean.
    pub(super) fn load(settings: &Settings, vars: Variables<'_>) -> Result<Credentials, Error> {
        let cloud = settings.cloud.clone().or_else(|| vars("OS_CLOUD"));
        let (from, entry) = match cloud {
            Some(cloud) => {
                let path = find(settings, vars)?;
                (format!("cloud {cloud} in {}", path.display()), read_entry(&path, &cloud)?)
            }
            None if vars("OS_AUTH_URL").is_some() => ("OS_*".to_owned(), from_variables(vars)),
            None => return Err(Error::Nothing),
        };
        let invalid = |what: String| Error::Invalid { from: from.clone(), what };
        let mut credentials = entry.credentials().map_err(invalid)?;
        credentials.region = settings.region.clone().or(credentials.region);
        credentials.interface = settings.interface.unwrap_or(credentials.interface);
        credentials.ca = settings.ca.clone().or(credentials.ca);
        Ok(credentials)
    }
}

/// The clouds.yaml that counts: the first of the usual places that has one.
fn find(settings: &Settings, vars: Variables<'_>) -> Result<PathBuf, Error> {
    let given = settings.clouds_file.clone().or_else(|| {
        vars("OS_CLIENT_CONFIG_FILE").filter(|path| !path.is_empty()).map(PathBuf::from)
    });
    if let Some(path) = given {
        return Ok(path);
    }
    let home = vars("HOME").map(|home| Path::new(&home).join(".config/openstack/clouds.yaml"));
    let mut places = vec![PathBuf::from("clouds.yaml")];
    places.extend(home);
    places.push(PathBuf::from("/etc/openstack/clouds.yaml"));
    let found = places.iter().find(|path| path.is_file()).cloned();
    found.ok_or_else(|| {
        let places: Vec<String> = places.iter().map(|path| path.display().to_string()).collect();
        Error::NoFile { places: places.join(", ") }
    })
}

/// One entry, with what a secure.yaml beside the file adds to it.
fn read_entry(path: &Path, cloud: &str) -> Result<Entry, Error> {
    let mut clouds = read(path)?;
    let secure = path.with_file_name("secure.yaml");
    if secure.is_file() {
        merge(&mut clouds, read(&secure)?);
    }
    let entries = clouds.get_mut("clouds").and_then(Value::as_object_mut);
    let mut entries = entries.map(std::mem::take).unwrap_or_default();
    let Some(entry) = entries.remove(cloud) else {
        let known: Vec<&str> = entries.keys().map(String::as_str).collect();
        let known =
            if known.is_empty() { "none; add it under clouds".into() } else { known.join(", ") };
        let cloud = cloud.to_owned();
        return Err(Error::NoCloud { path: path.to_owned(), cloud, known });
    };
    // The words of serde may hold a password.
    typed(entry).map_err(|field| Error::Invalid {
        from: format!("cloud {cloud} in {}", path.display()),
        what: format!("{field} has another type than it should: put texts in quotes"),
    })
}

/// The entry, or the name of the first field that has a type of its own.
fn typed(entry: Value) -> Result<Entry, String> {
    let wrong = |(name, value): (&String, &Value)| {
        let alone = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
        serde_json::from_value::<Entry>(alone).is_err().then(|| name.clone())
    };
    let field = entry.as_object().and_then(|fields| fields.iter().find_map(wrong));
    let auth = entry.get("auth").and_then(Value::as_object).and_then(|fields| {
        let wrong = |(name, value): (&String, &Value)| {
            let alone = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
            serde_json::from_value::<Auth>(alone).is_err().then(|| format!("auth.{name}"))
        };
        fields.iter().find_map(wrong)
    });
    serde_json::from_value(entry).map_err(|_| auth.or(field).unwrap_or("a field".to_owned()))
}

fn read(path: &Path) -> Result<Map<String, Value>, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.mode() & OTHERS != 0 {
        return Err(Error::Open { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    file.take(yaml::FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    // It holds passwords, which no error may show.
    Ok(yaml::parse(&yaml::text_of(bytes, path)?, path, Words::Hidden)?)
}

/// Lays one document over another.
fn merge(base: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(base)), Value::Object(over)) => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

fn from_variables(vars: Variables<'_>) -> Entry {
    let var = |name: &str| vars(&format!("OS_{name}")).filter(|value| !value.is_empty());
    Entry {
        auth: Auth {
            auth_url: var("AUTH_URL"),
            username: var("USERNAME"),
            user_id: var("USER_ID"),
            password: var("PASSWORD"),
            user_domain_name: var("USER_DOMAIN_NAME"),
            user_domain_id: var("USER_DOMAIN_ID"),
            project_name: var("PROJECT_NAME"),
            project_id: var("PROJECT_ID"),
            project_domain_name: var("PROJECT_DOMAIN_NAME"),
            project_domain_id: var("PROJECT_DOMAIN_ID"),
            application_credential_id: var("APPLICATION_CREDENTIAL_ID"),
            application_credential_name: var("APPLICATION_CREDENTIAL_NAME"),
            application_credential_secret: var("APPLICATION_CREDENTIAL_SECRET"),
        },
        auth_type: var("AUTH_TYPE"),
        region_name: var("REGION_NAME"),
        interface: var("INTERFACE").or_else(|| var("ENDPOINT_TYPE")),
        cacert: var("CACERT").map(PathBuf::from),
        ..Entry::default()
    }
}

impl Entry {
    fn credentials(self) -> Result<Credentials, String> {
        if self.profile.is_some() {
            return Err("profile is not supported; write out auth_url and region_name".to_owned());
        }
        if self.verify == Some(false) {
            return Err("verify: false is not supported; give the cloud's CA as cacert".to_owned());
        }
        let interface = match self.interface.or(self.endpoint_type).as_deref() {
            None | Some("public" | "publicURL") => Interface::Public,
            Some("internal" | "internalURL") => Interface::Internal,
            Some("admin" | "adminURL") => Interface::Admin,
            Some(other) => {
                return Err(format!("interface {other:?}; use public, internal or admin"));
            }
        };
        let overrides = self.rest.into_iter().filter_map(|(key, value)| {
            let service = key.strip_suffix(OVERRIDE)?.replace('_', "-");
            Some((service, value.as_str()?.to_owned()))
        });
        Ok(Credentials {
            auth_url: address(required(self.auth.auth_url.clone(), "auth_url")?)?,
            overrides: overrides.collect(),
            login: self.auth.login(self.auth_type.as_deref())?,
            region: self.region_name,
            interface,
            ca: self.cacert,
        })
    }
}

impl Auth {
    fn login(self, auth_type: Option<&str>) -> Result<Login, String> {
        match auth_type {
            Some("v3applicationcredential") => self.credential(),
            None if self.application_credential_secret.is_some() => self.credential(),
            None | Some("password" | "v3password") => self.password(),
            Some(other) => Err(format!(
                "auth_type {other:?} is not supported; use password or v3applicationcredential"
            )),
        }
    }

    fn password(self) -> Result<Login, String> {
        let domain = match (self.user_domain_name, self.user_domain_id.as_deref()) {
            (Some(name), _) => name,
            // The domain that every Keystone is made with has this id and this name.
            (None, None | Some("default")) => "Default".to_owned(),
            (None, Some(id)) => {
                return Err(format!("user_domain_id {id}; give user_domain_name instead"));
            }
        };
        let user = required(self.username, "username")?;
        let name = self.project_domain_name.map(IdOrName::Name);
        let default = || IdOrName::Name("Default".to_owned());
        let of_project = name.or(self.project_domain_id.map(IdOrName::Id));
        let project = self.project_id.map(IdOrName::Id);
        let project = project
            .or(self.project_name.map(IdOrName::Name))
            .map(|project| Project { project, domain: of_project.unwrap_or_else(default) });
        let password = Secret::new(required(self.password, "password")?);
        Ok(Login::Password { user, domain, password, project })
    }

    fn credential(self) -> Result<Login, String> {
        let secret = required(self.application_credential_secret, "application_credential_secret")?;
        let name = match (self.application_credential_id, self.application_credential_name) {
            (Some(id), _) => CredentialName::Id(id),
            (None, Some(name)) => {
                let user_id = required(self.user_id, "user_id (or application_credential_id)")?;
                CredentialName::Name { name, user_id }
            }
            (None, None) => return Err(missing("application_credential_id")),
        };
        Ok(Login::Credential { name, secret: Secret::new(secret) })
    }
}

fn required(value: Option<String>, name: &str) -> Result<String, String> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| missing(name))
}

fn address(text: String) -> Result<String, String> {
    let is_address = text.starts_with("https://") || text.starts_with("http://");
    let word = "auth_url is no address: write e.g. https://cloud.example.org:5000/v3";
    if is_address { Ok(text) } else { Err(word.to_owned()) }
}

fn missing(name: &str) -> String {
    format!("{name} is missing; add it under auth")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    const CLOUDS: &str = "clouds:
  home:
    auth: {auth_url: 'https://k/v3', username: u, project_name: p, user_domain_id: default}
    region_name: R1
    compute_endpoint_override: 'http://front/v2.1'
    identity_api_version: 3
  app:
    auth_type: v3applicationcredential
    auth: {auth_url: 'https://k/v3', application_credential_id: i}
";
    const SECURE: &str = "clouds: {home: {auth: {password: hidden}}, \
                          app: {auth: {application_credential_secret: hidden}}}";

    fn files(clouds: &str) -> (tempfile::TempDir, Settings) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("clouds.yaml", clouds), ("secure.yaml", SECURE)] {
            fs::write(folder.path().join(name), text).unwrap();
            let mode = Permissions::from_mode(0o600);
            fs::set_permissions(folder.path().join(name), mode).unwrap();
        }
        let clouds_file = Some(folder.path().join("clouds.yaml"));
        let settings = Settings { clouds_file, cloud: Some("home".into()), ..Settings::default() };
        (folder, settings)
    }

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn an_entry_and_its_secrets_are_laid_together() {
        let (_folder, settings) = files(CLOUDS);
        let found = Credentials::load(&settings, &none).unwrap();
        assert_eq!(
            (found.auth_url.as_str(), found.region.as_deref()),
            ("https://k/v3", Some("R1"))
        );
        assert_eq!(found.overrides["compute"], "http://front/v2.1");
        let Login::Password { user, domain, password, project } = &found.login else { panic!() };
        assert_eq!((user.as_str(), domain.as_str(), password.expose()), ("u", "Default", "hidden"));
        let by_name = |name: &str| IdOrName::Name(name.to_owned());
        let expected = Project { project: by_name("p"), domain: by_name("Default") };
        assert_eq!(project.as_ref(), Some(&expected));
        assert!(!format!("{found:?}").contains("hidden"));
    }

    #[test]
    fn the_settings_win_over_the_file_and_the_file_is_where_the_variable_says() {
        let (folder, settings) = files(CLOUDS);
        let path = folder.path().join("clouds.yaml").display().to_string();
        let vars = |name: &str| match name {
            "OS_CLIENT_CONFIG_FILE" => Some(path.clone()),
            "OS_CLOUD" => Some("app".to_owned()),
            _ => None,
        };
        let region = Some("R2".to_owned());
        let settings = Settings { clouds_file: None, cloud: None, region, ..settings };
        let found = Credentials::load(&settings, &vars).unwrap();
        assert_eq!(found.region.as_deref(), Some("R2"));
        let Login::Credential { name, secret } = found.login else { panic!() };
        assert_eq!((name, secret.expose()), (CredentialName::Id("i".into()), "hidden"));
    }

    #[test]
    fn variables_alone_are_enough() {
        let vars = |name: &str| {
            let value = match name {
                "OS_AUTH_URL" => "http://k",
                "OS_USERNAME" => "u",
                "OS_PASSWORD" => "hidden",
                "OS_PROJECT_ID" => "p",
                "OS_PROJECT_DOMAIN_ID" => "d",
                "OS_USER_DOMAIN_NAME" => "D",
                "OS_INTERFACE" => "internal",
                "OS_CACERT" => "/ca.pem",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let found = Credentials::load(&Settings::default(), &vars).unwrap();
        assert_eq!((found.interface, found.ca), (Interface::Internal, Some("/ca.pem".into())));
        let Login::Password { domain, project: Some(project), .. } = found.login else { panic!() };
        assert_eq!((domain.as_str(), project.domain), ("D", IdOrName::Id("d".into())));
    }

    #[test]
    fn what_is_missing_or_not_supported_is_told_with_its_place() {
        for (clouds, expected) in [
            (CLOUDS.replace("username: u, ", ""), "cloud home in "),
            (CLOUDS.replace("username: u, ", ""), "username is missing"),
            (CLOUDS.replace("user_domain_id: default", "user_domain_id: x"), "user_domain_name"),
            (CLOUDS.replace("region_name: R1", "verify: false"), "verify: false"),
            (CLOUDS.replace("region_name: R1", "profile: ovh"), "profile is not supported"),
            (CLOUDS.replace("region_name: R1", "interface: x"), "use public, internal or admin"),
            (CLOUDS.replace("region_name: R1", "auth_type: v3kerberos"), "v3kerberos"),
        ] {
            let (_folder, settings) = files(&clouds);
            let error = Credentials::load(&settings, &none).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let (_folder, settings) = files(CLOUDS);
        let settings = Settings { cloud: Some("work".into()), ..settings };
        let error = Credentials::load(&settings, &none).unwrap_err().to_string();
        assert!(error.ends_with("has no cloud \"work\"; it has: home, app"), "{error}");
        let error = Credentials::load(&Settings::default(), &none).unwrap_err();
        assert!(matches!(error, Error::Nothing));
    }

    #[test]
    fn a_file_of_secrets_that_others_can_read_is_refused() {
        let (folder, settings) = files(CLOUDS);
        let path = folder.path().join("secure.yaml");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let error = Credentials::load(&settings, &none).unwrap_err().to_string();
        assert!(error.contains("chmod 600") && error.contains("secure.yaml"), "{error}");
    }
}
