//! What customers do: ask for a price, place, look, cancel. And what the relay does of itself when orders change or time passes.

use crate::geo::Place;
use crate::ordering::amend::{self, Wish};
use crate::ordering::cancel::{self, Cancel, CancelRefusal, Preview};
use crate::ordering::place::{self, CartField};
use crate::ordering::quote::{self, QUOTE_MS, QuoteRefusal, QuoteRequest, Quoted};
use crate::ordering::wishes::Demand;
use crate::ordering::work::{self, AmendError, Around, CancelError};
use crate::sites::node_registry::Sites;
use crate::sites::site_handle::{React, SiteHandle};
use crate::store::amendments;
use crate::store::checkouts::{self, Checkout, CheckoutState, PricedCart, Quote};
use crate::store::cloud_orders::{self, CloudOrder};
use crate::store::effects::{self, Claimed, EffectId, EffectKind, NewEffect, Performed};
use crate::store::people::Address;
use crate::store::site_tx::{SiteTx, WorkError};
use crate::store::terms;
use crate::store::{Database, StoreError};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use pilotlight_edge::clock::Clock;
use pilotlight_edge::tokens::{self, NoRandom};
use pilotlight_sync::doc::order::Header;
use pilotlight_sync::doc::replica::LiveOrder;
use pilotlight_sync::domain::id::{CustomerId, OrderId, PaymentId, QuoteId, SiteId};
use pilotlight_sync::domain::pricing::price;
use pilotlight_sync::domain::refund_policy::RefundPolicy;
use pilotlight_sync::protocol::Want;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// A checkout that is not paid after this time becomes no order, in milliseconds of business time.
const CHECKOUT_MS: u64 = 15 * 60_000;
/// A customer who places an order is answered after this real time at the latest, with *paying*.
const ANSWER_MS_MAX: Duration = Duration::from_secs(8);
/// Characters of a card's token.
const CARD_CHARS_MAX: usize = 255;

/// Why there is no order.
#[derive(Debug, thiserror::Error)]
pub enum PlaceRefusal {
    /// No such restaurant here.
    #[error("there is no such restaurant")]
    UnknownSite,
    /// The restaurant takes no orders now.
    #[error("{0}")]
    Closed(&'static str),
    /// No such quote of this customer.
    #[error("there is no such quote")]
    UnknownQuote,
    /// The quote's time is over.
    #[error("the quote has run out")]
    QuoteExpired,
    /// The quote became another order.
    #[error("this quote has been ordered already, as {0}")]
    QuoteUsed(OrderId),
    /// The cart has no price any more.
    #[error(transparent)]
    Quote(#[from] QuoteRefusal),
    /// The menu's price is another than was quoted.
    #[error("the total is {actual_minor}, not {quoted_minor}")]
    PriceChanged {
        /// In minor units.
        quoted_minor: i64,
        /// In minor units.
        actual_minor: i64,
    },
    /// This id was used for another cart.
    #[error("this order was placed with another cart")]
    SameIdOtherCart(CartField),
    /// Sold while the customer paid; the money was let go.
    #[error("{0} was sold out while you paid; nothing was charged")]
    SoldOutMeanwhile(String),
    /// The restaurant was paused while the customer paid; the money was let go.
    #[error("the restaurant has just stopped taking orders; nothing was charged")]
    PausedMeanwhile,
    /// The bank said no.
    #[error("the card was declined: {0}")]
    Declined(String),
    /// The payment took too long; the money was let go.
    #[error("the payment took too long; nothing was charged")]
    TooLate,
    /// A card is named by a token of the gateway.
    #[error("a card's token has 1 to {} characters", CARD_CHARS_MAX)]
    Card,
    /// The machine is out of randomness.
    #[error(transparent)]
    NoRandom(#[from] NoRandom),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How far a placed order is.
#[derive(Debug)]
pub enum Placed {
    /// It became an order by this request.
    Now(OrderId),
    /// It was one before.
    Before(OrderId),
    /// The payment is under way: ask again.
    Paying(OrderId),
}

/// What a customer places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceRequest {
    /// Minted by the device.
    pub order: OrderId,
    /// What was quoted.
    pub quote: QuoteId,
    /// Minted by the device.
    pub payment: PaymentId,
    /// The card's token at the gateway.
    pub card: String,
}

/// An order as its customer may see it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// As the relay keeps it.
    pub kept: CloudOrder,
    /// By its facts.
    pub live: Arc<LiveOrder>,
    /// Its restaurant.
    pub site: SiteHandle,
}

/// Customers' orders.
#[derive(Debug)]
pub struct Desk {
    database: Database,
    clock: Clock,
    /// Set once the sites are open: they need the desk to be opened, and hold it. Not held here, so that all of it ends with its process.
    sites: OnceLock<Weak<Sites>>,
    /// Wakes the effects' worker.
    wake: Arc<Notify>,
    demand: Mutex<BTreeMap<SiteId, Demand>>,
}

impl Desk {
    /// A desk over this database; `wake` is notified when there are effects to do.
    pub fn new(database: Database, clock: Clock, wake: Arc<Notify>) -> Self {
        Self { database, clock, sites: OnceLock::new(), wake, demand: Mutex::default() }
    }

    fn open_sites(&self) -> Option<Arc<Sites>> {
        self.sites.get().and_then(Weak::upgrade)
    }

    /// Says which sites there are; once.
    pub fn serve(&self, sites: &Arc<Sites>) {
        if self.sites.set(Arc::downgrade(sites)).is_err() {
            tracing::error!("the desk has its sites already");
        }
    }

    /// A restaurant, if there is one of this id.
    pub fn site(&self, id: &SiteId) -> Option<SiteHandle> {
        self.open_sites().and_then(|sites| sites.get(id))
    }

    /// All restaurants.
    pub fn sites(&self) -> Vec<SiteHandle> {
        self.open_sites().map(|sites| sites.all()).unwrap_or_default()
    }

    /// Whether a restaurant is open online.
    pub fn is_open(&self, site: &SiteHandle) -> bool {
        self.open_sites().is_some_and(|sites| sites.is_open(site))
    }

    async fn around(&self, site: &SiteHandle) -> Result<Around, StoreError> {
        let terms = terms::of(&self.database, &site.facts.id).await?;
        Ok(Around { terms, open: self.is_open(site), real: self.clock.real() })
    }

    /// Prices a cart and keeps the price for a while.
    pub async fn quote(
        &self,
        site: &SiteHandle,
        customer: CustomerId,
        request: QuoteRequest,
    ) -> Result<(Quote, Quoted), PlaceRefusal> {
        let terms = terms::of(&self.database, &site.facts.id).await?;
        let at = Place { lat: site.facts.lat, lon: site.facts.lon };
        let address = request.address.clone();
        let priced = site.read(move |replica, now| {
            let noted = price(&request.lines, replica.site().menu()).ok();
            (noted, quote::quote(replica.site(), replica.origin(), &at, &terms, now, request))
        });
        let (noted, quoted) = priced.await.map_err(work_failed)?;
        let now = self.clock.now();
        // What could not be sold for want of rights is demand too.
        if let Some(noted) = noted {
            let mut demand = self.demand.lock().unwrap_or_else(PoisonError::into_inner);
            demand.entry(site.facts.id).or_default().note(&noted.lines, now);
        }
        let quoted = quoted?;
        let quote = Quote {
            id: QuoteId::from_bytes(tokens::random()?),
            customer,
            site: site.facts.id,
            cart: quoted.cart.clone(),
            address,
            total_minor: quoted.total_minor,
            minutes: quoted.minutes,
            expires_at: now.plus_ms(QUOTE_MS),
        };
        let mut tx = self.database.begin().await?;
        checkouts::add_quote(&mut tx, &quote, now).await?;
        tx.commit().await?;
        Ok((quote, quoted))
    }

    /// Places an order: pays, then writes it into the site's log, at once or not at all. Doing it again with the same ids finds it.
    pub async fn place(
        &self,
        site: &SiteHandle,
        customer: CustomerId,
        request: PlaceRequest,
    ) -> Result<Placed, PlaceRefusal> {
        let mut changes = self.open_sites().ok_or(PlaceRefusal::UnknownSite)?.changes();
        let order = request.order;
        let begun = self.begin(site, customer, request).await?;
        if begun {
            self.wake.notify_one();
        }
        let wait = async {
            loop {
                let checkout = checkouts::find(&self.database, &order).await?.ok_or(PlaceRefusal::UnknownQuote)?;
                match checkout.state {
                    CheckoutState::Paying => {}
                    CheckoutState::Placed if begun => return Ok(Placed::Now(order)),
                    CheckoutState::Placed => return Ok(Placed::Before(order)),
                    CheckoutState::Declined => {
                        return Err(PlaceRefusal::Declined(checkout.refusal.unwrap_or_default()));
                    }
                    CheckoutState::SoldOut => {
                        return Err(PlaceRefusal::SoldOutMeanwhile(checkout.refusal.unwrap_or_default()));
                    }
                    CheckoutState::TooLate => return Err(PlaceRefusal::TooLate),
                    CheckoutState::Paused => return Err(PlaceRefusal::PausedMeanwhile),
                }
                // A refusal changes no order and is told to nobody: looked at again after a moment.
                let _heard = tokio::time::timeout(Duration::from_millis(25), changes.recv()).await;
            }
        };
        tokio::time::timeout(ANSWER_MS_MAX, wait).await.unwrap_or(Ok(Placed::Paying(order)))
    }

    /// Writes the checkout and the effect that pays it, in one transaction. `false`: this request was made before.
    pub async fn begin(
        &self,
        site: &SiteHandle,
        customer: CustomerId,
        request: PlaceRequest,
    ) -> Result<bool, PlaceRefusal> {
        let PlaceRequest { order, payment, card, .. } = &request;
        let quote = checkouts::quote(&self.database, &request.quote).await?;
        let quote = quote.filter(|quote| quote.customer == customer && quote.site == site.facts.id);
        let known = checkouts::find(&self.database, order).await?;
        let attempt = match again(known.as_ref(), customer, site, &request, quote.as_ref())? {
            None => return Ok(false),
            Some(attempt) => attempt,
        };
        if card.is_empty() || card.chars().count() > CARD_CHARS_MAX {
            return Err(PlaceRefusal::Card);
        }
        if let Some(other) = checkouts::order_of_quote(self.database.pool(), customer, &request.quote).await? {
            return Err(PlaceRefusal::QuoteUsed(other));
        }
        let quote = quote.ok_or(PlaceRefusal::UnknownQuote)?;
        let now = self.clock.now();
        if quote.expires_at <= now {
            return Err(PlaceRefusal::QuoteExpired);
        }
        let around = self.around(site).await?;
        if !around.open && !around.terms.accepts_held {
            return Err(PlaceRefusal::Closed("the restaurant is not connected"));
        }
        let (cart, header, amount_minor) = self.price_again(site, &quote, &around).await?;
        let checkout = Checkout {
            order: *order,
            customer,
            site: site.facts.id,
            payment: *payment,
            cart,
            address: quote.address.clone(),
            amount_minor,
            minutes: quote.minutes,
            state: CheckoutState::Paying,
            refusal: None,
            attempt,
            expires_at: now.plus_ms(CHECKOUT_MS),
            header,
        };
        let pay = NewEffect {
            id: EffectId { order: *order, kind: EffectKind::Authorise, n: attempt },
            site: site.facts.id,
            payment: *payment,
            amount_minor,
            currency: checkout.header.currency,
            card: Some(card.clone()),
            why: "an order is placed".to_owned(),
        };
        let mut tx = self.database.begin().await?;
        // Two taps at the same moment have both found nothing: here one of them is first.
        let known = checkouts::find_in(&mut tx, order).await?;
        if again(known.as_ref(), customer, site, &request, Some(&quote))? != Some(attempt) {
            return Ok(false);
        }
        if checkouts::order_of_payment(&mut tx, payment).await?.is_some_and(|other| other != *order) {
            return Err(PlaceRefusal::SameIdOtherCart(CartField::Payment));
        }
        if let Some(other) = checkouts::order_of_quote(&mut *tx, customer, &quote.id).await? {
            return Err(PlaceRefusal::QuoteUsed(other));
        }
        let begun = checkouts::begin(&mut tx, &checkout, &quote.id, now).await?;
        effects::insert(&mut tx, &pay, around.real).await?;
        tx.commit().await?;
        Ok(begun)
    }

    /// The cart at the prices of now: they must be those of the quote. An order's price is fixed here.
    async fn price_again(
        &self,
        site: &SiteHandle,
        quote: &Quote,
        around: &Around,
    ) -> Result<(PricedCart, Header, i64), PlaceRefusal> {
        let request = request_of(quote);
        let (at, terms) = (Place { lat: site.facts.lat, lon: site.facts.lon }, around.terms);
        let reached = self.open_sites().and_then(|sites| sites.owner(site));
        let priced = site.read(move |replica, now| {
            let quoted = quote::quote(replica.site(), replica.origin(), &at, &terms, now, request)?;
            let owner = place::owner(replica.site(), reached).ok_or(QuoteRefusal::NotSetUp)?;
            let header = place::header(replica.site(), owner, &quoted.cart, quoted.charges, now);
            Ok::<_, QuoteRefusal>((quoted, header))
        });
        let (quoted, header) = priced.await.map_err(work_failed)??;
        if quoted.total_minor != quote.total_minor {
            let (quoted_minor, actual_minor) = (quote.total_minor, quoted.total_minor);
            return Err(PlaceRefusal::PriceChanged { quoted_minor, actual_minor });
        }
        Ok((quoted.cart, header, quoted.total_minor))
    }

    /// An order of this customer; of another's nobody learns anything.
    pub async fn order(&self, customer: CustomerId, order: &OrderId) -> Result<Option<Seen>, StoreError> {
        let kept = cloud_orders::find(&self.database, order).await?;
        match kept.filter(|kept| kept.customer == customer) {
            None => Ok(None),
            Some(kept) => self.see(kept).await,
        }
    }

    /// A customer's orders, the newest first.
    pub async fn orders(&self, customer: CustomerId, limit: u32) -> Result<Vec<Seen>, StoreError> {
        let mut seen = Vec::new();
        for kept in cloud_orders::of_customer(&self.database, &customer, limit).await? {
            seen.extend(self.see(kept).await?);
        }
        Ok(seen)
    }

    /// With its facts.
    pub async fn see(&self, kept: CloudOrder) -> Result<Option<Seen>, StoreError> {
        let Some(site) = self.site(&kept.site) else { return Ok(None) };
        let live = site.order(&self.database, kept.order).await.map_err(|error| damaged(&error))?;
        Ok(live.map(|live| Seen { kept, live, site }))
    }

    /// With the facts that its restaurant's queue has just told.
    pub fn see_told(&self, kept: CloudOrder, live: Arc<LiveOrder>) -> Option<Seen> {
        self.site(&kept.site).map(|site| Seen { kept, live, site })
    }

    /// The checkout of this customer's order, while it is none yet.
    pub async fn checkout(&self, customer: CustomerId, order: &OrderId) -> Result<Option<Checkout>, StoreError> {
        let checkout = checkouts::find(&self.database, order).await?;
        Ok(checkout.filter(|checkout| checkout.customer == customer))
    }

    /// What a cancellation would give back now.
    pub fn preview(&self, seen: &Seen) -> Result<Preview, CancelRefusal> {
        cancel::preview(&seen.live.view, &seen.kept, &RefundPolicy::default(), self.clock.now())
    }

    /// Whether the customer may still want something otherwise.
    pub fn may_amend(&self, seen: &Seen) -> bool {
        amend::may_amend(&seen.live.view, &seen.kept)
    }

    /// Takes a wish about the order's fulfilment: it is so, or the restaurant is asked.
    pub async fn amend(&self, customer: CustomerId, seen: &Seen, wish: Wish) -> Result<(), WorkError<AmendError>> {
        let terms = terms::of(&self.database, &seen.site.facts.id).await?;
        let at = Place { lat: seen.site.facts.lat, lon: seen.site.facts.lon };
        let order = seen.kept.order;
        let done = seen.site.run(move |tx| {
            async move { work::amend(tx, customer, &order, &wish, &at, terms.verdict_ms).await }.boxed()
        });
        done.await
    }

    /// Cancels, or asks the restaurant to.
    pub async fn cancel(
        &self,
        customer: CustomerId,
        seen: &Seen,
        why: String,
        expected_refund_minor: i64,
    ) -> Result<(), WorkError<CancelError>> {
        let around = self.around(&seen.site).await?;
        let verdict_ms = around.terms.verdict_ms;
        // A link that has just come back can be asked, though the restaurant does not count as open yet.
        let link_down = !seen.site.link.reaches(&seen.live.view.owner);
        let wanted = Cancel { why, expected_refund_minor, link_down, verdict_ms };
        let order = seen.kept.order;
        let done = seen
            .site
            .run(move |tx| async move { work::cancel(tx, customer, &order, &wanted, around.real).await }.boxed());
        done.await?;
        self.wake.notify_one();
        Ok(())
    }

    /// Records what became of an effect, in its site's transaction.
    pub async fn record(&self, claimed: &Claimed, performed: &Performed) -> anyhow::Result<()> {
        let site = self.site(&claimed.effect.site);
        let site = site.ok_or_else(|| anyhow::anyhow!("an effect of a site that is not here"))?;
        let around = self.around(&site).await?;
        let (claimed, performed) = (claimed.clone(), performed.clone());
        let done = site
            .run(move |tx| async move { work::record::<Infallible>(tx, &claimed, &performed, &around).await }.boxed());
        done.await?;
        self.wake.notify_one();
        Ok(())
    }

    /// Looks after orders whose time has come: expired, or without a verdict. Returns how many there were.
    pub async fn sweep(&self) -> Result<usize, StoreError> {
        let mut due = cloud_orders::due(&self.database, self.clock.now(), 256).await?;
        due.extend(amendments::due(&self.database, self.clock.now(), 256).await?);
        let count = due.len();
        for (site, order) in due {
            let Some(site) = self.site(&site) else { continue };
            let real = self.clock.real();
            let done = site.run(move |tx| async move { work::react::<Infallible>(tx, &[order], real).await }.boxed());
            if let Err(error) = done.await {
                tracing::error!(%order, %error, "an order whose time has come could not be looked after");
            }
        }
        if count > 0 {
            self.wake.notify_one();
        }
        Ok(count)
    }

    /// The site went away, or was not there at the start: what it has not accepted is held.
    pub async fn hold(&self, site: &SiteHandle) -> Result<(), WorkError<Infallible>> {
        let (id, around) = (site.facts.id, self.around(site).await?);
        site.run(move |tx| async move { work::hold(tx, &id, &around.terms).await }.boxed()).await?;
        Ok(())
    }

    /// The site is open again: what is held goes to it.
    pub async fn release(&self, site: &SiteHandle) -> Result<(), WorkError<Infallible>> {
        let (id, around) = (site.facts.id, self.around(site).await?);
        site.run(move |tx| async move { work::release(tx, &id, &around).await }.boxed()).await?;
        self.wake.notify_one();
        Ok(())
    }

    /// Asks a site for the rights that recent demand needs.
    pub async fn wish(&self, site: &SiteHandle) -> Result<(), WorkError<Infallible>> {
        let (now, real) = (self.clock.now(), self.clock.real());
        let wanted = |demand: &mut BTreeMap<SiteId, Demand>| demand.remove(&site.facts.id);
        let taken = wanted(&mut self.demand.lock().unwrap_or_else(PoisonError::into_inner));
        let Some(mut demand) = taken else { return Ok(()) };
        let looked = site.read(move |replica, _| {
            let wishes = demand.wishes(replica.site(), &replica.origin(), now, real);
            (demand, wishes)
        });
        let (demand, wishes) = looked.await?;
        let mut known = self.demand.lock().unwrap_or_else(PoisonError::into_inner);
        match known.entry(site.facts.id) {
            std::collections::btree_map::Entry::Vacant(empty) => drop(empty.insert(demand)),
            std::collections::btree_map::Entry::Occupied(mut noted) => noted.get_mut().join(demand),
        }
        drop(known);
        if !wishes.is_empty() {
            metrics::counter!("pilotlight_rights_asked_total").increment(wishes.len() as u64);
            site.want(wishes.into_iter().map(|(ingredient, amount)| Want { ingredient, amount }).collect());
        }
        Ok(())
    }
}

impl React for Desk {
    fn react<'t>(
        &'t self,
        _site: &'t SiteHandle,
        tx: &'t mut SiteTx,
        changed: &'t BTreeSet<OrderId>,
    ) -> BoxFuture<'t, Result<(), WorkError<Infallible>>> {
        async move {
            let changed: Vec<OrderId> = changed.iter().copied().collect();
            work::react(tx, &changed, self.clock.real()).await
        }
        .boxed()
    }
}

/// Which attempt at paying a request begins: the first, or another with another payment. `None`: it repeats what is known.
fn again(
    known: Option<&Checkout>,
    customer: CustomerId,
    site: &SiteHandle,
    request: &PlaceRequest,
    quote: Option<&Quote>,
) -> Result<Option<u32>, PlaceRefusal> {
    let Some(known) = known else { return Ok(Some(1)) };
    let differs = |field| Err(PlaceRefusal::SameIdOtherCart(field));
    if known.customer != customer || known.site != site.facts.id {
        return differs(CartField::Id);
    }
    // A quote that was swept away cannot be compared; its id was given to this customer only.
    if let Some(quote) = quote {
        if let Some(field) = place::difference(&known.cart, &quote.cart) {
            return differs(field);
        }
        if known.address != quote.address {
            return differs(CartField::Address);
        }
    }
    let another = known.state == CheckoutState::Declined && known.payment != request.payment;
    Ok(another.then_some(known.attempt + 1))
}

fn request_of(quote: &Quote) -> QuoteRequest {
    let address: Option<Address> = quote.address.clone();
    QuoteRequest {
        fulfilment: quote.cart.fulfilment,
        lines: quote.cart.lines.iter().map(place::wanted).collect(),
        tip_minor: quote.cart.tip_minor,
        address,
        note: quote.cart.note.clone(),
    }
}

fn damaged(error: &WorkError<Infallible>) -> StoreError {
    StoreError::Damaged { table: "site_doc", why: error.to_string() }
}

fn work_failed(error: WorkError<Infallible>) -> PlaceRefusal {
    match error {
        WorkError::Store(error) => PlaceRefusal::Store(error),
        other @ (WorkError::Refused(_) | WorkError::TooLarge(_) | WorkError::Unknown | WorkError::Closed) => {
            PlaceRefusal::Store(damaged(&other))
        }
    }
}
