//! Who may do what in the restaurant: one table, checked once, where the command is taken.

use crate::domain::id::{CustomerId, DeviceId, RiderId, StaffId};

/// What a device or a person is here to do. A person's role may go beyond the role of the device they signed in on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum Role {
    /// A kiosk, or a guest's own phone: reads the menu, places orders, reads its own.
    #[n(0)]
    Customer,
    /// A kitchen display: sees the queue, bumps and recalls.
    #[n(1)]
    Kitchen,
    /// The counter: takes, changes and cancels orders.
    #[n(2)]
    Staff,
    /// Changes the menu, stock, staff and devices.
    #[n(3)]
    Manager,
    /// Everything.
    #[n(4)]
    Admin,
}

/// What a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Read menu and availability.
    ReadMenu,
    /// Place an order.
    PlaceOrder,
    /// Read an order that this device placed.
    ReadOwnOrder,
    /// Read any order.
    ReadOrders,
    /// Add, change or void lines of an order; cancel it.
    ChangeOrder,
    /// See the kitchen queue; bump, recall, hand over.
    WorkKitchen,
    /// Take an item off sale, or put it back.
    EightySix,
    /// Pause orders from home, or promise more minutes; say whether what waits is made.
    ChangeIntake,
    /// Read stock.
    ReadStock,
    /// Decide about an order that another node owns, because that is silent.
    TakeOver,
    /// Book deliveries and counts.
    ChangeStock,
    /// Open, count and close a drawer's shift.
    WorkTill,
    /// Close a business day; name the node that keeps stock and days.
    CloseDay,
    /// Import or edit the menu.
    ChangeMenu,
    /// Pair and revoke devices, add and remove staff, settings.
    Administer,
}

impl Role {
    /// All roles, the narrowest first.
    pub const ALL: [Self; 5] = [Self::Customer, Self::Kitchen, Self::Staff, Self::Manager, Self::Admin];

    /// The word on the wire and on screens.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Kitchen => "kitchen",
            Self::Staff => "staff",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// Whether this role may do it.
    pub const fn may(self, action: Action) -> bool {
        use Action as A;
        match action {
            A::ReadMenu | A::ReadOwnOrder => true,
            A::PlaceOrder => !matches!(self, Self::Kitchen),
            A::ReadOrders | A::WorkKitchen | A::EightySix | A::ChangeIntake | A::ReadStock => {
                !matches!(self, Self::Customer)
            }
            A::ChangeOrder | A::WorkTill => matches!(self, Self::Staff | Self::Manager | Self::Admin),
            A::TakeOver | A::ChangeStock | A::ChangeMenu | A::CloseDay => matches!(self, Self::Manager | Self::Admin),
            A::Administer => matches!(self, Self::Admin),
        }
    }
}

/// Who caused a change, by id only: names live under their own key (SPEC, People's data).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, minicbor::Encode, minicbor::Decode)]
pub enum Actor {
    /// The program itself: an import, a roll-over, a derived decision.
    #[n(0)]
    System,
    /// A device with nobody signed in.
    #[n(1)]
    Device(#[n(0)] DeviceId),
    /// A person, on a device.
    #[n(2)]
    Staff(#[n(0)] StaffId, #[n(1)] DeviceId),
    /// A customer of the relay.
    #[n(3)]
    Customer(#[n(0)] CustomerId),
    /// A rider.
    #[n(4)]
    Rider(#[n(0)] RiderId),
}

impl Actor {
    /// The device it was done on, if any.
    pub const fn device(&self) -> Option<DeviceId> {
        match self {
            Self::System | Self::Customer(_) | Self::Rider(_) => None,
            Self::Device(device) | Self::Staff(_, device) => Some(*device),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r1_each_role_may_do_just_what_its_row_says() {
        use Action as A;
        let rows: [(Role, &[Action]); 3] = [
            (Role::Customer, &[A::ReadMenu, A::PlaceOrder, A::ReadOwnOrder]),
            (
                Role::Kitchen,
                &[
                    A::ReadMenu,
                    A::ReadOwnOrder,
                    A::ReadOrders,
                    A::WorkKitchen,
                    A::EightySix,
                    A::ChangeIntake,
                    A::ReadStock,
                ],
            ),
            (
                Role::Staff,
                &[
                    A::ReadMenu,
                    A::PlaceOrder,
                    A::ReadOwnOrder,
                    A::ReadOrders,
                    A::ChangeOrder,
                    A::WorkTill,
                    A::WorkKitchen,
                    A::EightySix,
                    A::ChangeIntake,
                    A::ReadStock,
                ],
            ),
        ];
        let all = [
            A::ReadMenu,
            A::PlaceOrder,
            A::ReadOwnOrder,
            A::ReadOrders,
            A::ChangeOrder,
            A::WorkTill,
            A::CloseDay,
            A::WorkKitchen,
            A::EightySix,
            A::ChangeIntake,
            A::ReadStock,
            A::ChangeStock,
            A::ChangeMenu,
            A::Administer,
        ];
        for (role, allowed) in rows {
            for action in all {
                assert_eq!(role.may(action), allowed.contains(&action), "{role:?} {action:?}");
            }
        }
        assert!(all.into_iter().all(|action| Role::Admin.may(action)));
        assert!(all.into_iter().filter(|action| *action != A::Administer).all(|action| Role::Manager.may(action)));
        assert!(!Role::Manager.may(A::Administer));
    }
}
