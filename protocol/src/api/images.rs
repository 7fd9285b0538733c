//! The calls about images: which a pool's workers have, and which its new ones get.

use super::{Message, Question};
use crate::id::{PoolName, WorkerName};
use serde::{Deserialize, Serialize};

/// Asks for the images of the pools, and who runs which.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImageList {}
question!(ImageList, "api.image.list", "image", "list", Vec<ImageView>);

/// An image in a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageView {
    /// The pool.
    pub pool: PoolName,
    /// The image.
    pub image: String,
    /// New workers get it.
    pub is_current: bool,
    /// Who runs it.
    pub workers: Vec<WorkerName>,
}

/// Asks for another image for a pool's new workers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImageSet {
    /// The pool.
    pub pool: PoolName,
    /// The image; the configuration's if absent.
    pub image: Option<String>,
}
question!(ImageSet, "api.image.set", "image", "set", Vec<ImageView>);
