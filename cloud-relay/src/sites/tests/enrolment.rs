//! Codes are good once and for one site; tokens that were replaced open nothing.

use crate::sites::enrolment::{CreateRefusal, Enrol, EnrolRefusal};
use crate::sites::site_handle::NoReactions;
use crate::sites::testing::{Node, Shop, join};
use crate::store::site_rows::NewSite;
use pilotlight_sync::doc::origin::{OriginCard, OriginRole};
use pilotlight_sync::domain::id::SiteId;
use std::sync::Arc;

fn new(name: &str, lat: f64) -> NewSite {
    NewSite { name: name.into(), lat, lon: 9.2 }
}

fn enrol(code: &str, site: &str, node: &Node) -> Enrol {
    Enrol { code: code.into(), site: Some(SiteId::derived(&[site])), protocol: 1, cards: vec![node.card()] }
}

#[tokio::test]
async fn e9_a_code_is_good_once_and_a_new_one_replaces_the_token() {
    let shop = Shop::open(Arc::new(NoReactions)).await;
    let (sites, node) = (&shop.sites, Node::new("second"));
    let code = sites.create(new("Second", 45.0)).await.unwrap().code;
    let wrong = sites.enrol(enrol("WRNG-CODE", "second", &node)).await;
    assert!(matches!(wrong, Err(EnrolRefusal::WrongCode)));
    let taken = sites.enrol(enrol(&code, "shop", &node)).await;
    assert!(matches!(taken, Err(EnrolRefusal::SiteTaken)), "the code of a new site does not open another's");
    let first = sites.enrol(enrol(&code.to_lowercase().replace('-', " "), "second", &node)).await.unwrap();
    let again = sites.enrol(enrol(&code, "second", &node)).await;
    assert!(matches!(again, Err(EnrolRefusal::WrongCode)));
    let renewed = sites.renew_code(&SiteId::derived(&["second"])).await.unwrap().code;
    let other = sites.enrol(enrol(&renewed, "third", &node)).await;
    assert!(matches!(other, Err(EnrolRefusal::OtherSite)));
    let second = sites.enrol(enrol(&renewed, "second", &node)).await.unwrap();
    assert_eq!(second.relay, first.relay, "the relay stays who it is");
    assert!(sites.uplink(&first.uplink_token).await.unwrap().is_none());
    assert!(sites.uplink(&second.uplink_token).await.unwrap().is_some());
    assert_ne!(second.relay, shop.site.facts.identity.card(), "an origin for each site");
}

#[tokio::test]
async fn e9_a_code_expires() {
    let shop = Shop::open(Arc::new(NoReactions)).await;
    let code = shop.sites.create(new("Late", 45.0)).await.unwrap();
    shop.clock.advance(code.expires_at - shop.clock.now().0);
    let late = shop.sites.enrol(enrol(&code.code, "late", &shop.node)).await;
    assert!(matches!(late, Err(EnrolRefusal::WrongCode)));
}

#[tokio::test]
async fn e9_what_is_no_site_and_no_node_is_refused_by_name() {
    let shop = Shop::open(Arc::new(NoReactions)).await;
    for name in ["", "  ", &"x".repeat(81)] {
        assert!(matches!(shop.sites.create(new(name, 45.0)).await, Err(CreateRefusal::Name)));
    }
    for lat in [90.1, -91.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(shop.sites.create(new("Far", lat)).await, Err(CreateRefusal::Place)));
    }
    assert!(matches!(shop.sites.renew_code(&SiteId::derived(&["none"])).await, Err(CreateRefusal::UnknownSite)));
    let code = shop.sites.create(new("New", 45.0)).await.unwrap().code;
    let card = shop.node.card();
    for cards in [vec![], vec![card.clone(); 2], vec![OriginCard { role: OriginRole::Relay, ..card.clone() }]] {
        let refused = shop.sites.enrol(Enrol { cards, ..enrol(&code, "new", &shop.node) }).await;
        assert!(matches!(refused, Err(EnrolRefusal::Cards)));
    }
    let old = shop.sites.enrol(Enrol { protocol: 0, ..enrol(&code, "new", &shop.node) }).await;
    assert!(matches!(old, Err(EnrolRefusal::TooOld(0))));
}

#[tokio::test]
async fn e9_a_further_node_comes_beside_the_others_with_a_letter_of_its_own() {
    let shop = Shop::open(Arc::new(NoReactions)).await;
    let (mut bar, mut spare) = (Node::new("bar"), Node::new("spare"));
    let (token, letter) = join(&shop.sites, &mut bar).await;
    assert_eq!(letter, "B");
    assert_eq!(join(&shop.sites, &mut spare).await.1, "C");
    let (again, letter) = join(&shop.sites, &mut bar).await;
    assert_eq!(letter, "B", "a node that comes again keeps it");
    let mut opens = Vec::new();
    for token in [&shop.token, &token, &again] {
        opens.push(shop.sites.uplink(token).await.unwrap().is_some());
    }
    assert_eq!(opens, [true, false, true], "its old token is worth nothing; the first node's is");
    let code = shop.sites.create(new("New", 45.0)).await.unwrap().code;
    let lost = shop.sites.enrol(Enrol { site: None, ..enrol(&code, "new", &bar) }).await;
    assert!(matches!(lost, Err(EnrolRefusal::NoSite)));
}
