//! How many clients there may be, in all and from one address. They are no HTTP connections any more, which have a limit
//! of their own.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use crate::hub::Hub;

/// All seats.
pub struct Seats {
    total: usize,
    per_address: usize,
    hub: Hub,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One client's; given back when dropped.
pub struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    House(usize),
    Address(usize),
}

impl Seats {
    pub fn new(total: usize, per_address: usize, hub: Hub) -> Self {
        Self { total, per_address, hub, taken: Mutex::default() }
    }

    /// Takes a seat. On this machine many programs share an address, so only the whole is limited there.
    pub fn take(seats: &Arc<Self>, address: IpAddr) -> Result<Seat, Full> {
        let address = address.to_canonical();
        let status = &seats.hub.house().websocket;
        let mut taken = seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let here = taken.by_address.get(&address).copied().unwrap_or(0);
        let full = if taken.total >= seats.total {
            Some(Full::House(seats.total))
        } else if here >= seats.per_address && !address.is_loopback() {
            Some(Full::Address(seats.per_address))
        } else {
            None
        };
        if let Some(full) = full {
            status.refused.fetch_add(1, Relaxed);
            return Err(full);
        }
        taken.total += 1;
        taken.by_address.insert(address, here + 1);
        status.clients.fetch_add(1, Relaxed);
        Ok(Seat { seats: Arc::clone(seats), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total -= 1;
        match taken.by_address.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.by_address.remove(&self.address);
            }
        }
        self.seats.hub.house().websocket.clients.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::{Snapshot, Statuses};

    #[test]
    fn seats_are_limited_in_all_and_by_address() {
        let hub = Hub::new(Snapshot::default(), Statuses::default());
        let seats = Arc::new(Seats::new(6, 2, hub.clone()));
        let take = |address: &str| Seats::take(&seats, address.parse().unwrap());
        let loopback: Vec<_> = ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.0.0.1"].map(take).into();
        assert!(loopback.iter().all(Result::is_ok));
        let other = [take("192.0.2.1"), take("::ffff:192.0.2.1")];
        assert_eq!(take("192.0.2.7").err(), Some(Full::House(6)));
        drop(loopback);
        assert_eq!(take("192.0.2.1").err(), Some(Full::Address(2)));
        assert_eq!(hub.house().websocket.clients.load(Relaxed), 2);
        assert_eq!(hub.house().websocket.refused.load(Relaxed), 2);
        drop(other);
        assert_eq!(hub.house().websocket.clients.load(Relaxed), 0);
        assert!(seats.taken.lock().unwrap().by_address.is_empty(), "nothing is remembered of who has left");
    }
}
