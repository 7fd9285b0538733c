//! What people are shown of the keys: public halves, and when they begin and end.

use super::record::{CA, COMMAND, Replaced, role_name};
use super::{Error, Keys, Seed, certificate, tls};
use muster_protocol::api::{KeyKind, KeyState, KeyView};
use muster_protocol::subject::{Account, Role};

const SERVER: &str = "server";

impl Keys {
    /// All keys: each present one, followed by those that it has replaced and that still count.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn show(&self) -> Result<Vec<KeyView>, Error> {
        let mut all = vec![self.seed(Seed::Operator, KeyKind::Operator, KeyState::Present)?];
        let root = self.state_of(&Seed::Root.file())?;
        all.push(self.seed(Seed::Root, KeyKind::Root, root)?);
        let signer = self.signer();
        let command = signer.certificate();
        all.push(KeyView {
            name: COMMAND.into(),
            kind: KeyKind::Command,
            public: command.public_key.clone(),
            state: KeyState::Present,
            since: Some(command.from),
            until: Some(command.until),
        });
        self.push_replaced(COMMAND, KeyKind::Command, &mut all);
        for role in Role::ALL {
            all.push(self.seed(Seed::Role(role), KeyKind::Role, KeyState::Present)?);
            if let Some(pair) = self.present().coming.get(&role) {
                let public = pair.public_key();
                let name = role_name(role);
                let (kind, state) = (KeyKind::Role, KeyState::Coming);
                all.push(KeyView { name, kind, public, state, since: None, until: None });
            }
            self.push_replaced(&role_name(role), KeyKind::Role, &mut all);
        }
        for account in Account::ALL {
            all.push(self.seed(Seed::Account(account), KeyKind::Account, KeyState::Present)?);
        }
        all.push(self.seed(Seed::Curve, KeyKind::Curve, KeyState::Present)?);
        self.push_certificates(&mut all)?;
        Ok(all)
    }

    /// The role of a credential, by the key that signed it; none if none of ours did.
    #[must_use]
    pub fn role_of(&self, issuer: &str) -> Option<Role> {
        self.present().role_of(issuer)
    }

    fn seed(&self, seed: Seed, kind: KeyKind, state: KeyState) -> Result<KeyView, Error> {
        let (name, present) = (seed.name(), self.present());
        let (public, since) = (present.public.key(seed)?.to_owned(), &present.record.since);
        Ok(KeyView { since: since.get(&name).copied(), name, kind, public, state, until: None })
    }

    /// Whether a file that may be kept elsewhere is here.
    fn state_of(&self, file: &str) -> Result<KeyState, Error> {
        let here = self.dir.read(file)?.is_some();
        Ok(if here { KeyState::Present } else { KeyState::Offline })
    }

    fn push_certificates(&self, all: &mut Vec<KeyView>) -> Result<(), Error> {
        let state = self.state_of(tls::CA_KEY)?;
        let server = self.dir.require(tls::SERVER_CERTIFICATE)?;
        let since = self.present().record.since.get(CA).copied();
        for (name, kind, state, pem) in [
            (CA, KeyKind::Authority, state, self.ca_pem()),
            (SERVER, KeyKind::Server, KeyState::Present, server),
        ] {
            let Some(first) = certificate::seen(&pem).into_iter().next() else { continue };
            let (name, public) = (name.to_owned(), first.fingerprint);
            all.push(KeyView { name, kind, public, state, since, until: first.until });
            if kind == KeyKind::Authority {
                self.push_replaced(CA, kind, all);
            }
        }
        Ok(())
    }

    fn push_replaced(&self, name: &str, kind: KeyKind, all: &mut Vec<KeyView>) {
        let present = self.present();
        let replaced = present.record.replaced.iter().filter(|replaced| replaced.name == name);
        all.extend(replaced.map(|Replaced { name, public, at: _, until }| KeyView {
            name: name.clone(),
            kind,
            public: public.clone(),
            state: KeyState::Replaced,
            since: None,
            until: *until,
        }));
    }
}
