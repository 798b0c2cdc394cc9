//! Renders the live feed's frames: the JSON shapes of `ToScreenJson`, orders already rendered put in as they are.

use crate::api::json::ToScreenJson;
use crate::api::to_json;
use crate::live::screen_feed::Render;
use crate::store::replica::{LiveOrder, Position};
use pilotlight_sync::domain::id::OrderId;
use std::sync::Arc;

/// Renders JSON.
#[derive(Debug, Clone, Copy)]
pub struct RenderJson;

impl Render for RenderJson {
    fn order(&self, id: &OrderId, order: &LiveOrder) -> String {
        serde_json::to_string(&to_json::board_order(id, order)).unwrap_or_default()
    }

    fn delta(&self, position: &Position, orders: &[Arc<str>], gone: &[OrderId]) -> String {
        let gone: Vec<String> = gone.iter().map(|id| format!("\"{id}\"")).collect();
        let (orders, gone) = (orders.join(","), gone.join(","));
        format!(r#"{{"type":"delta","position":{},"orders":[{orders}],"gone":[{gone}]}}"#, place(position))
    }

    fn snapshot(&self, position: &Position, orders: &[Arc<str>], first: bool, last: bool) -> String {
        let orders = orders.join(",");
        let place = place(position);
        format!(r#"{{"type":"snapshot","position":{place},"orders":[{orders}],"first":{first},"last":{last}}}"#)
    }
}

fn place(position: &Position) -> String {
    serde_json::to_string(&to_json::position(position)).unwrap_or_default()
}

/// Any other frame.
pub fn frame(frame: &ToScreenJson) -> String {
    serde_json::to_string(frame).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pilotlight_sync::crdt::chain::Head;
    use pilotlight_sync::domain::id::OriginId;

    #[test]
    fn l4_frames_put_together_by_hand_are_of_the_shape_that_screens_know() {
        let origin = OriginId::derived(&["r"]);
        let position = Position { origin, head: Head::start(&origin) };
        let gone = [OrderId::derived(&["1"]), OrderId::derived(&["2"])];
        let delta: ToScreenJson = serde_json::from_str(&RenderJson.delta(&position, &[], &gone)).unwrap();
        assert!(matches!(delta, ToScreenJson::Delta { gone, .. } if gone.len() == 2));
        let snapshot: ToScreenJson = serde_json::from_str(&RenderJson.snapshot(&position, &[], true, false)).unwrap();
        assert!(matches!(snapshot, ToScreenJson::Snapshot { first: true, last: false, .. }));
    }
}
