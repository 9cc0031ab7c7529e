//! How much of everything: connections, requests, bytes, seconds; and a token bucket that keeps to a rate. Pure but for the
//! numbers: time comes in as a value.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// Connections at a time, of all clients.
pub const CONNECTIONS_MAX: usize = 32;
/// Connections at a time, of one address.
pub const CONNECTIONS_OF_ONE_MAX: usize = 8;
/// How long the TLS handshake may take.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// How long a request's headers may take, the wait for a next request on the same connection among it.
pub const HEADERS_MAX: Duration = Duration::from_secs(10);
/// Header fields of a request.
pub const HEADER_FIELDS_MAX: usize = 32;
/// Bytes of a request's headers.
pub const HEADER_BYTES_MAX: usize = 16 << 10;
/// How long a body may bring nothing.
pub const SILENCE_MAX: Duration = Duration::from_secs(15);
/// How long a request may take that brings no bundle.
pub const REQUEST_MAX: Duration = Duration::from_secs(30);
/// How long one that brings a bundle may; the rest is gone on with by the next.
pub const UPLOAD_MAX: Duration = Duration::from_mins(15);
/// How long a connection may live.
pub const CONNECTION_MAX: Duration = Duration::from_mins(30);
/// How long a connection that ends is still read from, for its client to hear the last answer,
pub const LINGER_MAX: Duration = Duration::from_secs(5);
/// and how many bytes of what was not wanted.
pub const LINGER_BYTES_MAX: usize = 32 << 20;
/// New connections of one address.
pub const CONNECTION_RATE: Rate = Rate { burst: 64, per_second: 8 };
/// Requests of one client: a bundle of half a gigabyte comes in five hundred pieces.
pub const REQUEST_RATE: Rate = Rate { burst: 256, per_second: 32 };
/// Clients whose rates are remembered.
const KEYS_MAX: usize = 1024;

/// So many at once, and so many more each second.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// At once.
    pub burst: u32,
    /// Each second from then on.
    pub per_second: u32,
}

/// A token bucket for each of many.
#[derive(Debug)]
pub struct Buckets<K> {
    rate: Rate,
    /// What is left, and since when.
    left: HashMap<K, (f64, Duration)>,
}

impl<K: Hash + Eq> Buckets<K> {
    /// Full ones.
    pub fn new(rate: Rate) -> Self {
        Self { rate, left: HashMap::new() }
    }

    /// Take one from the bucket of `key` at `now`; false when it is empty.
    pub fn take(&mut self, key: K, now: Duration) -> bool {
        let Rate { burst, per_second } = self.rate;
        let filled = |(left, at): (f64, Duration)| {
            (left + now.saturating_sub(at).as_secs_f64() * f64::from(per_second)).min(f64::from(burst))
        };
        if self.left.len() >= KEYS_MAX {
            // Whoever has a full bucket again need not be remembered.
            self.left.retain(|_, bucket| filled(*bucket) < f64::from(burst));
            if self.left.len() >= KEYS_MAX && !self.left.contains_key(&key) {
                return false;
            }
        }
        let bucket = self.left.entry(key).or_insert((f64::from(burst), now));
        *bucket = (filled(*bucket), now);
        let allowed = bucket.0 >= 1.0;
        if allowed {
            bucket.0 -= 1.0;
        }
        allowed
    }

    /// Whether there is one to take for `key` at `now`.
    pub fn has(&self, key: &K, now: Duration) -> bool {
        let Rate { per_second, .. } = self.rate;
        self.left
            .get(key)
            .is_none_or(|(left, at)| left + now.saturating_sub(*at).as_secs_f64() * f64::from(per_second) >= 1.0)
    }
}

/// By what clients are told apart before they have said who they are: an address, or the network of 2^64 that one of IPv6
/// gets its own from.
pub fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_then_a_rate_for_each() {
        let mut buckets = Buckets::new(Rate { burst: 3, per_second: 2 });
        assert_eq!([0, 0, 0, 0].map(|_| buckets.take("a", S)), [true, true, true, false]);
        assert!(buckets.take("b", S), "another has its own");
        assert_eq!([0, 0, 0].map(|_| buckets.take("a", 2 * S)), [true, true, false]);
        assert_eq!(
            [0, 0, 0, 0].map(|_| buckets.take("a", 900 * S)),
            [true, true, true, false],
            "never more than a burst"
        );
        assert!(!buckets.take("a", S), "a time before the last gives nothing");
    }

    #[test]
    fn only_so_many_are_remembered() {
        let mut buckets = Buckets::new(Rate { burst: 1, per_second: 1 });
        assert_eq!((0..2 * KEYS_MAX).filter(|key| buckets.take(*key, S)).count(), KEYS_MAX);
        assert!(buckets.take(5000, 3 * S), "those whose buckets are full again are forgotten");
        assert_eq!(buckets.left.len(), 1);
    }

    #[test]
    fn neighbours_of_ipv6_are_one() {
        let of = |text: &str| origin(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:3:4:5:6"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.2"), of("192.0.2.1"));
    }
}
