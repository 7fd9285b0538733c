//! Everything that crosses Muster's bus: ids, messages, subjects, signatures, typed requests.
