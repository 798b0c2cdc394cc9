//! Pairing and devices.

use crate::api::call::{Answer, Call, id, json, with_type};
use crate::api::json::*;
use crate::api::problem::Problem;
use crate::api::to_json;
use crate::devices::pairing::{self, CODE_MS, check_name};
use bytes::Bytes;
use fast_qr::convert::svg::SvgBuilder;
use fast_qr::qr::QRBuilder;
use http::StatusCode;
use pilotlight_edge::api::text;
use pilotlight_edge::tokens;
use pilotlight_sync::doc::people::Device;
use pilotlight_sync::domain::id::DeviceId;
use pilotlight_sync::domain::role::Action;

/// What anyone on the LAN may know.
#[utoipa::path(get, path = "/api/v1/site", operation_id = "get_site", tag = "devices", responses((status = 200, body = SiteJson)), security(()))]
pub async fn get_site(call: Call) -> Answer {
    let settings = &call.app.settings;
    Ok(json(
        StatusCode::OK,
        &SiteJson {
            site: settings.site.to_string(),
            name: settings.name.clone(),
            currency: settings.currency.to_string(),
            time_zone: settings.time_zone.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now: call.now().0,
            origin: call.app.origin.to_string(),
            ready: !call.app.store.health().is_closed(),
        },
    ))
}

/// Pairs a device by a one-time code, and gives it its token.
#[utoipa::path(post, path = "/api/v1/pair", operation_id = "pair_device", tag = "devices", request_body = PairJson, security(()),
    responses((status = 400, body = ProblemJson), (status = 201, body = PairedJson), (status = 403, body = ProblemJson), (status = 429, body = ProblemJson)))]
pub async fn pair(call: Call) -> Answer {
    let sent: PairJson = call.json()?;
    text::one_line("name", &sent.name)?;
    let name = check_name(&sent.name)?;
    let now = call.now();
    let role = call.app.pairing.take(&sent.code, &call.from(), now)?;
    let token = tokens::new_token().map_err(pairing::PairRefusal::from)?;
    let device_id = DeviceId::from_bytes(tokens::random().map_err(pairing::PairRefusal::from)?);
    let device = Device { name, role, token_hash: tokens::hash(&token), paired_at: now, revoked: false };
    let device = call.app.store.run(move |replica, _| pairing::plan(replica, device_id, device)).await?;
    if let Some(connection) = &call.connection {
        connection.mark_known();
    }
    tracing::info!(device = %device_id, role = role.word(), "a device was paired");
    let paired = PairedJson {
        token,
        device: device_id.to_string(),
        name: device.name,
        role: to_json::role(device.role),
        site_name: call.app.settings.name.clone(),
    };
    Ok(json(StatusCode::CREATED, &paired))
}

/// Gives out a one-time code for a new device.
#[utoipa::path(post, path = "/api/v1/pairing-codes", operation_id = "create_pairing_code", tag = "devices", request_body = NewPairingCodeJson,
    responses((status = 400, body = ProblemJson), (status = 201, body = PairingCodeJson), (status = 403, body = ProblemJson)))]
pub async fn create_code(call: Call) -> Answer {
    call.allow(Action::Administer)?;
    let sent: NewPairingCodeJson = call.json()?;
    let role = to_json::from_role(sent.role);
    let expires_at = call.now().plus_ms(CODE_MS);
    let code = call.app.pairing.give_out(role, Some(expires_at), call.now()).map_err(pairing::PairRefusal::from)?;
    let url = format!("{}/pair?code={code}", call.app.url());
    let answer = PairingCodeJson { qr_svg: qr_svg(&url), code, role: sent.role, expires_at: expires_at.0, url };
    Ok(json(StatusCode::CREATED, &answer))
}

fn qr_svg(url: &str) -> String {
    QRBuilder::new(url).build().map(|code| SvgBuilder::default().to_str(&code)).unwrap_or_default()
}

/// Who this token speaks for.
#[utoipa::path(get, path = "/api/v1/whoami", operation_id = "who_am_i", tag = "devices", responses((status = 200, body = WhoAmIJson), (status = 401, body = ProblemJson)))]
pub async fn who_am_i(call: Call) -> Answer {
    let caller = call.allow(Action::ReadMenu)?;
    let found = call.app.store.read(move |replica, _| {
        let site = replica.site();
        let staff = caller.staff.and_then(|id| site.person(&id).map(|person| super::staff::staff_json(id, person)));
        Ok(site.device(&caller.device).map(|device| (device_json(caller.device, device), staff)))
    });
    let gone = || Problem::new(StatusCode::UNAUTHORIZED, "unauthorised", "this device has just been removed");
    let (device, staff) = found.await?.ok_or_else(gone)?;
    Ok(json(StatusCode::OK, &WhoAmIJson { device, staff, role: to_json::role(caller.role) }))
}

fn device_json(id: DeviceId, device: &Device) -> DeviceJson {
    DeviceJson {
        id: id.to_string(),
        name: device.name.clone(),
        role: to_json::role(device.role),
        paired_at: device.paired_at.0,
        revoked: device.revoked,
    }
}

/// All devices, revoked ones included.
#[utoipa::path(get, path = "/api/v1/devices", operation_id = "list_devices", tag = "devices", responses((status = 200, body = DevicesJson)))]
pub async fn list(call: Call) -> Answer {
    call.allow(Action::Administer)?;
    let list = |replica: &crate::store::replica::Replica, _| {
        Ok(replica.site().devices().map(|(id, device)| device_json(*id, device)).collect())
    };
    let devices = call.app.store.read(list).await?;
    Ok(json(StatusCode::OK, &DevicesJson { devices }))
}

/// Makes a device's token open nothing any more.
#[utoipa::path(delete, path = "/api/v1/devices/{id}", operation_id = "revoke_device", tag = "devices", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemJson)))]
pub async fn revoke(call: Call, device: String) -> Answer {
    let caller = call.allow(Action::Administer)?;
    let device = id("id", &device)?;
    let by = caller.actor();
    let known = call.app.store.run(move |replica, _| pairing::revoke(replica, by, device)).await?;
    if !known {
        return Err(Problem::new(StatusCode::NOT_FOUND, "unknown_device", "there is no such device").at("id"));
    }
    tracing::info!(%device, "a device was revoked");
    Ok(with_type(StatusCode::NO_CONTENT, "application/json", Bytes::new()))
}

/// The certificate that devices must trust.
#[utoipa::path(get, path = "/ca.crt", operation_id = "get_ca", tag = "devices", responses((status = 200, content_type = "application/x-x509-ca-cert")), security(()))]
pub async fn get_ca(call: Call) -> Answer {
    let pem = Bytes::from(call.app.ca_pem.clone());
    Ok(with_type(StatusCode::OK, "application/x-x509-ca-cert", pem))
}
