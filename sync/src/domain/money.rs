//! Amounts in the smallest unit of their currency, and the one rounding rule: half up, once.

use std::fmt;

/// An ISO 4217 code, three upper-case letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
#[cbor(transparent)]
pub struct Currency(#[cbor(with = "minicbor::bytes")] [u8; 3]);

impl Currency {
    /// US dollar.
    pub const USD: Self = Self(*b"USD");
    /// Pound sterling.
    pub const GBP: Self = Self(*b"GBP");

    /// Reads a code, or says that it is none.
    pub fn parse(code: &str) -> Option<Self> {
        let bytes: [u8; 3] = code.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_uppercase).then_some(Self(bytes))
    }

    /// The code as text.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An amount in the smallest unit of its currency; never a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
pub struct Money {
    /// Minor units: cents, pence, yen.
    #[n(0)]
    pub minor: i64,
    /// What they are units of.
    #[n(1)]
    pub currency: Currency,
}

/// A share in hundredths of a per cent: 1,000 is 10 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
#[cbor(transparent)]
pub struct BasisPoints(pub u32);

impl BasisPoints {
    /// This share of an amount in minor units, rounded half up (towards positive infinity), once.
    pub fn of(self, minor: i64) -> i64 {
        let exact = i128::from(minor) * i128::from(self.0);
        let rounded = (exact + 5_000).div_euclid(10_000);
        i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
    }

    /// The tax contained in a price that includes it at this rate, rounded half up, once.
    pub fn included_in(self, gross_minor: i64) -> i64 {
        let rate = i128::from(self.0);
        let whole = 10_000 + rate;
        let rounded = (2 * i128::from(gross_minor) * rate + whole).div_euclid(2 * whole);
        i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m1_shares_round_half_up_once() {
        for (share, minor, expected) in
            [(7_000, 999, 699), (7_000, 995, 697), (4_000, 1_070, 428), (10_000, -5, -5), (5_000, -1, 0), (0, 1_000, 0)]
        {
            assert_eq!(BasisPoints(share).of(minor), expected, "{share} bp of {minor}");
        }
    }

    #[test]
    fn m1_included_tax_is_the_part_of_the_gross_price() {
        for (rate, gross, tax) in [(2_000, 1_200, 200), (700, 107, 7), (1_900, 999, 160), (0, 500, 0)] {
            assert_eq!(BasisPoints(rate).included_in(gross), tax, "{rate} bp in {gross}");
        }
    }

    #[test]
    fn m1_a_currency_is_three_capitals() {
        assert_eq!(Currency::parse("USD"), Some(Currency::USD));
        for wrong in ["usd", "US", "USDX", "U$D", ""] {
            assert_eq!(Currency::parse(wrong), None, "{wrong}");
        }
    }
}
