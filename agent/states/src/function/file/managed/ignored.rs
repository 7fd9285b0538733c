//! `ignore_ordering`, `ignore_whitespace`, `ignore_comment_characters`: changes that nobody need
//! react to. The file is written all the same.

use super::super::diff;
use crate::function::Context;

/// Whether the state asks for any of them.
pub(super) fn asked(ctx: &Context<'_>) -> bool {
    ctx.flag("ignore_ordering", false)
        || ctx.flag("ignore_whitespace", false)
        || !ctx.list("ignore_comment_characters").is_empty()
}

/// Whether two contents differ in nothing but what is to be ignored.
pub(super) fn nothing_else(ctx: &Context<'_>, old: &[u8], new: &[u8]) -> bool {
    asked(ctx)
        && same(
            &diff::lines(old, new),
            ctx.flag("ignore_whitespace", false),
            &ctx.list("ignore_comment_characters"),
        )
}

fn same(diff: &str, spaces: bool, comments: &[String]) -> bool {
    let (mut came, mut gone) = (Vec::new(), Vec::new());
    for line in diff.split_inclusive('\n') {
        if line.starts_with("+++") || line.starts_with("---") {
            continue;
        }
        let (list, mut text) = match (line.strip_prefix('+'), line.strip_prefix('-')) {
            (Some(text), _) => (&mut came, text),
            (None, Some(text)) => (&mut gone, text),
            (None, None) => continue,
        };
        for sign in comments {
            text = text.split(sign.as_str()).next().unwrap_or(text);
        }
        let text = if spaces { text.trim() } else { text };
        if !text.is_empty() {
            list.push(text);
        }
    }
    came.sort_unstable();
    gone.sort_unstable();
    came == gone
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn order_spaces_and_comments_can_be_ignored() {
        assert!(same("--- \n+++ \n@@ -1 +1 @@\n+b\n a\n-b\n", false, &[]));
        assert!(same("@@\n-a \n+a\n", true, &[]));
        assert!(!same("@@\n-a \n+a\n", false, &[]));
        assert!(same("@@\n-# c\n a\n", false, &["#".to_owned()]));
    }
}
