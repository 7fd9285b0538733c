//! Values that nobody may read in a report.

/// What is shown in place of one, as in Salt.
pub(crate) const MASK: &str = "**********";
