//! Signing up, signing in, sessions. Passwords are kept as Argon2id; who guesses is slowed down, and locks nobody else out.

use crate::store::people::{self, Customer, Owner, Rider};
use crate::store::{Database, StoreError};
use pilotlight_edge::secret::{self, NoHash};
use pilotlight_edge::throttle::{Budget, Locked, Throttle};
use pilotlight_edge::tokens::{self, NoRandom};
use pilotlight_sync::domain::id::{CustomerId, RiderId};
use pilotlight_sync::domain::timestamp::Timestamp;
use pilotlight_sync::limits::NAME_CHARS_MAX;
use std::sync::{Arc, Mutex, PoisonError};

/// A session lasts so long, in milliseconds of business time.
pub const SESSION_MS: u64 = 30 * 24 * 3_600_000;
/// Characters of a password, least and most.
const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 8..=128;
/// Passwords hashed at the same time: each takes 19 MiB.
const HASHING_MAX: usize = 4;

/// Wrong passwords for one account from everywhere, and from one address for all accounts: far more than people mistype, far fewer than
/// would help to guess.
const SHARED_FAILURES_MAX: u32 = 100;
/// An account's budget fills up by one in this time; a single address, which waits 15 minutes in the end, never empties it.
const ACCOUNT_REFILL_MS: u64 = 60_000;
/// An address's does in this time: many people may share one.
const ADDRESS_REFILL_MS: u64 = 15_000;

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum AccountRefusal {
    /// A field that is none.
    #[error("{field}: {what}")]
    Field {
        /// Which.
        field: &'static str,
        /// What it must be.
        what: &'static str,
    },
    /// Somebody has signed up with this.
    #[error("there is an account with this {0}")]
    Taken(&'static str),
    /// No such account, or another password. Which one is not said.
    #[error("no account has this name and password")]
    Wrong,
    /// Too many guesses.
    #[error(transparent)]
    Locked(#[from] Locked),
    /// The machine is out of randomness, or the hash failed.
    #[error(transparent)]
    Hash(#[from] NoHash),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NoRandom> for AccountRefusal {
    fn from(error: NoRandom) -> Self {
        Self::Hash(error.into())
    }
}

/// Wrong passwords so far.
#[derive(Debug)]
struct Guesses {
    /// By account and where they came from.
    here: Throttle,
    by_account: Budget,
    by_address: Budget,
}

/// Accounts and sessions.
#[derive(Debug)]
pub struct Accounts {
    database: Database,
    guesses: Mutex<Guesses>,
    hashing: Arc<tokio::sync::Semaphore>,
    /// Checked when there is no such account, so that its absence takes as long as a wrong password.
    decoy: String,
}

impl Accounts {
    /// The accounts in this database.
    pub fn new(database: Database) -> Result<Self, NoHash> {
        let decoy = secret::hash("nobody's password")?;
        let hashing = Arc::new(tokio::sync::Semaphore::new(HASHING_MAX));
        Ok(Self { database, guesses: Mutex::new(Guesses::none()), hashing, decoy })
    }

    /// Signs a customer up and in.
    pub async fn register(
        &self,
        name: &str,
        email: &str,
        password: &str,
        now: Timestamp,
    ) -> Result<(Customer, String), AccountRefusal> {
        let (name, email) = (a_name(name)?, an_email(email)?);
        let password_hash = Some(self.hash(password).await?);
        let id = CustomerId::from_bytes(tokens::random()?);
        let customer = Customer { id, name, email: Some(email), phone: None, password_hash };
        self.add_customer(customer, now, "e-mail address").await
    }

    /// Lets somebody order without an account.
    pub async fn guest(&self, name: &str, phone: &str, now: Timestamp) -> Result<(Customer, String), AccountRefusal> {
        let (name, phone) = (a_name(name)?, a_phone(phone)?);
        let id = CustomerId::from_bytes(tokens::random()?);
        let customer = Customer { id, name, email: None, phone: Some(phone), password_hash: None };
        self.add_customer(customer, now, "phone").await
    }

    async fn add_customer(
        &self,
        customer: Customer,
        now: Timestamp,
        unique: &'static str,
    ) -> Result<(Customer, String), AccountRefusal> {
        let token = tokens::new_token()?;
        let mut tx = self.database.begin().await?;
        if !people::add_customer(&mut tx, &customer, now).await? {
            return Err(AccountRefusal::Taken(unique));
        }
        let owner = Owner::Customer(customer.id);
        people::open_session(&mut tx, &token, owner, now, now.plus_ms(SESSION_MS)).await?;
        tx.commit().await?;
        Ok((customer, token))
    }

    /// Signs a customer in. `from`: where the request came from, for slowing down guesses.
    pub async fn sign_in(
        &self,
        email: &str,
        password: &str,
        from: &str,
        now: Timestamp,
    ) -> Result<(Customer, String), AccountRefusal> {
        let email = email.trim().to_lowercase();
        let known = people::customer_by_email(&self.database, &email).await?;
        let hash = known.as_ref().and_then(|customer| customer.password_hash.clone());
        self.check(&format!("customer {email}"), from, password, hash, now).await?;
        let customer = known.ok_or(AccountRefusal::Wrong)?;
        let token = self.open(Owner::Customer(customer.id), now).await?;
        Ok((customer, token))
    }

    /// Signs a rider up and in.
    pub async fn register_rider(
        &self,
        name: &str,
        phone: &str,
        password: &str,
        now: Timestamp,
    ) -> Result<(Rider, String), AccountRefusal> {
        let (name, phone) = (a_name(name)?, a_phone(phone)?);
        let password_hash = self.hash(password).await?;
        let id = RiderId::from_bytes(tokens::random()?);
        let rider = Rider { id, name, phone, password_hash, on_shift: false, place: None, seen_at: Timestamp(0) };
        let token = tokens::new_token()?;
        let mut tx = self.database.begin().await?;
        if !people::add_rider(&mut tx, &rider, now).await? {
            return Err(AccountRefusal::Taken("phone"));
        }
        people::open_session(&mut tx, &token, Owner::Rider(rider.id), now, now.plus_ms(SESSION_MS)).await?;
        tx.commit().await?;
        Ok((rider, token))
    }

    /// Signs a rider in.
    pub async fn sign_in_rider(
        &self,
        phone: &str,
        password: &str,
        from: &str,
        now: Timestamp,
    ) -> Result<(Rider, String), AccountRefusal> {
        let phone = a_phone(phone).map_err(|_| AccountRefusal::Wrong)?;
        let known = people::rider_by_phone(&self.database, &phone).await?;
        let hash = known.as_ref().map(|rider| rider.password_hash.clone());
        self.check(&format!("rider {phone}"), from, password, hash, now).await?;
        let rider = known.ok_or(AccountRefusal::Wrong)?;
        let token = self.open(Owner::Rider(rider.id), now).await?;
        Ok((rider, token))
    }

    /// Whose token this is.
    pub async fn owner_of(&self, token: &str, now: Timestamp) -> Result<Option<Owner>, StoreError> {
        people::owner_of(&self.database, token, now).await
    }

    /// Ends a session.
    pub async fn sign_out(&self, token: &str) -> Result<(), StoreError> {
        let mut tx = self.database.begin().await?;
        people::close_session(&mut tx, token).await?;
        tx.commit().await
    }

    async fn open(&self, owner: Owner, now: Timestamp) -> Result<String, AccountRefusal> {
        let token = tokens::new_token()?;
        let mut tx = self.database.begin().await?;
        people::open_session(&mut tx, &token, owner, now, now.plus_ms(SESSION_MS)).await?;
        tx.commit().await?;
        Ok(token)
    }

    /// Checks a password, slowly, and slower for who guesses (SPEC R5).
    async fn check(
        &self,
        account: &str,
        from: &str,
        password: &str,
        hash: Option<String>,
        now: Timestamp,
    ) -> Result<(), AccountRefusal> {
        let here = format!("{from} for {account}");
        let guesses = || self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        guesses().try_one(&here, account, from, now)?;
        let known = hash.is_some();
        let (password, hash) = (password.to_owned(), hash.unwrap_or_else(|| self.decoy.clone()));
        let right = self.hashing(move || secret::is(&password, &hash)).await? && known;
        if !right {
            return Err(AccountRefusal::Wrong);
        }
        guesses().was_right(&here, account, from, now);
        Ok(())
    }

    async fn hash(&self, password: &str) -> Result<String, AccountRefusal> {
        if !PASSWORD_CHARS.contains(&password.chars().count()) {
            return Err(AccountRefusal::Field { field: "password", what: "8 to 128 characters" });
        }
        let password = password.to_owned();
        Ok(self.hashing(move || secret::hash(&password)).await??)
    }

    /// Runs a slow hash beside the requests, a few at a time.
    async fn hashing<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, AccountRefusal> {
        // The semaphore is never closed; a hash that panicked is no hash.
        let _turn = Arc::clone(&self.hashing).acquire_owned().await;
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|_| AccountRefusal::Field { field: "password", what: "one that can be hashed" })
    }
}

impl Guesses {
    fn none() -> Self {
        Self {
            here: Throttle::default(),
            by_account: Budget::new(SHARED_FAILURES_MAX, ACCOUNT_REFILL_MS),
            by_address: Budget::new(SHARED_FAILURES_MAX, ADDRESS_REFILL_MS),
        }
    }

    /// Counts a try, before the slow hash, so that many that are sent at once are all counted.
    fn try_one(&mut self, here: &str, account: &str, from: &str, now: Timestamp) -> Result<(), Locked> {
        self.here.check(here, now)?;
        self.by_account.check(account, now)?;
        self.by_address.check(from, now)?;
        self.here.failed(here, now);
        self.by_account.failed(account, now);
        self.by_address.failed(from, now);
        Ok(())
    }

    /// It was none. What others have failed at stays: a good password of one's own buys no guesses at others.
    fn was_right(&mut self, here: &str, account: &str, from: &str, now: Timestamp) {
        self.here.succeeded(here);
        self.by_account.put_back(account, now);
        self.by_address.put_back(from, now);
    }
}

fn a_name(name: &str) -> Result<String, AccountRefusal> {
    let name = name.trim();
    let what = "1 to 120 characters";
    let fits = !name.is_empty() && name.chars().count() <= NAME_CHARS_MAX;
    fits.then(|| name.to_owned()).ok_or(AccountRefusal::Field { field: "name", what })
}

fn an_email(email: &str) -> Result<String, AccountRefusal> {
    let email = email.trim().to_lowercase();
    let parts = email.split_once('@').filter(|(name, host)| !name.is_empty() && host.contains('.'));
    let fits = parts.is_some()
        && email.len() <= 254
        && !email.contains(|letter: char| letter.is_whitespace() || letter.is_control());
    fits.then_some(email).ok_or(AccountRefusal::Field { field: "email", what: "an e-mail address" })
}

/// A phone number as it is compared: digits, perhaps with a plus before them.
fn a_phone(phone: &str) -> Result<String, AccountRefusal> {
    let plain: String = phone.chars().filter(|letter| !matches!(letter, ' ' | '-' | '(' | ')' | '/' | '.')).collect();
    let digits = plain.strip_prefix('+').unwrap_or(&plain);
    let fits = (5..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit());
    fits.then_some(plain).ok_or(AccountRefusal::Field { field: "phone", what: "5 to 15 digits, perhaps with a plus" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestDatabase;

    const NOW: Timestamp = Timestamp(1_795_284_000_000);

    #[tokio::test]
    async fn b6_people_sign_up_and_in_and_speak_by_tokens_that_run_out() {
        let file = TestDatabase::new();
        let accounts = Accounts::new(file.open().await).unwrap();
        let (ada, token) = accounts.register(" Ada ", "Ada@Example.org", "correct horse", NOW).await.unwrap();
        assert_eq!((ada.name.as_str(), ada.email.as_deref()), ("Ada", Some("ada@example.org")));
        assert_eq!(accounts.owner_of(&token, NOW).await.unwrap(), Some(Owner::Customer(ada.id)));
        assert_eq!(accounts.owner_of(&token, NOW.plus_ms(SESSION_MS)).await.unwrap(), None);
        let again = accounts.register("Eve", "ada@example.org", "another one", NOW).await;
        assert!(matches!(again, Err(AccountRefusal::Taken("e-mail address"))));
        let (same, other_token) = accounts.sign_in("ADA@example.org", "correct horse", "here", NOW).await.unwrap();
        assert_eq!(same.id, ada.id);
        accounts.sign_out(&token).await.unwrap();
        assert_eq!(accounts.owner_of(&token, NOW).await.unwrap(), None);
        assert_eq!(accounts.owner_of(&other_token, NOW).await.unwrap(), Some(Owner::Customer(ada.id)));
        let (guest, _) = accounts.guest("Gus", "+49 (151) 123-456", NOW).await.unwrap();
        assert_eq!(guest.phone.as_deref(), Some("+49151123456"));
        let (rider, token) = accounts.register_rider("Ria", "0151 999", "long enough", NOW).await.unwrap();
        assert_eq!(accounts.owner_of(&token, NOW).await.unwrap(), Some(Owner::Rider(rider.id)));
        assert_eq!(accounts.sign_in_rider("0151999", "long enough", "here", NOW).await.unwrap().0.id, rider.id);
    }

    #[tokio::test]
    async fn b6_a_wrong_password_and_no_account_are_one_refusal_and_guessing_is_slowed_down() {
        let file = TestDatabase::new();
        let accounts = Accounts::new(file.open().await).unwrap();
        accounts.register("Ada", "ada@example.org", "correct horse", NOW).await.unwrap();
        for email in ["ada@example.org", "nobody@example.org"] {
            for _ in 0..5 {
                let refused = accounts.sign_in(email, "wrong", "there", NOW).await;
                assert!(matches!(refused, Err(AccountRefusal::Wrong)), "{email}");
            }
            let refused = accounts.sign_in(email, "correct horse", "there", NOW).await;
            assert!(matches!(refused, Err(AccountRefusal::Locked(_))), "{email}");
        }
        let later = NOW.plus_ms(15 * 60_000);
        assert!(accounts.sign_in("ada@example.org", "correct horse", "there", later).await.is_ok());
    }

    #[tokio::test]
    async fn r5_who_guesses_waits_and_locks_nobody_out() {
        let file = TestDatabase::new();
        let accounts = Accounts::new(file.open().await).unwrap();
        accounts.register("Ada", "ada@example.org", "correct horse", NOW).await.unwrap();
        accounts.register_rider("Ria", "0151999", "long enough", NOW).await.unwrap();
        // Sent at the same moment they are all counted.
        let guess = || accounts.sign_in("ada@example.org", "wrong", "eve", NOW);
        let guesses = futures_util::future::join_all((0..20).map(|_| guess())).await;
        let wrong = guesses.iter().filter(|guess| matches!(guess, Err(AccountRefusal::Wrong))).count();
        assert_eq!(wrong, 5, "{guesses:?}");
        for _ in 0..5 {
            let _wrong = accounts.sign_in_rider("0151999", "wrong", "eve", NOW).await;
        }
        let locked = accounts.sign_in("ada@example.org", "correct horse", "eve", NOW).await;
        assert!(matches!(locked, Err(AccountRefusal::Locked(_))), "{locked:?}");
        assert!(accounts.sign_in("ada@example.org", "correct horse", "ada's", NOW).await.is_ok());
        assert!(accounts.sign_in_rider("0151999", "long enough", "ria's", NOW).await.is_ok());
    }

    #[test]
    fn r5_guessing_from_many_addresses_and_at_many_accounts_is_bounded_and_one_address_empties_no_account() {
        let tries = |here: &dyn Fn(u32) -> (String, String), step_ms: u64, times: u32| {
            let mut guesses = Guesses::none();
            let tried = (0..times).filter(|n| {
                let (account, from) = here(*n);
                let now = NOW.plus_ms(u64::from(*n) * step_ms);
                guesses.try_one(&format!("{from} for {account}"), &account, &from, now).is_ok()
            });
            let tried = tried.count();
            let end = NOW.plus_ms(u64::from(times) * step_ms);
            (tried, guesses.by_account.check("ada", end).is_ok())
        };
        assert_eq!(tries(&|n| ("ada".to_owned(), n.to_string()), 0, 1_000), (100, false), "many addresses");
        assert_eq!(tries(&|n| (n.to_string(), "eve".to_owned()), 0, 1_000).0, 100, "many accounts");
        // One address, each second for a week.
        let week = tries(&|_| ("ada".to_owned(), "eve".to_owned()), 1_000, 604_800);
        assert!(week.0 < 700 && week.1, "{week:?}");
    }

    #[tokio::test]
    async fn b6_fields_that_are_none_are_named() {
        let file = TestDatabase::new();
        let accounts = Accounts::new(file.open().await).unwrap();
        for (name, email, password, expected) in [
            ("", "a@b.c", "long enough", "name"),
            ("A", "a.b.c", "long enough", "email"),
            ("A", "a @b.c", "long enough", "email"),
            ("A", "a@b.c", "short", "password"),
        ] {
            let refused = accounts.register(name, email, password, NOW).await;
            assert!(matches!(refused, Err(AccountRefusal::Field { field, .. }) if field == expected), "{expected}");
        }
        let refused = accounts.guest("A", "12ab5", NOW).await;
        assert!(matches!(refused, Err(AccountRefusal::Field { field: "phone", .. })));
    }
}
