//! What a `file.recurse` makes of the folders of the tree that it is given.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::function::Context;
use crate::function::file::parent;
use crate::function::file::patterns::Patterns;

use crate::tree::{Tree, lexical};

/// Links that lead to links, one after the other.
const ROUNDS_MAX: usize = 64;

/// Paths of the host, and what each is to be.
#[derive(Default)]
pub(super) struct Listing {
    /// Those that files lie in, and empty ones if they are asked for.
    pub(super) folders: BTreeSet<String>,
    /// With the source of each.
    pub(super) files: BTreeMap<String, String>,
    /// With the target of each.
    pub(super) links: BTreeMap<String, String>,
    /// What `clean` leaves.
    pub(super) keep: BTreeSet<String>,
    /// The folders above all of them: what a lower source may not put a file at.
    above: BTreeSet<String>,
    /// Links to folders that a higher source has as files.
    ignored: BTreeSet<String>,
}

/// What the state says of paths.
struct Rules<'a> {
    base: &'a str,
    patterns: Patterns,
    depth: Option<usize>,
    links: bool,
    empty: bool,
}

impl Listing {
    /// Lists the first of the folders, or all of them one over the other with `merge`.
    pub(super) fn of(ctx: &Context<'_>, folders: &[(String, String)]) -> Result<Listing, String> {
        let rules = Rules {
            base: match ctx.name().trim_end_matches('/') {
                "" => "",
                base => base,
            },
            patterns: Patterns::of(ctx, true)?,
            depth: ctx.text("maxdepth").and_then(|depth| depth.parse().ok()),
            links: ctx.flag("keep_symlinks", false),
            empty: ctx.flag("include_empty", false),
        };
        let count = if ctx.flag("merge", false) { folders.len() } else { 1 };
        let mut out = Listing::default();
        for (folder, env) in folders.iter().take(count) {
            out.add(&rules, &ctx.view().renderer(env).scope().tree, folder, env);
        }
        Ok(out)
    }

    fn add(&mut self, rules: &Rules<'_>, tree: &Tree, folder: &str, env: &str) {
        let mut files: BTreeSet<&str> = tree.below(folder).collect();
        if rules.links {
            for (link, target) in tree.links_below(folder) {
                let inside = format!("{link}/");
                let leads_to_folder = files.iter().any(|file| file.starts_with(&inside));
                files.retain(|file| *file != link && !file.starts_with(&inside));
                self.link(rules, link, target, leads_to_folder);
            }
        }
        for file in files.into_iter().filter(|file| rules.wants(file)) {
            let dest = rules.dest(file);
            if self.is_occupied(&dest) {
                continue;
            }
            self.keep.insert(dest.clone());
            self.folders.insert(parent(&dest).to_owned());
            self.above.extend(ancestors(&dest).map(str::to_owned));
            self.files.insert(dest, format!("salt://{folder}/{file}?saltenv={env}"));
        }
        if rules.empty {
            // The folder itself is among them, by this name.
            let all = std::iter::once(".").chain(tree.folders_below(folder));
            for below in all.filter(|below| rules.wants(below)) {
                let dest = rules.dest(below);
                if !self.ignored.contains(&dest) && !self.is_occupied(&dest) {
                    self.folders.insert(dest.clone());
                    self.above.insert(dest.clone());
                    self.keep.insert(dest);
                }
            }
        } else if rules.links {
            self.without_empty_targets(rules, tree, folder);
        }
    }

    /// A link that is kept as one, unless what it leads to is of another kind here.
    fn link(&mut self, rules: &Rules<'_>, link: &str, target: &str, leads_to_folder: bool) {
        if !rules.wants(link) {
            return;
        }
        let dest = rules.dest(link);
        if self.is_occupied(&dest) {
            return;
        }
        let leads = target_of(&dest, target);
        if leads_to_folder && self.files.contains_key(&leads) {
            self.ignored.insert(dest);
        } else if leads_to_folder || !self.folders.contains(&leads) {
            self.keep.insert(dest.clone());
            self.links.insert(dest, target.to_owned());
        }
    }

    /// Leaves out links to folders that are empty and so not made.
    fn without_empty_targets(&mut self, rules: &Rules<'_>, tree: &Tree, folder: &str) {
        for _ in 0..ROUNDS_MAX {
            let gone = self.links.iter().find(|(_, target)| {
                let place = lexical(&Path::new("/").join(folder).join(target.as_str()));
                let made = lexical(&Path::new(rules.base).join(target.as_str()));
                let made = made.display().to_string();
                tree.has_folder(place.display().to_string().trim_start_matches('/'))
                    && !self.files.contains_key(&made)
                    && !self.above.contains(&made)
                    && !self.links.contains_key(&made)
            });
            let Some(gone) = gone.map(|(link, _)| link.clone()) else { return };
            self.links.remove(&gone);
        }
    }

    /// Whether a higher source has this path, or a file above it.
    fn is_occupied(&self, dest: &str) -> bool {
        let taken = |path: &str| self.files.contains_key(path) || self.links.contains_key(path);
        self.above.contains(dest) || taken(dest) || ancestors(dest).any(taken)
    }
}

impl Rules<'_> {
    fn wants(&self, path: &str) -> bool {
        self.depth.is_none_or(|depth| path.matches('/').count() <= depth)
            && self.patterns.wants(path)
    }

    fn dest(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }
}

/// Where a link leads, by its words.
pub(super) fn target_of(dest: &str, target: &str) -> String {
    lexical(&Path::new(parent(dest)).join(target)).display().to_string()
}

/// The folders above a path, the nearest first.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').rev().map(|(at, _)| if at == 0 { "/" } else { &path[..at] })
}
