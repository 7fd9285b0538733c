//! `/etc/shadow`: passwords and their ages, read and written.

use std::io;

use super::SHADOW;
use super::edit::{Lock, rewrite, today};
use crate::host::Host;

/// One line of `/etc/shadow`; a number that is not set is -1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shadow {
    pub(crate) passwd: String,
    /// `lstchg`, `min`, `max`, `warn`, `inact`, `expire`, in the file's order.
    pub(crate) days: [i64; 6],
}

/// Which of [`Shadow::days`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    Changed = 0,
    Min = 1,
    Max = 2,
    Warn = 3,
    Inactive = 4,
    Expire = 5,
}

/// What is known of a user's password; `None` without a line, or where it cannot be read.
pub(crate) fn of(host: &Host, user: &str) -> Option<Shadow> {
    let text = host.read_text(SHADOW)?;
    let line = text.lines().find(|line| line.split(':').next() == Some(user))?;
    let mut parts = line.trim().split(':').skip(1);
    let passwd = parts.next()?.to_owned();
    let days = std::array::from_fn(|_| parts.next().and_then(|n| n.parse().ok()).unwrap_or(-1));
    Some(Shadow { passwd, days })
}

/// Sets the password field, and the day on which that was; a user without a line gets one.
pub(crate) fn set_password(host: &Host, user: &str, hash: &str) -> io::Result<()> {
    let day = i64::try_from(today()).unwrap_or(-1);
    edit(host, user, |shadow| {
        shadow.passwd = hash.to_owned();
        shadow.days[Age::Changed as usize] = day;
    })
}

/// Sets the password field alone.
pub(crate) fn set_field(host: &Host, user: &str, passwd: &str) -> io::Result<()> {
    edit(host, user, |shadow| shadow.passwd = passwd.to_owned())
}

/// Sets one of the ages; -1 unsets it.
pub(crate) fn set_age(host: &Host, user: &str, age: Age, days: i64) -> io::Result<()> {
    edit(host, user, |shadow| shadow.days[age as usize] = days)
}

fn edit(host: &Host, user: &str, change: impl FnOnce(&mut Shadow)) -> io::Result<()> {
    let _lock = Lock::take(host)?;
    let mut shadow = of(host, user).unwrap_or(Shadow { passwd: "!".to_owned(), days: [-1; 6] });
    change(&mut shadow);
    rewrite(host, SHADOW, |lines| {
        let is = |line: &&mut String| line.split(':').next() == Some(user);
        match lines.iter_mut().find(is) {
            Some(line) => {
                let flag = line.split(':').nth(8).unwrap_or_default().to_owned();
                *line = shown(user, &shadow, &flag);
            }
            None => lines.push(shown(user, &shadow, "")),
        }
    })
}

fn shown(user: &str, shadow: &Shadow, flag: &str) -> String {
    let days = shadow.days.map(|day| if day < 0 { String::new() } else { day.to_string() });
    format!("{user}:{}:{}:{flag}", shadow.passwd, days.join(":"))
}
