//! What a first run, a second one, and one after a loss do.

use super::*;
use crate::keys;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn args(temp: &tempfile::TempDir) -> Args {
    let mut args = Args::new(&temp.path().join("muster"), Some("demo".parse().unwrap()));
    args.hosts = vec!["head.example".into(), "10.0.0.1".into(), "fd00::1".into()];
    args
}

fn files(dir: &Path) -> BTreeMap<String, String> {
    let read = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), text)
    };
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries.filter(|entry| entry.path().is_file()).map(read).collect()
}

#[test]
fn a_second_run_changes_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let first = run_at(&args(&temp), NOW).unwrap();
    let before = files(&first.dir);
    let mut left_out = Args::new(&first.dir, None);
    left_out.max_store = Some("10GiB".parse().unwrap());
    for again in [args(&temp), left_out] {
        let second = run_at(&again, NOW.plus(1_000_000)).unwrap();
        assert!(second.made.is_empty(), "{:?}", second.made);
        assert_eq!((second.settings, files(&first.dir)), (first.settings.clone(), before.clone()));
    }
    for file in before.keys() {
        let mode = fs::metadata(first.dir.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert_eq!(fs::metadata(&first.dir).unwrap().permissions().mode() & 0o777, 0o700);
}

/// As if it had been killed after each of its writes, and run again.
#[test]
fn a_run_that_was_killed_anywhere_can_be_repeated() {
    let temp = tempfile::tempdir().unwrap();
    let whole = run_at(&args(&temp), NOW).unwrap();
    let all = files(&whole.dir);
    for kept in 0..=whole.made.len() {
        let again = tempfile::tempdir().unwrap();
        let dir = Directory::make(&again.path().join("muster")).unwrap();
        for file in &whole.made[..kept] {
            dir.write(file, &all[file]).unwrap();
        }
        let report = run_at(&args(&again), NOW).unwrap();
        assert_eq!(report.made, whole.made[kept..], "after {kept} files");
        assert!(Keys::load(&report.dir).is_ok());
        for file in &whole.made[..kept] {
            assert_eq!(dir.require(file).unwrap(), all[file], "{file} has changed");
        }
    }
}

#[test]
fn options_that_differ_are_refused_by_name() {
    let temp = tempfile::tempdir().unwrap();
    let dir = run_at(&args(&temp), NOW).unwrap().dir;
    let with = |change: &dyn Fn(&mut Args)| {
        let mut args = Args::new(&dir, None);
        change(&mut args);
        run_at(&args, NOW).unwrap_err().to_string()
    };
    let errors = [
        ("--cluster", with(&|args| args.cluster = Some("other".parse().unwrap()))),
        ("--host", with(&|args| args.hosts = vec!["other".into()])),
        ("--listen", with(&|args| args.listen = Some("127.0.0.1:1".parse().unwrap()))),
        ("--store-dir", with(&|args| args.store_dir = Some("/other".into()))),
        ("--max-store", with(&|args| args.max_store = Some(Size(1 << 40)))),
        ("--replicas", with(&|args| args.replicas = Some(3))),
        ("--user", with(&|args| args.user = Some("other".parse().unwrap()))),
    ];
    for (option, error) in errors {
        assert!(error.contains(&format!("made with {option} ")), "{option}: {error}");
    }
}

#[test]
fn options_that_make_no_sense_are_refused_before_anything_is_made() {
    let temp = tempfile::tempdir().unwrap();
    let with = |change: &dyn Fn(&mut Args)| {
        let mut args = args(&temp);
        change(&mut args);
        run_at(&args, NOW).unwrap_err().to_string();
        assert!(!args.dir.join("init.yaml").exists());
    };
    with(&|args| args.cluster = None);
    with(&|args| args.replicas = Some(2));
    with(&|args| args.max_store = Some(Size(1)));
    for host in ["", "a b", "*.example", "0.0.0.0", "-a", "a..b", "a\nb"] {
        with(&|args| args.hosts = vec![host.into()]);
    }
}

#[test]
fn a_lost_key_is_not_replaced_and_what_can_be_made_anew_is() {
    let temp = tempfile::tempdir().unwrap();
    let dir = run_at(&args(&temp), NOW).unwrap().dir;
    for file in ["operator.nk", "bus.nk", "role-agent.nk", "xkey.nk"] {
        let text = fs::read_to_string(dir.join(file)).unwrap();
        fs::remove_file(dir.join(file)).unwrap();
        let error = run_at(&args(&temp), NOW).unwrap_err().to_string();
        assert!(error.contains(file) && error.contains("from a backup"), "{error}");
        Directory::open(&dir).unwrap().write(file, &text).unwrap();
    }
    for file in ["server.pem", "nats.conf", "controller.yaml", "admin.yaml", "command.cert"] {
        fs::remove_file(dir.join(file)).unwrap();
        assert_eq!(run_at(&args(&temp), NOW).unwrap().made, [file]);
    }
    // An exchanged key is as bad as a lost one.
    fs::copy(dir.join("bus.nk"), dir.join("sys.nk")).unwrap();
    let error = run_at(&args(&temp), NOW).unwrap_err();
    assert!(matches!(error, Error::Keys(keys::Error::Mismatch { .. })), "{error}");
}

/// Guards: `expires` in [`context::first`], and [`context::is_wanted`].
#[test]
fn the_first_persons_credential_ends_after_30_days_and_a_later_run_makes_another() {
    let temp = tempfile::tempdir().unwrap();
    let report = run_at(&args(&temp), NOW).unwrap();
    let claims = || {
        let text = fs::read_to_string(&report.context).unwrap();
        let context: Context = serde_saphyr::from_str(&text).unwrap();
        muster_protocol::jwt::decode(&context.jwt).unwrap()
    };
    let (first, days) = (claims(), |days: i64| NOW.plus(days * 86_400_000));
    assert_eq!((first.iat, first.exp), (NOW.seconds(), Some(days(30).seconds())));
    assert!(run_at(&args(&temp), days(29)).unwrap().made.is_empty());
    assert_eq!(run_at(&args(&temp), days(30)).unwrap().made, ["admin.yaml"]);
    let second = claims();
    assert_eq!(second.exp, Some(days(60).seconds()));
    assert_ne!(second.sub, first.sub);
}

#[test]
fn the_root_and_ca_keys_can_be_kept_offline() {
    let temp = tempfile::tempdir().unwrap();
    let dir = run_at(&args(&temp), NOW).unwrap().dir;
    let root = Keys::load(&dir).unwrap().root_public_key().to_owned();
    let seed = fs::read_to_string(dir.join("root.nk")).unwrap();
    fs::remove_file(dir.join("root.nk")).unwrap();
    fs::remove_file(dir.join("ca.key")).unwrap();
    assert!(run_at(&args(&temp), NOW).unwrap().made.is_empty());
    assert_eq!(Keys::load(&dir).unwrap().root_public_key(), root);
    let offline = Keys::rotate_command_key(&dir, NOW).unwrap_err();
    assert!(matches!(offline, keys::Error::Offline { .. }), "{offline}");

    Directory::open(&dir).unwrap().write("root.nk", &seed).unwrap();
    let before = Keys::load(&dir).unwrap().signer().certificate().clone();
    Keys::rotate_command_key(&dir, NOW.plus(1)).unwrap();
    let after = Keys::load(&dir).unwrap().signer().certificate().clone();
    assert!(before.public_key != after.public_key && after.until > before.until);
}

#[test]
fn no_debug_output_holds_a_seed() {
    let temp = tempfile::tempdir().unwrap();
    let report = run_at(&args(&temp), NOW).unwrap();
    let keys = Keys::load(&report.dir).unwrap();
    let stamp = muster_protocol::jwt::Stamp::fresh();
    let pusher = keys.pusher(&stamp).unwrap();
    let text = fs::read_to_string(&report.context).unwrap();
    let context: Context = serde_saphyr::from_str(&text).unwrap();
    let shown = format!("{keys:?} {:?} {pusher:?} {context:?} {report:?}", keys.signer());
    for (file, text) in files(&report.dir).iter().filter(|(file, _)| file.ends_with(".nk")) {
        assert!(!shown.contains(text.trim()), "{file}");
    }
    assert!(!shown.contains(&context.seed));
}

#[test]
fn names_that_yaml_would_read_as_something_else_come_back() {
    for name in ["123", "null", "true", "1e5", "no", "0x1f"] {
        let temp = tempfile::tempdir().unwrap();
        let mut args = Args::new(&temp.path().join("m"), Some(name.parse().unwrap()));
        args.user = Some(name.parse().unwrap());
        let report = run_at(&args, NOW).unwrap();
        assert_eq!(Settings::read(&report.dir).unwrap().cluster.as_str(), name);
        assert!(run_at(&Args::new(&report.dir, None), NOW).unwrap().made.is_empty());
    }
}

#[test]
fn addresses_of_clients_follow_the_hosts_and_the_port() {
    let temp = tempfile::tempdir().unwrap();
    let settings = run_at(&args(&temp), NOW).unwrap().settings;
    let expected = ["tls://head.example:7", "tls://10.0.0.1:7", "tls://[fd00::1]:7"];
    assert_eq!(settings.servers(7), expected);
    assert_eq!(settings.local_server(7), "tls://127.0.0.1:7");
    assert_eq!(settings.listen.to_string(), "0.0.0.0:4222");
}

#[test]
fn the_example_configuration_is_one_that_the_controller_takes() {
    let temp = tempfile::tempdir().unwrap();
    let report = run_at(&args(&temp), NOW).unwrap();
    let config = crate::config::Config::load(&report.dir.join(CONTROLLER_CONFIG)).unwrap();
    assert_eq!(config.cluster, report.settings.cluster);
    assert_eq!(fs::canonicalize(config.keys).unwrap(), report.dir);
    assert!(config.store.bytes_max < report.settings.max_store.0);
}
