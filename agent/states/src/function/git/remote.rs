//! What a remote repository has, and what of it a state wants.

use indexmap::IndexMap;

use super::cli::{Failure, Git};
use super::{is_hex, short};

/// What a revision is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Branch,
    Tag,
    Commit,
}

/// The branch that a local one is to follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Upstream {
    /// Whatever it follows.
    Any,
    Nothing,
    Branch(String),
}

impl Upstream {
    pub(super) fn branch(&self) -> Option<&str> {
        match self {
            Upstream::Branch(name) => Some(name),
            Upstream::Any | Upstream::Nothing => None,
        }
    }
}

/// What a state wants of a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Desired {
    /// The commit; none of an empty repository, or if anything will do.
    pub(super) rev: Option<String>,
    pub(super) kind: Option<Kind>,
    pub(super) upstream: Upstream,
    /// In words: `origin/main (1a2b3c4)`.
    pub(super) place: String,
    pub(super) default_branch: Option<String>,
    pub(super) has_head: bool,
}

/// Asks a remote for its references.
pub(super) fn refs(git: &Git<'_>, url: &str) -> Result<IndexMap<String, String>, Failure> {
    let listed = git.run("/", &["ls-remote", "--", url])?;
    let entry = |line: &str| {
        let (sha, name) = line.split_once(char::is_whitespace)?;
        Some((name.trim().to_owned(), sha.to_owned()))
    };
    Ok(listed.lines().filter_map(entry).collect())
}

/// Finds what a revision is: `HEAD`, a branch, a tag, a commit.
pub(super) fn desired(
    refs: &IndexMap<String, String>,
    rev: &str,
    remote: &str,
    bare: bool,
) -> Desired {
    let head = refs.get("HEAD");
    let default_branch = head.and_then(|head| {
        let mut heads = refs.iter().filter(|(_, sha)| *sha == head);
        heads.find_map(|(name, _)| name.strip_prefix("refs/heads/")).map(str::to_owned)
    });
    let mut out = Desired {
        rev: None,
        kind: None,
        upstream: Upstream::Nothing,
        place: String::new(),
        default_branch,
        has_head: head.is_some(),
    };
    if bare {
        return out;
    }
    let branch = refs.get(&format!("refs/heads/{rev}"));
    let tag = refs.get(&format!("refs/tags/{rev}^{{}}")).or(refs.get(&format!("refs/tags/{rev}")));
    if rev == "HEAD" {
        if let Some(head) = head {
            out.upstream = Upstream::Any;
            out.found(head, Kind::Commit, format!("remote HEAD ({})", short(head)));
        }
    } else if let Some(sha) = branch {
        let upstream = format!("{remote}/{rev}");
        out.found(sha, Kind::Branch, format!("{upstream} ({})", short(sha)));
        out.upstream = Upstream::Branch(upstream);
    } else if let Some(sha) = tag {
        out.found(sha, Kind::Tag, format!("{rev} ({})", short(sha)));
    } else if is_hex(rev) {
        let rev = rev.to_lowercase();
        let place = short(&rev).to_owned();
        out.found(&rev, Kind::Commit, place);
    }
    out
}

impl Desired {
    fn found(&mut self, sha: &str, kind: Kind, place: String) {
        self.rev = Some(sha.to_owned());
        self.kind = Some(kind);
        self.place = place;
    }

    /// Whether a local commit is the wanted one; a commit may be given by its first digits.
    pub(super) fn is(&self, local: Option<&str>) -> bool {
        match (local, self.rev.as_deref(), self.kind) {
            (None, None, _) => true,
            (Some(local), Some(wanted), Some(Kind::Commit)) => local.starts_with(wanted),
            (local, wanted, _) => local == wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_a_branch_before_a_tag_before_a_commit() {
        let refs = IndexMap::from_iter(
            [
                ("HEAD", "aaaaaaaa"),
                ("refs/heads/main", "aaaaaaaa"),
                ("refs/heads/abc", "bbbbbbbb"),
                ("refs/tags/v1", "cccccccc"),
                ("refs/tags/v1^{}", "dddddddd"),
            ]
            .map(|(name, sha)| (name.to_owned(), sha.to_owned())),
        );
        let of = |rev: &str| desired(&refs, rev, "origin", false);
        assert_eq!(of("HEAD").place, "remote HEAD (aaaaaaa)");
        assert_eq!(of("HEAD").default_branch.as_deref(), Some("main"));
        assert_eq!(of("abc").upstream, Upstream::Branch("origin/abc".into()));
        assert_eq!(of("v1").rev.as_deref(), Some("dddddddd"));
        assert_eq!(of("abcd").kind, Some(Kind::Commit));
        assert_eq!(of("nosuch").rev, None);
    }
}
