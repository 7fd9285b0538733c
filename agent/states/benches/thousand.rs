//! Measures a thousand `file.managed`: compiling, the first run, a run over the result.
//!
//! `cargo bench -p muster-states`
#![allow(clippy::print_stdout, reason = "a measurement prints its figures")]

use std::time::Instant;

use muster_states::{Facts, Host, Options, Selection, Tree, compile, run};

const STATES: usize = 1000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let host = Host::under(dir.path());
    let sls: String = (0..STATES)
        .map(|i| {
            format!(
                "/f{i}:\n  file.managed:\n    - mode: '0644'\n    - user: root\n\
                 \x20   - contents: {}\n",
                "x".repeat(64)
            )
        })
        .collect();
    std::fs::create_dir(dir.path().join("etc"))?;
    std::fs::write(dir.path().join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n")?;
    let tree = Tree::from_files([("a.sls", sls)]);
    let selection = Selection::Sls(vec!["a".to_owned()]);
    let start = Instant::now();
    let pillar = serde_json::Value::Null;
    let compiled = compile(&tree, &Facts::default(), &pillar, &selection, &host)
        .map_err(|errors| errors[0].to_string())?;
    println!("compile            {:>8.1} ms", start.elapsed().as_secs_f64() * 1e3);
    for name in ["first run", "second run", "dry run"] {
        let options = Options { test: name == "dry run", ..Options::default() };
        let start = Instant::now();
        let report = run(&compiled, &host, &options, &mut |_, _| {})?;
        let summary = report.summary();
        println!(
            "{name:<18} {:>8.1} ms  changed {}, failed {}",
            start.elapsed().as_secs_f64() * 1e3,
            summary.changed,
            summary.failed
        );
    }
    Ok(())
}
