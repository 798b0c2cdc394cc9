//! The recorder's log format: one record an operation, written by the shim and read by the replayer, which includes this file.
//!
//! A record is complete or it is the end of the log: the process may be killed while it writes the last one.

/// First byte of every record; anything else means that the log is damaged.
pub const MAGIC: u8 = 0xA7;
/// Fixed part of a record: magic, kind, two spare bytes, inode, two numbers, two lengths.
pub const HEADER_BYTES: usize = 4 + 8 + 8 + 8 + 4 + 4;

/// What the process did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// A new file: inode, path.
    Create = 1,
    /// A new directory: path.
    Mkdir = 2,
    /// A rename: path, second path.
    Rename = 3,
    /// A removed name of a file: path.
    Unlink = 4,
    /// A removed directory: path.
    Rmdir = 5,
    /// Bytes written: inode, offset, data.
    Write = 6,
    /// A new length: inode, length.
    SetLength = 7,
    /// Zeros in a range (a punched hole): inode, offset, length.
    Zero = 8,
    /// A file sync that has returned: inode.
    SyncFile = 9,
    /// A directory sync that has returned: path.
    SyncDirectory = 10,
    /// Something the recorder cannot follow: path holds its name.
    Unsupported = 11,
}

impl Kind {
    /// The kind behind a byte of the log.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        [
            Self::Create,
            Self::Mkdir,
            Self::Rename,
            Self::Unlink,
            Self::Rmdir,
            Self::Write,
            Self::SetLength,
            Self::Zero,
            Self::SyncFile,
            Self::SyncDirectory,
            Self::Unsupported,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }
}

/// The fixed part of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What was done.
    pub kind: Kind,
    /// The file, where the operation is on a file and not on a name.
    pub inode: u64,
    /// Offset or length, by kind.
    pub first: u64,
    /// Length, by kind.
    pub second: u64,
    /// Bytes of the first path that follow.
    pub path_bytes: u32,
    /// Bytes of data, or of the second path, that follow the first.
    pub data_bytes: u32,
}

impl Header {
    /// The header's bytes in the log.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0_u8; HEADER_BYTES];
        out[0] = MAGIC;
        out[1] = self.kind as u8;
        out[4..12].copy_from_slice(&self.inode.to_le_bytes());
        out[12..20].copy_from_slice(&self.first.to_le_bytes());
        out[20..28].copy_from_slice(&self.second.to_le_bytes());
        out[28..32].copy_from_slice(&self.path_bytes.to_le_bytes());
        out[32..36].copy_from_slice(&self.data_bytes.to_le_bytes());
        out
    }

    /// Reads a header back; `None` when the bytes are none.
    #[must_use]
    pub fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        if bytes[0] != MAGIC {
            return None;
        }
        let long = |at: usize| {
            let mut out = [0_u8; 8];
            out.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(out)
        };
        let short = |at: usize| {
            let mut out = [0_u8; 4];
            out.copy_from_slice(&bytes[at..at + 4]);
            u32::from_le_bytes(out)
        };
        Some(Self {
            kind: Kind::from_byte(bytes[1])?,
            inode: long(4),
            first: long(12),
            second: long(20),
            path_bytes: short(28),
            data_bytes: short(32),
        })
    }
}
