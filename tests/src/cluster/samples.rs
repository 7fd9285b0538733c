//! What the JSON-lines sink has written, sample by sample.

use super::Cluster;
use crate::host;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The samples of one agent in the order in which they were written: their times, and how long the
/// machine had been up, in seconds.
pub type Series = Vec<(String, f64)>;

#[derive(Deserialize)]
struct Line {
    time: String,
    agent_id: String,
    metrics: BTreeMap<String, f64>,
}

impl Cluster {
    /// All samples by agent; a line that is not whole yet is left out.
    ///
    /// # Errors
    /// When a line is no sample, or says that samples were given up.
    pub fn samples(&self) -> Result<BTreeMap<String, Series>> {
        let text = std::fs::read_to_string(self.path("samples.jsonl")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut samples = BTreeMap::<String, Series>::new();
        for line in whole.lines() {
            let line: Line = serde_json::from_str(line).with_context(|| line.to_owned())?;
            let metric = |name: &str| line.metrics.get(name).context("a metric is missing");
            ensure!(*metric("agent.samples_dropped")? == 0.0, "{}: samples dropped", line.time);
            let up = *metric("host.uptime")?;
            samples.entry(line.agent_id).or_default().push((line.time, up));
        }
        Ok(samples)
    }

    /// Waits until each of so many agents has so many more samples than it has now.
    ///
    /// # Errors
    /// When they do not come.
    pub async fn more_samples(&self, agents: usize, more: usize) -> Result<()> {
        let before = self.samples()?;
        let had = |agent: &String| before.get(agent).map_or(0, Vec::len);
        let what = format!("{more} more samples of {agents} agents: {}", self.log());
        host::until(&what, || {
            let now = self.samples()?;
            let enough = now.iter().filter(|(agent, series)| series.len() >= had(agent) + more);
            Ok((enough.count() >= agents).then_some(()))
        })
        .await
    }

    /// Fails if a sample is there twice, or out of its order, or if one is missing.
    ///
    /// # Errors
    /// With the samples.
    pub fn ensure_gapless(&self, interval_secs: f64) -> Result<()> {
        for (agent, series) in self.samples()? {
            for pair in series.windows(2) {
                ensure!(pair[0].0 < pair[1].0, "{agent}: doubled, or out of order: {series:#?}");
            }
            let missing = gap(&series, interval_secs);
            ensure!(missing.is_none(), "{agent}: {missing:?}: {series:#?}");
        }
        Ok(())
    }

    /// Whether no sample is missing; some may be there twice.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn is_complete(&self, interval_secs: f64) -> Result<bool> {
        let complete = |mut series: Series| {
            series.sort_by(|a, b| a.0.cmp(&b.0));
            gap(&series, interval_secs).is_none()
        };
        Ok(self.samples()?.into_values().all(complete))
    }
}

/// Two neighbours between which there must have been another. A sample may be late on a busy
/// machine, and is never early.
fn gap(series: &Series, interval_secs: f64) -> Option<String> {
    let far = |pair: &&[(String, f64)]| pair[1].1 - pair[0].1 > 1.95 * interval_secs;
    series.windows(2).find(far).map(|pair| format!("nothing between {pair:?}"))
}
