//! `muster image`: which image a pool's new workers get, and who runs which.

use super::Caller;
use crate::failure::{Exit, Result};
use crate::output::{Cell, Style, Table, note};
use muster_protocol::api::{ImageList, ImageSet, ImageView};
use muster_protocol::id::PoolName;

/// Names that one line tells; `-o json` has all.
const NAMED_MAX: usize = 5;

/// What to do with images.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Show the images of the pools, and which workers run which
    List,
    /// Give a pool's new workers another image; those that are there keep theirs
    SetCurrent {
        /// The pool
        pool: PoolName,
        /// The image, as the pool's configuration would name it
        #[arg(required_unless_present = "default")]
        image: Option<String>,
        /// The configuration's image
        #[arg(long, conflicts_with = "image")]
        default: bool,
    },
}

/// Does it.
pub(crate) async fn run(command: &Command, caller: &Caller) -> Result<Exit> {
    let session = caller.connect().await?;
    let images = match command {
        Command::List => session.ask(&ImageList {}).await?,
        Command::SetCurrent { pool, image, default: _ } => {
            session.ask(&ImageSet { pool: pool.clone(), image: image.clone() }).await?
        }
    };
    caller.output.show(&images, || table(&images))?;
    if caller.output.is_table() {
        old(&images).iter().for_each(|line| note(line));
    }
    session.close().await;
    Ok(Exit::Ok)
}

fn table(images: &[ImageView]) -> Table {
    let mut table = Table::new(&["POOL", "IMAGE", "CURRENT", "COUNT", "WORKERS"]);
    for image in images {
        let names = image.workers.iter().take(NAMED_MAX).map(|name| name.as_str());
        let mut names = names.collect::<Vec<_>>().join(", ");
        if image.workers.len() > NAMED_MAX {
            names.push_str(", ...");
        }
        table.row([
            Cell::text(&image.pool),
            Cell::maybe(Some(&image.image).filter(|image| !image.is_empty())),
            match image.is_current {
                true => Cell::text("yes").styled(Style::Good),
                false => Cell::text("no").styled(Style::Busy),
            },
            Cell::number(image.workers.len()),
            Cell::maybe(Some(names).filter(|names| !names.is_empty())),
        ]);
    }
    table
}

/// How the workers of an old image come to the new one.
fn old(images: &[ImageView]) -> Vec<String> {
    let some = images.iter().filter(|image| !image.is_current && !image.workers.is_empty());
    let told = some.map(|image| {
        let ImageView { pool, image, workers, .. } = image;
        let (count, names) = (workers.len(), workers.iter().map(|name| name.as_str()));
        let what = if count == 1 { "worker of" } else { "workers of" };
        let names = names.collect::<Vec<_>>().join(",");
        let target = if count > NAMED_MAX { format!("--pool {pool}") } else { names };
        let image = if image.is_empty() { "the provider's own" } else { image };
        format!("{count} {what} {pool} run {image}: muster worker rebuild {target}")
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(image: &str, is_current: bool, count: u32) -> ImageView {
        let name = |number: u32| format!("c-{number}").parse().unwrap();
        ImageView {
            pool: "compute".parse().unwrap(),
            image: image.into(),
            is_current,
            workers: (1..=count).map(name).collect(),
        }
    }

    #[test]
    fn who_runs_which_image_is_shown() {
        let images = [view("rocky-9.5", true, 0), view("rocky-9.4", false, 7)];
        let expected = "\
POOL     IMAGE      CURRENT  COUNT  WORKERS
compute  rocky-9.5  yes          0  -
compute  rocky-9.4  no           7  c-1, c-2, c-3, c-4, c-5, ...
";
        assert_eq!(table(&images).render(false), expected);
    }

    #[test]
    fn workers_of_an_old_image_are_told_of_with_the_cure() {
        let images = [view("new", true, 3), view("old", false, 2), view("older", false, 7)];
        let expected = [
            "2 workers of compute run old: muster worker rebuild c-1,c-2",
            "7 workers of compute run older: muster worker rebuild --pool compute",
        ];
        assert_eq!(old(&images), expected);
    }
}
