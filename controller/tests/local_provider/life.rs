//! How servers begin, are found again, fail, and end.

use super::machine::{Machine, active, isolations, settled, shell, spec, until};
use muster_controller::provider::local::{Isolation, sweep};
use muster_controller::provider::{ErrorKind, Provider, ServerId, Status};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Leaves a process that has left its parent, its session and its manners.
const STUBBORN: &str = "(trap '' TERM HUP INT; setsid sh -c \"trap '' TERM; \
    while :; do sleep 1000; done\" </dev/null >/dev/null 2>&1 &) ; setsid sleep 2000 & echo up";

/// Everything that could be left of a server: processes and mounts that name its folder.
fn left_of(folder: &Path) -> Vec<String> {
    let name = folder.to_str().unwrap();
    let mut left = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        for file in ["cmdline", "environ", "mountinfo"] {
            let text = fs::read(entry.path().join(file)).unwrap_or_default();
            let is_this = entry.file_name() == *std::process::id().to_string();
            if !is_this && String::from_utf8_lossy(&text).contains(name) {
                left.push(format!("{}/{file}", entry.path().display()));
            }
        }
    }
    left
}

async fn stopped(local: &impl Provider, id: &ServerId) {
    let status = async || local.get(id).await.unwrap().unwrap().status;
    until(async || (status().await == Status::Stopped).then_some(())).await;
}

/// The processes of this program's user that sleep for so long.
fn sleepers(seconds: u32) -> usize {
    let command = format!("sleep\0{seconds}\0");
    let all = fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| line == command.as_bytes()).count()
}

fn pids(machine: &Machine, id: &ServerId) -> [i32; 2] {
    let path = machine.servers().join(id.as_str()).join("running.json");
    let running: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    ["supervisor", "init"].map(|who| running[who]["pid"].as_i64().unwrap().try_into().unwrap())
}

fn kill(pid: i32) {
    let pid = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn nothing_is_left_of_a_deleted_server() {
    for (isolation, seconds) in isolations().await.into_iter().zip([2001, 2002, 2003]) {
        let machine = Machine::new(isolation);
        let local = machine.open();
        let own = seconds + nix::unistd::geteuid().as_raw() % 1000 * 10;
        let command = STUBBORN.replace("2000", &own.to_string());
        let server = active(&local, &shell(&command)).await;
        until(async || (sleepers(own) == 1).then_some(())).await;
        assert!(!left_of(&machine.servers()).is_empty());
        local.delete(&server.id).await.unwrap();
        assert_eq!(left_of(&machine.servers()), Vec::<String>::new(), "{isolation:?}");
        assert_eq!(sleepers(own), 0, "{isolation:?}");
        assert_eq!(fs::read_dir(machine.servers()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_rebuilt_server_has_nothing_of_its_former_life() {
    for (isolation, seconds) in isolations().await.into_iter().zip([4001, 4002, 4003]) {
        let machine = Machine::new(isolation);
        let local = machine.open();
        let own = seconds + nix::unistd::geteuid().as_raw() % 1000 * 10;
        let command = STUBBORN.replace("2000", &own.to_string());
        let file = "${MUSTER_ROOT:-}/etc/former";
        let first = format!("{command}; mkdir -p ${{MUSTER_ROOT:-}}/etc; echo x >{file}");
        let server = active(&local, &shell(&first)).await;
        until(async || (sleepers(own) == 1).then_some(())).await;
        let anew = spec(&shell(&format!("test ! -e {file} && echo anew")));
        local.rebuild(&server.id, anew).await.unwrap();
        assert_eq!(sleepers(own), 0, "{isolation:?}");
        let again = settled(&local, &server.id).await;
        assert_eq!(again.status, Status::Active, "{isolation:?}");
        assert_eq!(machine.output(&again), "anew\n");
        assert_eq!(fs::read_dir(machine.servers()).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn a_second_provider_finds_the_servers() {
    for isolation in isolations().await {
        let machine = Machine::new(isolation);
        let server = active(&machine.open(), &shell("sleep 3000 & true")).await;
        let second = machine.open();
        assert_eq!(second.list().await.unwrap(), std::slice::from_ref(&server));
        second.delete(&server.id).await.unwrap();
        assert_eq!(second.list().await.unwrap(), []);
        assert_eq!(left_of(&machine.servers()), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_killed_worker_is_stopped_and_can_be_deleted() {
    for isolation in isolations().await {
        let machine = Machine::new(isolation);
        let local = machine.open();
        for victim in [0, 1] {
            let server = active(&local, &shell("setsid sleep 3000 & true")).await;
            kill(pids(&machine, &server.id)[victim]);
            stopped(&local, &server.id).await;
            local.delete(&server.id).await.unwrap();
            assert_eq!(left_of(&machine.servers()), Vec::<String>::new(), "{isolation:?}");
        }
    }
}

#[tokio::test]
async fn a_worker_can_switch_itself_off() {
    for isolation in isolations().await {
        let machine = Machine::new(isolation);
        if !machine.is_apart() {
            continue;
        }
        let local = machine.open();
        let made = local.create(spec(&shell("setsid sleep 3000 & kill -TERM 1"))).await.unwrap();
        stopped(&local, &made.id).await;
        assert_eq!(left_of(&machine.servers()), Vec::<String>::new(), "{isolation:?}");
        local.delete(&made.id).await.unwrap();
    }
}

#[tokio::test]
async fn failed_commands_are_an_error_with_their_last_words() {
    for isolation in isolations().await {
        let machine = Machine::new(isolation);
        let local = machine.open();
        let made =
            local.create(spec(&shell("seq 100; echo no agent here >&2; exit 3"))).await.unwrap();
        let Status::Error(text) = settled(&local, &made.id).await.status else { panic!() };
        assert!(text.starts_with("the commands ended with status 3:\n"), "{text}");
        assert!(text.ends_with("99\n100\nno agent here") && !text.contains("\n80\n"), "{text}");
        local.delete(&made.id).await.unwrap();
    }
}

#[tokio::test]
async fn user_data_that_cannot_be_performed_is_refused_by_name() {
    let machine = Machine::new(Isolation::None);
    let local = machine.open();
    let user_data = "#cloud-config\npackages: [sl]\nruncmd: [[true]]\n";
    let error = local.create(spec(user_data)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("\"packages\""), "{cause}");
    assert_eq!(local.list().await.unwrap(), []);
}

#[tokio::test]
async fn what_cannot_be_put_together_is_an_error_with_its_reason() {
    for isolation in isolations().await {
        let mut machine = Machine::new(isolation);
        let agent = machine.folder.path().join("agent");
        fs::write(&agent, "").unwrap();
        machine.agent_binary = Some(agent.clone());
        if !machine.is_apart() {
            continue;
        }
        let local = machine.open();
        fs::remove_file(&agent).unwrap();
        let made = local.create(spec(&shell("true"))).await.unwrap();
        let Status::Error(text) = settled(&local, &made.id).await.status else { panic!() };
        assert!(text.contains(agent.to_str().unwrap()), "{text}");
        local.delete(&made.id).await.unwrap();
    }
}

/// What a controller leaves that is killed between two lines, and one that is killed in a removal.
#[tokio::test]
async fn what_a_killed_controller_left_half_done_is_found_and_removed() {
    let machine = Machine::new(Isolation::None);
    let local = machine.open();
    let whole = active(&local, &shell("sleep 3000 & true")).await;
    let record = fs::read_to_string(machine.servers().join(whole.id.as_str()).join("spec.json"));
    let record = record.unwrap();
    let fake = |name: &str, id: &str, created_at: i64| {
        let folder = machine.servers().join(name);
        fs::create_dir(&folder).unwrap();
        let mut spec: serde_json::Value = serde_json::from_str(&record).unwrap();
        spec["id"] = id.into();
        if created_at > 0 {
            spec["created_at"] = created_at.into();
        }
        fs::write(folder.join("spec.json"), spec.to_string()).unwrap();
    };
    let (young, old) =
        ("8d7f3c52-0f0e-4d0b-9d5c-0c5f5d0b2f01", "8d7f3c52-0f0e-4d0b-9d5c-0c5f5d0b2f02");
    fake(young, young, 0);
    fake(old, old, 1);
    fake(".gone-8d7f3c52-0f0e-4d0b-9d5c-0c5f5d0b2f03", old, 1);
    fake(".new-8d7f3c52-0f0e-4d0b-9d5c-0c5f5d0b2f04", old, 1);
    fs::write(machine.servers().join(whole.id.as_str()).join("condemned"), "").unwrap();

    let local = machine.open();
    let status = async |id: &str| local.get(&ServerId::new(id)).await.unwrap().unwrap().status;
    assert_eq!(local.list().await.unwrap().len(), 3);
    assert_eq!(status(young).await, Status::Building);
    assert_eq!(status(old).await, Status::Stopped);
    for id in [young, old, whole.id.as_str()] {
        local.delete(&ServerId::new(id)).await.unwrap();
    }
    assert_eq!(local.list().await.unwrap(), []);
    let names: Vec<_> =
        fs::read_dir(machine.servers()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    // A young one may still be in somebody's making.
    assert_eq!(names, [".new-8d7f3c52-0f0e-4d0b-9d5c-0c5f5d0b2f04"]);
    assert_eq!(sweep(&machine.servers()).unwrap(), 0);
    assert!(!machine.servers().exists());
}

/// The controller of the test below, when that starts it; otherwise nothing.
#[tokio::test]
async fn controller_that_makes_servers_until_it_is_killed() {
    let Some(folder) = std::env::var_os("MUSTER_TEST_SERVERS") else { return };
    let isolation: Isolation =
        serde_json::from_str(&std::env::var("MUSTER_TEST_ISOLATION").unwrap()).unwrap();
    let mut config = Machine::new(isolation).config("home");
    config.folder = folder.into();
    let local = muster_controller::provider::local::Local::open(config).unwrap();
    loop {
        local.create(spec(&shell("setsid sleep 4000 & true"))).await.unwrap();
    }
}

#[tokio::test]
async fn servers_survive_a_killed_controller_and_are_all_found() {
    for isolation in isolations().await {
        let machine = Machine::new(isolation);
        for servers in [1, 2, 7] {
            let mut controller = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "life::controller_that_makes_servers_until_it_is_killed"])
                .env("MUSTER_TEST_SERVERS", machine.servers())
                .env("MUSTER_TEST_ISOLATION", serde_json::to_string(&isolation).unwrap())
                .stdout(Stdio::null())
                .spawn()
                .unwrap();
            until(async || {
                let found = fs::read_dir(machine.servers()).ok()?;
                (found.count() >= servers).then_some(())
            })
            .await;
            controller.kill().unwrap();
            assert_eq!(controller.wait().unwrap().signal(), Some(9));

            let local = machine.open();
            let listed = local.list().await.unwrap();
            for server in &listed {
                let status = &local.get(&server.id).await.unwrap().unwrap().status;
                assert!(matches!(status, Status::Building | Status::Active), "{status:?}");
            }
            let deletes = listed.iter().map(|server| local.delete(&server.id));
            for deleted in futures_util::future::join_all(deletes).await {
                deleted.unwrap();
            }
            assert_eq!(local.list().await.unwrap(), []);
            // A supervisor that was just being started finds its folder gone, and ends by itself.
            until(async || left_of(&machine.servers()).is_empty().then_some(())).await;
            sweep(&machine.servers()).unwrap();
        }
    }
}
