//! Where the demo's restaurant and its customers are.

/// Latitude and longitude of the shop.
pub const SHOP: (f64, f64) = (40.741_5, -73.998_2);
/// Of a customer's door, about a kilometre away.
pub const HOME: (f64, f64) = (40.748_0, -73.990_5);
