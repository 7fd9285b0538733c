//! Reads the files of tests/input; their README.md says what they look like.

use anyhow::{Context, Result, bail, ensure};
use std::path::Path;

/// One broken input, and what is expected of it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// What is wrong, for people.
    pub(crate) name: String,
    /// The file.
    pub(crate) bytes: Vec<u8>,
    /// A command line instead of a file.
    pub(crate) command: String,
    /// What stderr must have.
    pub(crate) sentences: Vec<String>,
    /// The exit code.
    pub(crate) exit: i32,
}

/// All cases of a file.
pub(crate) fn read(file: &str) -> Result<Vec<Case>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("input").join(file);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut good = String::new();
    let mut cases = Vec::new();
    for part in text.split("\n=== ").map(|part| part.trim_start_matches("=== ")) {
        let (name, body) = part.split_once('\n').unwrap_or((part, ""));
        let case = case(name, body, &good).with_context(|| format!("{file}: {name}"))?;
        if name == "good" {
            good = String::from_utf8(case.bytes.clone())?;
        }
        cases.push(case);
    }
    Ok(cases)
}

fn case(name: &str, body: &str, good: &str) -> Result<Case> {
    let (mut whole, mut edited) = (None::<String>, good.to_owned());
    let (mut sentences, mut exit, mut command, mut old) = (Vec::new(), 1, String::new(), None);
    for line in body.lines() {
        let (mark, rest) = line.split_at_checked(1).unwrap_or(("", ""));
        match (mark, old.take()) {
            ("|", None) => {
                let whole = whole.get_or_insert_default();
                whole.push_str(rest);
                whole.push('\n');
            }
            ("-", None) => old = Some(rest.replace("%{n}", "\n")),
            ("+", Some(old)) => {
                ensure!(edited.contains(&old), "the good file has no {old:?}");
                edited = edited.replacen(&old, rest, 1);
            }
            ("+", None) => {
                edited.push_str(rest);
                edited.push('\n');
            }
            (">", None) => sentences.push(rest.trim_start().to_owned()),
            ("$", None) => command = rest.trim_start().to_owned(),
            ("e", None) => exit = line.trim_start_matches("exit ").parse()?,
            _ => bail!("this line means nothing: {line:?}"),
        }
    }
    // A file that is cut ends anywhere.
    let cut =
        |whole: &String| whole.strip_suffix('\n').filter(|_| name != "good").map(str::to_owned);
    let whole = whole.map(|whole| cut(&whole).unwrap_or(whole));
    let bytes = expand(whole.as_deref().unwrap_or(&edited))?;
    Ok(Case { name: name.to_owned(), bytes, command, sentences, exit })
}

/// Puts bytes and repetitions in place.
fn expand(text: &str) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("%{") {
        out.extend_from_slice(before.as_bytes());
        let (what, behind) = behind.split_once('}').context("%{ without its end")?;
        rest = behind;
        if let Some(bytes) = what.strip_prefix("x:") {
            for byte in bytes.split(' ') {
                out.push(u8::from_str_radix(byte, 16)?);
            }
        } else if what == "n" {
            out.push(b'\n');
        } else {
            let (word, times) = what.rsplit_once('*').context("%{TEXT*N} has no N")?;
            out.extend_from_slice(word.repeat(times.parse()?).as_bytes());
        }
    }
    out.extend_from_slice(rest.as_bytes());
    Ok(out)
}
