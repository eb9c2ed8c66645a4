//! How many visitors are here, in total and from one address.
//!
//! What is it: counts under a lock; a seat gives itself back when it is dropped. Who calls it:
//! `accept`, and the connection that keeps the seat. What can go wrong: one visitor who wants all
//! seats gets its share and no more. The table has at most one row for each connection.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Limits;
use super::proxies::{Network, trusts};

#[derive(Debug)]
pub(super) struct Seats {
    total: usize,
    per_address: usize,
    local_free: bool,
    /// They stand for many, too.
    proxies: Vec<Network>,
    taken: Mutex<Taken>,
}

#[derive(Default, Debug)]
struct Taken {
    all: usize,
    by: BTreeMap<IpAddr, usize>,
}

/// Why there is no seat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Crowded {
    /// All are taken.
    House,
    /// This address has its share.
    Address,
}

impl Seats {
    pub(super) fn new(limits: &Limits, proxies: Vec<Network>) -> Self {
        Self {
            total: limits.connections,
            per_address: limits.per_address,
            local_free: limits.local_free,
            proxies,
            taken: Mutex::default(),
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(self: &Arc<Self>, from: IpAddr) -> Result<Seat, Crowded> {
        let address = class(from);
        let mut taken = self.taken();
        if taken.all >= self.total {
            return Err(Crowded::House);
        }
        let local = self.local_free && from.to_canonical().is_loopback();
        let free = local || trusts(&self.proxies, from);
        let here = taken.by.get(&address).copied().unwrap_or_default();
        if here >= self.per_address && !free {
            return Err(Crowded::Address);
        }
        taken.all += 1;
        taken.by.insert(address, here + 1);
        Ok(Seat {
            seats: Arc::clone(self),
            address,
            whole: true,
        })
    }

    /// The part of a visitor who is behind a proxy and stays: the proxy has the connection's seat,
    /// and this counts among those of the visitor's own address. None: it has its share.
    pub(super) fn share(self: &Arc<Self>, visitor: IpAddr) -> Option<Seat> {
        let address = class(visitor);
        let mut taken = self.taken();
        let here = taken.by.get(&address).copied().unwrap_or_default();
        if here >= self.per_address && !trusts(&self.proxies, visitor) {
            return None;
        }
        taken.by.insert(address, here + 1);
        Some(Seat {
            seats: Arc::clone(self),
            address,
            whole: false,
        })
    }
}

/// An address as it is counted: who has an IPv6 address has a /64 of them.
fn class(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(v6) => {
            let prefix = u128::from(v6) & !u128::from(u64::MAX);
            Ipv6Addr::from(prefix).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// A visitor's seat.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
    /// It counts in total too.
    whole: bool,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        taken.all = taken.all.saturating_sub(self.whole.into());
        let left = taken.by.get(&self.address).map_or(0, |here| here - 1);
        if left == 0 {
            taken.by.remove(&self.address);
        } else {
            taken.by.insert(self.address, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_has_its_share_and_gives_it_back() {
        let limits = Limits {
            connections: 4,
            per_address: 2,
            ..Limits::default()
        };
        let seats = Arc::new(Seats::new(&limits, Vec::new()));
        let one = seats.take(ip("192.0.2.1"));
        let two = seats.take(ip("::ffff:192.0.2.1"));
        assert!(one.is_ok() && two.is_ok());
        assert_eq!(seats.take(ip("192.0.2.1")).err(), Some(Crowded::Address));
        let third = seats.take(ip("2001:db8::1"));
        let fourth = seats.take(ip("2001:db8::2"));
        assert!(third.is_ok() && fourth.is_ok());
        assert_eq!(seats.take(ip("127.0.0.1")).err(), Some(Crowded::House));
        drop((one, third));
        assert!(seats.take(ip("192.0.2.1")).is_ok(), "given back at once");
        assert!(seats.take(ip("2001:db8::3")).is_ok());
        let six = seats.take(ip("2001:db8::3"));
        assert_eq!(seats.take(ip("2001:db8::4")).err(), Some(Crowded::Address));
        drop((two, fourth, six));
        assert!(seats.taken().by.is_empty(), "no row without a visitor");
    }

    #[test]
    fn behind_a_proxy_each_has_a_share_of_its_own() {
        let limits = Limits {
            connections: 9,
            per_address: 2,
            ..Limits::default()
        };
        let proxies = vec!["192.0.2.7".parse().expect("a network")];
        let seats = Arc::new(Seats::new(&limits, proxies));
        let sockets: Vec<_> = (0..3).map(|_| seats.take(ip("192.0.2.7"))).collect();
        let mallory: Vec<_> = (0..3).map(|_| seats.share(ip("198.51.100.1"))).collect();
        assert!(mallory[0].is_some() && mallory[1].is_some() && mallory[2].is_none());
        assert!(seats.share(ip("198.51.100.2")).is_some());
        assert_eq!(seats.taken().all, 3);
        drop(mallory);
        assert!(seats.share(ip("198.51.100.1")).is_some());
        drop(sockets);
        assert_eq!(seats.taken().all, 0);
        assert!(seats.taken().by.is_empty());
    }

    #[test]
    fn a_proxy_on_this_machine_stands_for_many() {
        let limits = Limits {
            per_address: 1,
            ..Limits::default()
        };
        let seats = Arc::new(Seats::new(&limits, Vec::new()));
        let many: Vec<_> = (0..9).map(|_| seats.take(ip("127.0.0.1"))).collect();
        assert!(many.iter().all(Result::is_ok));
        let proxies = vec!["192.0.2.0/24".parse().expect("a network")];
        let seats = Arc::new(Seats::new(&limits, proxies));
        let many: Vec<_> = (0..9).map(|_| seats.take(ip("192.0.2.7"))).collect();
        assert!(many.iter().all(Result::is_ok));
    }
}
