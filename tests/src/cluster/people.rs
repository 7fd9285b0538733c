//! People that an admin has added.

use super::Cluster;
use anyhow::{Context, Result};
use muster_protocol::api::{PersonRole, UserAdd, UserRevoke};
use muster_protocol::bus::Bus;
use muster_protocol::subject::Role;

impl Cluster {
    /// Adds a person with a key, instead of whoever has the name. Returns the credential.
    ///
    /// # Errors
    /// When the controller refuses, or the role is no person's.
    pub async fn enlist(
        &self,
        admin: &Bus,
        role: Role,
        name: &str,
        public_key: &str,
    ) -> Result<String> {
        let role = PersonRole::of(role).context("no role of a person")?;
        let (name, public_key) = (name.parse()?, public_key.to_owned());
        let add = UserAdd { name, role, public_key, days: 1, renewable: false };
        if let Ok(added) = self.ask(admin, &add).await {
            return Ok(added.jwt);
        }
        self.ask(admin, &UserRevoke { name: add.name.clone(), force: true }).await?;
        Ok(self.ask(admin, &add).await?.jwt)
    }
}
