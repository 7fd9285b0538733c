//! One stored message as a batch, or why not.

use super::Schemas;
use muster_protocol::id::AgentId;
use muster_protocol::stats::{self, Batch, Frame, SchemaId};
use muster_protocol::{subject, wire};

/// Why a message is no batch.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its schema is not known here: look it up, then decode again.
    #[error("{agent} has not announced schema {schema}")]
    NeedSchema {
        /// Whose frame it is.
        agent: AgentId,
        /// The schema it names.
        schema: SchemaId,
    },
    /// Not stored under an agent's stats subject.
    #[error("{0} is no agent's stats subject")]
    Subject(String),
    /// Not a frame.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// A frame that does not fit its schema.
    #[error(transparent)]
    Frame(#[from] stats::Error),
}

/// Reads a message; whose it is tells the subject alone.
///
/// # Errors
/// [`Error::NeedSchema`] may pass after a look-up; the others never.
pub fn decode<A>(subject: &str, payload: &[u8], schemas: &Schemas<A>) -> Result<Batch, Error> {
    let agent = agent(subject).ok_or_else(|| Error::Subject(subject.to_owned()))?;
    let frame: Frame = wire::decode(payload)?;
    match schemas.known(&frame.schema) {
        Some(schema) => Ok(Batch::new(&agent, schema, &frame)?),
        None => Err(Error::NeedSchema { agent, schema: frame.schema }),
    }
}

fn agent(of: &str) -> Option<AgentId> {
    let [agent] = subject::tokens(of, "muster.stats.")?;
    agent.parse().ok()
}
