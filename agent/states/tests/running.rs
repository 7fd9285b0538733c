//! Runs that are cancelled, that have secrets in their pillar, and that tell of events.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also where it is called from")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use muster_states::{
    Facts, Fired, Host, Options, Opts, Report, Request, Selection, StateReturn, Tree,
    compile_request, run,
};
use serde_json::{Value, json};

fn apply(
    sls: &str,
    pillar: &Value,
    root: &Path,
    options: &Options,
    progress: &mut dyn FnMut(&str, &StateReturn),
) -> Report {
    apply_with(&Opts::default(), sls, pillar, root, options, progress)
}

fn apply_with(
    opts: &Opts,
    sls: &str,
    pillar: &Value,
    root: &Path,
    options: &Options,
    progress: &mut dyn FnMut(&str, &StateReturn),
) -> Report {
    apply_on(&Host::under(root), opts, sls, pillar, options, progress)
}

fn apply_on(
    host: &Host,
    opts: &Opts,
    sls: &str,
    pillar: &Value,
    options: &Options,
    progress: &mut dyn FnMut(&str, &StateReturn),
) -> Report {
    let tree = Tree::from_files([("a.sls", sls)]);
    let selection = Selection::Sls(vec!["a".into()]);
    let facts = &Facts::default();
    let request =
        Request { tree: &tree, facts, pillar, opts, selection: &selection, exclude: &[], host };
    let compiled = compile_request(&request).unwrap();
    run(&compiled, host, options, progress).unwrap()
}

/// Runs states until one of them has made the file `begun`; how long it took.
fn cancelled_when_begun(sls: &str) -> (Report, Duration) {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::default();
    let cancel = options.cancel.clone();
    let begin = Instant::now();
    let begun = dir.path().join("begun");
    let waits = std::thread::spawn(move || {
        while !begun.exists() && begin.elapsed() < Duration::from_secs(60) {
            std::thread::yield_now();
        }
        cancel.cancel();
    });
    let report = apply(sls, &json!({}), dir.path(), &options, &mut |_, _| {});
    waits.join().unwrap();
    (report, begin.elapsed())
}

#[test]
fn a_cancelled_run_kills_its_command_and_tells_what_did_not_run() {
    let sls = "one: {test.nop: []}\n\
               apart: {cmd.run: [{name: sleep 601}, {parallel: true}]}\n\
               two: {cmd.run: [{name: touch begun; sleep 600 & sleep 600}]}\n\
               three: {test.succeed_with_changes: []}\n\
               four: {test.nop: [{listen: [{test: three}]}]}\n";
    let (report, took) = cancelled_when_begun(sls);
    assert!(took < Duration::from_secs(60));
    let told: Vec<(&str, Option<bool>, bool)> = report
        .states()
        .values()
        .map(|state| (state.id.as_str(), state.result, state.comment.contains("was cancelled")))
        .collect();
    let failed = Some(false);
    let expected = [
        ("one", Some(true), false),
        ("apart", failed, true),
        ("two", failed, true),
        ("three", failed, true),
        ("four", failed, true),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_state_that_takes_too_long_is_ended_unless_it_has_a_timeout() {
    let dir = tempfile::tempdir().unwrap();
    let sls = "long: {cmd.run: [{name: sleep 600}]}\n\
               own: {cmd.run: [{name: sleep 0.2; echo x, timeout: 60}]}\n";
    let limit = Some(Duration::from_millis(100));
    let options = Options { state_timeout: limit, ..Options::default() };
    let report = apply(sls, &json!({}), dir.path(), &options, &mut |_, _| {});
    let states: Vec<&StateReturn> = report.states().values().collect();
    assert!(states[0].comment.contains("longer than"), "{}", states[0].comment);
    assert_eq!((states[0].result, states[1].result), (Some(false), Some(true)));
}

#[test]
fn what_a_state_calls_by_name_ends_with_the_state() {
    let dir = tempfile::tempdir().unwrap();
    let sls = "command: {module.run: [{cmd.run: [{cmd: sleep 600}]}]}\n\
               wait: {module.run: [{test.sleep: [{length: 600}]}]}\n\
               next: {test.nop: []}\n";
    let limit = Some(Duration::from_millis(100));
    let options = Options { state_timeout: limit, ..Options::default() };
    let report = apply(sls, &json!({}), dir.path(), &options, &mut |_, _| {});
    let states: Vec<&StateReturn> = report.states().values().collect();
    for state in &states[..2] {
        assert!(state.comment.contains("longer than"), "{}", state.comment);
    }
    assert_eq!(
        states.iter().map(|state| state.result).collect::<Vec<_>>(),
        [Some(false), Some(false), Some(true)]
    );
}

#[test]
fn a_cancelled_run_kills_what_its_functions_and_templates_started() {
    let command = "touch begun; sleep 50";
    let slot = format!("x: '__slot__:salt:cmd.run(\"{command}\", python_shell=True)'");
    let module = format!("cmd.run: [{{cmd: {command}}}, {{python_shell: true}}]");
    let template = format!("{{{{ salt['cmd.run']('{command}', python_shell=True) }}}}");
    for sls in [
        format!("a:\n  test.nop:\n    - {slot}\n"),
        format!("a:\n  module.run:\n    - {module}\n"),
        format!(
            "a:\n  file.managed:\n    - name: /x\n    - template: jinja\n    - contents: \
             \"{{% raw %}}{template}{{% endraw %}}\"\n"
        ),
    ] {
        let (report, took) = cancelled_when_begun(&sls);
        let state = report.states().values().next().unwrap();
        // Their commands would end by themselves, and well.
        assert_eq!(state.result, Some(false), "{sls}{}", state.comment);
        assert!(state.comment.contains("was cancelled"), "{sls}{}", state.comment);
        assert!(took < Duration::from_secs(40), "{sls}");
    }
}

/// A secret and a name in whatever a run tells.
const TELLTALE: &str = r#"{% set p = pillar.db.password %}
/conf:
  file.managed:
    - contents: |
        user = {{ pillar.db.user }}
        password = {{ p }}
login:
  cmd.run:
    - name: echo "login {{ p }}"; echo "{{ p }}" >&2
    - fire_event: told/{{ p }}
fails:
  test.fail_without_changes:
    - comment: wrong {{ p }}
apart:
  cmd.run:
    - name: printf %s "{{ p }}" | base64
    - parallel: true
dry:
  cmd.run:
    - name: echo "{{ p }}" for {{ pillar.db.user }}
by {{ p }}:
  test.fail_without_changes: []
needs:
  test.nop:
    - require: [test: by {{ p }}]
"#;

#[test]
fn no_text_of_a_report_or_a_journal_shows_a_secret_of_the_pillar() {
    let secret = "Tr0ub4dor&3-horse";
    let pillar = json!({"db": {"user": "webapp", "password": secret}});
    let told = told(TELLTALE, &Opts::default(), &pillar, secret);
    assert!(!told.contains("Tr0ub4dor") && !told.contains("VHIwdWI0ZG9y"), "{told}");
}

#[test]
fn a_secret_of_words_below_any_key_is_shown_nowhere_if_all_of_the_pillar_is_secret() {
    let secret = "the old horse eats at noon";
    let pillar = json!({"db": {"user": "webapp", "password": "short", "x": secret}});
    let mut opts = Opts::default();
    opts.set("muster_secrets", "all");
    let sls = TELLTALE.replace("db.password", "db.x");
    let told = told(&sls, &opts, &pillar, secret);
    assert!(!told.contains("horse") && !told.contains("dGhlIG9sZCBob3Jz"), "{told}");
}

/// All that a dry run and a run tell: report, progress, journal.
fn told(sls: &str, opts: &Opts, pillar: &Value, secret: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut all = String::new();
    for test in [true, false] {
        std::fs::write(dir.path().join("conf"), "user = webapp\npassword = old\n").unwrap();
        let journal = Some(dir.path().join("journal"));
        let options = Options { test, journal, ..Options::default() };
        let mut told = String::new();
        let report = apply_with(opts, sls, pillar, dir.path(), &options, &mut |key, state| {
            told += &format!("{key} {state:?}\n");
        });
        told += &serde_json::to_string(&report).unwrap();
        told += &std::fs::read_to_string(dir.path().join("journal")).unwrap_or_default();
        assert!(told.contains("**********") && told.contains("webapp"), "{told}");
        assert_eq!(report.states().len(), 7);
        all += &told;
    }
    let conf = std::fs::read_to_string(dir.path().join("conf")).unwrap();
    assert!(conf.contains(secret), "the file itself has it");
    all
}

#[test]
fn a_state_that_fires_an_event_names_its_tag() {
    let dir = tempfile::tempdir().unwrap();
    let sls = "a: {test.nop: [{fire_event: true}]}\nb: {test.nop: [{fire_event: my/tag}]}\n\
               c: {test.nop: []}\n";
    let mut events = Vec::new();
    apply(sls, &json!({}), dir.path(), &Options::default(), &mut |_, state| {
        events.extend(state.events.clone());
    });
    let fired = |tag: &str| Fired { tag: tag.to_owned(), data: None };
    assert_eq!(events, [fired("a"), fired("my/tag")]);
}

#[test]
fn an_event_that_is_sent_holds_what_the_state_says_and_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let sls = "my/tag:\n  event.send:\n    - data: {a: 1, b: {{ pillar.password }}}\n    \
               - colour: red\n    - with_pillar: [password]\n    - a: 2\n\
               quiet: {event.send: [{data: {a: 1}}, {no_log: true}]}\n\
               never: {event.wait: []}\n";
    let pillar = json!({"password": "correct-horse"});
    let mut events = Vec::new();
    for (test, heard) in [(true, true), (false, true), (false, false)] {
        let options = Options { test, heard, ..Options::default() };
        let report = apply(sls, &pillar, dir.path(), &options, &mut |_, state| {
            events.extend(state.events.clone());
        });
        let result = report.states()[0].result;
        assert_eq!(result, if test { None } else { Some(heard) });
    }
    let data = json!({
        "pillar": {"password": "**********"}, "colour": "red", "a": 1, "b": "**********"
    });
    assert_eq!(events.len(), 4);
    assert_eq!(events[0], Fired { tag: "my/tag".to_owned(), data: Some(data) });
}

#[test]
fn a_function_that_is_called_sends_each_event_with_its_state() {
    let dir = tempfile::tempdir().unwrap();
    let sls = "a:\n  module.run:\n    - event.send: [{tag: x}, {data: {a: 1}}]\n    \
               - event.fire_master: [{tag: y}, {data: {b: 2}}]\n\
               b: {module.run: [{name: event.send}, {tag: z}]}\n";
    let mut tags = Vec::new();
    let options = Options { heard: true, ..Options::default() };
    let report = apply(sls, &json!({}), dir.path(), &options, &mut |_, state| {
        tags.push(state.events.iter().map(|event| event.tag.clone()).collect::<Vec<_>>());
    });
    assert!(report.states().iter().all(|(_, state)| state.result == Some(true)));
    assert_eq!(tags, [vec!["x", "y"], vec!["z"]]);
}

#[test]
fn sections_of_an_ini_file_are_made_where_salt_has_lost_an_argument() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.ini"), "a = 1\n[s]\nb=2\n").unwrap();
    let sls = "/a.ini:\n  ini.sections_present:\n    - sections: [s, t]\n";
    let mut changes = Vec::new();
    for test in [true, false, false] {
        let options = Options { test, ..Options::default() };
        let report = apply(sls, &json!({}), dir.path(), &options, &mut |_, _| {});
        let told = report.states().values().next().unwrap().clone();
        changes.push((told.result, Value::from(told.changes), told.comment));
    }
    let comment = "Section unchanged s.\nCreated new section t.\n";
    assert_eq!(changes[0], (None, json!({}), comment.to_owned()));
    let made = json!({"t": {"before": null, "after": {}}});
    assert_eq!(changes[1], (Some(true), made, "Changes take effect".to_owned()));
    assert_eq!(changes[2].1, json!({}));
    let text = std::fs::read_to_string(dir.path().join("a.ini")).unwrap();
    assert_eq!(text, "a = 1\n\n[s]\nb = 2\n\n[t]\n");
}

/// Calls a function of this machine; the state's result and comment.
fn called(host: &Host, fun: &str, args: &str) -> (Option<bool>, String) {
    let sls = format!("a: {{module.run: [{{{fun}: [{args}]}}]}}\n");
    let (opts, options) = (Opts::default(), Options::default());
    let report = apply_on(host, &opts, &sls, &json!({}), &options, &mut |_, _| {});
    let state = report.states().values().next().unwrap().clone();
    (state.result, state.comment)
}

#[test]
fn an_archive_that_is_not_packed_leaves_what_lay_there() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    std::fs::create_dir(root.join("folder")).unwrap();
    std::fs::write(root.join("folder/in"), "kept").unwrap();
    std::fs::write(root.join("old.zip"), "kept").unwrap();
    let shown = root.display();
    let packs = |host: &Host, file: &str, more: &str| {
        let args = format!("{{zip_file: {file}}}, {{sources: {shown}/folder}}{more}");
        let (result, comment) = called(host, "archive.zip", &args);
        assert_eq!(result, Some(false), "{comment}");
        comment
    };
    let machine = Host::new();
    let comment = packs(&machine, &format!("{shown}/folder"), "");
    assert!(comment.ends_with(&format!("'{shown}/folder' is no regular file")), "{comment}");
    packs(&machine, &format!("{shown}/old.zip"), ", {runas: nobody-of-this-name}");
    packs(&machine, &format!("{shown}/old.zip"), ", {cwd: folder}");
    packs(&Host::under(root), "/old.zip", "");
    for file in ["folder/in", "old.zip"] {
        assert_eq!(std::fs::read_to_string(root.join(file)).unwrap(), "kept");
    }
    assert_eq!(std::fs::read_dir(root).unwrap().count(), 2);
}

#[test]
fn an_archive_takes_the_place_and_the_rights_of_the_old_one() {
    if std::process::Command::new("zip").arg("-h").output().is_err() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (root, shown) = (dir.path(), dir.path().display());
    std::fs::write(root.join("-in"), "text").unwrap();
    std::fs::write(root.join("old"), "no archive").unwrap();
    std::fs::set_permissions(root.join("old"), PermissionsExt::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("old", root.join("link")).unwrap();
    let args = format!("{{zip_file: {shown}/link}}, {{sources: '-in'}}, {{cwd: {shown}}}");
    let told = called(&Host::new(), "archive.zip", &args);
    assert_eq!(told, (Some(true), "archive.zip: ['-in']".to_owned()));
    assert!(std::fs::read(root.join("old")).unwrap().starts_with(b"PK"));
    assert_eq!(std::fs::metadata(root.join("old")).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(root.join("link").is_symlink());
    assert_eq!(std::fs::read_dir(root).unwrap().count(), 3);
}

#[test]
fn a_password_of_an_archive_stands_on_no_command_line() {
    let args = "{zip_file: /none.zip}, {dest: /none}, {password: secret}";
    let (result, comment) = called(&Host::new(), "archive.unzip", args);
    assert_eq!(result, Some(false));
    assert!(comment.contains("archive.unzip with 'password' is not supported"), "{comment}");
}

#[test]
fn what_is_found_is_removed_by_its_path_whatever_is_told_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    std::fs::create_dir_all(root.join("d/s")).unwrap();
    for file in ["a", "d/a", "d/s/a"] {
        std::fs::write(root.join(file), "x").unwrap();
    }
    // Salt removes them, too, and then fails to sort the lists with the paths.
    let args = "{path: /d}, {delete: f}, {print: 'name,size'}";
    let (result, comment) = called(&Host::under(root), "file.find", args);
    assert_eq!(result, Some(true), "{comment}");
    assert!(comment.contains("'/d/s/a'") && comment.contains("['a', 1]"), "{comment}");
    let there = ["a", "d/a", "d/s/a"].map(|file| root.join(file).exists());
    assert_eq!(there, [true, false, false]);
}

#[test]
fn numbers_that_json_has_no_form_for_stay_numbers_in_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let pillar = "wide: 123456789012345678901234567890\ninf: .inf\nn: 3\ntext: 'x'\n";
    let pillar = muster_states::read_pillar(pillar).unwrap();
    let wide = "123456789012345678901234567890";
    let sls = "a:\n  module.run:\n    - config.get: [wide]\n\
               b:\n  test.nop:\n    - name: __slot__:salt:config.get(wide)\n\
               c:\n  test.check_pillar:\n    - integer: [wide, n]\n    - string: text\n\
               d:\n  test.check_pillar:\n    - string: [wide, inf]\n\
               e:\n  event.send:\n    - with_pillar: true\n\
               f:\n  module.run:\n    - event.fire: [{tag: t}, {data: {inf: .inf}}]\n";
    let options = Options { heard: true, ..Options::default() };
    let mut told = String::new();
    let report = apply(sls, &pillar, dir.path(), &options, &mut |_, state| {
        told.push_str(&serde_json::to_string(state).unwrap());
    });
    let states: Vec<&StateReturn> = report.states().values().collect();
    assert_eq!(states[0].comment, format!("config.get: {wide}"));
    assert_eq!(states[1].name, muster_states::Name::One(wide.into()));
    assert_eq!(states[2].result, Some(true), "{}", states[2].comment);
    assert_eq!(states[3].result, Some(false), "{}", states[3].comment);
    assert_eq!(states[5].result, Some(true), "{}", states[5].comment);
    assert!(told.contains("event.fire") && !told.contains("\\u0000"), "{told}");
}
