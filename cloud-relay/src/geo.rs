//! Places on earth: great-circle distance, what is within reach, how long a rider takes.

/// How far a restaurant may be, in metres.
pub const REACH_M_MAX: u32 = 5_000;
/// The earth's mean radius, in metres.
const EARTH_M: f64 = 6_371_008.8;

/// A place on earth, in degrees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// North is positive.
    pub lat: f64,
    /// East is positive.
    pub lon: f64,
}

impl Place {
    /// A place, if there is such a one.
    pub fn new(lat: f64, lon: f64) -> Option<Self> {
        ((-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon)).then_some(Self { lat, lon })
    }

    /// Metres as the crow flies (haversine).
    pub fn distance_m(&self, other: &Self) -> u32 {
        let (lat_1, lat_2) = (self.lat.to_radians(), other.lat.to_radians());
        let half = |from: f64, to: f64| ((to - from) / 2.0).sin().powi(2);
        let chord =
            half(lat_1, lat_2) + lat_1.cos() * lat_2.cos() * half(self.lon.to_radians(), other.lon.to_radians());
        let metres = 2.0 * EARTH_M * chord.sqrt().min(1.0).asin();
        // Half the earth's circumference is 20 million metres.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 21 million")]
        let metres = metres.round() as u32;
        metres
    }
}

/// A rider's speed as the crow flies, in metres a second: 15 km/h, streets and traffic lights included.
pub const RIDE_M_PER_S: f64 = 1_000.0 / 240.0;

/// How long a rider takes for this distance, in milliseconds.
pub fn ride_ms(distance_m: u32) -> u64 {
    u64::from(distance_m) * 240
}

/// Those within reach, the nearest first; of two at the same distance the first one given.
pub fn nearest_first<T>(from: &Place, places: impl IntoIterator<Item = (T, Place)>) -> Vec<(u32, T)> {
    let with_distance = places.into_iter().map(|(what, place)| (from.distance_m(&place), what));
    let mut near: Vec<(u32, T)> = with_distance.filter(|(distance_m, _)| *distance_m <= REACH_M_MAX).collect();
    near.sort_by_key(|(distance_m, _)| *distance_m);
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(lat: f64, lon: f64) -> Place {
        Place::new(lat, lon).unwrap()
    }

    #[test]
    fn b8_distances_are_great_circle_distances() {
        // Checked against published ones: Berlin - Paris 878 km, Nashville - Los Angeles 2,886 km, pole to pole half the earth.
        for (from, to, expected_m) in [
            (place(52.52, 13.405), place(48.8566, 2.3522), 877_463),
            (place(36.12, -86.67), place(33.94, -118.40), 2_886_448),
            (place(90.0, 0.0), place(-90.0, 0.0), 20_015_115),
            (place(0.0, 179.9), place(0.0, -179.9), 22_239),
            (place(1.0, 1.0), place(1.0, 1.0), 0),
        ] {
            let distance_m = from.distance_m(&to);
            assert!(distance_m.abs_diff(expected_m) <= 20, "{from:?} {to:?}: {distance_m}");
            assert_eq!(distance_m, to.distance_m(&from));
        }
        for (lat, lon) in [(90.1, 0.0), (0.0, 180.5), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert_eq!(Place::new(lat, lon), None);
        }
    }

    #[test]
    fn b8_within_five_kilometres_the_nearest_first() {
        let here = place(52.5, 13.4);
        let places = [("far", place(52.55, 13.4)), ("mid", place(52.53, 13.4)), ("next", place(52.501, 13.4))];
        let near = nearest_first(&here, places);
        let names: Vec<&str> = near.iter().map(|(_, name)| *name).collect();
        assert_eq!(names, ["next", "mid"]);
    }
}
