//! One reading in the making: collectors put groups of values, which become columns.
//!
//! A group is a family of metrics for one device. Their names are only made when the groups differ
//! from those of the sample before; as long as they are the same, putting values allocates nothing.

use muster_protocol::stats::{
    Kind, METRICS_MAX, Metric, NAME_BYTES_MAX, SCHEMA_BYTES_MAX, Schema, UNIT_BYTES_MAX,
};

/// Bytes of a device's name; what has a longer one is left out.
const KEY_BYTES_MAX: usize = 128;
/// Bytes of the last part of a name.
const LEAF_BYTES_MAX: usize = 32;

/// The last part of a metric's name, its unit and kind.
pub(super) type Leaf = (&'static str, &'static str, Kind);

/// Metrics that are read together: `<name>.<key>.<leaf>`, or `<name>.<leaf>` without a key.
///
/// Neither `name` nor a leaf holds a dot, so that readers can tell the key, which may.
pub(super) struct Family<const N: usize> {
    pub(super) name: &'static str,
    pub(super) leaves: [Leaf; N],
}

struct Group {
    family: &'static str,
    leaves: &'static [Leaf],
    key: String,
}

#[derive(Default)]
pub(super) struct Sample {
    groups: Vec<Group>,
    seen: usize,
    bytes: usize,
    changed: bool,
    values: Vec<f64>,
}

impl Sample {
    /// Starts a reading.
    pub(super) fn begin(&mut self) {
        self.seen = 0;
        self.bytes = 0;
        self.changed = false;
    }

    /// Puts the values of one device; what has an odd name or is past the limits is left out.
    pub(super) fn put<const N: usize>(
        &mut self,
        family: &'static Family<N>,
        key: &str,
        values: [f64; N],
    ) {
        if !self.admits(family, key) {
            return;
        }
        let same = |group: &Group| group.family == family.name && group.key == key;
        if !self.groups.get(self.seen).is_some_and(same) {
            self.changed = true;
            self.groups.truncate(self.seen);
            if self.groups.iter().any(same) {
                return;
            }
            let leaves = &family.leaves;
            self.groups.push(Group { family: family.name, leaves, key: key.to_owned() });
        }
        self.seen += 1;
        self.values.extend(values);
    }

    fn admits<const N: usize>(&mut self, family: &Family<N>, key: &str) -> bool {
        let bytes = N * (family.name.len() + key.len() + 2 + LEAF_BYTES_MAX + UNIT_BYTES_MAX);
        let admitted = key.len() <= KEY_BYTES_MAX
            && key.bytes().all(|byte| byte.is_ascii_graphic())
            && self.values.len() + N <= METRICS_MAX
            && self.bytes + bytes <= SCHEMA_BYTES_MAX;
        self.bytes += if admitted { bytes } else { 0 };
        admitted
    }

    /// Ends the reading: its values, and whether the columns differ from those before.
    pub(super) fn end(&mut self) -> (Vec<f64>, bool) {
        let changed = self.changed || self.seen < self.groups.len();
        self.groups.truncate(self.seen);
        let next = Vec::with_capacity(self.values.len());
        (std::mem::replace(&mut self.values, next), changed)
    }

    /// The schema of the reading that has ended.
    pub(super) fn schema(&self) -> Schema {
        let metrics = self.groups.iter().flat_map(|group| {
            group.leaves.iter().map(|&(leaf, unit, kind)| {
                let name = match group.key.as_str() {
                    "" => format!("{}.{leaf}", group.family),
                    key => format!("{}.{key}.{leaf}", group.family),
                };
                debug_assert!(leaf.len() <= LEAF_BYTES_MAX && name.len() <= NAME_BYTES_MAX);
                Metric::new(name, unit, kind)
            })
        });
        Schema::new(metrics.collect()).expect("admits and put let in what a schema takes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static PAIR: Family<2> =
        Family { name: "pair", leaves: [("a", "bytes", Kind::Gauge), ("b", "", Kind::Counter)] };

    fn names(sample: &Sample) -> Vec<String> {
        sample.schema().metrics().iter().map(|metric| metric.name.clone()).collect()
    }

    fn reading(sample: &mut Sample, keys: &[&str]) -> bool {
        sample.begin();
        for key in keys {
            sample.put(&PAIR, key, [1.0, 2.0]);
        }
        sample.end().1
    }

    #[test]
    fn columns_change_when_a_device_comes_or_goes() {
        let mut sample = Sample::default();
        assert!(reading(&mut sample, &["x", "y"]));
        assert_eq!(names(&sample), ["pair.x.a", "pair.x.b", "pair.y.a", "pair.y.b"]);
        assert!(!reading(&mut sample, &["x", "y"]));
        assert!(reading(&mut sample, &["x"]));
        assert!(reading(&mut sample, &["z", "x"]));
        assert_eq!(names(&sample).len(), 4);
        assert!(!reading(&mut sample, &["z", "x"]));
        assert!(reading(&mut sample, &[]));
    }

    #[test]
    fn odd_names_and_twins_are_left_out() {
        let mut sample = Sample::default();
        let long = "a".repeat(KEY_BYTES_MAX + 1);
        reading(&mut sample, &["x", "a b", "ü", "x\n", &long, "x", ""]);
        assert_eq!(names(&sample), ["pair.x.a", "pair.x.b", "pair.a", "pair.b"]);
    }

    #[test]
    fn a_host_with_too_many_devices_stays_within_the_limits() {
        let mut sample = Sample::default();
        let keys: Vec<String> = (0..METRICS_MAX).map(|n| format!("device-{n}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        assert!(reading(&mut sample, &keys));
        assert!(!sample.schema().metrics().is_empty());
        assert!(!reading(&mut sample, &keys));
    }
}
