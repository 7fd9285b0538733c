//! `muster demo`: its verdict in each isolation, and that nothing is left of it however it ends.

use anyhow::{Context, Result, ensure};
use muster_tests::demo::Home;
use muster_tests::host::{self, Ran};
use serde_json::Value;
use std::net::{Ipv4Addr, TcpStream};

/// What issue and README promise of the object that a demo prints.
fn check(ran: &Ran, workers: usize) -> Result<()> {
    ensure!(ran.code == Some(0), "{ran:#?}");
    let report = ran.json()?;
    ensure!(report["ok"] == true && report["reasons"] == Value::Array(vec![]), "{report:#}");
    ensure!(report["second_apply"]["changed"] == 0, "{report:#}");
    let all = report["workers"].as_array().context("workers are a list")?;
    assert_eq!(all.len(), workers);
    let mut names: Vec<&str> = Vec::new();
    for worker in all {
        let (name, agent) = (worker["name"].as_str(), worker["agent_id"].as_str());
        let (name, agent) = (name.context("no name")?, agent.context("no agent_id")?);
        ensure!(agent.starts_with(&format!("{name}-")), "{worker:#}");
        ensure!(worker["provider_id"].as_str().is_some_and(|id| id.len() == 36), "{worker:#}");
        let millis = |step: &str| worker[step].as_i64().with_context(|| format!("no {step}"));
        let (enrolled, configured) = (millis("enrolled")?, millis("configured")?);
        ensure!(0 < enrolled && enrolled < configured, "{worker:#}");
        ensure!(configured <= millis("ready")? && enrolled < millis("first_sample")?, "{worker:#}");
        let states = |what: &str| worker["states"][what].as_i64().context("no count");
        ensure!(states("total")? >= 12 && states("changed")? >= 10, "{worker:#}");
        ensure!(states("failed")? == 0 && worker["samples"].as_i64() >= Some(2), "{worker:#}");
        names.push(name);
    }
    names.dedup();
    assert_eq!(names.len(), workers);
    Ok(())
}

/// Runs a demo and looks, while it runs, where its NATS listens: nothing does afterwards.
async fn once(home: &Home, arguments: &[&str], workers: usize) -> Result<()> {
    let mut demo = home.start(&[&["--once"], arguments].concat())?;
    demo.tells("launching").await?;
    let port = host::until("a port", || Ok(home.port())).await?;
    check(&demo.end().await?, workers)?;
    nothing_is_left(home, port)
}

fn nothing_is_left(home: &Home, port: u16) -> Result<()> {
    let traces = home.traces();
    ensure!(traces.is_empty(), "{traces:#?}");
    let answers = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    ensure!(answers.is_err(), "port {port} still listens");
    Ok(())
}

async fn in_isolation(isolation: &str) -> Result<()> {
    if !host::supports(isolation).await? {
        return Ok(());
    }
    let home = Home::own()?;
    once(&home, &["--workers", "3", "--isolation", isolation], 3).await
}

#[tokio::test]
async fn the_demo_passes_as_root_and_leaves_nothing() -> Result<()> {
    in_isolation("root").await
}

#[tokio::test]
async fn the_demo_passes_in_a_user_namespace_and_leaves_nothing() -> Result<()> {
    in_isolation("user").await
}

#[tokio::test]
async fn the_demo_passes_in_a_folder_and_leaves_nothing() -> Result<()> {
    in_isolation("none").await
}

/// Guards: nothing in the demo needs root, the checkout, or a home that others can read.
#[tokio::test]
async fn the_demo_passes_for_somebody_without_rights() -> Result<()> {
    if !host::is_root()? {
        eprintln!("skipped: only root can become somebody else; the other demos ran without");
        return Ok(());
    }
    let home = Home::of_nobody()?;
    once(&home, &[], 3).await
}

/// Guards: `leftover` finds processes by their arguments and workers by their folders, so no
/// moment of a kill hides any.
#[tokio::test]
async fn whatever_a_killed_demo_leaves_the_next_one_clears() -> Result<()> {
    let home = Home::own()?;
    for moment in ["making keys", "launching", "enrolled", "clearing", "ready"] {
        kill_when(&home, moment, &["--workers", "2"]).await?;
    }
    let traces = home.traces();
    ensure!(traces.iter().any(|trace| trace.contains("nats.conf")), "{traces:#?}");
    ensure!(traces.iter().any(|trace| trace.contains("sandbox")), "{traces:#?}");
    kill_when(&home, "stopping", &["--workers", "2", "--once"]).await?;
    once(&home, &["--workers", "2"], 2).await
}

async fn kill_when(home: &Home, moment: &str, arguments: &[&str]) -> Result<()> {
    let mut demo = home.start(arguments)?;
    demo.tells(moment).await?;
    demo.signal("KILL")?;
    ensure!(demo.end().await?.code.is_none(), "it was not killed");
    Ok(())
}

#[tokio::test]
async fn ctrl_c_before_the_verdict_stops_and_removes_everything() -> Result<()> {
    for (moment, signal) in [("making keys", "INT"), ("launched", "INT"), ("enrolled", "TERM")] {
        let home = Home::own()?;
        let mut demo = home.start(&["--once"])?;
        demo.tells(moment).await?;
        demo.signal(signal)?;
        let ran = demo.end().await?.with_code(130)?;
        ensure!(ran.stdout.is_empty(), "no verdict: {ran:#?}");
        let traces = home.traces();
        ensure!(traces.is_empty(), "after {moment}: {traces:#?}");
    }
    Ok(())
}

#[tokio::test]
async fn ctrl_c_ends_the_tail_and_removes_everything() -> Result<()> {
    let home = Home::own()?;
    let mut demo = home.start(&["--workers", "1"])?;
    demo.tells("events follow").await?;
    let port = home.port().context("no port")?;
    demo.signal("INT")?;
    let ran = demo.end().await?.with_code(0)?;
    let lines = ran.json_lines()?;
    ensure!(lines.first().is_some_and(|report| report["ok"] == true), "{ran:#?}");
    nothing_is_left(&home, port)
}
