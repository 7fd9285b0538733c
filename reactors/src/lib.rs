//! Rules, actions, the stats pipeline, sinks and the built-in history.
