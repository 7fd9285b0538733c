//! The stages of a compilation, looked at, and faults told with the line of the source.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also where it is called from")]

use muster_states::{
    Compiled, Error, Facts, Host, Kind, Opts, Request, Selection, Tree, compile, show_high,
};
use serde_json::json;

fn facts() -> Facts {
    serde_json::from_value(json!({"id": "web-1", "os": "Debian", "roles": ["web"]})).unwrap()
}

fn compiled(files: &[(&str, &str)], selection: &Selection) -> Result<Compiled, Vec<Error>> {
    let tree = Tree::from_files(files.iter().map(|(path, text)| (*path, *text)));
    compile(&tree, &facts(), &json!({"port": 80}), selection, &Host::new())
}

const TREE: [(&str, &str); 4] = [
    ("top.sls", "base:\n  '*':\n    - common\n  'roles:web':\n    - match: grain\n    - web\n"),
    ("common/init.sls", "motd:\n  file.managed:\n    - name: /etc/motd\n    - contents: hi\n"),
    (
        "web/init.sls",
        "include:\n  - common\n  - .conf\n\nextend:\n  motd:\n    file:\n      - mode: '0600'\n\n\
         web:\n  test.nop:\n    - require:\n      - sls: common\n    - require_in:\n      - \
         file: conf\n",
    ),
    (
        "web/conf.sls",
        "conf:\n  file.managed:\n    - names:\n      - /etc/a\n      - /etc/b:\n        - \
         contents: b\n\
         \x20   - contents: port {{ pillar.port }} on {{ grains.id }}\n",
    ),
];

#[test]
fn the_stages_can_be_looked_at() {
    let compiled = compiled(&TREE, &Selection::Highstate).unwrap();
    assert_eq!(compiled.selected().collect::<Vec<_>>(), ["common", "web"]);
    let high = show_high(&Request {
        tree: &Tree::from_files(TREE),
        facts: &facts(),
        pillar: &json!({"port": 80}),
        opts: &Opts::default(),
        selection: &Selection::Highstate,
        exclude: &[],
        host: &Host::new(),
    });
    insta::assert_snapshot!("high", serde_json::to_string_pretty(&high.unwrap()).unwrap());
    insta::assert_snapshot!("low", serde_json::to_string_pretty(&compiled.low()).unwrap());
    let order: Vec<&str> = compiled.ordered().map(|chunk| chunk.name.as_str()).collect();
    assert_eq!(order, ["/etc/motd", "web", "/etc/a", "/etc/b"]);
}

#[test]
fn for_one_id_nothing_is_extended_or_excluded() {
    let tree = [
        ("a.sls", "include: [b]\nextend:\n  x: {test.nop: [{name: new}]}\nexclude: [{id: y}]\n"),
        ("b.sls", "x: {test.nop: [{name: old}]}\ny: {test.nop: [{name: left}]}\n"),
    ];
    let names = |selection| {
        let compiled = compiled(&tree, &selection).unwrap();
        compiled.ordered().map(|chunk| chunk.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(Selection::Sls(vec!["a".into()])), ["new"]);
    assert_eq!(names(Selection::OfId(vec!["a".into()])), ["old", "left"]);
}

/// The faults of one SLS, as `line: reason`.
fn faults(sls: &str) -> Vec<String> {
    let errors = compiled(&[("a.sls", sls)], &Selection::Sls(vec!["a".into()])).unwrap_err();
    let told = |error: &Error| {
        let at = error.at.as_ref().unwrap();
        assert_eq!(&*at.file, "a.sls");
        format!("{}: {}", at.line, error.reason.lines().next().unwrap())
    };
    errors.iter().map(told).collect()
}

#[test]
fn faults_name_the_line_of_the_source_not_of_the_rendering() {
    let sls = "{% set many = [1, 2, 3] %}\n{% for i in many %}\nx{{ i }}:\n  test.nop\n{% \
                   endfor %}\n\
               y:\n  test.nop:\n    - require:\n      - test: nope\n";
    let expected = "8: Referenced state does not exist for requisite [require: (test: nope)] in \
                   state \
                    [y] in SLS [a]";
    assert_eq!(faults(sls), [expected]);
    let sls = "{% if true %}\n{% endif %}\n{# a\ncomment #}\na:\n  file.managed:\n    - bad: [\n";
    let found = faults(sls);
    assert!(found[0].starts_with("7: Rendering SLS 'base:a' failed"), "{found:?}");
}

#[test]
fn every_fault_is_told_at_once() {
    let sls = "a:\n  file.nope: []\nb:\n  test.nop:\n    - require: [{test: zzz}]\nc:\n  \
                   file.managed:\n\
               \x20   - name: /x\n    - signature: true\n    - nonsense: 1\n";
    let found = faults(sls);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("1: State 'file.nope' was not found"), "{found:?}");
    assert!(found[1].starts_with("9: the argument 'signature'"), "{found:?}");
    assert!(found[2].starts_with("5: Referenced state"), "{found:?}");
}

#[test]
fn an_argument_without_effect_is_a_warning() {
    let files = [("a.sls", "a:\n  test.nop:\n    - nonsense: 1\n")];
    let compiled = compiled(&files, &Selection::Sls(vec!["a".into()])).unwrap();
    assert_eq!(compiled.warnings().len(), 1);
    assert_eq!(compiled.warnings()[0].at.as_ref().unwrap().line, 3);
}

#[test]
fn an_argument_that_ends_a_run_of_salts_is_refused() {
    let sls = "a:\n  test.configurable_test_state:\n    - nonsense: 1\nb:\n  user.present:\n    - \
               uid: 5\n    - x: 1\n    - require: [{test: a}]\n    - y: 2\n    - z: 3\nc:\n  \
               event.wait:\n    - data: {}\n    - x: 1\nd:\n  file.decode:\n    - name: /x\n    \
               - encoded_data: ''\n    - mode: 1\n";
    let expected = [
        "3: 'nonsense' is an invalid keyword argument for 'test.configurable_test_state'",
        "7: 'x', 'y' and 'z' are invalid keyword arguments for 'user.present'",
        "14: 'x' is an invalid keyword argument for 'event.wait'",
        "19: 'mode' is an invalid keyword argument for 'file.decode'",
    ];
    assert_eq!(faults(sls), expected);
}

#[test]
fn who_listens_to_nobody_is_told_before_the_run_fails() {
    let sls = "a:\n  test.nop:\n    - listen: [{test: zz}]\n";
    let compiled = compiled(&[("a.sls", sls)], &Selection::Sls(vec!["a".into()])).unwrap();
    let told = &compiled.warnings()[0];
    assert!(told.reason.starts_with("Referenced state does not exist"), "{told}");
    assert_eq!(told.at.as_ref().unwrap().line, 3);
}

#[test]
fn a_worker_without_states_is_told_apart_from_a_broken_tree() {
    let errors = compiled(&[("top.sls", "base: {'db*': [x]}")], &Selection::Highstate).unwrap_err();
    assert_eq!(errors[0].kind, Kind::Nothing);
    let errors = compiled(&[("top.sls", "base: {'*': [x]}")], &Selection::Highstate).unwrap_err();
    assert_eq!(errors[0].kind, Kind::Missing);
}

#[test]
fn what_cannot_be_run_is_refused_with_its_line_and_what_to_do() {
    let check = |args: &str, expected: &str| {
        let found = faults(&format!("a:\n  {args}\n"));
        assert!(found.iter().any(|fault| fault.starts_with(expected)), "{found:?}");
    };
    check("file.managed:\n    - source: ftp://x/y", "3: the source 'ftp://x/y'");
    check(
        "file.managed:\n    - contents: x\n    - template: mako",
        "4: the template engine 'mako'",
    );
    check("pkg.installed:\n    - pkgs: [a, --x]", "3: '--x' is not the name of a package");
    check("cmd.run:\n    - unless:\n      - fun: a.b", "3: the function 'a.b' of unless");
    check("file.symlink: []", "1: Missing parameter target");
}

#[test]
fn unsupported_renderers_and_matchers_are_refused() {
    let found = faults("#!py\ndef run(): pass\n");
    assert!(found[0].starts_with("1: the renderer 'py'"), "{found:?}");
    let top = "base:\n  'x':\n    - match: data\n    - a\n";
    let errors = compiled(&[("top.sls", top)], &Selection::Highstate).unwrap_err();
    assert!(errors[0].reason.contains("matcher 'data'"), "{errors:?}");
}
