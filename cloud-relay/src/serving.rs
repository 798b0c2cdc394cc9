//! What the relay hands to the accept loop.

use crate::api::routes;
use crate::app::App;
use pilotlight_edge::api::request::bearer;
use pilotlight_edge::server::{BODY_BYTES_MAX, STRANGER_BYTES_MAX, Served};
use std::sync::Arc;

/// The relay as it is served. A body of somebody with a token may be larger; whose token it is, the handler finds out.
pub fn served(app: &Arc<App>) -> Served {
    Served {
        service: routes::service(app),
        body_limit: Arc::new(|headers, _| if bearer(headers).is_some() { BODY_BYTES_MAX } else { STRANGER_BYTES_MAX }),
        stopping: app.stopping.clone(),
        sockets: app.sockets.clone(),
    }
}
