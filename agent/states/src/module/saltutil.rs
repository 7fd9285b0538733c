//! saltutil, mine, event: what stands for Salt's own machinery here.
//!
//! Syncing and refreshing are Salt's copies of code and data; here both come with each desired
//! state, so that there is nothing to fetch: those calls tell that nothing was new.

use minijinja::Error;
use minijinja::value::Value;

use super::{Call, Function, acts, config, reads, test};
use crate::render::python::list;

/// This module's functions.
pub(super) const ALL: &[Function] = &[
    // Workers do not publish data for one another; Salt without a master gives the same.
    reads("mine.get", "tgt fun tgt_type= exclude_minion=", |_| Ok(test::empty())),
    acts("mine.update", "clear= mine_functions=", |call| {
        let given = call.set("mine_functions").filter(Value::is_true);
        let any = given.is_some() || config::merged(call, "mine_functions")?.is_true();
        Ok(if any { Value::from(true) } else { Value::from(()) })
    }),
    acts("mine.send", "name *args **kwargs", |_| Ok(Value::from(true))),
    acts("mine.flush", "", |_| Ok(Value::from(true))),
    acts("mine.delete", "fun", |_| Ok(Value::from(true))),
    acts("saltutil.sync_all", SYNC, |_| Ok(test::empty())),
    acts("saltutil.sync_modules", SYNC, nothing_new),
    acts("saltutil.sync_states", SYNC, nothing_new),
    acts("saltutil.sync_grains", SYNC, nothing_new),
    acts("saltutil.sync_utils", SYNC, nothing_new),
    acts("saltutil.sync_renderers", SYNC, nothing_new),
    acts("saltutil.sync_beacons", SYNC, nothing_new),
    acts("saltutil.sync_returners", SYNC, nothing_new),
    acts("saltutil.sync_outputters", SYNC, nothing_new),
    acts("saltutil.sync_output", SYNC, nothing_new),
    acts("saltutil.sync_pillar", SYNC, nothing_new),
    acts("saltutil.sync_clouds", SYNC, nothing_new),
    acts("saltutil.sync_engines", SYNC, nothing_new),
    acts("saltutil.sync_executors", SYNC, nothing_new),
    acts("saltutil.sync_log_handlers", SYNC, nothing_new),
    acts("saltutil.sync_matchers", SYNC, nothing_new),
    acts("saltutil.sync_proxymodules", SYNC, nothing_new),
    acts("saltutil.sync_sdb", SYNC, nothing_new),
    acts("saltutil.sync_serializers", SYNC, nothing_new),
    acts("saltutil.sync_thorium", SYNC, nothing_new),
    acts("saltutil.sync_tops", SYNC, nothing_new),
    acts("saltutil.sync_wrapper", SYNC, nothing_new),
    acts("saltutil.refresh_modules", "**kwargs", |_| Ok(Value::from(true))),
    acts("saltutil.refresh_grains", "**kwargs", |_| Ok(Value::from(true))),
    acts("saltutil.refresh_pillar", "**kwargs", |_| Ok(Value::from(true))),
    acts("saltutil.pillar_refresh", "**kwargs", |_| Ok(Value::from(true))),
    acts("saltutil.refresh_matchers", "", |_| Ok(Value::from(true))),
    acts("saltutil.refresh_beacons", "**kwargs", |_| Ok(Value::from(true))),
    acts("saltutil.clear_cache", "days=", |_| Ok(Value::from(true))),
];

const SYNC: &str = "saltenv= refresh= extmod_whitelist= extmod_blacklist= **kwargs";

#[allow(clippy::unnecessary_wraps, reason = "the shape of every function")]
fn nothing_new(_: &Call<'_>) -> Result<Value, Error> {
    Ok(list(Vec::new()))
}
