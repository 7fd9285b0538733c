//! A person's word before something that cannot be undone.

use crate::failure::{Failure, OrNext, Result};
use crate::output::{clean, note};
use std::io::{BufRead, IsTerminal};

/// What is read of an answer; more is no answer.
const ANSWER_BYTES_MAX: u64 = 1024;

/// Asks for a word on the terminal, and gives an error unless it is typed. Elsewhere nobody can
/// type: there `--yes` says it.
pub(crate) async fn confirm(warning: &str, word: &str) -> Result<()> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let what = "this asks for confirmation, and there is no terminal to ask on";
        return Err(Failure::say(what, "look first, then give --yes"));
    }
    note(&clean(warning));
    note(&format!("Type {word} to go on:"));
    // The connection is kept alive meanwhile.
    let read = tokio::task::spawn_blocking(|| answer(std::io::stdin().lock())).await;
    let typed = read.or_next("try again")?.or_next("try again, or give --yes")?;
    judge(&typed, word)
}

fn answer(from: impl BufRead) -> std::io::Result<String> {
    let mut typed = String::new();
    from.take(ANSWER_BYTES_MAX).read_line(&mut typed)?;
    Ok(typed)
}

fn judge(typed: &str, word: &str) -> Result<()> {
    match typed.trim() == word {
        true => Ok(()),
        false => {
            Err(Failure::say(format!("{word} was not typed: nothing was done"), "type it exactly"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_itself_confirms() {
        assert!(judge(&answer("pluto\nmore".as_bytes()).unwrap(), "pluto").is_ok());
        for typed in ["", "\n", "y\n", "Pluto\n", "pluto2\n"] {
            let failure = judge(&answer(typed.as_bytes()).unwrap(), "pluto").unwrap_err();
            assert!(failure.text().contains("nothing was done"), "{typed:?}");
        }
    }
}
