//! The way from one controller to the documents and to the clouds: it takes time, loses questions
//! and answers, and lets what is on its way arrive though its sender is dead.

use crate::dice::Dice;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until};

/// How bad the way is, in per cent of the calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weather {
    /// The question never arrives.
    pub(crate) question_lost: u8,
    /// It is done, and the answer never arrives.
    pub(crate) answer_lost: u8,
    /// The question arrives late, often after its sender gave it up.
    pub(crate) late: u8,
}

/// The longest that a late question is on its way, in milliseconds.
const LATE_MILLIS_MAX: u64 = 20_000;

/// One way.
#[derive(Debug)]
pub(crate) struct Net {
    dice: Dice,
    /// The longest that a question or an answer takes in good weather, in milliseconds.
    millis: u64,
    weather: Mutex<Weather>,
    stalled: Mutex<Option<Instant>>,
}

impl Net {
    pub(crate) fn new(dice: Dice, millis: u64) -> Net {
        Net { dice, millis, weather: Mutex::default(), stalled: Mutex::default() }
    }

    pub(crate) fn set(&self, weather: Weather) {
        *lock(&self.weather) = weather;
    }

    /// Whether nothing is lost or late.
    pub(crate) fn is_good(&self) -> bool {
        *lock(&self.weather) == Weather::default()
    }

    /// Lets nothing in or out for a while: its machine is slow, or cut off.
    pub(crate) fn stall(&self, wait: Duration) {
        *lock(&self.stalled) = Some(Instant::now() + wait);
    }

    /// What became of it; none when the caller does not learn that.
    ///
    /// Once it is sent, it is done even if the caller is gone.
    pub(crate) async fn carry<T: Send + 'static>(
        &self,
        act: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        self.pass().await;
        let weather = *lock(&self.weather);
        let (arrives, answered) =
            (!self.dice.percent(weather.question_lost), !self.dice.percent(weather.answer_lost));
        let late = match self.dice.percent(weather.late) {
            true => self.dice.millis(0, LATE_MILLIS_MAX),
            false => Duration::ZERO,
        };
        let there = late + self.dice.millis(0, self.millis);
        let back = self.dice.millis(0, self.millis);
        let (send, receive) = oneshot::channel();
        tokio::spawn(async move {
            sleep(there).await;
            if !arrives {
                return;
            }
            let done = act.await;
            sleep(back).await;
            if answered {
                drop(send.send(done));
            }
        });
        let answer = receive.await.ok();
        self.pass().await;
        answer
    }

    /// Waits as long as one way takes.
    pub(crate) async fn delay(&self) {
        sleep(self.dice.millis(0, self.millis)).await;
    }

    /// Waits while nothing passes.
    pub(crate) async fn pass(&self) {
        let stalled = *lock(&self.stalled);
        if let Some(until) = stalled {
            sleep_until(until).await;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
