//! Muster's daemon on a worker.
