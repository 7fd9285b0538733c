//! `muster worker list --cloud`: the registry's workers beside the clouds' servers.

use super::view::phase_style;
use crate::command::Caller;
use crate::failure::{Exit, Result};
use crate::output::{Cell, Style, Table, note};
use muster_protocol::api::{CloudShow, CloudView};

/// Shows both sides, and how many rows do not fit.
pub(super) async fn list(caller: &Caller) -> Result<Exit> {
    let session = caller.connect().await?;
    let views = session.ask(&CloudShow {}).await?;
    caller.output.show(&views, || table(&views))?;
    if caller.output.is_table() {
        note(&differences(&views));
    }
    session.close().await;
    Ok(Exit::Ok)
}

/// Both sides as a table.
pub(crate) fn table(views: &[CloudView]) -> Table {
    let mut table = Table::new(&["PROVIDER", "WORKER", "PHASE", "SERVER", "STATUS", "DIFFERENCE"]);
    for view in views {
        table.row([
            Cell::text(&view.provider),
            Cell::maybe(view.worker.as_ref()),
            phase(view),
            Cell::maybe(view.server.as_ref()),
            Cell::maybe(view.status.as_ref()),
            difference(view),
        ]);
    }
    table
}

fn phase(view: &CloudView) -> Cell {
    let cell = Cell::maybe(view.phase);
    match view.phase {
        Some(phase) => cell.styled(phase_style(phase)),
        None => cell,
    }
}

fn difference(view: &CloudView) -> Cell {
    let cell = Cell::maybe(view.difference.as_ref());
    if view.difference.is_some() { cell.styled(Style::Bad) } else { cell }
}

fn differences(views: &[CloudView]) -> String {
    match views.iter().filter(|view| view.difference.is_some()).count() {
        0 => "both sides agree".to_owned(),
        1 => "1 difference".to_owned(),
        some => format!("{some} differences"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use muster_protocol::worker::Phase;

    #[test]
    fn each_side_and_each_difference_is_shown() {
        let both = CloudView {
            provider: "nova".into(),
            worker: Some("compute-0001".parse().unwrap()),
            phase: Some(Phase::Ready),
            server: Some("5f0c".into()),
            status: Some("ACTIVE".into()),
            difference: None,
        };
        let orphan = CloudView {
            worker: None,
            phase: None,
            server: Some("60aa".into()),
            difference: Some("no worker has this server".into()),
            ..both.clone()
        };
        let ghost = CloudView {
            worker: Some("compute-0002".parse().unwrap()),
            server: None,
            status: None,
            difference: Some("the cloud does not have it".into()),
            ..both.clone()
        };
        let expected = "\
PROVIDER  WORKER        PHASE  SERVER  STATUS  DIFFERENCE
nova      compute-0001  ready  5f0c    ACTIVE  -
nova      -             -      60aa    ACTIVE  no worker has this server
nova      compute-0002  ready  -       -       the cloud does not have it
";
        let views = [both, orphan, ghost];
        assert_eq!(table(&views).render(false), expected);
        assert_eq!(differences(&views), "2 differences");
        assert_eq!(differences(&views[..1]), "both sides agree");
    }
}
