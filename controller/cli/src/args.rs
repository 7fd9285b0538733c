//! The command line: what can be typed, and its help.

use crate::command::{
    backup, call, cluster, context, demo, doctor, events, generate, image, init, keys, pool,
    reconcile, states, stats, user, worker,
};
use crate::output::Format;
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Launch workers, configure them, watch them: the operator's command of a Muster cluster.
#[derive(Debug, Parser)]
#[command(name = "muster", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Exit codes: 0 all done; 1 the call did not work; 2 some workers failed; \
    3 some workers did not answer, or were not done in time; 130 interrupted.")]
pub(crate) struct Cli {
    /// The context, by its name or file [default: the current one, see `muster context`; else
    /// /etc/muster/admin.yaml]
    #[arg(long, global = true, env = "MUSTER_CONTEXT", value_name = "NAME|FILE")]
    #[arg(hide_env_values = true)]
    pub(crate) context: Option<PathBuf>,
    /// How results are written
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    /// Tell on stderr what the connection does
    #[arg(long, global = true)]
    pub(crate) debug: bool,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the keys, the CA and the NATS configuration of a new cluster (on the head node)
    #[command(disable_help_flag = true)]
    Init(init::Args),
    /// Launch workers on this machine and watch them on their way
    Demo(demo::Args),
    /// Look at workers; launch, drain, hold, rebuild and terminate them
    #[command(subcommand)]
    Worker(worker::Command),
    /// Look at pools; scale, freeze and drain them
    #[command(subcommand)]
    Pool(pool::Command),
    /// Look at the pools' images, and choose the current one
    #[command(subcommand)]
    Image(image::Command),
    /// Look at the cluster as a whole, or end all its workers
    #[command(subcommand)]
    Cluster(cluster::Command),
    /// Look at who may call; add people, renew and revoke their credentials
    #[command(subcommand)]
    User(user::Command),
    /// Look at this machine's ways into clusters; add them, and choose the current one
    #[command(subcommand)]
    Context(context::Command),
    /// Look at the controller's keys; make them anew, end the old ones
    #[command(subcommand)]
    Keys(keys::Command),
    /// Show what the controller does not do in doubt, and let it do it
    Reconcile(reconcile::Args),
    /// Write the registry into a file; keys are not in it
    Backup(backup::Args),
    /// Write a backup into the registry (on the head node, while no controller works)
    #[command(disable_help_flag = true)]
    Restore(backup::RestoreArgs),
    /// Follow what happens in the cluster
    Events(events::Args),
    /// Ask workers for a sign of life
    Ping(call::PingArgs),
    /// Ask workers what they know of their hosts
    Facts(call::FactsArgs),
    /// Run a program on workers
    Exec(call::ExecArgs),
    /// Apply states on workers
    Apply(call::ApplyArgs),
    /// Check state trees, show what they compile to, send them to the workers
    #[command(subcommand)]
    States(states::Command),
    /// Show the latest readings of workers
    Stats(stats::Args),
    /// Check this machine, the credential and the cluster
    Doctor(doctor::Args),
    /// Write completions for a shell to stdout
    Completions(generate::CompletionArgs),
    /// Write the manual pages into a folder
    Man(generate::ManArgs),
    /// Show the release
    Version,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_the_documentation_shows_can_be_typed() {
        for line in [
            "muster init --dir /etc/muster --cluster c --listen 0.0.0.0:4222",
            "muster init --help",
            "muster demo --workers 5 --once -o json",
            "muster worker list",
            "muster worker list compute-* --all -o yaml",
            "muster worker show compute-0001",
            "muster worker launch compute --count 3",
            "muster worker list --cloud -o json",
            "muster worker launch compute --count 3 --wait --timeout 20m",
            "muster worker terminate a,b",
            "muster worker terminate --pool compute --force --wait",
            "muster worker rebuild compute-* --image rocky-9.5 --wait",
            "muster worker rebuild --pool compute",
            "muster worker drain a,b",
            "muster worker undrain a",
            "muster worker hold --pool compute",
            "muster worker release a",
            "muster worker busy a",
            "muster worker idle *",
            "muster pool list",
            "muster pool scale compute 8 --wait",
            "muster pool freeze compute",
            "muster pool thaw compute",
            "muster pool drain compute",
            "muster image list",
            "muster image set-current compute rocky-9.5",
            "muster image set-current compute --default",
            "muster cluster show",
            "muster cluster destroy --yes --timeout 10m",
            "muster keys show -o json",
            "muster keys rotate command",
            "muster keys rotate all --drop-old --yes",
            "muster keys drop-old --force --yes",
            "muster reconcile",
            "muster reconcile --confirm --yes",
            "muster backup pluto.backup --force -o json",
            "muster restore pluto.backup --config /etc/muster/controller.yaml",
            "muster restore --help",
            "muster events worker.*.ready --since 1h --limit 10 -o json",
            "muster ping *",
            "muster facts --pool compute",
            "muster facts a os kernel",
            "muster exec a,b -- ls -l /",
            "muster exec --pool compute -- true",
            "muster apply * web db --test",
            "muster apply --pool compute web --verbose",
            "muster stats a --metric cpu --range 10m",
            "muster states check",
            "muster states check srv --json",
            "muster states check srv --id w1 --pillar-root p --grains {} --pillar {} --opts {}",
            "muster states push",
            "muster states push compute-* --apply -o json",
            "muster states push --pool compute",
            "muster states render web.conf --dir srv --id w1",
            "muster states show top --dir srv",
            "muster states show low web db --dir srv -o json",
            "muster states show lowstate --worker compute-0001",
            "muster states show sls web --worker compute-0001 --unmask",
            "muster --context c.yaml doctor",
            "muster completions bash",
            "muster man /tmp",
            "muster version",
        ] {
            let parsed = Cli::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn what_makes_no_sense_cannot_be_typed() {
        for line in [
            "muster",
            "muster exec a",
            "muster pool scale x",
            "muster worker launch X.y",
            "muster worker drain",
            "muster worker list a --cloud",
            "muster image set-current compute",
            "muster image set-current compute a --default",
            "muster reconcile --yes",
            "muster keys rotate",
            "muster keys rotate root",
            "muster keys rotate ca --yes",
            "muster backup",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn people_and_contexts_are_typed_by_name() {
        let parsed = |line: &&str| Cli::try_parse_from(line.split(' '));
        for line in [
            "muster user add vera --role viewer",
            "muster user add otto --role operator --days 7 --no-renew --out /tmp/o.yaml --force",
            "muster user list -o json",
            "muster user renew",
            "muster user revoke vera --force",
            "muster context list",
            "muster context use pluto",
            "muster context show",
            "muster context show pluto -o yaml",
            "muster context add vera.yaml --name pluto --force",
            "muster context remove pluto",
            "muster --context pluto worker list",
        ] {
            assert!(parsed(&line).is_ok(), "{line}: {}", parsed(&line).unwrap_err());
        }
        for line in [
            "muster user add vera",
            "muster user add Vera --role viewer",
            "muster user add vera --role king",
            "muster user add vera --role viewer --days 0",
            "muster user add vera --role viewer --days 366",
            "muster context use a/b",
        ] {
            assert!(parsed(&line).is_err(), "{line}");
        }
    }

    #[test]
    fn what_stands_behind_the_dashes_is_the_program() {
        let cli = Cli::try_parse_from(["muster", "exec", "a", "--", "ls", "-o", "json"]).unwrap();
        let Command::Exec(args) = cli.command else { panic!("{:?}", cli.command) };
        assert_eq!(args.program, ["ls", "-o", "json"]);
        assert_eq!(cli.output, Format::Table);
    }
}
