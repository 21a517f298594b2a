//! How often a client may ask. Every class of routes has its own budget, so that a page with its files and its polling
//! never runs into what is meant for scripts, and a scraper never goes without.
//!
//! The arithmetic is GCRA: a burst of the whole budget, refilled evenly. What is remembered is bounded: a client that has
//! not asked for longest is forgotten when there are too many, which only ever forgives.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};

use crate::route::Class;

/// Who counts as one client: an IPv4 address, or an IPv6 network of 64 bits, which is what one customer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientKey {
    V4([u8; 4]),
    V6(u64),
}

impl ClientKey {
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            // The upper half of it.
            IpAddr::V6(address) => Self::V6(u64::try_from(address.to_bits() >> 64).unwrap_or_default()),
        }
    }
}

/// Which budget a class draws on, and how many times the configured number that is. `None`: it costs nothing to answer
/// and others depend on the answer.
fn budget(class: Class) -> Option<(usize, u32)> {
    match class {
        Class::Api => Some((0, 1)),
        Class::Page => Some((1, 6)),
        Class::Asset => Some((2, 10)),
        Class::Scrape => Some((3, 2)),
        Class::Live => Some((4, 2)),
        Class::Probe => None,
    }
}

/// The multiple of each budget, in order.
const TIMES: [u32; 5] = [1, 6, 10, 2, 2];

/// The budgets of all clients.
pub struct Rates(Option<Vec<RateLimiter<ClientKey, Recent, DefaultClock>>>);

impl Rates {
    /// `requests_per_minute` is for the API; 0 is no limit at all.
    pub fn new(requests_per_minute: u32) -> Self {
        Self::with_room(requests_per_minute, GENERATION)
    }

    fn with_room(requests_per_minute: u32, generation: usize) -> Self {
        let limiter = |times: u32| {
            let number = NonZeroU32::new(requests_per_minute.saturating_mul(times))?;
            Some(RateLimiter::new(Quota::per_minute(number), Recent::new(generation), DefaultClock::default()))
        };
        let limiters: Option<Vec<_>> = TIMES.into_iter().map(limiter).collect();
        Self(limiters)
    }

    /// Counts one request. `Err`: over the budget, and the time until there is some again.
    pub fn check(&self, client: ClientKey, class: Class) -> Result<(), Duration> {
        let (Some(limiters), Some((index, _))) = (&self.0, budget(class)) else { return Ok(()) };
        let limiter = &limiters[index];
        limiter.check_key(&client).map_err(|not_until| not_until.wait_time_from(limiter.clock().now()))
    }
}

/// Clients remembered by a budget, before the older half of them is forgotten: 10,000 in all.
const GENERATION: usize = 1_000;

/// The state of recent clients, in two halves: when the younger is full it becomes the older, and the older is gone.
struct Recent {
    generation: usize,
    halves: Mutex<Halves>,
}

#[derive(Default)]
struct Halves {
    younger: HashMap<ClientKey, Nanos>,
    older: HashMap<ClientKey, Nanos>,
}

impl Recent {
    fn new(generation: usize) -> Self {
        Self { generation, halves: Mutex::default() }
    }
}

impl StateStore for Recent {
    type Key = ClientKey;

    fn measure_and_replace<T, F, E>(&self, key: &ClientKey, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let known = halves.younger.get(key).or_else(|| halves.older.get(key)).copied();
        let (outcome, state) = match measure(known) {
            Ok((outcome, state)) => (Ok(outcome), Some(state)),
            // Who is refused stays remembered too.
            Err(refused) => (Err(refused), known),
        };
        if let Some(state) = state {
            if halves.younger.len() >= self.generation && !halves.younger.contains_key(key) {
                halves.older = std::mem::take(&mut halves.younger);
            }
            halves.younger.insert(*key, state);
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn v4(number: u32) -> ClientKey {
        ClientKey::of(IpAddr::from(number.to_be_bytes()))
    }

    #[test]
    fn clients() {
        let key = |text: &str| ClientKey::of(text.parse().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }

    #[test]
    fn every_budget_has_its_multiple() {
        for class in [Class::Api, Class::Page, Class::Asset, Class::Scrape, Class::Live] {
            let (index, times) = budget(class).unwrap();
            assert_eq!(TIMES[index], times);
            let rates = Rates::new(10);
            for n in 0..10 * times {
                assert_eq!(rates.check(v4(1), class), Ok(()), "{class:?} {n}");
            }
            let wait = rates.check(v4(1), class).unwrap_err();
            assert!(wait <= Duration::from_secs(6), "{wait:?}");
            assert_eq!(rates.check(v4(2), class), Ok(()), "another client");
            let other = if class == Class::Api { Class::Page } else { Class::Api };
            assert_eq!(rates.check(v4(1), other), Ok(()), "another budget");
        }
    }

    #[test]
    fn probes_are_free_and_zero_is_no_limit() {
        let (one, none) = (Rates::new(1), Rates::new(0));
        for _ in 0..1_000 {
            assert_eq!(one.check(v4(1), Class::Probe), Ok(()));
            assert_eq!(none.check(v4(1), Class::Api), Ok(()));
        }
    }

    #[test]
    fn x13_a_million_addresses_are_few_clients_and_little_memory() {
        let rates = Rates::new(100);
        let good = ClientKey::of([192, 0, 2, 1].into());
        let mut admitted = 0;
        for n in 0..1_000_000_u128 {
            // One network, then many.
            let base = 0x2001_0db8_u128 << 96;
            let address = if n % 2 == 0 { base | n } else { base | (n << 64) };
            admitted += u32::from(rates.check(ClientKey::of(IpAddr::V6(Ipv6Addr::from(address))), Class::Api).is_ok());
            if n % 100_000 == 0 {
                assert_eq!(rates.check(good, Class::Api), Ok(()), "a good client is served");
            }
        }
        assert!(admitted >= 500_000, "each of many networks has a budget of its own");
        let api = rates.0.unwrap().swap_remove(0);
        let halves = api.into_state_store().halves.into_inner().unwrap();
        assert!(halves.younger.len() + halves.older.len() <= 2 * GENERATION);
        assert!(halves.younger.capacity() + halves.older.capacity() <= 8 * GENERATION);
    }

    #[test]
    fn who_keeps_asking_is_not_forgotten() {
        let rates = Rates::with_room(5, 10);
        let busy = v4(0);
        let admitted = (1..200).filter(|n| {
            let admitted = rates.check(busy, Class::Api).is_ok();
            assert!(rates.check(v4(*n), Class::Api).is_ok());
            admitted
        });
        assert_eq!(admitted.count(), 5);
    }
}
