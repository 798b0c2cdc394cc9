//! Identities: one newtype a noun, so that an order can never be passed for a line.
//!
//! All are 128-bit UUIDs. Devices mint version 7; what an import creates is derived from its source's own key, so that
//! importing twice creates nothing twice.

use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The text was not a UUID, or the nil one, which nobody has minted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id: {0:?}")]
pub struct NotAnId(pub String);

macro_rules! id {
    ($(#[doc = $doc:literal])+ $name:ident) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
        #[cbor(transparent)]
        pub struct $name(#[cbor(with = "minicbor::bytes")] [u8; 16]);

        impl $name {
            /// The id of these 16 bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes, big-endian, as they are stored.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// An id that is always the same for the same words: what an import names stays what it was.
            pub fn derived(words: &[&str]) -> Self {
                let mut hasher = blake3::Hasher::new_derive_key(concat!("pilotlight id ", stringify!($name)));
                for word in words {
                    hasher.update(&(word.len() as u64).to_be_bytes());
                    hasher.update(word.as_bytes());
                }
                let mut bytes = [0; 16];
                hasher.finalize_xof().fill(&mut bytes);
                Self(*uuid::Builder::from_custom_bytes(bytes).as_uuid().as_bytes())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Uuid::from_bytes(self.0).hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                let id = Uuid::try_parse(text).ok().filter(|id| !id.is_nil());
                id.map(|id| Self(*id.as_bytes())).ok_or_else(|| NotAnId(text.chars().take(64).collect()))
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(*id.as_bytes())
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                Uuid::from_bytes(id.0)
            }
        }
    };
}

id!(/** One restaurant and all its replicas. */ SiteId);
id!(/** One store's lifetime as a writer: random, with its own key, never in a backup (SPEC, Identity). */ OriginId);
id!(/** What was written under an origin's name after its logs went apart: named by its first commit. */ BranchId);
id!(/** One guest's order, minted on the device that took it. */ OrderId);
id!(/** One line of an order, minted on the device that took it. */ LineId);
id!(/** One intended payment, minted where the intent arose. */ PaymentId);
id!(/** Something a guest can order. */ MenuItemId);
id!(/** A size or kind of an item with its own price. */ VariantId);
id!(/** A set of choices offered with an item. */ GroupId);
id!(/** One choice in a group. */ OptionId);
id!(/** A heading of the menu. */ CategoryId);
id!(/** Something the shop stocks and recipes use. */ IngredientId);
id!(/** A paired screen or till. */ DeviceId);
id!(/** A person who works here. */ StaffId);
id!(/** Somebody who orders through the relay; names and addresses are the relay's own. */ CustomerId);
id!(/** Somebody who brings orders. */ RiderId);
id!(/** A price that the relay has promised for a while. */ QuoteId);
id!(/** One request of a person or device, so that sending it twice does it once. */ IntentId);
id!(/** One drawer's shift, minted on the device that opened it. */ ShiftId);
id!(/** One signed day report: named by its bytes. */ ReportId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i1_an_import_twice_derives_the_same_id_and_other_words_another() {
        assert_eq!(MenuItemId::derived(&["pizzaplace", "bbq_ckn"]), MenuItemId::derived(&["pizzaplace", "bbq_ckn"]));
        assert_ne!(MenuItemId::derived(&["a", "bc"]), MenuItemId::derived(&["ab", "c"]));
    }

    #[test]
    fn i7_the_nil_id_is_nobodys_in_whatever_form_it_is_written() {
        let nil = "00000000-0000-0000-0000-000000000000";
        for text in [nil.to_owned(), nil.replace('-', ""), format!("{{{nil}}}"), format!("urn:uuid:{nil}")] {
            assert_eq!(text.parse::<OrderId>(), Err(NotAnId(text.clone())));
        }
        assert!("00000000-0000-0000-0000-000000000001".parse::<OrderId>().is_ok());
    }

    #[test]
    fn i1_an_id_reads_back_from_its_text_and_nonsense_is_named() {
        let id = OrderId::derived(&["x"]);
        assert_eq!(id.to_string().parse::<OrderId>(), Ok(id));
        assert_eq!("nope".parse::<OrderId>(), Err(NotAnId("nope".into())));
    }
}
