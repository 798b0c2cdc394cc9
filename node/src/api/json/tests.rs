//! The generated TypeScript is what these shapes say. `PILOTLIGHT_WRITE=1 cargo test -p pilotlight-node j1` writes it anew.

use super::*;
use std::path::Path;
use ts_rs::Config;

macro_rules! generate {
    ($config:expr; $($shape:ty),+ $(,)?) => { $(<$shape as TS>::export_all($config).unwrap();)+ };
}

#[test]
fn j1_the_screens_types_are_generated_from_these_shapes() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::new().with_out_dir(dir.path());
    // The roots; what they are made of comes with them.
    generate!(&config;
        SiteJson, PairJson, PairedJson, NewPairingCodeJson, PairingCodeJson, DevicesJson, StaffListJson, NewStaffJson, SignInJson,
        SignedInJson, WhoAmIJson, MenuJson, EightySixJson, ImportReportJson, StockJson, ReceiptJson, EnforcedJson, PlaceOrderJson,
        AmendOrderJson, CancelOrderJson, TakeOverJson, TenderJson, DigestJson, OrderLogJson, OrdersJson, KitchenActionsJson, KitchenOutcomesJson, ProblemJson, HealthJson, FromScreenJson,
        ToScreenJson, EnrolJson, SiblingsJson, SiblingCodeJson, JoinSiblingJson, EnrolSiblingJson, EnrolledSiblingJson, AdoptJson, AdoptedJson, CountJson, CountedJson,
        OnlineJson, IntakeCommandJson, DecisionJson, AnswerRequestJson,
        WasteJson, TillJson, OpenShiftJson, MoveCashJson, CloseShiftJson, NameKeeperJson, DayReportJson,
        MenuConflictsJson, ChangeItemJson,
    );
    let generated = std::fs::read_to_string(dir.path().join("api.ts")).unwrap();
    let shapes = concat!(include_str!("../json.rs"), include_str!("../../../../kds-ui/edge/src/api/json.rs"));
    for declared in shapes.split("pub struct ").skip(1).chain(shapes.split("pub enum ").skip(1)) {
        let name = declared.split([' ', '{']).next().unwrap_or_default();
        assert!(generated.contains(&format!("export type {name} ")), "{name} is in no root of this test");
    }
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../kds-ui/src/generated/api.ts");
    if std::env::var_os("PILOTLIGHT_WRITE").is_some() {
        std::fs::write(&kept, &generated).unwrap();
    }
    let stale = std::fs::read_to_string(&kept).unwrap() != generated;
    assert!(!stale, "kds-ui/src/generated/api.ts is stale: PILOTLIGHT_WRITE=1 cargo test -p pilotlight-node j1");
}
