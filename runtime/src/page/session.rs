//! Who is signed in: a password comes in, a token goes out that a browser keeps as a cookie. Pure but for the token's randomness: the time
//! comes in.
//!
//! Passwords are compared in a time that does not depend on them, as hashes. Guessing is slowed down for each address and for all together.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::crypto::ring;
use sha2::{Digest as _, Sha256};

use crate::control::limits::{Buckets, Rate};

/// Name of the cookie.
const COOKIE: &str = "tadpole";
/// A session ends when nothing was asked for this long.
const IDLE_MAX: Duration = Duration::from_hours(12);
/// Browsers that are signed in at a time; the one that was idle longest goes.
const SESSIONS_MAX: usize = 32;
/// Guesses of one address: these at once, then one a second.
const GUESSES: Rate = Rate { burst: 5, per_second: 1 };
/// Guesses of all together.
const GUESSES_OF_ALL: Rate = Rate { burst: 20, per_second: 2 };

type Hash = [u8; 32];

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Another password.
    Wrong,
    /// Too many guesses.
    TooMany,
    /// There is no randomness.
    NoToken,
}

/// Who is signed in.
pub struct Sessions {
    password: Option<Hash>,
    /// Hashes of tokens, and until when they hold.
    open: Vec<(Hash, Duration)>,
    guesses: Buckets<IpAddr>,
    of_all: Buckets<()>,
}

impl Sessions {
    /// For this password; without one everybody is let in.
    pub fn new(password: Option<&str>) -> Self {
        Self {
            password: password.map(|password| hash(password.as_bytes())),
            open: Vec::new(),
            guesses: Buckets::new(GUESSES),
            of_all: Buckets::new(GUESSES_OF_ALL),
        }
    }

    /// Whether anybody is asked.
    pub fn wants_password(&self) -> bool {
        self.password.is_some()
    }

    /// Somebody at `origin` says a password; their token.
    ///
    /// # Errors
    /// When it is not the right one.
    pub fn enter(&mut self, password: &str, origin: IpAddr, now: Duration) -> Result<String, Refused> {
        self.check(password, origin, now)?;
        let mut token = [0; 32];
        ring::default_provider().secure_random.fill(&mut token).map_err(|_| Refused::NoToken)?;
        let token = hex::encode(token);
        self.open.retain(|(_, until)| *until > now);
        if self.open.len() >= SESSIONS_MAX {
            let oldest = self.open.iter().enumerate().min_by_key(|(_, (_, until))| *until).map(|(n, _)| n);
            if let Some(oldest) = oldest {
                self.open.swap_remove(oldest);
            }
        }
        self.open.push((hash(token.as_bytes()), now + IDLE_MAX));
        Ok(token)
    }

    /// Whether the `Cookie` header of a request is that of somebody who is signed in; they stay so.
    pub fn knows(&mut self, cookies: &str, now: Duration) -> bool {
        let Some(token) = token(cookies).map(|token| hash(token.as_bytes())) else { return false };
        let session = self.open.iter_mut().find(|(known, until)| same(known, &token) && *until > now);
        session.map(|(_, until)| *until = now + IDLE_MAX).is_some()
    }

    /// Whether the `Authorization` header of a request from `origin` holds the password, whatever the name: for programs.
    pub fn knows_basic(&mut self, authorization: &str, origin: IpAddr, now: Duration) -> bool {
        let decoded = authorization.strip_prefix("Basic ").and_then(|text| BASE64_STANDARD.decode(text.trim()).ok());
        let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        text.split_once(':').is_some_and(|(_, password)| self.check(password, origin, now).is_ok())
    }

    /// They are signed in no longer.
    pub fn leave(&mut self, cookies: &str) {
        if let Some(token) = token(cookies).map(|token| hash(token.as_bytes())) {
            self.open.retain(|(known, _)| !same(known, &token));
        }
    }

    /// Only wrong ones are counted: a program that asks each second is not shut out.
    fn check(&mut self, password: &str, origin: IpAddr, now: Duration) -> Result<(), Refused> {
        let Some(expected) = self.password else { return Ok(()) };
        // A bucket that is empty refuses the right one too: otherwise guessing would go on.
        if !self.guesses.has(&origin, now) || !self.of_all.has(&(), now) {
            return Err(Refused::TooMany);
        }
        if same(&expected, &hash(password.as_bytes())) {
            return Ok(());
        }
        self.guesses.take(origin, now);
        self.of_all.take((), now);
        Err(Refused::Wrong)
    }
}

/// The `Set-Cookie` of a token; of no token, one that takes it back.
pub fn cookie(token: Option<&str>) -> String {
    let (token, age) = token.map_or(("", 0), |token| (token, IDLE_MAX.as_secs()));
    format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}")
}

fn token(cookies: &str) -> Option<&str> {
    cookies.split(';').find_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// In a time that does not depend on where they differ.
fn same(a: &Hash, b: &Hash) -> bool {
    std::hint::black_box(a.iter().zip(b).fold(0, |all, (a, b)| all | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);
    const PASSWORD: &str = "wide verge 12";

    fn address(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    #[test]
    fn the_right_password_lets_in_until_one_leaves_or_is_idle() {
        let mut sessions = Sessions::new(Some(PASSWORD));
        assert_eq!(sessions.enter("wide verge 13", address(1), S), Err(Refused::Wrong));
        let token = sessions.enter(PASSWORD, address(1), S).unwrap();
        let cookies = format!("a=b; tadpole={token}");
        assert!(sessions.knows(&cookies, 2 * S));
        assert!(!sessions.knows("tadpole=", 2 * S) && !sessions.knows(&token, 2 * S));
        assert!(sessions.knows(&cookies, IDLE_MAX + S), "it was used meanwhile");
        assert!(!sessions.knows(&cookies, 2 * IDLE_MAX + 2 * S));
        let token = sessions.enter(PASSWORD, address(1), S).unwrap();
        let cookies = cookie(Some(&token));
        sessions.leave(&cookies);
        assert!(!sessions.knows(&cookies, 2 * S));
    }

    #[test]
    fn guessing_is_slow_and_the_right_password_is_no_guess() {
        let mut sessions = Sessions::new(Some(PASSWORD));
        for _ in 0..100 {
            sessions.enter(PASSWORD, address(1), S).unwrap();
        }
        assert_eq!(sessions.open.len(), SESSIONS_MAX);
        for _ in 0..GUESSES.burst {
            assert_eq!(sessions.enter("x", address(1), S), Err(Refused::Wrong));
        }
        assert_eq!(sessions.enter(PASSWORD, address(1), S), Err(Refused::TooMany));
        assert!(sessions.enter(PASSWORD, address(2), S).is_ok(), "another address");
        assert!(sessions.enter(PASSWORD, address(1), 3 * S).is_ok());
        (10..60).for_each(|n| _ = sessions.enter("x", address(n), S));
        assert_eq!(sessions.enter(PASSWORD, address(3), S), Err(Refused::TooMany), "many addresses guess together");
    }

    #[test]
    fn programs_bring_it_along() {
        let mut sessions = Sessions::new(Some(PASSWORD));
        let header = format!("Basic {}", BASE64_STANDARD.encode(format!("prometheus:{PASSWORD}")));
        assert!(sessions.knows_basic(&header, address(1), S));
        assert!(!sessions.knows_basic("Basic ????", address(1), S) && !sessions.knows_basic("", address(1), S));
    }

    #[test]
    fn without_a_password_nobody_is_asked() {
        assert!(!Sessions::new(None).wants_password());
    }
}
