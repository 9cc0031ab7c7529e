//! The door of a service: connections come in, and those that find a seat go out, with it. Refused: who has too many, of one address or
//! of all, and who comes too often.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::limits::{self, Buckets, Rate};
use crate::health::Clock;
use crate::pipeline::watch::lock;

/// After a failure to accept, such as too many open files.
const BREATH: Duration = Duration::from_secs(1);

/// Lets connections in.
pub(crate) struct Door {
    name: &'static str,
    listener: TcpListener,
    seats: Arc<Seats>,
    rates: Option<Buckets<IpAddr>>,
}

/// A connection that was let in.
pub(crate) struct Guest {
    /// To speak with it.
    pub(crate) stream: TcpStream,
    /// Its address and port.
    pub(crate) peer: SocketAddr,
    /// To be held as long as it stays.
    pub(crate) seat: Seat,
}

impl Door {
    /// Of the service `name`; one address may come as often as `rate` says, or as it likes.
    pub(crate) fn new(name: &'static str, listener: TcpListener, rate: Option<Rate>) -> Self {
        Self { name, listener, seats: Arc::default(), rates: rate.map(Buckets::new) }
    }

    /// The next connection that may stay.
    pub(crate) async fn next(&mut self, clock: &dyn Clock) -> Guest {
        loop {
            let (stream, peer) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    log::warn!("{}: no connection can be accepted: {error}", self.name);
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            };
            let origin = limits::origin(peer.ip());
            let allowed = self.rates.as_mut().is_none_or(|rates| rates.take(origin, clock.now()));
            let seat = if allowed { self.seats.take(origin) } else { None };
            if let Some(seat) = seat {
                return Guest { stream, peer, seat };
            }
            log::debug!("{}: {peer} has too many connections", self.name);
        }
    }
}

/// Who is connected, by address.
#[derive(Default)]
struct Seats(Mutex<HashMap<IpAddr, usize>>);

/// A connection's seat, given back when dropped.
pub(crate) struct Seat {
    seats: Arc<Seats>,
    origin: IpAddr,
}

impl Seats {
    /// A seat for one more, if there is one.
    fn take(self: &Arc<Self>, origin: IpAddr) -> Option<Seat> {
        let mut taken = lock(&self.0);
        let all: usize = taken.values().sum();
        let of_one = taken.get(&origin).copied().unwrap_or(0);
        if all >= limits::CONNECTIONS_MAX || of_one >= limits::CONNECTIONS_OF_ONE_MAX {
            return None;
        }
        taken.insert(origin, of_one + 1);
        Some(Seat { seats: Arc::clone(self), origin })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = lock(&self.seats.0);
        match taken.get_mut(&self.origin) {
            Some(of_one) if *of_one > 1 => *of_one -= 1,
            _ => _ = taken.remove(&self.origin),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_counted_by_address_and_given_back() {
        let seats = Arc::new(Seats::default());
        let address = |n: u8| IpAddr::from([192, 0, 2, n]);
        let mut of_one: Vec<_> = (0..limits::CONNECTIONS_OF_ONE_MAX).map(|_| seats.take(address(1)).unwrap()).collect();
        assert!(seats.take(address(1)).is_none());
        of_one.pop();
        of_one.push(seats.take(address(1)).unwrap());
        let mut others = Vec::new();
        while let Some(seat) = seats.take(address(2 + others.len() as u8)) {
            others.push(seat);
        }
        assert_eq!(of_one.len() + others.len(), limits::CONNECTIONS_MAX);
        drop((of_one, others));
        assert!(lock(&seats.0).is_empty());
    }
}
