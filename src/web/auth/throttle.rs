//! How often somebody may be wrong about the password: five times a minute a client, twenty times a minute in all. An
//! attempt counts from its beginning, so that many at once gain nothing; a right one is forgotten. Pure.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::web::rate::ClientKey;

const WINDOW: Duration = Duration::from_secs(60);
const PER_CLIENT: usize = 5;
const IN_ALL: usize = 20;

/// The attempts of the last minute: never more than [`IN_ALL`].
#[derive(Debug, Default)]
pub struct Throttle(Mutex<VecDeque<Attempt>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    client: ClientKey,
    at: Instant,
}

impl Throttle {
    /// Admits an attempt, or says after what time another one may be.
    pub fn begin(&self, client: ClientKey, now: Instant) -> Result<Attempt, Duration> {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.retain(|attempt| now.saturating_duration_since(attempt.at) < WINDOW);
        let own = || attempts.iter().filter(|attempt| attempt.client == client);
        let blocking = if own().count() >= PER_CLIENT {
            own().next()
        } else if attempts.len() >= IN_ALL {
            attempts.front()
        } else {
            None
        };
        if let Some(oldest) = blocking {
            return Err(WINDOW.saturating_sub(now.saturating_duration_since(oldest.at)));
        }
        let attempt = Attempt { client, at: now };
        attempts.push_back(attempt);
        Ok(attempt)
    }

    /// The attempt was no guess.
    pub fn forgive(&self, attempt: Attempt) {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(index) = attempts.iter().position(|known| *known == attempt) {
            attempts.remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u8) -> ClientKey {
        ClientKey::of([192, 0, 2, number].into())
    }

    #[test]
    fn five_a_client_and_twenty_in_all() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        for n in 0..5 {
            assert!(throttle.begin(client(1), start + Duration::from_secs(n)).is_ok());
        }
        let now = start + Duration::from_secs(10);
        assert_eq!(throttle.begin(client(1), now), Err(Duration::from_secs(50)));
        for n in 0..15 {
            assert!(throttle.begin(client(2 + n / 5), now).is_ok());
        }
        assert_eq!(throttle.begin(client(9), now), Err(Duration::from_secs(50)), "the house is full");
        let later = start + Duration::from_secs(60);
        assert!(throttle.begin(client(9), later).is_ok(), "the first is forgotten");
        assert!(throttle.begin(client(1), later).is_err(), "that was the one free place");
        assert!(throttle.0.lock().unwrap().len() <= IN_ALL);
    }

    #[test]
    fn who_is_right_is_not_slowed() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..100 {
            let attempt = throttle.begin(client(1), now).unwrap();
            throttle.forgive(attempt);
        }
    }
}
