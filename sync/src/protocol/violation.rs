//! What a peer may not do, each with a number that never changes: the driver closes the connection with it.

use std::fmt;

macro_rules! violations {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal $word:literal,)+) => {
        /// Why a session ends. The code is pinned; the word goes to logs and to the other side.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Violation {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Violation {
            /// All of them, in the order of their codes.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its number: the WebSocket close code.
            pub const fn code(self) -> u16 {
                match self { $(Self::$name => $code,)+ }
            }

            /// Its word.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }
        }
    };
}

violations! {
    /// The dialer speaks an older protocol than the listener does.
    NodeTooOld = 4001 "node_too_old",
    /// The listener speaks an older protocol than the dialer does.
    RelayTooOld = 4002 "relay_too_old",
    /// The peer is of another site than its door is for.
    OtherSite = 4003 "other_site",
    /// The peer said nothing for too long.
    Silent = 4004 "silent",
    /// The frame is longer than such a frame may be.
    FrameTooLarge = 4010 "frame_too_large",
    /// The frame, or a list in it, is not what its kind says.
    Malformed = 4011 "malformed",
    /// A frame that may not come now: a second hello, a batch before the welcome.
    OutOfTurn = 4012 "out_of_turn",
    /// More origins than a site may have.
    TooManyOrigins = 4013 "too_many_origins",
    /// More was sent than the window allowed.
    WindowOverrun = 4020 "window_overrun",
    /// More window was given than may be.
    WindowTooLarge = 4021 "window_too_large",
    /// A batch's bytes are not those that its sender counted.
    BatchDamaged = 4022 "batch_damaged",
    /// A batch is larger than a batch may be, or says that it has another size than it has.
    BatchSize = 4023 "batch_size",
    /// The commits do not lead to the hash that the batch names.
    ChainBroken = 4024 "chain_broken",
    /// The signature is not the origin's.
    BadSignature = 4025 "bad_signature",
    /// No key is known of this origin, and the batch does not bring one.
    UnknownOrigin = 4026 "unknown_origin",
    /// The batch continues the receiver's own log, which only the receiver writes.
    OwnOrigin = 4027 "own_origin",
    /// More was acknowledged than there is.
    AckBeyond = 4028 "ack_beyond",
    /// More was asked for than there is.
    NeedBeyond = 4029 "need_beyond",
}

impl Violation {
    /// The violation that a close code stands for; `None` when it is none of ours.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|violation| violation.code() == code)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl std::error::Error for Violation {}
