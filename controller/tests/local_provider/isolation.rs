//! What a worker sees of the machine, and the machine of a worker.

use super::machine::{Machine, WORKER, active, isolations};
use muster_controller::provider::local::{Isolation, SandboxCommand};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A name that no file of this machine has.
const MARK: &str = "muster-local-provider-test";

#[tokio::test]
async fn files_are_written_with_their_modes() {
    let user_data = "#cloud-config\n\
        write_files:\n\
        - {path: /etc/muster/bootstrap.yaml, content: \"secret\\n\", permissions: '0600'}\n\
        - {path: /opt/new/tool, content: dG9vbAo=, encoding: b64, permissions: '0755'}\n\
        runcmd:\n\
        - cd \"${MUSTER_ROOT:-/}\"\n\
        - stat -c '%a %U %n' etc/muster/bootstrap.yaml opt/new/tool\n\
        - [cat, etc/muster/bootstrap.yaml, opt/new/tool, etc/muster/server_id]\n";
    for isolation in isolations().await {
        let machine = Machine::new(isolation);
        let server = active(&machine.open(), user_data).await;
        let owner = match isolation {
            Isolation::None => {
                nix::unistd::geteuid().as_raw().to_string().replace("47110", "UNKNOWN")
            }
            Isolation::Root | Isolation::User => "root".to_owned(),
        };
        let owner = if owner == "0" { "root".to_owned() } else { owner };
        let expected = format!(
            "600 {owner} etc/muster/bootstrap.yaml\n755 {owner} opt/new/tool\nsecret\ntool\n{}\n",
            server.id
        );
        assert_eq!(machine.output(&server), expected, "{isolation:?}");
        let folder = machine.servers().join(server.id.as_str());
        assert!(!folder.join("user-data").exists(), "{isolation:?}");
    }
}

#[tokio::test]
async fn a_worker_has_its_own_name_and_processes() {
    for isolation in isolations().await {
        let machine = Machine::new(isolation);
        if !machine.is_apart() {
            continue;
        }
        let command = "hostname; cat /etc/hostname; id -u; readlink /proc/self/ns/* | sort; \
                       echo /proc/[0-9]* | wc -w";
        let output = machine.run(command).await;
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!(lines[..3], [WORKER, WORKER, "0"], "{isolation:?}");
        // PID 1, the script, the command in it, and what it pipes into and from.
        assert!(lines[lines.len() - 1].parse::<u32>().unwrap() <= 5, "{output}");
        for (name, own) in
            [("pid", true), ("mnt", true), ("uts", true), ("ipc", true), ("net", false)]
        {
            let here = fs::read_link(format!("/proc/self/ns/{name}")).unwrap();
            let shared = lines.contains(&here.to_str().unwrap());
            assert_eq!(shared, !own, "{isolation:?} {name}");
        }
    }
}

#[tokio::test]
async fn what_a_worker_writes_is_not_seen_outside() {
    for isolation in isolations().await {
        let machine = Machine::new(isolation);
        if !machine.is_apart() {
            continue;
        }
        let folders =
            ["/etc", "/usr/bin", "/usr/local/bin", "/var/lib", "/opt", "/home", "/tmp", "/run"];
        let writes: Vec<String> =
            folders.iter().map(|folder| format!("echo x >{folder}/{MARK}")).collect();
        // A file that was there is replaced, appended to, and removed.
        let command = format!(
            "set -e; {}; echo x >/etc/x; mv /etc/x /etc/hosts; echo {MARK} >>/etc/passwd; \
             rm /etc/group; test ! -e /etc/group",
            writes.join("; ")
        );
        let before = fs::read("/etc/passwd").unwrap();
        machine.run(&command).await;
        for folder in folders {
            assert!(!Path::new(folder).join(MARK).exists(), "{isolation:?} {folder}");
        }
        assert_eq!(fs::read("/etc/passwd").unwrap(), before);
        assert!(Path::new("/etc/group").exists());
    }
}

#[tokio::test]
async fn an_account_is_made_in_the_worker_only() {
    for isolation in isolations().await {
        let machine = Machine::new(isolation);
        if !machine.is_apart() {
            continue;
        }
        let command = format!("groupadd -r {MARK} && useradd -r -M -g {MARK} {MARK} && id {MARK}");
        assert!(machine.run(&command).await.contains(MARK), "{isolation:?}");
        assert!(!fs::read_to_string("/etc/passwd").unwrap().contains(MARK));
    }
}

#[tokio::test]
async fn the_machines_disks_and_kernel_are_out_of_reach() {
    for isolation in isolations().await {
        let machine = Machine::new(isolation);
        if !machine.is_apart() {
            continue;
        }
        let command = "find /dev -type b; \
                       echo x 2>/dev/null >/proc/sys/kernel/domainname && echo BAD; \
                       echo x 2>/dev/null >/sys/power/state && echo BAD; \
                       echo x >/dev/null; head -c1 /dev/urandom >/dev/shm/x; ls -d /proc/self/fd";
        assert_eq!(machine.run(command).await, "/proc/self/fd\n", "{isolation:?}");
    }
}

#[tokio::test]
async fn the_hidden_folders_and_the_servers_are_not_seen_even_by_its_root() {
    for isolation in isolations().await {
        if isolation == Isolation::None {
            continue;
        }
        let keys = tempfile::tempdir_in("/var/tmp").unwrap();
        let mut machine = Machine::new(isolation);
        // Where the worker would see it, if it were not hidden: `/tmp` is its own anyway.
        machine.folder = tempfile::tempdir_in("/var/tmp").unwrap();
        for folder in [keys.path(), machine.folder.path()] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(keys.path().join("root.nk"), "SECRET").unwrap();
        fs::write(machine.folder.path().join("seen"), "seen").unwrap();
        machine.hidden = vec![keys.path().to_owned(), "/no/such/folder".into()];
        let (keys, own) = (keys.path().display(), machine.folder.path().display());
        let command = format!(
            "cat {own}/seen; umount -l {keys} {own}/servers /etc/muster 2>/dev/null; \
             ls -A {keys} {own}/servers 2>/dev/null; cat {keys}/root.nk 2>/dev/null; true"
        );
        let output = machine.run(&command).await;
        let lines: Vec<&str> = output.lines().filter(|line| !line.starts_with('/')).collect();
        assert_eq!(lines.concat(), "seen", "{isolation:?}: {output}");

        // The servers' folder may itself be within what is hidden.
        machine.hidden = vec![machine.folder.path().to_owned()];
        let command = format!("ls -A {own}/seen 2>/dev/null; true");
        assert_eq!(machine.run(&command).await, "", "{isolation:?}");
    }
}

#[tokio::test]
async fn the_agent_is_where_user_data_looks_for_it() {
    for isolation in isolations().await {
        let mut machine = Machine::new(isolation);
        let agent = machine.folder.path().join("an agent");
        fs::write(&agent, "#!/bin/sh\necho \"$0 $*\"\n").unwrap();
        fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).unwrap();
        machine.agent_binary = Some(agent.clone());
        let user_data = "#cloud-config\nruncmd:\n\
            - [/usr/bin/muster-agent, up, --config, /etc/muster/bootstrap.yaml]\n";
        let server = active(&machine.open(), user_data).await;
        let path = match isolation {
            Isolation::None => agent.to_str().unwrap(),
            Isolation::Root | Isolation::User => "/usr/bin/muster-agent",
        };
        let expected = format!("{path} up --config /etc/muster/bootstrap.yaml\n");
        assert_eq!(machine.output(&server), expected);
        if machine.is_apart() {
            let command = "echo x 2>/dev/null >>/usr/bin/muster-agent || echo refused";
            assert_eq!(machine.run(command).await, "refused\n", "{isolation:?}");
        }
    }
}

/// Somebody may have mounted something within what is overlaid, as container tools do in /var.
#[tokio::test]
async fn what_others_have_mounted_in_between_does_no_harm() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    for isolation in isolations().await {
        let mut machine = Machine::new(isolation);
        if !machine.is_apart() {
            continue;
        }
        let mounts = "mkdir -p /var/tmp/$0 && mount -t tmpfs x /var/tmp/$0 \
                      && echo x >/var/tmp/$0/y && rmdir /var/tmp/$0 2>/dev/null; exec \"$@\"";
        let before = ["-m", "sh", "-c", mounts, MARK].map(OsString::from);
        let program = OsString::from(machine.sandbox.program.as_os_str());
        let args = before.into_iter().chain([program, OsString::from("sandbox")]).collect();
        machine.sandbox = SandboxCommand { program: "unshare".into(), args };
        let command =
            format!("set -e; echo x >/var/lib/{MARK}; echo x >/var/tmp/{MARK}.x; echo fine");
        assert!(machine.run(&command).await.ends_with("fine\n"), "{isolation:?}");
        fs::remove_dir(Path::new("/var/tmp").join(MARK)).ok();
        assert!(!Path::new("/var/lib").join(MARK).exists(), "{isolation:?}");
    }
}

#[tokio::test]
async fn a_controllers_environment_stays_its_own() {
    for isolation in isolations().await {
        let machine = Machine::new(isolation);
        let output = machine.run("env; tr '\\0' '\\n' </proc/$PPID/environ").await;
        assert!(!output.contains("CARGO") && !output.contains("TMPDIR"), "{isolation:?} {output}");
        assert_eq!(output.contains("MUSTER_ROOT="), !machine.is_apart());
    }
}

/// A pipe that the worker held would keep its reader waiting for as long as the worker lives.
#[tokio::test]
async fn a_controllers_open_files_stay_its_own() {
    for isolation in isolations().await {
        let mut machine = Machine::new(isolation);
        let program = OsString::from(machine.sandbox.program.as_os_str());
        let open = ["-c", "exec 7</etc/passwd \"$@\"", "sh"].map(OsString::from);
        let args = open.into_iter().chain([program, OsString::from("sandbox")]).collect();
        machine.sandbox = SandboxCommand { program: "/bin/sh".into(), args };
        let output = machine.run("ls /proc/$PPID/fd /proc/self/fd").await;
        assert!(!output.lines().any(|line| line == "7"), "{isolation:?} {output}");
    }
}
