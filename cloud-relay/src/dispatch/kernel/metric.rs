//! Where things are and how long a rider takes between them.

use crate::geo;

/// A place: metres on a plane, or degrees on earth, as its [`Metric`] says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// Metres east, or degrees of longitude.
    pub x: f64,
    /// Metres north, or degrees of latitude.
    pub y: f64,
}

/// How coordinates are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// Metres, straight lines.
    Plane,
    /// Degrees, great circles.
    Earth,
}

/// Travel times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// How coordinates are read.
    pub surface: Surface,
    /// A rider's speed in metres a second.
    pub metres_per_s: f64,
    /// Travel times are rounded up to a multiple of this, in seconds; at least one.
    pub step_s: i32,
}

/// A trip longer than this is a mistake in the data, in seconds.
const TRAVEL_S_MAX: f64 = 1e6;

impl Metric {
    /// Seconds from one place to another, rounded up; nothing between equal places.
    pub fn travel_s(&self, from: Spot, to: Spot) -> i32 {
        let metres = match self.surface {
            Surface::Plane => (from.x - to.x).hypot(from.y - to.y),
            Surface::Earth => {
                let place = |spot: Spot| geo::Place { lat: spot.y, lon: spot.x };
                f64::from(place(from).distance_m(&place(to)))
            }
        };
        let steps = (metres / (self.metres_per_s * f64::from(self.step_s))).ceil();
        #[expect(clippy::cast_possible_truncation, reason = "clamped")]
        let steps = steps.clamp(0.0, TRAVEL_S_MAX) as i32;
        steps.saturating_mul(self.step_s)
    }

    /// Whether a place can be reckoned with.
    pub fn knows(&self, spot: Spot) -> bool {
        match self.surface {
            Surface::Plane => spot.x.abs() < 1e9 && spot.y.abs() < 1e9,
            Surface::Earth => geo::Place::new(spot.y, spot.x).is_some(),
        }
    }
}
