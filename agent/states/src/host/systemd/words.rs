//! What systemctl says of what went wrong: Salt shows its words, so these are the same.

/// Faults for which systemd's log has nothing more.
const PLAIN: [&str; 3] = [
    "org.freedesktop.systemd1.NoSuchUnit",
    "org.freedesktop.systemd1.UnitMasked",
    "org.freedesktop.systemd1.JobTypeNotApplicable",
];

/// A job that systemd did not take.
pub(super) fn not_taken(verb: &str, unit: &str, fault: &str, words: &str) -> String {
    let first = format!("Failed to {verb} {unit}: {}", of_fault(fault, words));
    if PLAIN.contains(&fault) {
        return first;
    }
    format!("{first}\nSee system logs and 'systemctl status {unit}' for details.")
}

/// A change of a unit's files that systemd did not make.
pub(super) fn not_changed(verb: &str, fault: &str, words: &str) -> String {
    format!("Failed to {verb} unit: {}", of_fault(fault, words))
}

fn of_fault<'a>(fault: &str, words: &'a str) -> &'a str {
    if fault == "org.freedesktop.DBus.Error.AccessDenied" { "Access denied" } else { words }
}

/// A job that did not end well; `service` is the result of the service itself, if it is one.
pub(super) fn not_done(unit: &str, result: &str, service: Option<&str>) -> String {
    match result {
        "canceled" => format!("Job for {unit} canceled."),
        "timeout" => format!("Job for {unit} timed out."),
        "dependency" => {
            format!("A dependency job for {unit} failed. See 'journalctl -xe' for details.")
        }
        "invalid" => format!("{unit} is not active, cannot reload."),
        "assert" => format!("Assertion failed on job for {unit}."),
        "unsupported" => {
            format!("Operation on or unit type of {unit} not supported on this system.")
        }
        "collected" => format!("Queued job for {unit} was garbage collected."),
        "once" => format!("Unit {unit} was started already once and can't be started again."),
        _ if unit.ends_with(".service") => of_service(unit, service.unwrap_or_default()),
        _ => "Job failed. See \"journalctl -xe\" for details.".to_owned(),
    }
}

fn of_service(unit: &str, result: &str) -> String {
    let because = match result {
        "resources" => "of unavailable resources or another system error",
        "protocol" => "the service did not take the steps required by its unit configuration",
        "timeout" => "a timeout was exceeded",
        "exit-code" => "the control process exited with error code",
        "signal" => "a fatal signal was delivered to the control process",
        "core-dump" => "a fatal signal was delivered causing the control process to dump core",
        "watchdog" => "the service failed to send watchdog ping",
        "start-limit" | "start-limit-hit" => "start of the service was attempted too often",
        _ => "",
    };
    let because = if because.is_empty() { String::new() } else { format!(" because {because}") };
    let quoted = quoted(unit);
    let mut out = format!(
        "Job for {unit} failed{because}.\nSee \"systemctl status {quoted}\" and \"journalctl -xeu \
         {quoted}\" for details."
    );
    if result.starts_with("start-limit") {
        out.push_str(&format!(
            "\nTo force a start use \"systemctl reset-failed {quoted}\"\nfollowed by \"systemctl \
             start {quoted}\" again."
        ));
    }
    out
}

/// A unit's name as a shell would take it.
fn quoted(unit: &str) -> String {
    if unit.contains('\\') { format!("\"{}\"", unit.replace('\\', "\\\\")) } else { unit.into() }
}
