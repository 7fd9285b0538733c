//! The simulated cloud as one controller reaches it: over a bad way, and before the judge's eyes.

use crate::judge::Judge;
use crate::net::Net;
use futures_util::future::BoxFuture;
use muster_controller::provider::simulated::Simulated;
use muster_controller::provider::{Error, ErrorKind, Provider, Server, ServerId, ServerSpec};
use std::sync::Arc;

/// One controller's driver.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) controller: usize,
    pub(crate) inner: Simulated,
    pub(crate) net: Arc<Net>,
    pub(crate) judge: Arc<Judge>,
}

/// An answer that is lost may be one to anything.
fn known<T>(answer: Option<Result<T, Error>>) -> Result<T, Error> {
    answer.unwrap_or_else(|| Err(Error::new(ErrorKind::Transient, "the connection broke")))
}

impl Provider for Driver {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn create(&self, spec: ServerSpec) -> BoxFuture<'_, Result<Server, Error>> {
        let inner = self.inner.clone();
        Box::pin(async move {
            let under_way = self.judge.create(self.controller, &spec);
            let answer = self.net.carry(async move { inner.create(spec).await }).await;
            drop(under_way);
            known(answer)
        })
    }

    fn delete<'a>(&'a self, id: &'a ServerId) -> BoxFuture<'a, Result<(), Error>> {
        let (inner, of) = (self.inner.clone(), id.clone());
        Box::pin(async move {
            let under_way = self.judge.delete(self.controller, id);
            let answer = self.net.carry(async move { inner.delete(&of).await }).await;
            drop(under_way);
            known(answer)
        })
    }

    fn rebuild<'a>(
        &'a self,
        id: &'a ServerId,
        spec: ServerSpec,
    ) -> BoxFuture<'a, Result<(), Error>> {
        let (inner, of) = (self.inner.clone(), id.clone());
        Box::pin(async move {
            let under_way = self.judge.rebuild(self.controller, id, &spec);
            let answer = self.net.carry(async move { inner.rebuild(&of, spec).await }).await;
            drop(under_way);
            known(answer)
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Server>, Error>> {
        let inner = self.inner.clone();
        Box::pin(async move { known(self.net.carry(async move { inner.list().await }).await) })
    }

    fn get<'a>(&'a self, id: &'a ServerId) -> BoxFuture<'a, Result<Option<Server>, Error>> {
        let (inner, of) = (self.inner.clone(), id.clone());
        Box::pin(async move { known(self.net.carry(async move { inner.get(&of).await }).await) })
    }
}
