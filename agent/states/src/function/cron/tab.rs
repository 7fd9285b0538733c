//! A crontab as Salt reads and writes it: what is above its mark, and the jobs below.

/// What stands above the lines that are managed.
pub(super) const TAG: &str = "# Lines below here are managed by Salt, do not edit";
const IDENTIFIER: &str = "SALT_CRON_IDENTIFIER";
/// The identifier of a job without one.
const NONE: &str = "NO ID SET";
const DISABLED: &str = "#DISABLED#";

/// When a job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum When {
    /// Minute, hour, day of the month, month, day of the week.
    Fields([String; 5]),
    /// `@daily` and the like.
    Special(String),
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) when: When,
    pub(super) cmd: String,
    pub(super) identifier: Option<String>,
    pub(super) comment: Option<String>,
    pub(super) commented: bool,
}

/// A whole crontab.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tab {
    pre: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) jobs: Vec<Job>,
    pub(super) specials: Vec<Job>,
}

impl Tab {
    pub(super) fn parse(text: &str) -> Tab {
        let mut tab = Tab::default();
        let mut managed = false;
        let (mut identifier, mut comment): (Option<String>, Option<String>) = (None, None);
        for line in text.lines() {
            if line == TAG {
                managed = true;
                continue;
            }
            if !managed {
                tab.pre.push(line.to_owned());
                continue;
            }
            let (line, commented) = match line.strip_prefix(DISABLED) {
                Some(rest) => (rest, true),
                None => (line, false),
            };
            if line.starts_with('#') {
                let (said, id) = remark(line);
                identifier = id.or(identifier);
                comment = Some(match comment {
                    Some(before) => format!("{before}\n{said}"),
                    None => said,
                });
            } else if let Some((when, cmd)) = special(line) {
                let (identifier, comment) = (identifier.take(), comment.take());
                tab.specials.push(Job { when, cmd, identifier, comment, commented });
            } else if line.starts_with('@') {
                // A time without a command.
            } else if let Some((name, value)) = variable(line) {
                tab.env.push((name.to_owned(), value.to_owned()));
            } else if let Some((when, cmd)) = fields(line) {
                let (identifier, comment) = (identifier.take(), comment.take());
                tab.jobs.push(Job { when, cmd, identifier, comment, commented });
            }
        }
        tab
    }

    pub(super) fn render(&self) -> String {
        let mut out: String = self.pre.iter().map(|line| format!("{line}\n")).collect();
        out.push_str(TAG);
        out.push('\n');
        for (name, value) in &self.env {
            let value = if value.is_empty() { "\"\"" } else { value };
            out.push_str(&format!("{name}={value}\n"));
        }
        for job in self.jobs.iter().chain(&self.specials) {
            job.render(&mut out);
        }
        out
    }

    /// The job that a state means, by its identifier or else its command: which list, which place.
    pub(super) fn find(&self, cmd: &str, identifier: Option<&str>) -> Option<Place> {
        let is = |job: &Job| job.is(cmd, identifier);
        let normal = self.jobs.iter().position(is).map(Place::Job);
        normal.or_else(|| self.specials.iter().position(is).map(Place::Special))
    }

    pub(super) fn at(&self, place: Place) -> &Job {
        match place {
            Place::Job(at) => &self.jobs[at],
            Place::Special(at) => &self.specials[at],
        }
    }

    pub(super) fn remove(&mut self, place: Place) -> Job {
        match place {
            Place::Job(at) => self.jobs.remove(at),
            Place::Special(at) => self.specials.remove(at),
        }
    }
}

/// Where in a crontab a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Job(usize),
    Special(usize),
}

impl Job {
    /// Whether this is the job of a command, or of an identifier where one is known.
    pub(super) fn is(&self, cmd: &str, identifier: Option<&str>) -> bool {
        let set = |id: Option<&str>| id.filter(|id| !id.is_empty()).unwrap_or(NONE).to_owned();
        let (own, wanted) = (set(self.identifier.as_deref()), set(identifier));
        if self.cmd == cmd && own == NONE {
            return true;
        }
        if self.cmd != cmd && own == NONE && wanted == NONE {
            return false;
        }
        own == wanted
    }

    fn render(&self, out: &mut String) {
        if self.comment.is_some() || self.identifier.is_some() {
            out.push('#');
            if let Some(comment) = self.comment.as_deref().filter(|comment| !comment.is_empty()) {
                let comment = match self.when {
                    When::Fields(_) => comment,
                    When::Special(_) => comment.trim_end(),
                };
                out.push_str(&format!(" {}", comment.replace('\n', "\n# ")));
            }
            if let Some(id) = self.identifier.as_deref().filter(|id| !id.is_empty()) {
                out.push_str(&format!(" {IDENTIFIER}:{id}"));
            }
            out.push('\n');
        }
        let disabled = if self.commented { DISABLED } else { "" };
        let when = match &self.when {
            When::Fields(fields) => fields.join(" "),
            When::Special(word) => word.clone(),
        };
        out.push_str(&format!("{disabled}{when} {}\n", self.cmd));
    }
}

/// A comment's words, and the identifier in it.
fn remark(line: &str) -> (String, Option<String>) {
    let said = line.trim_start_matches(['#', ' ']);
    let Some((before, after)) = said.split_once(IDENTIFIER) else { return (said.to_owned(), None) };
    let after = after.split(IDENTIFIER).next().unwrap_or_default();
    let id = after.get(1..).filter(|id| !id.is_empty()).map(str::to_owned);
    (before.trim_end().to_owned(), id)
}

fn special(line: &str) -> Option<(When, String)> {
    let mut words = line.starts_with('@').then(|| line.split_whitespace())?;
    let word = words.next()?.to_owned();
    let cmd = words.collect::<Vec<_>>().join(" ");
    (!cmd.is_empty()).then_some((When::Special(word), cmd))
}

fn variable(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    (!name.is_empty() && !name.contains(' ')).then_some((name, value))
}

fn fields(line: &str) -> Option<(When, String)> {
    let mut words = line.splitn(6, ' ').map(str::to_owned);
    let mut fields: [String; 5] = Default::default();
    for field in &mut fields {
        *field = words.next()?;
    }
    Some((When::Fields(fields), words.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# mine\nMAILTO=me\n\n# Lines below here are managed by Salt, do not edit\n\
        PATH=/bin\nEMPTY=\"\"\n# why SALT_CRON_IDENTIFIER:one\n5 * * * * do it\n\
        # SALT_CRON_IDENTIFIER:two\n#DISABLED#0 1 2 3 4 off\n@daily  sweep\n";

    #[test]
    fn a_crontab_is_read_and_written_back() {
        let tab = Tab::parse(TEXT);
        assert_eq!(tab.pre, ["# mine", "MAILTO=me", ""]);
        assert_eq!((tab.env.len(), tab.jobs.len(), tab.specials.len()), (2, 2, 1));
        assert_eq!(tab.jobs[0].comment.as_deref(), Some("why"));
        assert!(tab.jobs[1].commented && tab.specials[0].identifier.is_none());
        assert_eq!(tab.render(), TEXT.replace("@daily  sweep", "@daily sweep"));
        assert_eq!(Tab::parse("").render(), format!("{TAG}\n"));
    }

    #[test]
    fn a_job_is_known_by_its_identifier_or_its_command() {
        let tab = Tab::parse(TEXT);
        assert_eq!(tab.find("other", Some("one")), Some(Place::Job(0)));
        assert_eq!(tab.find("sweep", Some("sweep")), Some(Place::Special(0)));
        assert_eq!(tab.find("do it", None), None);
    }
}
