//! What is in an archive: folders (with a slash at their end), files, links.

/// The names in an archive, sorted by kind.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) dirs: Vec<String>,
    pub(super) files: Vec<String>,
    pub(super) links: Vec<String>,
    /// All names as they stand in the archive, in its order.
    pub(super) names: Vec<String>,
}

impl Contents {
    /// Sorts, and takes leading folders away as tar's `--strip-components` does.
    pub(super) fn finished(mut self, strip: usize) -> Contents {
        for list in [&mut self.dirs, &mut self.files, &mut self.links] {
            if strip > 0 {
                for name in list.iter_mut() {
                    let rest = name.splitn(strip + 1, '/').nth(strip).unwrap_or_default();
                    *name = rest.to_owned();
                }
                list.retain(|name| !name.is_empty());
            }
            list.sort();
        }
        self
    }

    /// Folders at the top: those of one level, or the one that all names start with.
    pub(super) fn top_dirs(&self) -> Vec<String> {
        let once = |name: &&String| name.matches('/').count() == 1;
        let mut out: Vec<String> = self.dirs.iter().filter(once).cloned().collect();
        let mut all = self.dirs.iter().chain(&self.files).chain(&self.links);
        let first = all.next().cloned().unwrap_or_default();
        let common = all.fold(first, |common, name| {
            let same = common.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
            String::from_utf8_lossy(&common.as_bytes()[..same]).into_owned()
        });
        if let Some((top, _)) = common.split_once('/') {
            let top = format!("{top}/");
            if !out.contains(&top) {
                out.push(top);
            }
        }
        out
    }

    pub(super) fn top_files(&self) -> Vec<String> {
        self.files.iter().filter(|name| !name.contains('/')).cloned().collect()
    }

    pub(super) fn top_links(&self) -> Vec<String> {
        self.links.iter().filter(|name| !name.contains('/')).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_is_told_from_the_names() {
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let contents = Contents {
            dirs: texts(&["a/b/"]),
            files: texts(&["a/b/c", "a/x"]),
            ..Contents::default()
        };
        assert_eq!(contents.top_dirs(), ["a/"]);
        let stripped = contents.finished(1);
        assert_eq!(stripped.files, ["b/c", "x"]);
        assert_eq!(stripped.top_files(), ["x"]);
    }
}
