//! Measures rendering beside Salt in the same run: a hundred SLS cold, one of them warm.
//!
//! `cargo bench -p muster-states --bench render`; `MUSTER_SALT_PYTHON` is a Python that has Salt
//! (`.tools/salt/bin/python` unless it is set).
#![allow(clippy::print_stdout, reason = "a measurement prints its figures")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use muster_states::fuzzing::Renderer;
use muster_states::{Facts, Tree};

const FILES: usize = 100;
const WARM: u32 = 200;

/// What formulas' SLS look like: a map with defaults and merges, conditions, loops, a macro.
const SLS: &str = r#"{% from "f/map.jinja" import config with context %}
{% set users = config.users %}
f-package:
  pkg.installed:
    - name: {{ config.package }}
{% for name, user in users|dictsort %}
{%- set home = user.get('home', '/home/' ~ name) %}
f-{{ name }}:
  file.managed:
    - name: {{ home }}/.conf
    - mode: '{{ user.mode|default("0644") }}'
    - contents: {{ user.lines|join(',')|yaml_encode }}
    {%- if user.get('groups') %}
    - require:
      {%- for group in user.groups %}
      - group: {{ group }}
      {%- endfor %}
    {%- endif %}
{% endfor %}
"#;
const MAP: &str = r#"{% import_yaml "f/defaults.yaml" as defaults %}
{% import_yaml "f/osmap.yaml" as osmap %}
{% set config = defaults.f %}
{% do config.update(osmap.get(grains['os_family'], {})) %}
"#;
const DEFAULTS: &str =
    "f:\n  package: f\n  users:\n    amy: {home: /a, lines: [a, b], groups: [x, y]}
    bob: {lines: [c], mode: '0600'}\n    eve: {lines: []}\n";
const OSMAP: &str = "Debian:\n  package: f-deb\nRedHat:\n  package: f-rpm\n";

/// The same work with Salt: seconds of CPU for all files cold, and for one that is warm.
const SALT: &str = r#"
import sys, time, pathlib
import salt.config, salt.utils.templates, salt.utils.yamlencoding
import salt.utils.yaml
root, cache, files = sys.argv[1], sys.argv[2], int(sys.argv[3])
opts = salt.config.minion_config(None)
opts.update(file_client="local", file_roots={"base": [root]}, cachedir=cache, id="w1")
def render(n):
    name = f"s{n}"
    source = pathlib.Path(root, name + ".sls").read_text()
    context = {"opts": opts, "saltenv": "base", "grains": {"os_family": "Debian"}, "pillar": {},
               "salt": {}, "sls": name, "tplpath": name + ".sls"}
    return salt.utils.yaml.safe_load(salt.utils.templates.render_jinja_tmpl(source, context))
start = time.process_time()
for n in range(files):
    render(n)
cold = time.process_time() - start
start = time.process_time()
for _ in range(20):
    render(0)
print(cold * 1000, (time.process_time() - start) * 50)
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let python = std::env::var_os("MUSTER_SALT_PYTHON").map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = python.unwrap_or_else(|| root.join(".tools/salt/bin/python"));
    if !python.exists() {
        return Err(format!(
            "{} is not there: run `python3 -m venv .tools/salt && .tools/salt/bin/pip install \
             salt==3008.5`, or set MUSTER_SALT_PYTHON",
            python.display()
        )
        .into());
    }
    let dir = tempfile::tempdir()?;
    let tree = dir.path().join("salt");
    std::fs::create_dir_all(tree.join("f"))?;
    for (name, text) in [("map.jinja", MAP), ("defaults.yaml", DEFAULTS), ("osmap.yaml", OSMAP)] {
        std::fs::write(tree.join("f").join(name), text)?;
    }
    for n in 0..FILES {
        std::fs::write(tree.join(format!("s{n}.sls")), SLS)?;
    }
    let facts: Facts = serde_json::from_value(serde_json::json!({"os_family": "Debian"}))?;
    let pillar = serde_json::json!({});
    let cold = Instant::now();
    let renderer = Renderer::new(&Tree::from_dir(&tree)?, &facts, &pillar, dir.path());
    for n in 0..FILES {
        renderer.data(&format!("s{n}"), &format!("s{n}.sls"))?;
    }
    let cold = cold.elapsed();
    let warm = Instant::now();
    for _ in 0..WARM {
        renderer.data("s0", "s0.sls")?;
    }
    let warm = warm.elapsed() / WARM;
    let cache = dir.path().join("cache");
    let output = Command::new(&python)
        .arg("-c")
        .arg(SALT)
        .args([&tree, &cache])
        .arg(FILES.to_string())
        .output()?;
    let told = String::from_utf8(output.stdout)?;
    let figures: Vec<f64> = told.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [salt_cold, salt_warm] = figures[..] else {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    };
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!("{:<34} {:>10} {:>10}", "rendered and read as YAML", "Muster", "Salt");
    println!("{FILES} SLS, cold {:>28.1} ms {salt_cold:>7.1} ms", ms(cold));
    println!("one SLS, warm {:>27.3} ms {salt_warm:>7.1} ms", ms(warm));
    Ok(())
}
