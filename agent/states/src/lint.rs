//! What is wrong with a whole tree: what Salt would refuse, what this engine cannot run, and what
//! would only show when it runs.
//!
//! The tree is compiled for one worker as its top file says; then every SLS that this worker does
//! not get is compiled on its own; then all files are looked through without rendering them.

mod keys;
mod scan;
mod sources;
mod sure;

use std::collections::HashSet;

use serde::Serialize;

use crate::chunk::Chunk;
use crate::compile::{Request, Selection, inspect};
use crate::error::{At, Error, Kind};
use crate::secret::Secrets;
use crate::sls;
use crate::tree::Tree;

/// Faults that one tree may have told of it.
const FINDINGS_MAX: usize = 10_000;

/// What is wrong with a tree.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Lint {
    /// What keeps states from being run, sorted by place.
    pub errors: Vec<Error>,
    /// What has no effect, or is unwise, sorted by place.
    pub warnings: Vec<Error>,
}

/// Looks for everything that is wrong with a tree; the request's selection does not count.
pub fn lint(request: &Request<'_>) -> Lint {
    let mut findings = Findings::default();
    let mut reached: HashSet<String> = HashSet::new();
    let top = Request { selection: &Selection::Highstate, ..*request };
    let whole = inspect(&top);
    reached.extend(whole.rendered.iter().cloned());
    let mut chunks = whole.chunks;
    findings.warnings(whole.warnings);
    // A worker that gets nothing is no fault of the tree.
    findings.errors(whole.errors.into_iter().filter(|error| error.kind != Kind::Nothing));
    let base = request.tree;
    let secrets = Secrets::of(request.pillar, request.opts, base, request.facts);
    for saltenv in base.envs().map(str::to_owned).collect::<Vec<_>>() {
        let Some(tree) = base.env(&saltenv) else { continue };
        let mut opts = request.opts.clone();
        opts.set("saltenv", saltenv.as_str());
        for name in sls::names(&tree) {
            let place = format!("{saltenv}:{name}");
            if reached.contains(&place) || is_top(&tree, &name, &opts) || again(&tree, &name) {
                continue;
            }
            let selection = &Selection::Sls(vec![name.clone()]);
            let alone = inspect(&Request { selection, opts: &opts, ..*request });
            findings.warnings(alone.warnings);
            findings.errors(alone.errors);
            chunks.extend(alone.chunks);
        }
        scan::files(&tree, &secrets, &mut findings);
    }
    findings.errors(sources::missing(base, &chunks));
    findings.errors(sure::failures(base, &chunks));
    declared_elsewhere(&mut findings.errors, &chunks);
    let all = findings.errors.iter_mut().chain(&mut findings.warnings);
    all.for_each(|error| secrets.mask_error(error));
    findings.sorted()
}

/// Top files are no SLS of states.
fn is_top(tree: &Tree, name: &str, opts: &crate::opts::Opts) -> bool {
    sls::file_of(tree, name).is_some_and(|file| file == opts.top_file())
}

/// Whether an SLS is there by a shorter name, too.
fn again(tree: &Tree, name: &str) -> bool {
    sls::file_of(tree, name).is_some_and(|file| tree.is_repeated(&file))
}

/// What was found, each once.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    errors: Vec<Error>,
    warnings: Vec<Error>,
    known: HashSet<(Option<At>, String)>,
}

impl Findings {
    fn errors(&mut self, errors: impl IntoIterator<Item = Error>) {
        for error in errors {
            if self.is_new(&error) {
                self.errors.push(error);
            }
        }
    }

    fn warnings(&mut self, warnings: impl IntoIterator<Item = Error>) {
        for warning in warnings {
            if self.is_new(&warning) {
                self.warnings.push(warning);
            }
        }
    }

    fn is_new(&mut self, error: &Error) -> bool {
        self.known.len() < FINDINGS_MAX
            && self.known.insert((error.at.clone(), error.reason.clone()))
    }

    fn sorted(self) -> Lint {
        let place = |error: &Error| {
            let at = error.at.as_ref();
            at.map_or((String::new(), 0), |at| (at.file.to_string(), at.line))
        };
        let (mut errors, mut warnings) = (self.errors, self.warnings);
        errors.sort_by_key(place);
        warnings.sort_by_key(place);
        Lint { errors, warnings }
    }
}

/// Says of a requisite that names nothing where in the tree what it names is.
fn declared_elsewhere(errors: &mut [Error], chunks: &[Chunk]) {
    for error in errors.iter_mut().filter(|error| error.kind == Kind::Requisite) {
        let Some(wanted) = wanted(&error.reason) else { continue };
        let same = |chunk: &&Chunk| {
            (wanted.0 == chunk.state || wanted.0 == "id")
                && (wanted.1 == chunk.id || wanted.1 == chunk.name)
        };
        if let Some(chunk) = chunks.iter().find(same) {
            let hint = format!("; it is in SLS '{}': include that, or apply both", chunk.sls);
            error.reason.push_str(&hint);
        }
    }
}

/// Module and name out of `requisite [require: (file: x)]`.
fn wanted(reason: &str) -> Option<(&str, &str)> {
    let (_, rest) = reason.split_once(": (")?;
    rest.split_once(")]")?.0.split_once(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::host::Host;
    use crate::opts::Opts;
    use serde_json::{Value, json};

    #[test]
    fn a_secret_of_the_pillar_that_stands_in_the_tree_is_told() {
        let pillar = json!({"db": {"password": "Tr0ub4dor&3"}, "app": {"password": "postgres"}});
        let files = [
            ("top.sls", "base: {'*': [a]}"),
            ("a.sls", "a:\n  test.nop:\n    - x: Tr0ub4dor&3\n    - user: postgres\n"),
        ];
        let (errors, warnings) = found_with(&pillar, &files);
        assert!(errors.is_empty(), "{errors:?}");
        let secret = |line: &&String| line.contains("a secret of the pillar");
        let told: Vec<&String> = warnings.iter().filter(secret).collect();
        assert_eq!(told.len(), 1, "{warnings:#?}");
        assert!(told[0].starts_with("a.sls:3: ") && !told[0].contains("Tr0ub"), "{told:?}");
    }

    #[test]
    fn templates_find_root_and_neither_packages_nor_services_on_a_bare_machine() {
        let sls = "{% if salt['service.available']('x') or salt['service.get_enabled']() %}\n\
                   {{ nope.nope }}\n{% endif %}\n\
                   {% if salt['pkg.version']('x') or salt['pkg.list_pkgs']() %}\n\
                   {{ nope.nope }}\n{% endif %}\n\
                   a:\n  test.show_notification:\n\
                   \x20   - text: v{{ salt['pkg.latest_version']('x').split('-')[0] }}\n\
                   {{ salt['user.info']('root').home }}:\n\
                   \x20 test.show_notification:\n\
                   \x20   - text: m{{ salt['file.get_mode']('/etc') }}\n";
        let files = [("top.sls", "base: {'*': [a]}"), ("a.sls", sls)];
        assert_eq!(found(&files), (vec![], vec![]));
    }

    #[test]
    fn what_is_sure_to_fail_is_told_before_it_runs() {
        let sls = "a:\n  file.managed:\n    - name: etc/x\nb:\n  module.run:\n    - nope.fun: []\n\
                   c:\n  file.managed:\n    - name: /x\n    - source: salt://f/x.j2\n\
                   \x20   - template: jinja\n\
                   d:\n  file.recurse:\n    - name: /y\n    - source: salt://f/\n\
                   \x20   - template: jinja\n\
                   e:\n  file.managed:\n    - name: ~/x\n    - source: salt://g.txt\n\
                   f:\n  file.absent:\n    - name: __slot__:salt:test.echo(/x)\n";
        let files = [
            ("top.sls", "base: {'*': [a]}"),
            ("a.sls", sls),
            ("f/x.j2", "fine\n{% if x %}\n"),
            ("f/y", "{{ a.b }}\n{{ }\n"),
            ("g.txt", "{% if %}\n"),
        ];
        let (errors, warnings) = found(&files);
        assert_eq!(errors.len(), 4, "{errors:#?}");
        assert_eq!(errors[0], "a.sls:3: Specified file etc/x is not an absolute path");
        assert_eq!(errors[1], "a.sls:6: Module function nope.fun is not available");
        assert!(errors[2].starts_with("f/x.j2:2: Jinja syntax error: Unexpected end of template"));
        assert!(errors[3].starts_with("f/y:2: Jinja syntax error: "), "{errors:#?}");
        assert!(warnings.is_empty(), "{warnings:#?}");
    }

    #[test]
    fn no_fault_shows_a_secret_of_the_pillar() {
        let pillar = json!({"db": {"password": "Tr0ub4dor&3"}});
        let files = [
            ("top.sls", "base: {'*': [a, b]}"),
            ("a.sls", "{{ pillar.db.password }}: x\n"),
            ("b.sls", "a:\n  file.managed:\n    - source: salt://{{ pillar.db.password }}\n"),
            ("c.sls", "{% include pillar.db.password %}\n"),
            ("d.sls", "d: {test.nop: [{'{{ pillar.db.password }}': 1}]}\n"),
        ];
        let (errors, warnings) = found_with(&pillar, &files);
        let told = [errors, warnings].concat();
        for file in ["a", "b", "c", "d"] {
            let masked = |line: &&String| line.starts_with(file) && line.contains("**********");
            assert!(told.iter().any(|line| masked(&line)), "{file}: {told:#?}");
        }
        assert!(!told.concat().contains("Tr0ub"), "{told:#?}");
    }

    fn found(files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        found_with(&json!({}), files)
    }

    fn found_with(pillar: &Value, files: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let tree = Tree::from_files(files.iter().map(|(path, text)| (*path, *text)));
        let facts: Facts = serde_json::from_value(json!({"id": "w1", "os": "Debian"})).unwrap();
        let bare = tempfile::tempdir().unwrap();
        Host::lay_bare(bare.path()).unwrap();
        let lint = lint(&Request {
            tree: &tree,
            facts: &facts,
            pillar,
            opts: &Opts::default(),
            selection: &Selection::Highstate,
            exclude: &[],
            host: &Host::under(bare.path()),
        });
        let told = |errors: &[Error]| errors.iter().map(ToString::to_string).collect();
        (told(&lint.errors), told(&lint.warnings))
    }

    #[test]
    fn an_sls_that_nobody_gets_is_compiled_on_its_own() {
        let files = [
            ("top.sls", "base: {'*': [a]}"),
            ("a.sls", "a:\n  file.managed:\n    - name: /x\n    - source: salt://gone\n"),
            ("b.sls", "b:\n  test.nop:\n    - require: [{file: a}]\n"),
            ("c.sls", "c:\n  nope.nope: []\n"),
        ];
        let (errors, warnings) = found(&files);
        assert_eq!(errors.len(), 3, "{errors:#?}");
        assert_eq!(errors[0], "a.sls:4: Source file salt://gone not found in saltenv 'base'");
        assert!(errors[1].starts_with("b.sls:3: Referenced state does not exist"), "{errors:#?}");
        assert!(
            errors[1].ends_with("it is in SLS 'a': include that, or apply both"),
            "{errors:#?}"
        );
        assert!(errors[2].starts_with("c.sls:1: State 'nope.nope' was not found"), "{errors:#?}");
        assert!(warnings.is_empty(), "{warnings:?}");
    }

    #[test]
    fn a_provider_is_told_to_have_no_effect() {
        let sls = "a:\n  service.dead:\n    - name: x\n    - provider: systemd\n";
        let (errors, warnings) = found(&[("top.sls", "base: {'*': [a]}"), ("a.sls", sls)]);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(warnings, ["a.sls:4: 'provider' has no effect: what the host has is used"]);
    }

    #[test]
    fn an_sls_that_does_not_render_hides_nothing_of_the_others() {
        let files = [
            ("top.sls", "base: {'*': [a, b, c]}"),
            ("a.sls", "a: {{ gone.x }}\n"),
            ("b.sls", "b:\n  nope.nope: []\n"),
            ("c.sls", "c:\n  file.managed:\n    - source: salt://gone\n    - name: /x\n"),
        ];
        let (errors, _) = found(&files);
        assert_eq!(errors.len(), 3, "{errors:#?}");
        assert!(errors[0].starts_with("a.sls:1: "), "{errors:#?}");
        assert!(errors[1].starts_with("b.sls:1: State 'nope.nope' was not found"), "{errors:#?}");
        assert!(errors[2].starts_with("c.sls:3: Source file salt://gone"), "{errors:#?}");
    }

    #[test]
    fn what_is_in_branches_that_are_not_taken_is_told_too() {
        let files = [
            ("top.sls", "base: {'*': [a]}"),
            (
                "a.sls",
                "{% if grains.os == 'Other' %}\n{% set x = salt['nope.fun']('x') %}\n{% endif %}\n\
                 {% if false %}{{ salt.gone.fun2() }}{% endif %}\na: test.nop\n",
            ),
            ("id_rsa", "-----BEGIN OPENSSH PRIVATE KEY-----\n"),
            ("munge.key", "abc"),
            ("x.py", "#!py\n"),
            ("tpl.j2", "#!mako\n"),
        ];
        let (errors, warnings) = found(&files);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(warnings.len(), 4, "{warnings:#?}");
        assert!(warnings[3].starts_with("munge.key: the key of munge"), "{warnings:#?}");
        assert!(warnings[0].starts_with("a.sls:2: the function 'nope.fun'"), "{warnings:#?}");
        assert!(warnings[1].starts_with("a.sls:4: the function 'gone.fun2'"), "{warnings:#?}");
        assert!(warnings[2].starts_with("id_rsa:1: a private key"), "{warnings:#?}");
    }
}
