//! The call that carries the registry away, part by part.

use super::{Message, Question};
use crate::backup::Document;
use serde::{Deserialize, Serialize};

/// Asks for the next part of the registry's documents.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterBackup {
    /// Those behind this place, which the part before has named; from the beginning if absent.
    pub after: Option<String>,
}
question!(ClusterBackup, "api.cluster.backup", "cluster", "backup", BackupPart);

/// Some documents, as many as fit into an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPart {
    /// The cluster's name.
    pub cluster: String,
    /// The documents, in the order of their places.
    pub documents: Vec<Document>,
    /// How many there are in all parts together, at the moment.
    pub total: u64,
    /// What to ask next; nothing is left if absent.
    pub next: Option<String>,
}
