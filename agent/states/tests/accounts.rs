//! user.present and group.present on the account files of a scratch root.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also where it is called from")]

use std::fs;
use std::path::Path;

use muster_states::{Facts, Host, Options, Report, Selection, Tree, compile, run};

fn scratch() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let etc = dir.path().join("etc");
    fs::create_dir_all(etc.join("skel")).unwrap();
    fs::write(etc.join("skel/.profile"), "# from skel\n").unwrap();
    fs::write(
        etc.join("passwd"),
        "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n",
    )
    .unwrap();
    fs::write(etc.join("group"), "root:x:0:\nann:x:1000:\nwheel:x:10:ann\nadm:x:4:ann\n").unwrap();
    fs::write(etc.join("shadow"), "root:*:1:0:99999:7:::\nann:!:1:0:99999:7:::\n").unwrap();
    dir
}

fn apply(sls: &str, root: &Path, test: bool) -> Report {
    let tree = Tree::from_files([("a.sls", sls)]);
    let host = Host::under(root);
    let selection = Selection::Sls(vec!["a".into()]);
    let compiled =
        compile(&tree, &Facts::default(), &serde_json::json!({}), &selection, &host).unwrap();
    run(&compiled, &host, &Options { test, ..Options::default() }, &mut |_, _| {}).unwrap()
}

/// Applies dry, for real, and again; returns the first real report.
fn settles(sls: &str, root: &Path) -> Report {
    let before = fs::read_to_string(root.join("etc/passwd")).unwrap();
    apply(sls, root, true);
    assert_eq!(fs::read_to_string(root.join("etc/passwd")).unwrap(), before, "a dry run wrote");
    let first = apply(sls, root, false);
    assert_eq!(first.summary().failed, 0, "{first:#?}");
    let second = apply(sls, root, false);
    assert_eq!(second.summary().changed, 0, "{second:#?}");
    first
}

#[test]
fn a_new_user_gets_a_group_a_home_and_its_groups() {
    let dir = scratch();
    let sls = "bob:\n  user.present:\n    - fullname: Bob B\n    - groups: [wheel]\n\
               \x20   - shell: /bin/bash\n";
    settles(sls, dir.path());
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    assert!(read("etc/passwd").ends_with("bob:x:1001:1001:Bob B:/home/bob:/bin/bash\n"));
    assert!(read("etc/group").contains("wheel:x:10:ann,bob\n"));
    assert!(read("etc/group").contains("bob:x:1001:\n"));
    assert_eq!(read("home/bob/.profile"), "# from skel\n");
}

#[test]
fn a_password_is_set_and_never_shown() {
    let dir = scratch();
    let hash = "$6$salt$secrethash";
    let sls = format!("ann:\n  user.present:\n    - password: {hash}\n    - createhome: False\n");
    let dry = serde_json::to_string(&apply(&sls, dir.path(), true)).unwrap();
    let first = serde_json::to_string(&settles(&sls, dir.path())).unwrap();
    for report in [dry, first] {
        assert!(report.contains("XXX-REDACTED-XXX") && !report.contains("secrethash"), "{report}");
    }
    let shadow = fs::read_to_string(dir.path().join("etc/shadow")).unwrap();
    assert!(shadow.contains(&format!("ann:{hash}:")), "{shadow}");
}

#[test]
fn groups_are_exact_unless_told_otherwise() {
    let dir = scratch();
    let wanted = "ann:\n  user.present:\n    - groups: [wheel]\n    - createhome: False\n";
    settles(&format!("{wanted}    - remove_groups: False\n"), dir.path());
    let groups = || fs::read_to_string(dir.path().join("etc/group")).unwrap();
    assert!(groups().contains("adm:x:4:ann"));
    settles(wanted, dir.path());
    assert!(groups().contains("adm:x:4:\n") && groups().contains("wheel:x:10:ann\n"));
}

#[test]
fn a_uid_changes_only_when_that_is_allowed() {
    let dir = scratch();
    let sls = "ann:\n  user.present:\n    - uid: 2000\n    - createhome: False\n";
    let report = apply(sls, dir.path(), false);
    assert!(report.states()[0].comment.contains("Changing uid (1000 -> 2000) not permitted"));
    settles(&format!("{sls}    - allow_uid_change: True\n"), dir.path());
}

#[test]
fn group_members_are_set_added_and_removed() {
    let dir = scratch();
    let group = |args: &str| format!("wheel:\n  group.present:\n{args}");
    settles(&group("    - addusers: [root]\n"), dir.path());
    let groups = || fs::read_to_string(dir.path().join("etc/group")).unwrap();
    assert!(groups().contains("wheel:x:10:ann,root\n"));
    settles(&group("    - delusers: [ann]\n"), dir.path());
    assert!(groups().contains("wheel:x:10:root\n"));
    settles(&group("    - members: [ann, root]\n    - gid: 11\n"), dir.path());
    assert!(groups().contains("wheel:x:11:ann,root\n"), "{}", groups());
    let report = apply(&group("    - members: [ann]\n    - addusers: [root]\n"), dir.path(), false);
    assert!(report.states()[0].comment.starts_with("Error: Conflicting options"));
}

#[test]
fn an_account_of_another_root_is_refused_before_anything_runs() {
    let dir = scratch();
    let told = |function: &str| format!("{function} with 'root' is not supported: leave it out");
    let new = "a: {module.run: [{FUN: [{name: ann}, {ARG: x}, {root: /mnt/image}]}]}\n";
    let old = "a: {module.run: [{name: FUN}, {m_name: ann}, {ARG: x}, {root: /mnt/image}]}\n";
    for (function, arg) in [
        ("shadow.set_password", "password"),
        ("user.chhome", "home"),
        ("group.adduser", "username"),
        ("service.mask", "runtime"),
    ] {
        for sls in [new, old] {
            let sls = sls.replace("FUN", function).replace("ARG", arg);
            let tree = Tree::from_files([("a.sls", sls.as_str())]);
            let selection = Selection::Sls(vec!["a".into()]);
            let (facts, host) = (Facts::default(), Host::under(dir.path()));
            let faults = compile(&tree, &facts, &serde_json::json!({}), &selection, &host);
            let faults = faults.unwrap_err();
            assert!(format!("{faults:?}").contains(&told(function)), "{faults:?}");
        }
    }
    // One that comes by place is told by the call.
    let places = "a: {module.run: [{user.chhome: [ann, /home/other, false, /mnt/image]}]}\n";
    let before = fs::read_to_string(dir.path().join("etc/passwd")).unwrap();
    let report = apply(places, dir.path(), false);
    assert!(report.states()[0].comment.ends_with(&told("user.chhome")), "{report:#?}");
    assert_eq!(fs::read_to_string(dir.path().join("etc/passwd")).unwrap(), before);
}
